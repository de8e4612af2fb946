"""The buttons in Slack that lift a brake, and that stop a run."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from adapters.slack.answers import Presser, presser_of
from adapters.slack.cards import RESUME
from adapters.slack.ground import SlackGround
from adapters.slack.inbound import Payload
from adapters.slack.lists import LIFT
from adapters.slack.people import People
from adapters.slack.presses import pressed
from adapters.slack.replies import Replies
from adapters.slack.saying import Listener
from adapters.slack.whisper import Whisper
from adapters.slack.whose import Whose
from bot import talk
from bot.cards import why_not
from bot.cards.obeyed import Action, Done
from bot.cards.rich import code
from bot.errors import BotError
from bot.ports import Desk
from bot.talk import Person, Wish

__all__ = ["LIFT", "RESUME", "Brakes"]


class Brakes:
    """Takes presses."""

    def __init__(
        self,
        desk: Desk,
        brakes: talk.Brakes,
        *,
        ground: SlackGround,
        people: People,
        whose: Whose,
        replies: Replies,
        whisper: Whisper,
        clock: Callable[[], datetime],
    ) -> None:
        """Which somebody may know of, and what a press does, is known to `brakes`."""
        self._desk = desk
        self._brakes = brakes
        self._ground = ground
        self._people = people
        self._whose = whose
        self._replies = replies
        self._whisper = whisper
        self._clock = clock

    async def lifted(self, payload: Payload, team: str) -> None:
        """Resume was pressed on a list: lift that very brake, and tell whoever pressed, in private."""
        user, channel = payload["user"], str((payload.get("channel") or {}).get("id") or "")
        action, url = payload["actions"][0], str(payload.get("response_url") or "") or None
        listener = Listener(team, str(user["id"]), channel or None, None, url)
        told = await self._brakes.lift(
            self._ground.viewer(team, str(user["id"]), user_team=user.get("team_id")),
            str(action.get("value")),
            id=f"{team}/{user['id']}/{action.get('action_ts')}",
            said_at=_when(action),
        )
        await self._whisper.tell(listener, told)

    async def pressed(self, payload: Payload, team: str) -> None:
        """Resume on a card that is on hold, or “Stop this run” on one that waits; and say so below it."""
        who, action = presser_of(payload, team), payload["actions"][0]
        try:
            press = pressed(action)
            handoff = await self._desk.look(press.handoff)
            await self._whose.check(handoff, who.address, payload.get("message"))
            asked: Action = "resume" if press.kind == "resume" else "stop"
            wish = Wish(f"{team}/{who.user}/{action.get('action_ts')}", asked, await self._person(who, asked))
            wish = replace(wish, said_at=_when(action))
            done: Done
            if asked == "stop":
                how = (code("resume"), " in this thread, or presses Resume on the card")
                done = await self._brakes.stop(handoff, wish, how)
            else:
                done = await self._brakes.resume(handoff, press.extra.get("epoch"), wish)
            await self._replies.say(done, who.listener, thread=_thread(who), once=wish.id)
        except BotError as error:
            await self._whisper.tell(who.listener, why_not(error, surface="slack", user=who.user, now=self._clock()))

    async def _person(self, who: Presser, asked: Action) -> Person:
        """Who presses, if they are one of ours.

        Raises:
            NotAnApprover: They are not.
            DirectoryDown: Slack does not tell.
        """
        find = self._people.soon if asked == "stop" else self._people.person
        person = await find(who.team, who.user, channel=who.channel, user_team=who.user_team)
        self._brakes.check(person, asked)
        return person


def _thread(who: Presser) -> str | None:
    """Below the card, or where the card itself is below something."""
    return who.listener.thread or (who.address.ts if who.address else None)


def _when(action: Mapping[str, Any]) -> datetime | None:
    """When it was pressed, by Slack's clock."""
    try:
        return datetime.fromtimestamp(float(str(action.get("action_ts"))), UTC)
    except (ValueError, OverflowError, OSError):
        return None
