"""The overview of one person in their chat with the bot, and what they set there."""

from adapters.teams.answers import Presser
from adapters.teams.carried import Pressed
from adapters.teams.ground import TeamsGround
from adapters.teams.lists import Lists
from adapters.teams.replying import Json, with_card, with_words
from bot import talk
from bot.errors import BadRequest, BotError
from bot.talk import Overview, Standings, Viewer


class Home:
    """Makes the card; a press on a setting is answered with the card as it is then."""

    def __init__(self, talking: talk.Talk, standings: Standings, *, ground: TeamsGround, lists: Lists) -> None:
        """What there is for somebody is known to `talking`."""
        self._talking = talking
        self._standings = standings
        self._ground = ground
        self._lists = lists

    async def card(self, viewer: Viewer, found: Overview) -> Json:
        """What was found, and what this person has set.

        Raises:
            StoreUnavailable: Not known now.
        """
        settings = await self._standings.load(viewer.person.actor.id)
        return self._lists.home(found.brakes, found.waiting, found.runs, found.grants, settings.lines())

    async def chosen(self, press: Pressed, presser: Presser) -> Json:
        """A setting was pressed: it is theirs who press.

        Raises:
            BadRequest: It is no setting of ours, or no card of theirs.
            DirectoryDown, StoreUnavailable: It may not be kept; again is safe.
        """
        viewer = await self._ground.viewer(presser.activity)
        if not viewer.direct or viewer.person.refusal or viewer.person.standing == "external":
            raise BadRequest("settings are changed in your own chat with me: type home there")
        key, _, value = press.id.partition("-")
        await self._standings.choose(viewer.person.actor.id, key, value)
        try:
            return with_card(await self.card(viewer, await self._talking.overview(viewer)))
        except BotError:
            return with_words("It is set. Type home to see it.")
