"""Says what came of words to the brake: to all who are there, or, where nothing did, to whoever said them."""

from datetime import timedelta
from typing import Final

from adapters.slack.lists import Lists
from adapters.slack.markup import mrkdwn
from adapters.slack.saying import Listener, Saying
from bot.cards.obeyed import Done, plainly, reply
from bot.ports import Shelf

_SAID_FOR: Final = timedelta(days=2)
_TEXT_CHARS: Final = 3_000


class Replies:
    """Says each once."""

    def __init__(self, shelf: Shelf, *, lists: Lists, saying: Saying) -> None:
        """The shelf knows what was said."""
        self._shelf = shelf
        self._lists = lists
        self._saying = saying

    async def say(self, done: Done, to: Listener, *, thread: str | None, once: str) -> None:
        """Say it in the conversation of whoever said the words, in this thread of it; `once` names the words.

        Raises:
            StoreUnavailable: It is not known whether it was said; again is safe.
        """
        if not await self._shelf.once(f"cord:{once}", _SAID_FOR):
            return
        words = reply(done)
        text, blocks = mrkdwn(plainly(words), _TEXT_CHARS), self._lists.said(words)
        if not (done.is_for_all and to.channel) or not await self._saying.say(
            to.team, to.channel, text, blocks, thread=thread
        ):
            await self._saying.tell(to, text, blocks)
