"""What people want to be told and asked, once and for all; and the direct messages that they so ask for."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.slack.api import NoAccess, SlackFailed
from adapters.slack.brief import brief
from adapters.slack.cards import Cards
from adapters.slack.installs import Installs
from adapters.slack.places import Places, Spot
from adapters.slack.posts import Posts
from andon import wire
from bot.cards import ended
from bot.cards.listing import SettingLine
from bot.errors import BadRequest, TooMany, Undeliverable
from bot.handoff import Handoff
from bot.ports import Shelf

log = logging.getLogger("andon.slack")

_KEPT: Final = timedelta(days=400)
_RENEWED: Final = timedelta(days=30)
_FAILURES: Final = frozenset({"failed", "undo_failed"})


class Settings(BaseModel):
    """One person's own."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    outcomes: Literal["failures", "all", "none"] = "failures"
    """Of what they decided: which ends they are told of in a direct message."""
    twice: bool = False
    """Are they asked again before their yes to what cannot be undone?"""


class Standings:
    """Keeps settings on the shelf; they last as long as somebody uses them."""

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
        self._shelf = shelf
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
        return await self._load(await self._name(team, user))

    async def save(self, team: str, user: str, settings: Settings) -> None:
        """Keep it.

        Raises:
            StoreUnavailable: It may not be kept; again is safe.
        """
        await self._shelf.save(await self._name(team, user), settings.model_dump_json(), _KEPT)

    async def choose(self, team: str, user: str, key: str, value: str) -> Settings:
        """Change one setting to what was picked on the Home tab.

        Raises:
            BadRequest: There is no such setting, or it has no such value.
        """
        now = await self.load(team, user)
        try:
            if key == "twice" and value in {"on", "off"}:
                changed = Settings(outcomes=now.outcomes, twice=value == "on")
            elif key == "outcomes":
                changed = Settings.model_validate({"outcomes": value, "twice": now.twice})
            else:
                raise BadRequest("this is no setting of ours; open the Home tab again")
        except ValidationError as error:
            raise BadRequest("this setting has no such value; open the Home tab again") from error
        await self.save(team, user, changed)
        return changed

    async def ended(self, handoff: Handoff) -> None:
        """Tell whoever decided it what came of it, once, if they want to know."""
        by = handoff.decision.by if handoff.decision else None
        if handoff.outcome is None or by is None or by.kind != "person" or by.surface != "slack":
            return
        status = handoff.outcome.status
        wanted = (await self._load(_name(by.id))).outcomes
        if wanted == "none" or (wanted == "failures" and status not in _FAILURES):
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

    async def _load(self, name: str) -> Settings:
        kept = await self._shelf.load(name)
        if kept is None:
            return Settings()
        if await self._shelf.once(f"renewed:{name}", _RENEWED):
            await self._shelf.save(name, kept, _KEPT)
        try:
            return Settings.model_validate_json(kept)
        except ValidationError:
            return Settings()  # of a newer version of us

    async def _name(self, team: str, user: str) -> str:
        """By the organisation where there is one: there a person is the same in every workspace."""
        bot = await self._installs.bot(team)
        return _name(f"{bot.enterprise or bot.team}/{user}")


def lines(settings: Settings) -> tuple[SettingLine, ...]:
    """As the Home tab shows them."""
    return (
        SettingLine(
            "outcomes",
            "Send me a direct message when what I decided is done",
            settings.outcomes,
            (("failures", "Only if it failed"), ("all", "Always"), ("none", "Never")),
        ),
        SettingLine(
            "twice",
            "Before I approve what cannot be undone, ask me again",
            "on" if settings.twice else "off",
            (("off", "No"), ("on", "Yes")),
        ),
    )


def _name(person: str) -> str:
    return f"standing:{person}"
