"""What a card is too small for: how an action failed, or a long result, told below the card, once."""

import json
from datetime import timedelta
from typing import Any, Final

from adapters.slack.address import Address
from adapters.slack.api import Api
from adapters.slack.files import Files
from adapters.slack.markup import mrkdwn
from adapters.slack.modals import File
from adapters.slack.quiet import QUIET
from bot.cards import HEADLINES, visible
from bot.handoff import Handoff
from bot.ports import Shelf

_KEPT: Final = timedelta(days=30)
_SHORT: Final = 300
"""A result up to this length is on the card itself."""

_CHUNK, _CHUNKS = 2_500, 3
_LOUD: Final = frozenset({"failed", "undo_failed"})


class Stories:
    """Replies in the card's own thread."""

    def __init__(self, api: Api, shelf: Shelf, files: Files) -> None:
        """The shelf knows what was told."""
        self._api = api
        self._shelf = shelf
        self._files = files

    async def tell(self, handoff: Handoff, at: Address) -> None:
        """Tell what came of it, if that is more than the card says. An undo that failed is told to the whole channel.

        Raises:
            TooMany, Unreachable, NoAccess, SlackFailed: It was not told, and the next try tells it.
        """
        outcome = handoff.outcome
        if outcome is None:
            return
        text = _text(outcome.error if outcome.error is not None else outcome.result)
        if outcome.status not in _LOUD and len(text) <= _SHORT:
            return
        once = f"story:{handoff.id}:{at.text}"
        if not await self._shelf.once(once, _KEPT):
            return
        try:
            await self._tell(handoff, at, outcome.status, text)
        except BaseException:
            await self._shelf.forget(once)
            raise

    async def _tell(self, handoff: Handoff, at: Address, status: str, text: str) -> None:
        shown = visible(text)
        headline = f"{HEADLINES[status]}: {visible(handoff.action.tool if handoff.action else handoff.ask.gate)}"
        alarm = status == "undo_failed"
        blocks: list[dict[str, Any]] = [_line(headline, _decider(handoff) if alarm else None)]
        blocks += [_code(shown[i : i + _CHUNK]) for i in range(0, min(len(shown), _CHUNK * _CHUNKS), _CHUNK)]
        if len(shown) > _CHUNK * _CHUNKS:
            file = File(f"andon-{handoff.digest[:12]}-result.txt", text)
            await self._files.share(file, at, about=f"{handoff.id}:result")
            blocks.append(_line(f"The whole, {len(shown):,} characters, is in the file {file.name}.", None))
        await self._api.call(
            at.team,
            "chat.postMessage",
            channel=at.channel,
            thread_ts=at.ts,
            text=mrkdwn(f"{headline} {shown}", _SHORT),
            blocks=blocks,
            reply_broadcast=alarm,
            **QUIET,
        )


def _text(told: object) -> str:
    return told if isinstance(told, str) else "" if told is None else json.dumps(told, ensure_ascii=False, indent=2)


def _decider(handoff: Handoff) -> str | None:
    """The person who must look at it: whoever wanted it undone, if they are in Slack."""
    by = handoff.decision.by if handoff.decision else None
    return by.id.rpartition("/")[2] if by and by.kind == "person" and by.surface == "slack" else None


def _line(text: str, user: str | None) -> dict[str, Any]:
    called: list[dict[str, Any]] = [{"type": "user", "user_id": user}, {"type": "text", "text": " "}] if user else []
    words = [*called, {"type": "text", "text": text, "style": {"bold": True}}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": words}]}


def _code(text: str) -> dict[str, Any]:
    words = [{"type": "text", "text": text}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": words}]}
