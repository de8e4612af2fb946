"""Tells one person something that nobody else sees, where no reply can say it any more: in their chat with the bot."""

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
    """Where the app is not installed for somebody, it is logged and lost: the card tells the same to all."""

    def __init__(self, posts: Posts, references: References, *, cards: Cards) -> None:
        """Say it by `posts`."""
        self._posts = posts
        self._references = references
        self._cards = cards

    async def tell(self, presser: Presser, text: str) -> None:
        """Say it if that works."""
        try:
            chat = await self._references.personal(presser.user)
        except StoreUnavailable:
            chat = None
        card = self._cards.render("below", calls="", entities=[], blocks=blocks([line(visible(text))]), facts=())
        activity = message(card, text, mark=f"told:{presser.answer_id}")
        if chat is None or not await self._posts.say(chat, activity):
            log.warning("teams.untold user=%s", presser.user)
