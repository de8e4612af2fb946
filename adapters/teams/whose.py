"""Is a handoff's card where a press says that it is? Who may answer depends on that conversation."""

from typing import Final

from adapters.teams.address import Address
from adapters.teams.places import Places
from andon import wire
from bot.errors import BadRequest, BotError, StoreUnavailable
from bot.handoff import Handoff
from bot.ports import Desk

_TEAMS: Final = "teams"
_NOT_OURS: Final = "this card is not one of ours any more; open it again."


class Whose:
    """Knows by the store, which has the address of every card a moment after it was posted."""

    def __init__(self, desk: Desk, *, places: Places) -> None:
        """In that moment, where it was to go tells."""
        self._desk = desk
        self._places = places

    async def check(self, handoff: Handoff, at: Address) -> bool:
        """See that the handoff's card is at this address.

        Returns:
            Whether the store knows it there; else it was to go to this conversation, and is there.

        Raises:
            BadRequest: It is not.
            StoreUnavailable: Not known now.
        """
        known = await self._desk.card_at(_TEAMS, at.text)
        if known == handoff.id:
            return True
        if known is None and await self._was_to_go(handoff, at):
            return False
        raise BadRequest(_NOT_OURS)

    async def _was_to_go(self, handoff: Handoff, at: Address) -> bool:
        """Was it put to this conversation? The channel of the settings stands in for every other, but for no person."""
        meant = [place for place in handoff.places if place.surface == _TEAMS]
        instead = [wire.Place(surface=_TEAMS)] if any(not place.person for place in meant) else []
        for place in [*meant, *instead]:
            try:
                spot = await self._places.find(place)
            except StoreUnavailable:
                raise
            except BotError:
                continue
            if (spot.tenant, spot.conversation.partition(";")[0]) == (at.tenant, at.channel):
                return True
        return False
