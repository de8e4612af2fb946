"""What a card is too small for: how an action failed, or a long result, told below the card, once."""

import json
from datetime import datetime
from typing import Any, Final

from adapters.slack.address import Address
from adapters.slack.files import Files
from adapters.slack.markup import mrkdwn
from adapters.slack.modals import File
from adapters.slack.places import Spot
from adapters.slack.posts import Posts
from bot.cards import HEADLINES, visible
from bot.cards.rich import chunks, clip
from bot.handoff import Handoff

_SHORT: Final = 300
"""A result up to this length is on the card itself."""

_CHUNK, _CHUNKS = 2_500, 3
_LOUD: Final = frozenset({"failed", "undo_failed"})


class Stories:
    """Replies in the card's own thread."""

    def __init__(self, posts: Posts, files: Files) -> None:
        """Tell each by `posts`."""
        self._posts = posts
        self._files = files

    async def tell(self, handoff: Handoff, at: Address) -> None:
        """Tell what came of it, if that is more than the card says. An undo that failed is told to the whole channel.

        That the agent has heard what somebody told it is said as well: whoever told it follows the thread.

        Raises:
            TooMany, Unreachable, NoAccess, SlackFailed: It was not told, and the next try tells it.
        """
        await self._tell_heard(handoff, at)
        outcome = handoff.outcome
        if outcome is None:
            return
        text = _text(outcome.error if outcome.error is not None else outcome.result)
        if outcome.status not in _LOUD and len(text) <= _SHORT:
            return
        await self._tell(handoff, at, outcome.status, text, since=outcome.at)

    async def _tell_heard(self, handoff: Handoff, at: Address) -> None:
        heard = handoff.heard
        if heard is None:
            return
        said = f"{visible(handoff.agent)} has heard {visible(heard.by.name)}: “{clip(visible(heard.text), _SHORT)}”"
        message = {"text": mrkdwn(said, _SHORT), "blocks": [_line(said, None)]}
        what = f"heard:{handoff.run}:{heard.at.isoformat()}:{at.text}"
        await self._posts.once(Spot(at.team, at.channel, at.ts), what, message, since=heard.at)

    async def _tell(self, handoff: Handoff, at: Address, status: str, text: str, *, since: datetime) -> None:
        shown = visible(text)
        headline = f"{HEADLINES[status]}: {visible(handoff.action.tool if handoff.action else handoff.ask.gate)}"
        alarm = status == "undo_failed"
        blocks: list[dict[str, Any]] = [_line(headline, _decider(handoff) if alarm else None)]
        pieces = list(chunks(shown, _CHUNK))
        blocks += [_code(piece) for piece in pieces[:_CHUNKS]]
        if len(pieces) > _CHUNKS:
            file = File(f"andon-{handoff.digest[:12]}-result.txt", text)
            await self._files.share(file, at, about=f"{handoff.id}:result")
            blocks.append(_line(f"The whole, {len(shown):,} characters, is in the file {file.name}.", None))
        message = {"text": mrkdwn(f"{headline} {shown}", _SHORT), "blocks": blocks, "reply_broadcast": alarm}
        spot = Spot(at.team, at.channel, at.ts)
        await self._posts.once(spot, f"story:{handoff.id}:{at.text}", message, since=since)


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
