"""What the core needs of a surface."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from aiohttp.web import AbstractRouteDef

from andon import wire
from bot.handoff import Aside, Digest, Handoff, Told


@dataclass(frozen=True, slots=True)
class CardRef:
    """Where a posted card is: the surface, and the platform's own address of it."""

    surface: str
    address: str


class Directory(Protocol):
    """Who belongs to a surface's groups."""

    async def belongs(self, person: wire.Actor, group: str) -> bool:
        """Is this person in that group now, or was at most 60 s ago? `group` is the platform's own id of it.

        Raises:
            DirectoryDown: The platform does not tell; whoever asks lets nobody through.
        """
        ...


class Adapter(Protocol):
    """One surface. A card posted twice is a nuisance, never a second handoff."""

    name: str
    reads_store: bool
    """True where people read the store itself, so that no card needs posting."""
    directory: Directory | None
    """Tells who belongs to the surface's groups; None where it has none."""

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

    async def say_below(self, ref: CardRef, handoff: Handoff, aside: Aside, place: wire.Place) -> None:
        """Say what happened around a posted card, where those who follow it see it: once for each aside and card.

        `place` is where the card was asked for. A reminder is shown to the whole conversation again, and calls by name
        whom `bot.cards.said` names; nobody else is called, whatever words there are in it.

        Raises:
            Undeliverable: The card is not there any more.
            TooMany: As `post`.
        """
        ...

    async def digest(self, digest: Digest, to: wire.Place, ref: CardRef | None) -> CardRef:
        """Show handoffs together in one message: post it, or (`ref`) make the posted one show them as they stand now.

        Only rows that `bot.cards.digest` shows in full can be answered there; the others open on their own.

        Raises:
            Undeliverable, TooMany: As `post` and `update`.
        """
        ...

    async def tell(self, told: Told, to: wire.Place) -> None:
        """Show a notice; nobody is asked. The same one again may show it twice, and should not.

        Raises:
            Undeliverable: It can never arrive there.
            TooMany: As `post`.
        """
        ...


@runtime_checkable
class Reporting(Protocol):
    """An adapter that knows more of its platform than what became of the calls of the outbox."""

    async def trouble(self) -> str:
        """Why people may not reach us there now, in a sentence without secrets; empty: nothing is known."""
        ...
