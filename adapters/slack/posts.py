"""Messages that are posted once, whatever happens: before a second try, the first is looked for by its metadata."""

import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.slack.api import Api
from adapters.slack.installs import Installs
from adapters.slack.places import Spot
from adapters.slack.quiet import QUIET
from bot.errors import StoreUnavailable, TooMany
from bot.ports import Shelf

POST: Final = "andon_post"
"""The `event_type` of what is posted here."""

_KEPT: Final = timedelta(days=30)
_AT_IT: Final = timedelta(seconds=12)
"""How long whoever began may still be at it: a call takes 10 s at most, and waits a second for its turn."""
_AGAIN_S: Final = 5
_PAGES: Final = 5
_EARLIER: Final = timedelta(minutes=1)
"""Slack's clock and the store's may differ."""


class Posts:
    """Posts and finds again."""

    def __init__(self, api: Api, installs: Installs, shelf: Shelf) -> None:
        """The shelf knows what was begun and what is done."""
        self._api = api
        self._installs = installs
        self._shelf = shelf

    async def once(self, spot: Spot, what: str, message: Mapping[str, Any], *, since: datetime) -> None:
        """Post it, unless it is there.

        Args:
            spot: Where.
            what: What it is, the same for every try.
            message: Text and blocks.
            since: No earlier try was before this.

        Raises:
            TooMany: Another process is at it, or its turn comes later.
            Unreachable, NoAccess, SlackFailed, StoreUnavailable: It may not be there; the next try tells.
        """
        if await self._shelf.load(f"done:{what}") is not None:
            return
        if not await self._shelf.once(f"at:{what}", _AT_IT):
            msg = f"another process posts {what} just now"
            raise TooMany(msg, retry_after_s=_AGAIN_S)
        about = {"what": what}
        try:
            is_first = await self._shelf.once(f"begun:{what}", _KEPT)
            if is_first or await self.find(spot, POST, about, since=since) is None:
                thread = {"thread_ts": spot.thread} if spot.thread else {}
                metadata = {"event_type": POST, "event_payload": about}
                await self._api.call(
                    spot.team,
                    "chat.postMessage",
                    channel=spot.channel,
                    metadata=metadata,
                    **thread,
                    **message,
                    **QUIET,
                )
        finally:
            with contextlib.suppress(StoreUnavailable):
                await self._shelf.forget(f"at:{what}")
        await self._shelf.save(f"done:{what}", "", _KEPT)

    async def find(self, spot: Spot, kind: str, about: Mapping[str, str], *, since: datetime) -> str | None:
        """The `ts` of our own message with this metadata, if it is there; another app's never is."""
        bot = await self._installs.bot(spot.team)
        asked: dict[str, Any] = {
            "channel": spot.channel,
            "oldest": f"{(since - _EARLIER).timestamp():.6f}",
            "include_all_metadata": True,
            "limit": 200,
        }
        cursor = ""
        for _ in range(_PAGES):
            more = {**asked, **({"cursor": cursor} if cursor else {})}
            if spot.thread:
                page = await self._api.call(spot.team, "conversations.replies", ts=spot.thread, **more)
            else:
                page = await self._api.call(spot.team, "conversations.history", **more)
            for message in page.get("messages", ()):
                metadata = message.get("metadata") or {}
                is_ours = message.get("user") == bot.user and metadata.get("event_type") == kind
                if is_ours and (metadata.get("event_payload") or {}) == dict(about):
                    return str(message["ts"])
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return None
