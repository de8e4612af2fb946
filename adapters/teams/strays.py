"""Cards that are there although nobody knows of them: the reply to their post was lost, and a second one was posted.

Teams lets no bot look for its messages. But a card that somebody looks at asks to be drawn anew, and so tells where it
is; from then on it is kept true like the other one.
"""

import contextlib
from datetime import timedelta
from typing import Final

from adapters.teams.address import Address
from bot.errors import StoreUnavailable
from bot.handoff import Handoff
from bot.ports import Shelf

_KEPT: Final = timedelta(days=8)
"""The longest that an ask may wait, and a day."""


class Strays:
    """Remembers one for each handoff and conversation."""

    def __init__(self, shelf: Shelf) -> None:
        """Keep them on `shelf`, where every process finds them."""
        self._shelf = shelf

    async def saw(self, handoff: Handoff, at: Address) -> None:
        """A card is at this address."""
        with contextlib.suppress(StoreUnavailable):  # it is seen again
            await self._shelf.save(_name(handoff, at.tenant, at.channel), at.text, _KEPT)

    async def find(self, handoff: Handoff, tenant: str, conversation: str) -> Address | None:
        """The card in this conversation that was seen without being known; it may be known by now."""
        kept = await self._shelf.load(_name(handoff, tenant, conversation))
        return Address.parse(kept) if kept else None


def _name(handoff: Handoff, tenant: str, conversation: str) -> str:
    return f"stray:{handoff.id}:{tenant}/{conversation}"
