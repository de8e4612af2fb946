"""Hands what somebody wants to the desk's brakes: one order for each scope, and whatever comes of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from andon import wire
from bot.cards.obeyed import Action
from bot.errors import DirectoryDown, Gone, NotAnApprover
from bot.ports import BrakeOrder, Desk
from bot.talk.who import Person

_TEXT_CHARS: Final = 32_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants."""

    id: str
    """The same again is the same wish: named after the platform's own event."""
    action: Action
    person: Person
    text: str = ""
    """Why; of a steer, the words for the agent."""
    said_at: datetime | None = None
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What came of it: a receipt for each scope where it was done, and why it was not in the others."""

    receipts: tuple[wire.BrakeReceipt, ...]
    refused: str = ""


class Orders:
    """Gives orders."""

    def __init__(self, desk: Desk, *, surface: str, platform: str) -> None:
        """To the desk's brakes, for people on this surface; `platform` is what they call it."""
        self._desk = desk
        self._surface = surface
        self._platform = platform

    async def give(self, wish: Wish, scopes: Sequence[wire.BrakeScope]) -> Given:
        """Give one order for each scope, all at once; scopes that are gone are left out.

        Raises:
            StoreUnavailable: Some may be done; the same wish again is safe.
        """
        said = await asyncio.gather(*(self._give(wish, scope) for scope in scopes))
        receipts = tuple(each for each in said if isinstance(each, wire.BrakeReceipt))
        return Given(receipts, next((each for each in said if isinstance(each, str)), ""))

    async def _give(self, wish: Wish, scope: wire.BrakeScope) -> wire.BrakeReceipt | str | None:
        order = BrakeOrder(
            id=f"{self._surface}:{wish.id}:{wish.action}:{scope.model_dump_json(exclude_none=True)}",
            scope=scope,
            action=wish.action,
            by=wish.person.actor,
            text=wish.text[:_TEXT_CHARS].strip() or None,
            said_at=wish.said_at,
            epoch=wish.epoch,
        )
        try:
            return await self._desk.braking.obey(order, standing=wish.person.standing)
        except NotAnApprover as error:
            return error.detail
        except DirectoryDown:
            return f"{self._platform} does not say now who may do that."
        except Gone:
            return None
