"""What the core needs of a surface, and what a surface may ask of the core. Protocols only."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from aiohttp.web import AbstractRouteDef

from andon import wire
from bot.handoff import Change, Handoff, Told

__all__ = ["Adapter", "CardRef", "Change", "Desk", "Session", "SignIn"]


@dataclass(frozen=True, slots=True)
class CardRef:
    """Where a posted card is: the surface, and the platform's own address of it."""

    surface: str
    address: str


class Adapter(Protocol):
    """One surface. A card posted twice is a nuisance, never a second handoff."""

    name: str
    reads_store: bool
    """True where people read the store itself, so that no card needs posting."""

    def routes(self) -> Sequence[AbstractRouteDef]:
        """The addresses that this surface serves."""
        ...

    async def post(self, handoff: Handoff, to: wire.Place) -> CardRef:
        """Show an open handoff.

        Raises:
            Undeliverable: It can never arrive there.
            TooMany: Not before its seconds are over. Anything else is tried again too, after a rest.
        """
        ...

    async def find(self, handoff: Handoff, to: wire.Place) -> CardRef | None:
        """A card that may have been posted there, by a process that died or a call whose reply was lost.

        None when there is none, or when the surface cannot tell: then it is posted again.
        """
        ...

    async def update(self, ref: CardRef, handoff: Handoff) -> None:
        """Make a posted card show the handoff as it stands now; the same one twice is fine.

        Raises:
            Undeliverable: The card is not there any more.
            TooMany: As `post`.
        """
        ...


class Desk(Protocol):
    """What a surface may do for the people on it."""

    async def look(self, handoff_id: str) -> Handoff:
        """Read one handoff; raises `Gone`."""
        ...

    async def inbox(self) -> Sequence[Handoff]:
        """The open handoffs, most urgent first, at most 200."""
        ...

    async def history(self, cursor: str | None, *, limit: int = 50) -> tuple[Sequence[Handoff], str | None]:
        """Handoffs that have ended, latest opened first, and the cursor of the next page."""
        ...

    async def notices(self) -> Sequence[Told]:
        """What agents told people lately without asking, newest first, at most 20."""
        ...

    async def answer(
        self, handoff_id: str, answer: wire.Answer, by: wire.Actor, *, answer_id: str | None = None
    ) -> Handoff:
        """Record a person's answer; the same `answer_id` twice is one answer.

        Raises:
            AlreadyDecided: Another decision stands; the error carries it.
            StaleRevision: The card changed since it was read.
            HandoffExpired: The time was up.
            HandoffHeld: The brake is on.
            InvalidAnswer: It does not fit the ask; one fault per field.
            NotAnApprover: This person may not answer it.
            Gone: There is no such handoff.
            StoreUnavailable: Nothing was confirmed; the same call again is safe.
        """
        ...

    def watch(self) -> AbstractAsyncContextManager[AsyncIterator[Change]]:
        """Every change from now on; the iterator ends when the service shuts down."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in person."""

    person: wire.Actor
    csrf: str


class SignIn(Protocol):
    """Console sessions: opened with a one-time link, ended by time or by the person."""

    async def begin(self, link: str) -> str | None:
        """Exchange a link's token, once, for a new session token; None when it is spent, old or made up."""
        ...

    async def session(self, token: str) -> Session | None:
        """The session of a cookie, its idle time renewed; None when it has ended."""
        ...

    async def end(self, token: str) -> None:
        """End it."""
        ...
