"""What people want to be told and asked, once and for all; and the direct messages that they so ask for."""

import logging
from collections.abc import Callable
from datetime import datetime

from adapters.slack.api import NoAccess, SlackFailed
from adapters.slack.brief import brief
from adapters.slack.cards import Cards
from adapters.slack.installs import Installs
from adapters.slack.places import Places, Spot
from adapters.slack.posts import Posts
from andon import wire
from bot import talk
from bot.cards import ended
from bot.errors import TooMany, Undeliverable
from bot.handoff import Handoff
from bot.ports import Shelf
from bot.talk import Settings

log = logging.getLogger("andon.slack")


class Standings:
    """The settings of people in every workspace."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        installs: Installs,
        places: Places,
        posts: Posts,
        cards: Cards,
        clock: Callable[[], datetime],
    ) -> None:
        """Tell people by `posts`."""
        self._kept = talk.Standings(shelf)
        self._installs = installs
        self._places = places
        self._posts = posts
        self._cards = cards
        self._clock = clock

    async def load(self, team: str, user: str) -> Settings:
        """What this person wants.

        Raises:
            StoreUnavailable: Not known now.
        """
        return await self._kept.load(await self._person(team, user))

    async def save(self, team: str, user: str, settings: Settings) -> None:
        """Keep it.

        Raises:
            StoreUnavailable: It may not be kept; again is safe.
        """
        await self._kept.save(await self._person(team, user), settings)

    async def choose(self, team: str, user: str, key: str, value: str) -> None:
        """Change one setting to what was picked on the Home tab.

        Raises:
            BadRequest: There is no such setting, or it has no such value.
            StoreUnavailable: It may not be kept; again is safe.
        """
        await self._kept.choose(await self._person(team, user), key, value)

    async def ended(self, handoff: Handoff) -> None:
        """Tell whoever decided it what came of it, once, if they want to know."""
        by = handoff.decision.by if handoff.decision else None
        if handoff.outcome is None or by is None or by.kind != "person" or by.surface != "slack":
            return
        status = handoff.outcome.status
        if not (await self._kept.load(by.id)).tells(status):
            return
        try:
            spot = await self._places.find(wire.Place(surface="slack", person=by.id))
        except (Undeliverable, NoAccess, SlackFailed, TooMany):
            return  # of another organisation, or gone; the card tells it too
        told = brief(self._cards, handoff, now=self._clock(), permalink=None, lead=ended(status))
        message = {"text": told.text, "blocks": told.blocks}
        what = f"ended:{handoff.id}:{status}"
        try:
            await self._posts.once(Spot(spot.team, spot.channel), what, message, since=handoff.outcome.at)
        except (Undeliverable, NoAccess, SlackFailed, TooMany) as error:
            log.warning("slack.unsaid id=%s detail=%s", handoff.id, error)  # the card tells it too

    async def _person(self, team: str, user: str) -> str:
        """By the organisation where there is one: there a person is the same in every workspace."""
        bot = await self._installs.bot(team)
        return f"{bot.enterprise or bot.team}/{user}"
