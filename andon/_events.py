"""One stream of server-sent events for all that an agent waits for; open only while something waits.

An event is a hint to read the handoff again, never the decision itself.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import aiohttp

from andon._errors import ServiceError
from andon._http import Http, backoff_s

__all__ = ["Events"]

LINGER_S = 5.0
CONNECT_S = 5.0
STEADY_S = 5.0

_log = logging.getLogger("andon")


class Event(NamedTuple):
    """One server-sent event."""

    id: str | None
    name: str
    data: str


class Events:
    """Wakes whoever watches a handoff when the service says that it changed."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._watches: dict[str, set[asyncio.Event]] = {}
        self._connected = asyncio.Event()
        self._last_id: str | None = None
        self._following: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._linger: asyncio.TimerHandle | None = None

    @contextmanager
    def watch(self, handoff_id: str) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever the handoff may have changed; clear it, then read."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self._following is None:
            self._following = asyncio.create_task(self._follow(), name="andon-events")
        changed = asyncio.Event()
        self._watches.setdefault(handoff_id, set()).add(changed)
        try:
            yield changed
        finally:
            watching = self._watches[handoff_id]
            watching.discard(changed)
            if not watching:
                del self._watches[handoff_id]
            if not self._watches and self._following is not None:
                self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._end)

    async def connected(self) -> None:
        """Return once the stream is up; or after 5 s, because it sets every watch when it comes up later."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_S):
                await self._connected.wait()

    async def close(self) -> None:
        """End the stream, and return when it has ended."""
        if self._linger is not None:
            self._linger.cancel()
        self._end()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _end(self) -> None:
        if self._following is not None:
            self._following.cancel()
            self._ending.add(self._following)
            self._following.add_done_callback(self._ending.discard)
        self._following = None
        self._connected.clear()
        # Who comes next starts from now, rather than read through all that nobody waited for.
        self._last_id = None

    async def _follow(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            headers = {} if self._last_id is None else {"Last-Event-ID": self._last_id}
            try:
                async with self._http.stream("/v1/events", headers) as lines:
                    if self._last_id is not None:
                        self._connected.set()
                    async for event in _parse(lines):
                        self._take(event)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                _log.debug("events.broken cause=%s", type(error).__name__)
            except ServiceError as error:
                # The readers meet the same refusal, and raise it where it is understood.
                _log.debug("events.refused problem=%s", error.name)
                self._wake_all()
            self._connected.clear()
            # A line that held for a while starts anew; one that breaks at once is left alone longer each time.
            failures = 0 if loop.time() - began > STEADY_S else failures + 1
            await asyncio.sleep(backoff_s(failures))

    def _take(self, event: Event) -> None:
        if event.id:
            self._last_id = event.id
        if event.name in {"stream.open", "stream.reset"}:
            self._connected.set()
            self._wake_all()
            return
        with contextlib.suppress(ValueError, TypeError, KeyError):
            for changed in self._watches.get(json.loads(event.data)["handoff"], ()):
                changed.set()

    def _wake_all(self) -> None:
        for watching in self._watches.values():
            for changed in watching:
                changed.set()


async def _parse(lines: aiohttp.StreamReader) -> AsyncIterator[Event]:
    """Read server-sent events.

    Source: HTML Living Standard, section 9.2.6, https://html.spec.whatwg.org/multipage/server-sent-events.html, read
    2026-11: a blank line dispatches; a line that starts with a colon is a comment; one space after a colon is dropped.
    """
    event_id: str | None = None
    name = "message"
    data: list[str] = []
    async for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data or name != "message":
                yield Event(event_id, name, "\n".join(data))
            name, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            event_id = value
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
