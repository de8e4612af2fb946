"""What a card is too small for, told below it, once."""

from typing import Any, Final

from adapters.slack.address import Address
from adapters.slack.files import Files
from adapters.slack.markup import mrkdwn
from adapters.slack.modals import File
from adapters.slack.places import Spot
from adapters.slack.posts import Posts
from andon import wire
from bot.cards import Story, stories_of, visible
from bot.cards.rich import chunks
from bot.handoff import Handoff

_SHOWN: Final = 300
_CHUNK, _CHUNKS = 2_500, 3


class Stories:
    """Replies in the card's own thread."""

    def __init__(self, posts: Posts, files: Files) -> None:
        """Tell each by `posts`."""
        self._posts = posts
        self._files = files

    async def tell(self, handoff: Handoff, at: Address) -> None:
        """Tell what came of it, if that is more than the card says. An undo that failed is told to the whole channel.

        Raises:
            TooMany, Unreachable, NoAccess, SlackFailed: It was not told, and the next try tells it.
        """
        for story in stories_of(handoff):
            await self._tell(handoff, story, at)

    async def _tell(self, handoff: Handoff, story: Story, at: Address) -> None:
        shown = visible(story.text)
        blocks: list[dict[str, Any]] = [_line(story.headline, _user(story.calls))]
        pieces = list(chunks(shown, _CHUNK))
        blocks += [_code(piece) for piece in pieces[:_CHUNKS]]
        if len(pieces) > _CHUNKS:
            file = File(f"andon-{handoff.digest[:12]}-result.txt", story.text)
            await self._files.share(file, at, about=f"{handoff.id}:result")
            blocks.append(_line(f"The whole, {len(shown):,} characters, is in the file {file.name}.", None))
        text = mrkdwn(f"{story.headline} {shown}".rstrip(), _SHOWN)
        message = {"text": text, "blocks": blocks, "reply_broadcast": story.is_alarm}
        spot = Spot(at.team, at.channel, at.ts)
        await self._posts.once(spot, f"{story.name}:{at.text}", message, since=story.at)


def _user(by: wire.Actor | None) -> str | None:
    """Whoever is called, if they are in Slack."""
    return by.id.rpartition("/")[2] if by and by.surface == "slack" else None


def _line(text: str, user: str | None) -> dict[str, Any]:
    called: list[dict[str, Any]] = [{"type": "user", "user_id": user}, {"type": "text", "text": " "}] if user else []
    words = [*called, {"type": "text", "text": text, "style": {"bold": True}}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": words}]}


def _code(text: str) -> dict[str, Any]:
    words = [{"type": "text", "text": text}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": words}]}
