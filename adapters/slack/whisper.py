"""Tells one person something that nobody else sees, in words that may hold names and texts of others."""

from typing import Final

from adapters.slack.markup import mrkdwn
from adapters.slack.saying import Listener, Saying
from bot.cards import visible

_CHARS: Final = 3_000


class Whisper:
    """Plain text in, Slack's markup out."""

    def __init__(self, saying: Saying) -> None:
        """Say it by `saying`."""
        self._saying = saying

    async def tell(self, listener: Listener, text: str) -> None:
        """Say it, whichever way works. What cannot be said is logged and lost: it never stops the work."""
        await self._saying.tell(listener, mrkdwn(visible(text), _CHARS))
