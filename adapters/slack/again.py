"""“Try again” on a card whose agent was not reached: the decision is sent to it once more."""

from collections.abc import Callable
from datetime import datetime

from adapters.slack.answers import presser_of
from adapters.slack.inbound import Payload
from adapters.slack.people import People
from adapters.slack.presses import pressed
from adapters.slack.whisper import Whisper
from adapters.slack.whose import Whose
from bot.cards import why_not
from bot.errors import BotError
from bot.ports import Desk


class Again:
    """Takes presses. Whoever sees the card may: it changes no decision."""

    def __init__(
        self, desk: Desk, *, people: People, whose: Whose, whisper: Whisper, clock: Callable[[], datetime]
    ) -> None:
        """Ask the desk to send."""
        self._desk = desk
        self._people = people
        self._whose = whose
        self._whisper = whisper
        self._clock = clock

    async def pressed(self, payload: Payload, team: str) -> None:
        """Send it, and say in private what came of that."""
        who = presser_of(payload, team)
        try:
            handoff = await self._desk.look(pressed(payload["actions"][0]).handoff)
            await self._whose.check(handoff, who.address, payload.get("message"))
            person = await self._people.person(who.team, who.user, channel=who.channel, user_team=who.user_team)
            told = await self._desk.send_again(handoff.id, person.actor)
        except BotError as error:
            told = why_not(error, surface="slack", user=who.user, now=self._clock())
        await self._whisper.tell(who.listener, told)
