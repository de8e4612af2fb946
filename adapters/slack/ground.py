"""What Slack tells of its conversations, for those who look things up for people. A room is `T…/C…`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from adapters.slack import words
from adapters.slack.address import Address
from adapters.slack.api import NoAccess, SlackFailed
from adapters.slack.installs import Installs
from adapters.slack.marks import Marks
from adapters.slack.pace import background
from adapters.slack.people import People
from adapters.slack.places import Places
from andon import wire
from bot.errors import DirectoryDown, TooMany, Undeliverable
from bot.talk import Pointed, Viewer


class SlackGround:
    """The `Ground` of `bot.talk`."""

    surface = "slack"
    platform = "Slack"

    def __init__(self, *, installs: Installs, people: People, places: Places, marks: Marks) -> None:
        """Look at messages by `marks`."""
        self._installs = installs
        self._people = people
        self._places = places
        self._marks = marks

    async def viewer(self, team: str, user: str, *, channel: str | None = None, user_team: str | None = None) -> Viewer:
        """Who asks, seen from the conversation where they ask.

        Raises:
            DirectoryDown: Slack does not tell who they are, or where they are.
        """
        person = await self._people.person(team, user, channel=channel, user_team=user_team)
        if not person.refusal:
            await self._people.channels(team, user)
        direct = f"{team}/{channel}" if channel and channel.startswith("D") else ""
        return Viewer(team, user, person, direct)

    def background(self) -> AbstractContextManager[None]:
        """See `Ground`."""
        return background()

    async def room(self, place: wire.Place) -> str | None:
        """See `Ground`."""
        try:
            return (await self._places.find(place)).address
        except (Undeliverable, SlackFailed, NoAccess, TooMany, DirectoryDown):
            return None

    async def ways(self, room: str) -> tuple[str, ...]:
        """See `Ground`."""
        return await self._places.ways(*_split(room))

    async def name(self, room: str) -> str:
        """See `Ground`."""
        return await self._places.name(*_split(room))

    def is_direct(self, room: str) -> bool:
        """See `Ground`."""
        return _split(room)[1].startswith("D")

    async def is_in(self, viewer: Viewer, room: str) -> bool:
        """See `Ground`."""
        team, channel = _split(room)
        return team == viewer.home and channel in await self._people.channels(viewer.home, viewer.user)

    async def shared(self, viewer: Viewer) -> Sequence[str]:
        """See `Ground`."""
        bot = await self._installs.bot(viewer.home)
        theirs = await self._people.channels(viewer.home, viewer.user)
        return [f"{viewer.home}/{channel}" for channel in theirs & await self._people.channels(viewer.home, bot.user)]

    def named(self, viewer: Viewer) -> frozenset[str]:
        """See `Ground`."""
        return frozenset({viewer.user, f"{viewer.home}/{viewer.user}"})

    def address(self, room: str, message: str) -> str:
        """See `Ground`."""
        return Address(*_split(room), message).text

    def thread(self, room: str, message: str) -> str:
        """See `Ground`."""
        return self.address(room, message)

    async def link(self, room: str, message: str) -> str | None:
        """See `Ground`."""
        team, channel = _split(room)
        url = (await self._installs.bot(team)).url
        return f"{url.rstrip('/')}/archives/{channel}/p{message.replace('.', '')}" if url else None

    def pointed(self, viewer: Viewer, text: str) -> Pointed | None:
        """See `Ground`."""
        found = words.link(text)
        return Pointed(f"{viewer.home}/{found[0]}", found[1:]) if found else None

    async def marked(self, room: str, message: str) -> str | None:
        """See `Ground`."""
        try:
            return await self._marks.handoff(*_split(room), message)
        except (TooMany, SlackFailed):
            return None


def _split(room: str) -> tuple[str, str]:
    team, _, channel = room.partition("/")
    return team, channel
