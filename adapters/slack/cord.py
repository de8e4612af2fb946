"""The cord: what people type, and put on cards, to stop agents and to let them go on. From their words to the desk.

Whoever is in a conversation may stop what works there. A stop waits for Slack no longer than a moment: who it was
matters less than that it stops.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from adapters.slack import spoken
from adapters.slack.inbound import Payload
from adapters.slack.installs import Installs
from adapters.slack.orders import Given, Orders, Wish
from adapters.slack.people import People, Person
from adapters.slack.replies import Replies
from adapters.slack.spoken import Spoken
from adapters.slack.targets import MOST_LOOSE, Around, Targets, run_scope
from adapters.slack.waiting import Waiting
from adapters.slack.whisper import Whisper
from andon import wire
from bot.cards import is_offered, visible
from bot.cards.obeyed import Done, Sentence
from bot.cards.rich import code
from bot.errors import BotError, DirectoryDown, StoreUnavailable
from bot.handoff import State
from bot.ports import Desk, Typed, Where

log = logging.getLogger("andon.slack")

_PROMPT_S: Final = 1.0
"""So long a stop waits for Slack to say who says it."""
_MOST_NAMED: Final = 10
_MOST_UNTAKEN: Final = 1_000
_SAFE: Final = frozenset({"stop", "pause", "steer"})
_NAME_RE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:/@-]*[A-Za-z0-9_/-])?")
_HEAD, _FIRST = 200, 12
"""Characters and words in which the name of an agent is looked for."""

_DOWN: Final = {
    "stop": "nothing was stopped",
    "pause": "nothing was paused",
    "steer": "nobody was told, and nothing was stopped",
    "resume": "nothing was resumed",
    "abort": "nothing was ended",
}
_IN_CONSOLE: Final = "Say it again in a moment, or do it in the console."
_NOT_KNOWN: Final = "Slack does not say now who you are, so {}. Say it again in a minute, or do it in the console."
_GUEST: Final = "A guest can stop only what works in this conversation."
_WHICH_RUN: Final = (
    "Several runs work here, so nobody was told your words: say them in the thread of a card of the run that you mean."
)
_MORE: Final = "Too many runs have cards here to stop each ({:,} go on): name their agents, or say “stop all”."
_MAYBE_ANSWER: Final = "If it was your answer to the question, press Answer on its card once it goes on."
_NOT_ENDED: Final = "As that may also be an answer, the run is stopped and not ended; “!abort” ends it."


class Cord:
    """Takes one message, command or emoji at a time; the same again is done and answered once."""

    def __init__(
        self,
        desk: Desk,
        *,
        people: People,
        installs: Installs,
        waiting: Waiting,
        targets: Targets,
        orders: Orders,
        replies: Replies,
        whisper: Whisper,
    ) -> None:
        """Obey at the desk."""
        self._desk = desk
        self._people = people
        self._installs = installs
        self._waiting = waiting
        self._targets = targets
        self._orders = orders
        self._replies = replies
        self._whisper = whisper
        self._untaken: set[str] = set()

    # --- what comes in ---

    async def said(self, payload: Payload, team: str) -> bool:
        """A message or a mention: was it words to the brake, so that it means nothing else?

        Raises:
            StoreUnavailable: It may be done or not; the same event again is safe.
        """
        bot = await self._installs.bot(team)
        found = spoken.message(payload, team, bot.user)
        return found is not None and await self._heed(found)

    async def command(self, payload: Payload, team: str) -> bool:
        """`/andon stop` and its like; whoever typed it is told when nothing could be done."""
        found = spoken.command(payload, team)
        try:
            return bool(found.id) and await self._heed(found)
        except StoreUnavailable:
            typed = self._perhaps(found.typed)
            await self._tell_untaken(found, typed.action if typed else "stop")
            return True

    async def reacted(self, payload: Payload, team: str) -> None:
        """An emoji on a card: the words for stop and pause that are emoji count as if they were typed below it.

        Raises:
            StoreUnavailable: It may be done or not; the same event again is safe.
        """
        bot = await self._installs.bot(team)
        found = spoken.reaction(payload, team, bot.user)
        if found is None or self._emoji(found) is None:
            return
        around = await self._targets.around(team, found.channel, found.thread, above=found.above)
        if around.own and (typed := self._emoji(found)):
            await self._obey(found, typed, around)

    async def untaken(self, payload: Payload, team: str) -> None:
        """The store is away, so that an event was not looked at: whoever meant the brake is told, once.

        Slack sends the event again; it is taken then.
        """
        bot = await self._installs.bot(team)
        if payload["event"].get("type") == "reaction_added":
            found = spoken.reaction(payload, team, bot.user)
            typed = self._emoji(found) if found else None
        else:
            found = spoken.message(payload, team, bot.user)
            is_ours = found is not None and found.above == bot.user
            where: Where = "bot" if found and found.to_bot else "thread" if is_ours else "channel"
            typed = self._desk.braking.read(found.typed, where) if found else None
        if found and typed and found.id not in self._untaken:
            if len(self._untaken) >= _MOST_UNTAKEN:
                self._untaken.clear()
            self._untaken.add(found.id)
            await self._tell_untaken(found, typed.action)

    # --- is it a command? ---

    async def _heed(self, said: Spoken) -> bool:
        perhaps = self._perhaps(said.typed)
        if perhaps is None:
            return False
        around = await self._targets.around(said.team, said.channel, said.thread, above=said.above)
        if around.is_empty and not said.to_bot:
            return False  # people talk; and the other bot of this channel, if it is for that one, answers
        typed = await self._read(said, around)
        if typed is None:
            return False
        if said.to_bot or _is_shouted(said.typed):
            return await self._obey(said, typed, around)
        if around.question and around.question.state is State.PENDING:
            # A word is a command before it is an answer, unless the question offers it. More than a word is an answer.
            bare = typed.action in {"stop", "pause", "abort"} and not (typed.text or typed.target)
            if not bare or is_offered(around.question, said.typed):
                return False
            if typed.action == "abort":
                return await self._obey(said, replace(typed, action="stop"), around, _NOT_ENDED)
            return await self._obey(said, typed, around, _MAYBE_ANSWER)
        return await self._is_meant(said, typed, around) and await self._obey(said, typed, around)

    def _perhaps(self, text: str) -> Typed | None:
        """What it would command if it were said to the bot, and any word in it were a name. Nothing is looked up."""
        return self._desk.braking.read(text, "bot", agents=_NAME_RE.findall(text[:_HEAD])[:_FIRST])

    async def _read(self, said: Spoken, around: Around) -> Typed | None:
        where: Where = "bot" if said.to_bot else "thread" if around.own else "channel"
        typed = self._desk.braking.read(said.typed, where, agents=around.agents)
        if said.to_bot and (typed is None or (typed.text and not typed.target)):
            # It may name an agent that works elsewhere.
            with contextlib.suppress(TimeoutError):
                seen = await asyncio.wait_for(self._targets.agents_seen(said.team, said.user), _PROMPT_S)
                typed = self._desk.braking.read(said.typed, where, agents=around.agents | seen)
        if typed and typed.action == "steer" and "<" in said.text:  # for the agent to read, with people's names
            with contextlib.suppress(TimeoutError):
                text = await asyncio.wait_for(self._waiting.typed(said.team, said.text), _PROMPT_S)
                again = self._desk.braking.read(text, where, agents=around.agents)
                return replace(typed, text=again.text) if again else typed
        return typed

    async def _is_meant(self, said: Spoken, typed: Typed, around: Around) -> bool:
        """Of what was not said to the bot: are these words for the brake, rather than for people, or for another app?

        Below somebody's message people talk to each other, and below another app's to that app.
        """
        bot = await self._installs.bot(said.team)
        if around.own or said.thread is None or said.above == bot.user:
            return True
        if typed.action not in {"stop", "pause"}:
            return False
        with contextlib.suppress(DirectoryDown, TimeoutError):
            asking = self._people.person(said.team, said.above, channel=None)
            return not (said.above and (await asyncio.wait_for(asking, _PROMPT_S)).refusal)
        return True

    def _emoji(self, said: Spoken) -> Typed | None:
        typed = self._desk.braking.read(said.typed, "channel")
        return typed if typed and typed.action in {"stop", "pause"} else None

    # --- obeying ---

    async def _obey(self, said: Spoken, typed: Typed, around: Around, note: str = "") -> bool:
        """Do it, and say what was done; False when whoever said it has no say here at all."""
        try:
            person = await self._person(said, typed)
        except DirectoryDown:
            await self._whisper.tell(said.listener, _NOT_KNOWN.format(_DOWN[typed.action]))
            return True
        if person.refusal or person.standing == "external":
            return False
        if said.is_direct:
            around = await self._targets.direct(around, said.team, said.user, person)
        if typed.target and person.standing == "guest":
            typed, note = replace(typed, target=""), _GUEST
        if not typed.target and around.is_empty:
            await self._which(said, typed, note)
            return True
        await self._do(said, typed, around, person, note)
        return True

    async def _person(self, said: Spoken, typed: Typed) -> Person:
        """Who says it; raises `DirectoryDown`."""
        channel = said.channel or None
        if typed.action in _SAFE:
            return await self._people.soon(said.team, said.user, channel=channel, user_team=said.user_team)
        return await self._people.person(said.team, said.user, channel=channel, user_team=said.user_team)

    async def _do(self, said: Spoken, typed: Typed, around: Around, person: Person, note: str) -> None:
        wish = Wish(said.id, typed.action, person, typed.text, said.at)
        scopes, what = self._about(said, typed, around)
        if typed.action == "steer":
            one = self._one_run(typed, around)
            scopes, what = ([run_scope(one)], "this run") if one else (scopes, what)
            wish, note = (wish, note) if one else (replace(wish, action="pause"), note or _WHICH_RUN)
        given = await self._give(wish, scopes, typed, around)
        if wish.action == "abort" and given.refused and not given.receipts:
            instead = replace(wish, action="stop")
            note, wish = f"{visible(person.actor.name)} may not end it, so it is stopped.", instead
            given = await self._give(instead, scopes, typed, around)
        elif wish.action in {"stop", "pause"} and not (typed.target or around.own) and len(around.loose) > MOST_LOOSE:
            note = _MORE.format(len(around.loose) - MOST_LOOSE)
        how = _how(said, typed, around)
        still = await self._targets.still(around) if wish.action == "resume" else ()
        is_noise = not said.to_bot and wish.action == "resume" and not still
        if given.receipts:
            done = Done(wish.action, person.actor.name, what, given.receipts, how, still, note)
            if done.is_for_all or not (is_noise and done.first.did == "off"):
                await self._replies.say(done, said.listener, thread=said.thread, once=said.id)
        if given.refused and not (is_noise and not given.receipts):
            await self._whisper.tell(said.listener, given.refused)
        if not given.receipts and not given.refused:
            await self._whisper.tell(said.listener, f"That is over and forgotten, so {_DOWN[wish.action]}.")

    async def _give(self, wish: Wish, scopes: Sequence[wire.BrakeScope], typed: Typed, around: Around) -> Given:
        """The orders; a stop of a conversation holds the runs too that only have cards there."""
        given = await self._orders.give(wish, scopes)
        if typed.target or around.own or wish.action in {"abort", "steer"}:
            return given
        more = await self._orders.give(wish, await self._targets.loose(around, wish.action, given.receipts))
        return Given((*given.receipts, *more.receipts), given.refused or more.refused)

    def _about(self, said: Spoken, typed: Typed, around: Around) -> tuple[list[wire.BrakeScope], str]:
        """The scopes that the words mean here, and what they are called."""
        if typed.target == "all":
            return [wire.BrakeScope(everything=True)], "every agent"
        if typed.target:
            return [wire.BrakeScope(agent=typed.target)], f"all that {typed.target} does"
        if around.own:
            return [run_scope(each) for each in around.own], "this run" if len(around.own) == 1 else "the runs here"
        return around.scopes, "every run here" if said.is_direct else "every run in this channel"

    def _one_run(self, typed: Typed, around: Around) -> str:
        """The one run that words for an agent can be for; empty: there are several, or none."""
        runs = {run.id: run.agent for run in around.bound} | {card.run: card.agent for card in around.cards}
        meant = [run for run, agent in runs.items() if typed.target in {"", agent}]
        meant = meant if typed.target else list(around.own) or meant
        return meant[0] if len(meant) == 1 else ""

    # --- saying ---

    async def _which(self, said: Spoken, typed: Typed, note: str) -> None:
        """It is not clear whom they mean: say in private what can be named."""
        if note:
            return await self._whisper.tell(said.listener, note)
        if typed.action == "resume":
            told = "Nothing works in this conversation, so there is nothing to resume here. "
        else:
            told = f"I do not know whom you mean, so {_DOWN[typed.action]}. "
        agents = sorted(await self._targets.agents_seen(said.team, said.user))[:_MOST_NAMED]
        word = typed.action
        named = ", ".join(f"`{word} {agent}`" for agent in agents)
        also = f"name an agent ({named}), or all of them (`{word} all`)" if named else f"name all agents (`{word} all`)"
        return await self._whisper.tell(said.listener, f"{told}Say it in the thread of a card, or {also}.")

    async def _tell_untaken(self, said: Spoken, action: str) -> None:
        told = f"I cannot reach my own store just now, so {_DOWN[action]}. {_IN_CONSOLE}"
        try:
            await self._whisper.tell(said.listener, told)
        except BotError as error:
            log.warning("slack.untold user=%s detail=%s", said.user, error)


def _is_shouted(text: str) -> bool:
    """`!stop`: plainly a command, wherever it is typed."""
    return text.lstrip(" *_~`")[:1] in {"!", "\uff01"}


def _how(said: Spoken, typed: Typed, around: Around) -> Sentence:
    """How somebody lets it go on."""
    if typed.target:
        return (code(f"resume {typed.target}"),)
    if around.own:
        return (code("resume"), " in this thread")
    if said.is_direct:
        return (code("resume"), " here")
    return (code("resume"), " in the channel, or " if said.thread else " here, or ", code("/andon resume"))
