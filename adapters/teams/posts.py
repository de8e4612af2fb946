"""Messages of ours: posted, changed, and said once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from adapters.teams.address import Address
from adapters.teams.connector import Connector
from adapters.teams.errors import Unreachable
from adapters.teams.references import Reference, References
from adapters.teams.replying import CARD, literal
from bot.errors import BotError
from bot.ports import Shelf

Json = dict[str, Any]
_SUMMARY_CHARS: Final = 500


class Posts:
    """Posts at conversations that the bot has a reference to."""

    def __init__(self, connector: Connector, references: References, shelf: Shelf) -> None:
        """The shelf knows what was said."""
        self._connector = connector
        self._references = references
        self._shelf = shelf

    async def post(self, to: Reference, activity: Mapping[str, Any]) -> Address:
        """Post it; raises as `Connector.send`."""
        id = await self._connector.send(to, activity)
        thread = to if to.kind != "channel" or to.thread else to.in_thread(id)
        return Address(to.tenant, thread.id, id)

    async def change(self, at: Address, activity: Mapping[str, Any]) -> None:
        """Let a message say something else.

        Raises:
            Unreachable: It is not there any more.
            BotError: As `Connector.update`.
        """
        await self._connector.update(await self.where(at), at.activity, activity)

    async def once(self, what: str, to: Reference, activity: Mapping[str, Any], *, kept: timedelta) -> None:
        """Post it, unless it was; the same `what` again within `kept` is the same.

        Raises:
            StoreUnavailable: It may not be there; the next try tells.
            BotError: As `Connector.send`; the next try posts it.
        """
        if not await self._shelf.once(what, kept):
            return
        try:
            await self._connector.send(to, activity)
        except BaseException:
            await self._shelf.forget(what)
            raise

    async def say(self, to: Reference, activity: Mapping[str, Any]) -> bool:
        """Post it if that works; returns whether it did."""
        try:
            await self._connector.send(to, activity)
        except BotError:
            return False
        return True

    async def where(self, at: Address) -> Reference:
        """The conversation of a message, with its thread.

        Raises:
            Unreachable: The app is not there any more.
        """
        found = await self._references.find(at.conversation)
        if found is None:
            raise Unreachable("Andon is not installed any more where this card is; add it there again", code="left")
        return found


def message(card: Mapping[str, Any], summary: str, *, mark: str) -> Json:
    """An activity with a card.

    Args:
        card: The card.
        summary: What notifications say.
        mark: Which message this is, the same for every try: it keeps its turn by it.
    """
    return {
        "type": "message",
        "summary": literal(summary)[:_SUMMARY_CHARS],
        "attachments": [{"contentType": CARD, "content": dict(card)}],
        "channelData": {"andon": mark},
    }
