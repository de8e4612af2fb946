"""The cord: what people type, and put on cards, to stop agents and to let them go on. From their words to the desk.

Whoever is in a conversation may stop what works there. A stop waits for the platform no longer than a moment: who it
was matters less than that it stops.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from andon import wire
from bot.cards import is_offered, visible
from bot.cards.obeyed import Done, Sentence
from bot.errors import BotError, DirectoryDown, StoreUnavailable
from bot.handoff import State
from bot.ports import Desk, Typed, Where
from bot.talk.orders import Given, Orders, Wish
from bot.talk.targets import MOST_LOOSE, Around, Below, Targets, run_scope
from bot.talk.who import Person, Viewer

log = logging.getLogger("andon.talk")

_PROMPT_S: Final = 1.0
"""So long a stop waits for the platform to say who says it."""
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
_NOT_KNOWN: Final = "{} does not say now who you are, so {}. Say it again in a minute, or do it in the console."
_GUEST: Final = "A guest can stop only what works in this conversation."
_WHICH_RUN: Final = (
    "Several runs work here, so nobody was told your words: say them in the thread of a card of the run that you mean."
)
_MORE: Final = "Too many runs have cards here to stop each ({:,} go on): name their agents, or say “stop all”."
_MAYBE_ANSWER: Final = "If it was your answer to the question, press Answer on its card once it goes on."
_NOT_ENDED: Final = "As that may also be an answer, the run is stopped and not ended; “!abort” ends it."


class Spoken(Protocol):
    """Who said what, where and when."""

    @property
    def id(self) -> str:
        """The same for each time that the platform tells of it."""
        ...

    @property
    def user(self) -> str:
        """Whoever said it."""
        ...

    @property
    def room(self) -> str:
        """The conversation."""
        ...

    @property
    def noun(self) -> str:
        """What people call a room of this kind: `channel`."""
        ...

    @property
    def thread(self) -> str | None:
        """The message at the top of the thread where it was said, or that the sign was put on."""
        ...

    @property
    def below(self) -> Below:
        """Whose that message is."""
        ...

    @property
    def typed(self) -> str:
        """The text as it was typed, without the mention of the bot."""
        ...

    @property
    def to_bot(self) -> bool:
        """Was it said to the bot?"""
        ...

    @property
    def is_direct(self) -> bool:
        """Was it said in a conversation with the bot alone?"""
        ...

    @property
    def at(self) -> datetime | None:
        """When it was said, by the platform's clock; None: now."""
        ...


S = TypeVar("S", bound=Spoken)
_SaidT_contra = TypeVar("_SaidT_contra", bound=Spoken, contravariant=True)


class Hall(Protocol[_SaidT_contra]):
    """The platform, for those who speak to the brake."""

    platform: str
    """As people call it."""

    async def person(self, said: _SaidT_contra) -> Person:
        """Who said it; raises `DirectoryDown`."""
        ...

    async def soon(self, said: _SaidT_contra) -> Person:
        """The same within a moment, for who stops an agent: as a guest where the platform tells no more.

        Raises:
            DirectoryDown: It does not even tell whether they belong here.
        """
        ...

    async def viewer(self, said: _SaidT_contra) -> Viewer:
        """Whoever said it, as somebody who asks what there is; raises `DirectoryDown`."""
        ...

    def alone(self, said: _SaidT_contra, person: Person) -> Viewer:
        """The same where it is known who they are, for what was put to them in person; the platform is not asked."""
        ...

    async def named(self, said: _SaidT_contra) -> str:
        """The text with the names of whom it mentions, for an agent to read."""
        ...

    async def is_for_other_app(self, said: _SaidT_contra) -> bool:
        """Was it said below the message of another app?"""
        ...

    async def tell(self, said: _SaidT_contra, text: str, *, is_secret: bool = False) -> None:
        """Tell whoever said it, alone where the platform can; `is_secret`: else not at all.

        What cannot be said is logged and lost.
        """
        ...

    async def reply(self, said: _SaidT_contra, done: Done) -> None:
        """Say what came of it, once for these words: to all who are there, or, if nothing did, to whoever said them.

        Raises:
            StoreUnavailable: It is not known whether it was said; again is safe.
        """
        ...

    def how(self, said: _SaidT_contra, target: str, *, is_own: bool) -> Sentence:
        """How somebody lets it go on: `target` is an agent's name or `all`; `is_own`: in the run's own thread."""
        ...


class Cord(Generic[S]):
    """Takes one message, command or sign at a time; the same again is done and answered once."""

    def __init__(self, desk: Desk, hall: Hall[S], *, targets: Targets, orders: Orders) -> None:
        """Obey at the desk."""
        self._desk = desk
        self._hall = hall
        self._targets = targets
        self._orders = orders
        self._untaken: set[str] = set()

    # --- what comes in ---

    async def heed(self, said: S) -> bool:
        """A message or a mention: was it words to the brake, so that it means nothing else?

        Raises:
            StoreUnavailable: It may be done or not; the same again is safe.
        """
        if not self.may_be(said.typed):
            return False
        around = await self._targets.around(said.room, said.thread, below=said.below)
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

    async def asked(self, said: S) -> bool:
        """The same of a command: whoever typed it is told when nothing could be done."""
        try:
            return await self.heed(said)
        except StoreUnavailable:
            typed = self._perhaps(said.typed)
            await self._tell_untaken(said, typed.action if typed else "stop")
            return True

    async def signed(self, said: S) -> None:
        """A sign on a card: the words for stop and pause that are signs count as if they were typed below it.

        Raises:
            StoreUnavailable: It may be done or not; the same again is safe.
        """
        if self.sign(said) is None:
            return
        around = await self._targets.around(said.room, said.thread, below=said.below)
        if around.own and (typed := self.sign(said)):
            await self._obey(said, typed, around)

    async def untaken(self, said: S, *, is_sign: bool = False) -> None:
        """The store is away, so that this was not looked at: whoever meant the brake is told, once.

        The platform sends it again; it is taken then.
        """
        if is_sign:
            typed = self.sign(said)
        else:
            where: Where = "bot" if said.to_bot else "thread" if said.below == "us" else "channel"
            typed = self._desk.braking.read(said.typed, where)
        if typed and said.id not in self._untaken:
            if len(self._untaken) >= _MOST_UNTAKEN:
                self._untaken.clear()
            self._untaken.add(said.id)
            await self._tell_untaken(said, typed.action)

    def may_be(self, text: str) -> bool:
        """Can it be words to the brake at all? Nothing is looked up."""
        return self._perhaps(text) is not None

    def sign(self, said: S) -> Typed | None:
        """What a sign says to the brake, if anything."""
        typed = self._desk.braking.read(said.typed, "channel")
        return typed if typed and typed.action in {"stop", "pause"} else None

    # --- is it a command? ---

    def _perhaps(self, text: str) -> Typed | None:
        """What it would command if it were said to the bot, and any word in it were a name. Nothing is looked up."""
        return self._desk.braking.read(text, "bot", agents=_NAME_RE.findall(text[:_HEAD])[:_FIRST])

    async def _read(self, said: S, around: Around) -> Typed | None:
        where: Where = "bot" if said.to_bot else "thread" if around.own else "channel"
        typed = self._desk.braking.read(said.typed, where, agents=around.agents)
        if said.to_bot and (typed is None or (typed.text and not typed.target)):
            # It may name an agent that works elsewhere.
            with contextlib.suppress(TimeoutError):
                seen = await asyncio.wait_for(self._agents_seen(said), _PROMPT_S)
                typed = self._desk.braking.read(said.typed, where, agents=around.agents | seen)
        if typed and typed.action == "steer":  # for the agent to read, with people's names
            with contextlib.suppress(TimeoutError):
                text = await asyncio.wait_for(self._hall.named(said), _PROMPT_S)
                again = self._desk.braking.read(text, where, agents=around.agents)
                return replace(typed, text=again.text) if again else typed
        return typed

    async def _agents_seen(self, said: S) -> frozenset[str]:
        """The agents that somebody knows of, wherever they work; none when the platform does not tell."""
        try:
            viewer = await self._hall.viewer(said)
        except StoreUnavailable:
            raise
        except BotError:
            return frozenset()
        return await self._targets.agents(viewer)

    async def _is_meant(self, said: S, typed: Typed, around: Around) -> bool:
        """Of what was not said to the bot: are these words for the brake, rather than for people, or for another app?

        Below somebody's message people talk to each other, and below another app's to that app.
        """
        if around.own or said.thread is None or said.below == "us":
            return True
        if typed.action not in {"stop", "pause"}:
            return False
        with contextlib.suppress(DirectoryDown, TimeoutError):
            return not await asyncio.wait_for(self._hall.is_for_other_app(said), _PROMPT_S)
        return True

    # --- obeying ---

    async def _obey(self, said: S, typed: Typed, around: Around, note: str = "") -> bool:
        """Do it, and say what was done; False when whoever said it has no say here at all."""
        try:
            person = await (self._hall.soon(said) if typed.action in _SAFE else self._hall.person(said))
        except DirectoryDown:
            await self._hall.tell(said, _NOT_KNOWN.format(self._hall.platform, _DOWN[typed.action]))
            return True
        if person.refusal or person.standing == "external":
            return False
        if said.is_direct:
            around = await self._targets.direct(around, self._hall.alone(said, person))
        if typed.target and person.standing == "guest":
            typed, note = replace(typed, target=""), _GUEST
        if not typed.target and around.is_empty:
            await self._which(said, typed, note)
            return True
        await self._do(said, typed, around, person, note)
        return True

    async def _do(self, said: S, typed: Typed, around: Around, person: Person, note: str) -> None:
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
        how = self._hall.how(said, typed.target, is_own=bool(around.own))
        still = await self._targets.still(around) if wish.action == "resume" else ()
        is_noise = not said.to_bot and wish.action == "resume" and not still
        if given.receipts:
            done = Done(wish.action, person.actor.name, what, given.receipts, how, still, note)
            if done.is_for_all or not (is_noise and done.first.did == "off"):
                await self._hall.reply(said, done)
        if given.refused and not (is_noise and not given.receipts):
            await self._hall.tell(said, given.refused)
        if not given.receipts and not given.refused:
            await self._hall.tell(said, f"That is over and forgotten, so {_DOWN[wish.action]}.")

    async def _give(self, wish: Wish, scopes: Sequence[wire.BrakeScope], typed: Typed, around: Around) -> Given:
        """The orders; a stop of a conversation holds the runs too that only have cards there."""
        given = await self._orders.give(wish, scopes)
        if typed.target or around.own or wish.action in {"abort", "steer"}:
            return given
        more = await self._orders.give(wish, await self._targets.loose(around, wish.action, given.receipts))
        return Given((*given.receipts, *more.receipts), given.refused or more.refused)

    def _about(self, said: S, typed: Typed, around: Around) -> tuple[list[wire.BrakeScope], str]:
        """The scopes that the words mean here, and what they are called."""
        if typed.target == "all":
            return [wire.BrakeScope(everything=True)], "every agent"
        if typed.target:
            return [wire.BrakeScope(agent=typed.target)], f"all that {typed.target} does"
        if around.own:
            return [run_scope(each) for each in around.own], "this run" if len(around.own) == 1 else "the runs here"
        return around.scopes, "every run here" if said.is_direct else f"every run in this {said.noun}"

    def _one_run(self, typed: Typed, around: Around) -> str:
        """The one run that words for an agent can be for; empty: there are several, or none."""
        runs = {run.id: run.agent for run in around.bound} | {card.run: card.agent for card in around.cards}
        meant = [run for run, agent in runs.items() if typed.target in {"", agent}]
        meant = meant if typed.target else list(around.own) or meant
        return meant[0] if len(meant) == 1 else ""

    # --- saying ---

    async def _which(self, said: S, typed: Typed, note: str) -> None:
        """It is not clear whom they mean: say in private what can be named."""
        if note:
            return await self._hall.tell(said, note)
        if typed.action == "resume":
            told = "Nothing works in this conversation, so there is nothing to resume here. "
        else:
            told = f"I do not know whom you mean, so {_DOWN[typed.action]}. "
        agents = sorted(await self._agents_seen(said))[:_MOST_NAMED]
        word = typed.action
        named = ", ".join(f"`{word} {agent}`" for agent in agents)
        also = f"name an agent ({named}), or all of them (`{word} all`)" if named else f"name all agents (`{word} all`)"
        return await self._hall.tell(said, f"{told}Say it in the thread of a card, or {also}.", is_secret=True)

    async def _tell_untaken(self, said: S, action: str) -> None:
        told = f"I cannot reach my own store just now, so {_DOWN[action]}. {_IN_CONSOLE}"
        try:
            await self._hall.tell(said, told)
        except BotError as error:
            log.warning("brake.untold user=%s detail=%s", said.user, error)


def _is_shouted(text: str) -> bool:
    """`!stop`: plainly a command, wherever it is typed."""
    return text.lstrip(" *_~`")[:1] in {"!", "\uff01"}
