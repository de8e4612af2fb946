"""Is a handoff's card where a press says that it is? Who may answer depends on that conversation."""

from collections.abc import Mapping
from typing import Final

from adapters.slack.address import Address
from adapters.slack.calls import NoAccess, SlackFailed, Unreachable
from adapters.slack.installs import Installs
from adapters.slack.marks import marked
from adapters.slack.places import Places
from andon import wire
from bot.errors import BadRequest, DirectoryDown, TooMany
from bot.handoff import Handoff
from bot.ports import Desk

_SLACK: Final = "slack"
_NOT_OURS: Final = "this card is not one of ours any more; open it again."


class Whose:
    """Knows by the store, which has the address of every card a moment after it was posted."""

    def __init__(self, desk: Desk, *, installs: Installs, places: Places) -> None:
        """In that moment, the card itself tells, or where it was to go."""
        self._desk = desk
        self._installs = installs
        self._places = places

    async def check(self, handoff: Handoff, at: Address | None, message: object = None) -> None:
        """See that the handoff's card is at this address.

        Args:
            handoff: What the press is about.
            at: Where it says that it was; None when it says nothing.
            message: The card as Slack tells of it with a press, where it does.

        Raises:
            BadRequest: It is not.
            StoreUnavailable: Not known now.
        """
        if at is not None:
            known = await self._desk.card_at(_SLACK, at.text)
            if known == handoff.id:
                return
            if known is None and (await self._says(message, handoff, at) or await self._was_to_go(handoff, at)):
                return
        raise BadRequest(_NOT_OURS)

    async def _says(self, message: object, handoff: Handoff, at: Address) -> bool:
        bot = await self._installs.bot(at.team)
        return isinstance(message, Mapping) and marked(message, bot.user) == handoff.id

    async def _was_to_go(self, handoff: Handoff, at: Address) -> bool:
        """Was it put to this conversation? The channel of the settings stands in for every other, but for no person."""
        meant = [place for place in handoff.route.to if place.surface == _SLACK]
        instead = [wire.Place(surface=_SLACK)] if any(not place.person for place in meant) else []
        for place in [*meant, *instead]:
            try:
                spot = await self._places.find(place)
            except (Unreachable, SlackFailed, NoAccess, TooMany, DirectoryDown):
                continue
            if spot.channel == at.channel:
                return True
        return False
