"""The client: where an agent begins."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Self
from uuid import uuid4

from andon import wire
from andon._api import Api
from andon._asking import seconds
from andon._errors import InvalidToken
from andon._events import Events
from andon._handoff import Handoff
from andon._heartbeat import beating
from andon._http import Http
from andon._line import Line
from andon._local import find_service
from andon._on_stop import OnStop, watching
from andon._places import Where, place
from andon._run import Run

__all__ = ["Andon"]

PATIENCE = timedelta(seconds=60)

_TOKEN = re.compile(r"(hf_[A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")


class Andon:
    """An agent's line to the people who decide.

        async with Andon() as andon, andon.run("weekly-report", channel="#ops") as run:
            ...

    Args:
        url: The service's address; unset: `ANDON_URL`, else the local service's.
        key: The agent's key; unset: `ANDON_KEY`, else the local service's.
        patience: How long a call goes on trying to reach the service. Waiting for people outlasts any outage.

    Raises:
        NotConfigured: No service or no key is known.
    """

    def __init__(self, url: str | None = None, key: str | None = None, *, patience: timedelta = PATIENCE) -> None:
        self.url, key = find_service(url, key)
        self._http = Http(self.url, key, patience=patience)
        self._events = Events(self._http)
        self._open = AsyncExitStack()
        self.api = Api(self._http)

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._http)
        self._open.push_async_callback(self._events.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @asynccontextmanager
    async def run(
        self,
        name: str,
        *,
        channel: Where | None = None,
        requester: str | None = None,
        parent: str | None = None,
        labels: Mapping[str, str] | None = None,
        on_stop: OnStop | None = None,
        heartbeat: timedelta | float | None = None,
        idempotency_key: str | None = None,
    ) -> AsyncIterator[Run]:
        """Start a run.

        It starts under a brake as well: then its first gate, ask or checkpoint says so.

        Args:
            name: What the job is called.
            channel: Where its cards go: `"#ops"`, `"slack:#ops"`, or a `Place`.
            requester: The person it works for, e.g. an e-mail address.
            parent: The id of the run that started this one.
            labels: Whatever helps people find it.
            on_stop: What a stop does at once, whatever the run is doing, from here to the end of the `async with`:
                `"cancel"` cancels the task that is inside of it, and its task groups with it; cleanup runs, and the
                block raises `Stopped`. Or a function, which may be async, that is called with the `Stopped`, once for
                each pull. Unset, only calls that wait or act hear of a stop.
            heartbeat: Promise a sign of life this often, in seconds or as a timedelta, 5 s to an hour. They are given
                in the background, from here to the end of the `async with`. Once three in a row have not come,
                because the process died, hangs or cannot reach the service, the run is shown as lost, and people are
                asked what became of what it was doing. Nothing is done again by itself.
            idempotency_key: Yours, if the job may start again after a crash and go on as the same run.
        """
        start = wire.RunStart(
            name=name,
            conversation=None if channel is None else place(channel),
            requester=requester,
            parent=parent,
            labels=dict(labels or {}),
            heartbeat_s=seconds(heartbeat),
        )
        info = await self.api.start_run(start, idempotency_key=idempotency_key or uuid4().hex)
        line = Line(self.api, self._events, info)
        run = Run(line, info)
        async with beating(line, info):
            try:
                async with watching(line.brake, on_stop):
                    yield run
            finally:
                await run.leave()

    async def resume(self, token: str) -> tuple[Run, Handoff]:
        """Come back, in any process with the agent's key, to an ask that was opened earlier.

        Args:
            token: The opened handoff's `token`.

        A run that promised signs of life gives them again, until this client is closed.

        Returns:
            The run, with its checkpoint, and the handoff: `wait` for it, `claim` it, `report` on it.

        Raises:
            InvalidToken: It is no token; the service was not asked.
            NotFound: There is no such handoff, or it is another agent's.
        """
        read = _TOKEN.fullmatch((token or "").strip())
        if read is None:
            # Not shown: it may be a part of a token, or a key.
            raise InvalidToken(
                f"{'what was given' if token else 'nothing, or an empty text,'} is no token: "
                "it is `<handoff id>.<secret>`, as `open` returned it"
            )
        latest = await self.api.read(read[1])
        info = await self.api.read_run(latest.run)
        line = Line(self.api, self._events, info)
        await self._open.enter_async_context(beating(line, info, at_once=True))
        return Run(line, info), Handoff(line, latest, token=read[0])
