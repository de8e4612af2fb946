"""Brakes in Slack: which that are on a person may know of; and the buttons that lift one, and that stop a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from adapters.slack.answers import Presser, presser_of
from adapters.slack.cards import RESUME
from adapters.slack.inbound import Payload
from adapters.slack.lists import LIFT
from adapters.slack.orders import Given, Orders, Wish
from adapters.slack.people import People, Person
from adapters.slack.presses import pressed
from adapters.slack.refusals import why_not
from adapters.slack.replies import Replies
from adapters.slack.saying import Listener
from adapters.slack.targets import run_scope
from adapters.slack.waiting import Viewer, Waiting
from adapters.slack.whisper import Whisper
from adapters.slack.whose import Whose
from andon import wire
from bot.cards import pulled, scope_in_words, visible
from bot.cards.listing import BrakeLine
from bot.cards.obeyed import Action, Done, plainly, reply
from bot.cards.rich import code
from bot.errors import BotError, DirectoryDown, Gone, NotAnApprover, StoreUnavailable
from bot.handoff import Handoff
from bot.ports import Desk, Standing

__all__ = ["LIFT", "RESUME", "Brakes"]

_TEXT_CHARS: Final = 3_000
_OVER: Final = "This is not on hold any more."
_OTHER: Final = "Something else holds it now."
_GONE: Final = "That brake is not on any more, or holds nothing that you can see."
_DOWN: Final = "It could not be resumed just now, so it is still on hold. Try again in a moment."
_STRANGER: Final = "only people of this workspace stop its agents."


@dataclass(frozen=True, slots=True)
class _Seen:
    """A brake that somebody may know of, how a list shows it, and what they are to it."""

    brake: wire.Braked
    line: BrakeLine
    standing: Standing


class Brakes:
    """Shows brakes to those who are in the conversations that they hold, and takes presses."""

    def __init__(
        self,
        desk: Desk,
        *,
        people: People,
        whose: Whose,
        waiting: Waiting,
        orders: Orders,
        replies: Replies,
        whisper: Whisper,
        clock: Callable[[], datetime],
    ) -> None:
        """Look up with `waiting` what somebody may see."""
        self._desk = desk
        self._people = people
        self._whose = whose
        self._waiting = waiting
        self._orders = orders
        self._replies = replies
        self._whisper = whisper
        self._clock = clock

    # --- lists ---

    async def seen(self, viewer: Viewer) -> list[BrakeLine]:
        """The brakes that are on and that this person may know of, the latest first.

        Raises:
            DirectoryDown: Slack does not tell.
            StoreUnavailable: They cannot be read.
        """
        return [each.line for each in await self._seen(viewer)]

    async def lifted(self, payload: Payload, team: str) -> None:
        """Resume was pressed on a list: lift that very brake, and tell whoever pressed, in private."""
        user, channel = payload["user"], str((payload.get("channel") or {}).get("id") or "")
        url = str(payload.get("response_url") or "") or None
        listener = Listener(team, str(user["id"]), channel or None, None, url)
        try:
            told = await self._lift(payload["actions"][0], team, user)
        except (DirectoryDown, StoreUnavailable):
            told = _DOWN
        await self._whisper.tell(listener, told)

    async def _lift(self, action: Mapping[str, Any], team: str, user: Mapping[str, Any]) -> str:
        viewer = await self._waiting.viewer(team, str(user["id"]), user_team=user.get("team_id"))
        found = next((each for each in await self._seen(viewer) if str(each.line.epoch) == action.get("value")), None)
        if found is None:
            return _GONE
        wish = Wish(
            f"{team}/{viewer.user}/{action.get('action_ts')}",
            "resume",
            replace(viewer.person, standing=found.standing),
            said_at=_when(action),
            epoch=found.brake.epoch,
        )
        given = await self._orders.give(wish, [found.brake.scope])
        what = f"{found.line.what} ({found.line.where})" if found.line.where else found.line.what
        return plainly(reply(_done(wish, given, what))) if given.receipts else given.refused or _GONE

    async def _seen(self, viewer: Viewer) -> list[_Seen]:
        if viewer.person.refusal or viewer.person.standing == "external":
            return []
        standing = await self._desk.braking.standing()
        agents = await self._waiting.agents(viewer) if any(each.scope.agent for each in standing) else frozenset()
        found = [await self._see(viewer, each, agents) for each in standing]
        return [each for each in found if each]

    async def _see(self, viewer: Viewer, brake: wire.Braked, agents: frozenset[str]) -> _Seen | None:
        scope, is_mine = brake.scope, brake.by.id == viewer.person.actor.id
        where, is_there = "", scope.agent is None or scope.agent in agents
        if scope.conversation is not None:
            spot = await self._waiting.spot(scope.conversation) if scope.conversation.surface == "slack" else None
            channel = spot.channel if spot and spot.team == viewer.team else ""
            is_there = channel in viewer.channels or (is_mine and channel.startswith("D"))
            where = await self._waiting.channel(viewer.team, channel) if channel else ""
        elif scope.run is not None:
            try:
                run = await self._desk.run(scope.run)
            except Gone:
                return None
            is_there, where = await self._waiting.is_among(viewer, run), f"{visible(run.name)} · {run.agent}"
        if not is_there and not is_mine:
            return None
        line = BrakeLine(pulled(brake), where, scope_in_words(scope), brake.epoch)
        standing: Standing = viewer.person.standing
        if viewer.is_member:
            standing = "member" if is_there else "outside"
        return _Seen(brake, line, standing)

    # --- cards ---

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
            if asked == "stop":
                scope = run_scope(handoff.run)
            else:
                epoch = press.extra.get("epoch")
                scope = _held_by(handoff, epoch)
                wish = replace(wish, epoch=epoch if isinstance(epoch, int) else None)
            given = await self._orders.give(wish, [scope])
            if not given.receipts:
                raise NotAnApprover(given.refused or _OVER, handoff=handoff.id)
            still = tuple((handoff.run_name, each) for each in given.receipts[0].still)
            done = replace(_done(wish, given, scope_in_words(scope)), still=still)
            await self._replies.say(done, who.listener, thread=_thread(who), once=wish.id)
        except BotError as error:
            await self._whisper.tell(who.listener, why_not(error, user=who.user, now=self._clock()))

    async def _person(self, who: Presser, asked: Action) -> Person:
        """Who presses, if they are one of ours.

        Raises:
            NotAnApprover: They are not.
            DirectoryDown: Slack does not tell.
        """
        if asked == "stop":
            person = await self._people.soon(who.team, who.user, channel=who.channel, user_team=who.user_team)
        else:
            person = await self._people.person(who.team, who.user, channel=who.channel, user_team=who.user_team)
        if person.refusal or (asked == "stop" and person.standing == "external"):
            raise NotAnApprover(person.refusal or f"{person.actor.name}, {_STRANGER}")
        return person


def _held_by(handoff: Handoff, epoch: object) -> wire.BrakeScope:
    """What the brake holds that the card told of.

    Raises:
        NotAnApprover: It is another one now, or none.
    """
    if handoff.brake is None:
        raise NotAnApprover(_OVER, handoff=handoff.id)
    if handoff.brake.epoch != epoch:
        raise NotAnApprover(f"{_OTHER} {pulled(handoff.brake)} Look at the card again.", handoff=handoff.id)
    return handoff.brake.scope


def _done(wish: Wish, given: Given, what: str) -> Done:
    how = (code("resume"), " in this thread, or presses Resume on the card") if wish.action == "stop" else ()
    return Done(wish.action, wish.person.actor.name, what, given.receipts, how)


def _thread(who: Presser) -> str | None:
    """Below the card, or where the card itself is below something."""
    return who.listener.thread or (who.address.ts if who.address else None)


def _when(action: Mapping[str, Any]) -> datetime | None:
    """When it was pressed, by Slack's clock."""
    try:
        return datetime.fromtimestamp(float(str(action.get("action_ts"))), UTC)
    except (ValueError, OverflowError, OSError):
        return None
