"""Tells whoever decided something, in their own chat, what came of it: they may not look at the card again."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from adapters.teams.address import Address
from adapters.teams.lists import Lists
from adapters.teams.posts import Posts, message
from adapters.teams.references import References
from bot.cards import ended
from bot.errors import BotError
from bot.handoff import Handoff
from bot.talk import Standings

log = logging.getLogger("andon.teams")

_KEPT: Final = timedelta(days=30)


class Endings:
    """Reaches those for whom the app is installed; to the others the card tells the same."""

    def __init__(
        self,
        posts: Posts,
        references: References,
        *,
        standings: Standings,
        lists: Lists,
        clock: Callable[[], datetime],
    ) -> None:
        """Say it by `posts`."""
        self._posts = posts
        self._references = references
        self._standings = standings
        self._lists = lists
        self._clock = clock

    async def tell(self, handoff: Handoff, card: Address) -> None:
        """Tell it once to who wants to know, unless the card is in that very chat. What cannot be said is logged."""
        by = handoff.decision.by if handoff.decision else None
        status = handoff.outcome.status if handoff.outcome else ""
        if by is None or by.kind != "person" or by.surface != "teams" or not status:
            return
        try:
            if not (await self._standings.load(by.id)).tells(status):
                return
            chat = await self._references.personal(by.id.rpartition("/")[2])
            if chat is None or chat.conversation == card.channel:
                return
            text, shown = self._lists.brief(handoff, now=self._clock(), url=None, lead=ended(status))
            what = f"ended:{handoff.id}:{status}"
            await self._posts.once(what, chat, message(shown, text, mark=what), kept=_KEPT)
        except BotError as error:
            log.warning("teams.unsaid id=%s detail=%s", handoff.id, error)
