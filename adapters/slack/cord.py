"""Words and signs to the brake, as Slack tells of them; what they mean and come to is found by `bot.talk`."""

from adapters.slack import spoken
from adapters.slack.ground import SlackGround
from adapters.slack.inbound import Payload
from adapters.slack.installs import Installs
from adapters.slack.naming import names
from adapters.slack.people import People
from adapters.slack.places import Places
from adapters.slack.replies import Replies
from adapters.slack.spoken import Spoken
from adapters.slack.whisper import Whisper
from adapters.slack.words import typed
from bot import talk
from bot.cards.obeyed import Done, Sentence
from bot.cards.rich import code
from bot.ports import Desk
from bot.talk import Orders, Person, Targets, Viewer


class Hall:
    """The `Hall` of `bot.talk`: Slack, for those who speak to the brake."""

    platform = "Slack"

    def __init__(
        self,
        *,
        people: People,
        places: Places,
        ground: SlackGround,
        replies: Replies,
        whisper: Whisper,
    ) -> None:
        """Say what came of it by `replies`."""
        self._people = people
        self._places = places
        self._ground = ground
        self._replies = replies
        self._whisper = whisper

    async def person(self, said: Spoken) -> Person:
        """See `Hall`."""
        return await self._people.person(said.team, said.user, channel=said.channel or None, user_team=said.user_team)

    async def soon(self, said: Spoken) -> Person:
        """See `Hall`."""
        return await self._people.soon(said.team, said.user, channel=said.channel or None, user_team=said.user_team)

    async def viewer(self, said: Spoken) -> Viewer:
        """See `Hall`."""
        with self._ground.background():
            return await self._ground.viewer(said.team, said.user)

    def alone(self, said: Spoken, person: Person) -> Viewer:
        """See `Hall`."""
        return Viewer(said.team, said.user, person)

    async def named(self, said: Spoken) -> str:
        """See `Hall`."""
        if "<" not in said.text:
            return said.typed
        return typed(said.text, await names(self._people, self._places, said.team, said.text))

    async def is_for_other_app(self, said: Spoken) -> bool:
        """See `Hall`."""
        return bool(said.above and (await self._people.person(said.team, said.above, channel=None)).refusal)

    async def tell(self, said: Spoken, text: str, *, is_secret: bool = False) -> None:  # noqa: ARG002  # all are alone
        """See `Hall`."""
        await self._whisper.tell(said.listener, text)

    async def reply(self, said: Spoken, done: Done) -> None:
        """See `Hall`."""
        await self._replies.say(done, said.listener, thread=said.thread, once=said.id)

    def how(self, said: Spoken, target: str, *, is_own: bool) -> Sentence:
        """See `Hall`."""
        if target:
            return (code(f"resume {target}"),)
        if is_own:
            return (code("resume"), " in this thread")
        if said.is_direct:
            return (code("resume"), " here")
        return (code("resume"), " in the channel, or " if said.thread else " here, or ", code("/andon resume"))


class Cord:
    """Takes one event or command at a time; the same again is done and answered once."""

    def __init__(self, desk: Desk, hall: Hall, *, installs: Installs, targets: Targets, orders: Orders) -> None:
        """Obey at the desk."""
        self._installs = installs
        self._cord = talk.Cord(desk, hall, targets=targets, orders=orders)

    async def said(self, payload: Payload, team: str) -> bool:
        """A message or a mention: was it words to the brake, so that it means nothing else?

        Raises:
            StoreUnavailable: It may be done or not; the same event again is safe.
        """
        found = spoken.message(payload, team, (await self._installs.bot(team)).user)
        return found is not None and await self._cord.heed(found)

    async def command(self, payload: Payload, team: str) -> bool:
        """`/andon stop` and its like; whoever typed it is told when nothing could be done."""
        found = spoken.command(payload, team)
        return bool(found.id) and await self._cord.asked(found)

    async def reacted(self, payload: Payload, team: str) -> None:
        """An emoji on a card: the words for stop and pause that are emoji count as if they were typed below it.

        Raises:
            StoreUnavailable: It may be done or not; the same event again is safe.
        """
        found = spoken.reaction(payload, team, (await self._installs.bot(team)).user)
        if found:
            await self._cord.signed(found)

    async def untaken(self, payload: Payload, team: str) -> None:
        """The store is away, so that an event was not looked at: whoever meant the brake is told, once.

        Slack sends the event again; it is taken then.
        """
        bot = await self._installs.bot(team)
        if payload["event"].get("type") == "reaction_added":
            sign = spoken.reaction(payload, team, bot.user)
            if sign:
                await self._cord.untaken(sign, is_sign=True)
        elif found := spoken.message(payload, team, bot.user):
            await self._cord.untaken(found)
