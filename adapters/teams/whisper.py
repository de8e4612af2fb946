"""Tells one person what nobody else sees, where no reply to a press can say it: in their chat with the bot."""

import logging

from adapters.teams.answers import Presser
from adapters.teams.cards import Cards
from adapters.teams.posts import Posts, message
from adapters.teams.references import References
from adapters.teams.texts import blocks
from bot.cards import visible
from bot.cards.rich import line
from bot.errors import StoreUnavailable

log = logging.getLogger("andon.teams")


class Whisper:
    """Reaches those for whom the app is installed."""

    def __init__(self, posts: Posts, references: References, *, cards: Cards) -> None:
        """Say it by `posts`."""
        self._posts = posts
        self._references = references
        self._cards = cards

    async def tell(self, to: Presser, text: str) -> bool:
        """Say it if that works; returns whether it did."""
        try:
            chat = await self._references.personal(to.user)
        except StoreUnavailable:
            chat = None
        card = self._cards.render("below", calls="", entities=[], blocks=blocks([line(visible(text))]), facts=())
        activity = message(card, text, mark=f"told:{to.answer_id}")
        if chat is not None and await self._posts.say(chat, activity):
            return True
        log.info("teams.untold user=%s", to.user)
        return False
