"""One stream of server-sent events for all that an agent waits for; open only while something waits.

An event is a hint to read the handoff again, never the decision itself. Only a brake's event says all there is to know:
after a stop thousands hear at once, and none of them has to ask.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import aiohttp

from andon import wire
from andon._errors import ServiceError
from andon._http import Http, backoff_s

__all__ = ["Events", "Wait"]

LINGER_S = 5.0
CONNECT_S = 5.0
STEADY_S = 5.0

_log = logging.getLogger("andon")


class Event(NamedTuple):
    """One server-sent event."""

    id: str | None
    name: str
    data: str


class Wait:
    """One call that waits for a handoff or a run.

    Attributes:
        stale: What it waits for may have changed: read it.
        brakes: The brakes that it has been told of and that are still on, by what they hold.
    """

    def __init__(self) -> None:
        self.stale = True
        self.brakes: dict[tuple[bool, wire.BrakeScope], wire.Braked] = {}
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Wake it."""
        self._bell.set()

    def spoil(self) -> None:
        """Wake it, to read again."""
        self.stale = True
        self._bell.set()

    async def rung(self, within_s: float) -> None:
        """Return when it is rung; after so long, it is to read again in any case."""
        try:
            async with asyncio.timeout(within_s):
                await self._bell.wait()
        except TimeoutError:
            self.stale = True
        self._bell.clear()


class Listens(Protocol):
    """A run that wants to hear of brakes."""

    def pulled(self, brake: wire.Braked) -> None:
        """Somebody pulled this one; it may hold other runs alone."""
        ...

    def lifted(self, brake: wire.Braked) -> None:
        """This one is off."""
        ...


class Events:
    """Wakes whoever waits when the service says that something changed.

    Attributes:
        listeners: The runs that hear of brakes.
        gaps: How often the stream began anew, so that whatever was known by it may be out of date.
    """

    def __init__(self, http: Http) -> None:
        self.listeners: set[Listens] = set()
        self.gaps = 0
        self._http = http
        self._waits: dict[str, set[Wait]] = {}
        self._connected = asyncio.Event()
        self._last_id: str | None = None
        self._following: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._linger: asyncio.TimerHandle | None = None

    @contextmanager
    def wait(self, about: str) -> Iterator[Wait]:
        """Begin to wait for changes of a handoff or a run, by its id."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        if self._following is None:
            self._following = asyncio.create_task(self._follow(), name="andon-events")
        wait = Wait()
        self._waits.setdefault(about, set()).add(wait)
        try:
            yield wait
        finally:
            waiting = self._waits[about]
            waiting.discard(wait)
            if not waiting:
                del self._waits[about]
            if not self._waits and self._following is not None:
                self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._end)

    def spoil(self, about: str) -> None:
        """Let all who wait for this read again."""
        for wait in self._waits.get(about, ()):
            wait.spoil()

    @property
    def is_up(self) -> bool:
        """Does the stream tell of all that happens?"""
        return self._connected.is_set()

    async def connected(self) -> None:
        """Return once the stream is up; or after 5 s, because it wakes every wait when it comes up later."""
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
        with contextlib.suppress(ValueError, TypeError, KeyError):  # of a newer service, and not for us
            if event.name.startswith("brake."):
                self._hear(event.name, wire.Braked.model_validate_json(event.data, context=wire.STORED))
            else:
                self._changed(event.name, json.loads(event.data)["handoff"])

    def _hear(self, name: str, brake: wire.Braked) -> None:
        for listener in list(self.listeners):
            if name == "brake.braked":
                listener.pulled(brake)
            elif name == "brake.lifted":
                listener.lifted(brake)

    def _changed(self, name: str, handoff_id: str) -> None:
        for wait in self._waits.get(handoff_id, ()):
            # After a stop thousands are put on hold, whose waits have heard of it; nothing waits for the release.
            if name == "handoff.released" or (name == "handoff.held" and wait.brakes):
                continue
            wait.spoil()

    def _wake_all(self) -> None:
        self.gaps += 1
        for about in self._waits:
            self.spoil(about)


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
