"""How the outbox calls a surface: with care, a few calls at once; and what it needs of the rest of the service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, TypeVar

from andon import wire
from bot.errors import SurfaceDown, TooMany, Undeliverable
from bot.handoff import Handoff, Told
from bot.ports import Adapter

_AT_ONCE: Final = 8
"""Calls to one surface that are under way together."""

_T = TypeVar("_T")


class Truth(Protocol):
    """What the outbox needs of the flow."""

    async def look(self, handoff_id: str) -> Handoff:
        """Read one handoff, from the store; raises `Gone`."""
        ...

    async def told(self, notice_id: str) -> Told | None:
        """One notice, as long as it is kept."""
        ...

    async def gathers(self, handoff: Handoff, place: wire.Place) -> bool:
        """Is there too much to ask already, so that it is shown in a digest there and not on a card of its own?"""
        ...

    async def undeliverable(self, handoff: Handoff, reason: str) -> Handoff:
        """No place can show the card; a decision that came first stands."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the outbox is."""

    pause_s: float = 1.0
    """Before the first new try, on average half of it; four times as long before each further one."""
    longest_pause_s: float = 60.0
    call_s: float = 60.0
    """How long an adapter may take over one call."""
    taken_over: timedelta = timedelta(seconds=30)
    """After which silence of a process its events are another's."""


class Counts(Protocol):
    """Who counts what goes out."""

    def delivered(self, surface: str, result: str) -> None:
        """A surface was called: `posted`, `updated`, `told`, `throttled`, `refused`, `failed`; or it is `dead`."""
        ...

    def shown(self, handoff: Handoff, surface: str, since: datetime, at: datetime) -> None:
        """A card came to be at a place; the call that posted it began at `since`."""
        ...


class Surface:
    """An adapter, called with care: a few calls at once, each within its time."""

    def __init__(
        self, name: str, adapters: Mapping[str, Adapter], *, reader: str, pace: Pace, counts: Counts | None = None
    ) -> None:
        """Call the adapter `name`; the others are known by whether they could carry a card too."""
        self._counts = counts
        self.trouble = ""
        """What the latest call met, when the surface did not answer it or let the app in; empty: it answered."""
        self.name = name
        self.adapters = adapters
        self.adapter = adapters[name]
        self.reader = reader
        self.pace = pace
        self.worked = 0
        """How often it gave an answer, so that one that is down is told from a card that fails."""
        self.buried = 0
        self.stopping = False
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def slot(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do something with the surface when it is our turn."""
        async with self._slots:
            if self.stopping:
                raise Stopping
            return await work()

    async def call(self, call: Callable[[], Awaitable[_T]], *, counted: str = "") -> _T:
        """One call of the adapter, `counted` as what it does. Whatever it answers, the surface works."""
        try:
            async with asyncio.timeout(self.pace.call_s):
                answer = await call()
        except Undeliverable:
            self.worked += 1
            self.trouble = ""
            self.note("refused")
            raise
        except TooMany:
            self.note("throttled")
            raise
        except Exception as error:
            if isinstance(error, SurfaceDown | TimeoutError):
                self.trouble = f"its latest call failed ({type(error).__name__})"
            self.note("failed")
            raise
        self.worked += 1
        self.trouble = ""
        self.note(counted)
        return answer

    def note(self, result: str) -> None:
        """Count a call, or what was given up."""
        if self._counts and result:
            self._counts.delivered(self.name, result)

    def shown(self, handoff: Handoff, since: datetime) -> None:
        """A card was posted just now, by a call that began then."""
        if self._counts:
            self._counts.shown(handoff, self.name, since, datetime.now(UTC))


def place_name(place: wire.Place) -> str:
    """A place in a line of the log."""
    return " ".join([place.surface, *(part for part in (place.channel, place.thread, place.person) if part)])


def place_key(place: wire.Place) -> str:
    """A place in the store."""
    return place.model_dump_json(exclude_none=True)


class Busy(Exception):
    """Another process posts this card just now."""


class Stopping(Exception):
    """The service stops: begin nothing more."""
