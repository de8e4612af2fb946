"""Is this process able to work? Each of its parts, by name, since when. Nothing here is secret, or anybody's words."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from bot.errors import StoreUnavailable

State = Literal["ok", "degraded", "down"]
Check = Callable[[], Awaitable[str]]
"""Says in a sentence what is wrong; empty: nothing."""

_PATIENCE_S: Final = 2.0
_KEPT_S: Final = 1.0
"""A look is shared by all who ask within this time: asking in a loop costs the store nothing."""


_TOLD: Final[Mapping[str, str]] = {
    "ReadOnlyError": "it is a replica, and takes no writes (READONLY)",
    "OutOfMemoryError": "it is out of memory, and takes no writes (OOM)",
    "MISCONF": "it cannot write to its disk, and takes no writes (MISCONF)",
    "NOREPLICAS": "it has too few replicas, and takes no writes (NOREPLICAS)",
    "AuthenticationError": "it wants another password",
    "NoPermissionError": "this user may not write to it (NOPERM)",
}
"""By the first word that Redis says, or, where its client keeps that to itself, by what the client makes of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """How one part is."""

    state: State
    since: datetime
    """Since when this process knows it so."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How all parts are."""

    status: Literal["ready", "degraded", "unready", "stopping"]
    parts: Mapping[str, Part]

    @property
    def is_ready(self) -> bool:
        """May requests come here? Yes while no part that all work needs is down."""
        return self.status in {"ready", "degraded"}


class Readiness:
    """Looks at the parts."""

    def __init__(
        self,
        *,
        needed: Mapping[str, Check],
        wanted: Mapping[str, Check],
        stopping: Callable[[], bool],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Without one of the `needed` nothing works here; without one of the `wanted` the rest does."""
        self._needed = needed
        self._wanted = wanted
        self._stopping = stopping
        self._clock = clock
        self._known: dict[str, Part] = {}
        self._looking = asyncio.Lock()
        self._looked_at = -_KEPT_S

    async def report(self) -> Report:
        """How it is now, or was at most a second ago."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= _KEPT_S:
                await self._look()
                self._looked_at = time.monotonic()
        states = {part.state for part in self._known.values()}
        if self._stopping():
            return Report("stopping", dict(self._known))
        return Report(
            "unready" if "down" in states else "degraded" if "degraded" in states else "ready", dict(self._known)
        )

    async def _look(self) -> None:
        checks = {**self._needed, **self._wanted}
        for name, fault in zip(checks, await asyncio.gather(*map(asked, checks.values())), strict=True):
            worst: State = "down" if name in self._needed else "degraded"
            state, before = worst if fault else "ok", self._known.get(name)
            since = before.since if before and before.state == state else self._clock()
            self._known[name] = Part(state, since, fault)


async def asked(check: Check, patience_s: float = _PATIENCE_S) -> str:
    """What a check says, or why it says nothing."""
    try:
        async with asyncio.timeout(patience_s):
            return await check()
    except TimeoutError:
        return f"no answer within {patience_s:g} s"
    except StoreUnavailable as error:
        return store_fault(error)


def store_fault(error: StoreUnavailable) -> str:
    """What the store said, by its own word for it; the rest of what it says is for the log."""
    cause = error.__cause__ or error
    first = str(cause).partition(" ")[0]
    word = first if first in _TOLD else type(cause).__name__
    return _TOLD.get(word) or f"it does not answer ({word})"


class Pulse:
    """Does the event loop turn? A beat many times a second tells, and how late it comes."""

    EVERY_S: Final = 0.1
    STUCK_S: Final = 30.0
    _LATELY_S: Final = 60.0

    def __init__(self) -> None:
        """Nothing beats before `start`."""
        self._beat = time.monotonic()
        self._worst = (self._beat, 0.0)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._beat = time.monotonic()
        self._task = asyncio.create_task(self._run(), name="pulse")

    async def stop(self) -> None:
        """End."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def late_s(self) -> float:
        """The latest that a beat came, within about the last minute."""
        return self._worst[1]

    @property
    def fault(self) -> str:
        """Why this process should be ended and started anew; empty: it should not. The store has no part in it."""
        if self._task is None or self._task.done():
            return "the pulse has stopped"
        since = time.monotonic() - self._beat
        return f"no beat for {since:.0f} s" if since > self.STUCK_S else ""

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self.EVERY_S)
            now = time.monotonic()
            late_s = now - self._beat - self.EVERY_S
            if late_s >= self._worst[1] or now - self._worst[0] > self._LATELY_S:
                self._worst = (now, late_s)
            self._beat = now
