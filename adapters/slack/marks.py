"""Which handoff a message of ours is the card of, as the message itself says: in its metadata."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.slack.api import Api
from adapters.slack.calls import NoAccess, Unreachable
from adapters.slack.installs import Installs
from adapters.slack.memory import Memory

CARD: Final = "andon_card"
"""The `event_type` of a card's metadata: by it a card is found whose post may have been lost."""

_KEEP_S: Final = 600.0


class Marks:
    """Looks at messages; what one says of itself never changes, so it is looked at once."""

    def __init__(self, api: Api, installs: Installs) -> None:
        """Ask through `api`."""
        self._api = api
        self._installs = installs
        self._found: Memory[tuple[str, str, str], str] = Memory(self._look, life_s=_KEEP_S)

    async def handoff(self, team: str, channel: str, ts: str, *, by: str = "") -> str | None:
        """The id of the handoff whose card this message is; None when it is none.

        Args:
            team: Its workspace.
            channel: Its channel.
            ts: Its timestamp.
            by: Who wrote it, where that is known: what others wrote is not looked at.

        Raises:
            TooMany, SlackFailed: Not known now.
        """
        try:
            bot = await self._installs.bot(team)
            if by in {"", bot.user}:
                return await self._found.get((team, channel, ts)) or None
        except (Unreachable, NoAccess):
            pass  # the app may not read there, so there is no card either
        return None

    async def _look(self, key: tuple[str, str, str]) -> str:
        team, channel, ts = key
        bot = await self._installs.bot(team)
        asked = {"channel": channel, "ts": ts, "limit": 1, "include_all_metadata": True}
        messages = (await self._api.call(team, "conversations.replies", **asked)).get("messages") or ()
        return next((marked(each, bot.user) or "" for each in messages if each.get("ts") == ts), "")


def marked(message: Mapping[str, Any], bot: str) -> str | None:
    """The handoff that a message of ours, as Slack has it, is the card of."""
    metadata = message.get("metadata") or {}
    if message.get("user") != bot or metadata.get("event_type") != CARD:
        return None
    handoff = (metadata.get("event_payload") or {}).get("handoff")
    return handoff if isinstance(handoff, str) and handoff else None
