"""What somebody's words to the brake are about: the runs of a thread, of a conversation, or with cards there."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from adapters.slack.address import Address, asked_in
from adapters.slack.calls import SlackFailed
from adapters.slack.marks import Marks
from adapters.slack.pace import background
from adapters.slack.people import Person
from adapters.slack.places import Places
from adapters.slack.waiting import Viewer, Waiting, is_for
from andon import wire
from bot.cards.obeyed import Action
from bot.errors import BotError, Gone, StoreUnavailable, TooMany
from bot.handoff import OPEN, Handoff
from bot.ports import Desk, Shelf

_SLACK: Final = "slack"
_PROMPT_S: Final = 1.0
_MOST_BOUND: Final = 200
MOST_LOOSE: Final = 20
"""Runs that are stopped one by one, because they have cards in a conversation that they are not bound to: each order
looks at all that waits anywhere."""


@dataclass(frozen=True, slots=True)
class Around:
    """What there is where somebody speaks."""

    ways: tuple[str, ...]
    """How a place may name the conversation."""
    bound: tuple[wire.Run, ...] = ()
    """Runs that are bound to it and have not ended for good."""
    braked: tuple[wire.BrakeScope, ...] = ()
    """The conversation, where it is stopped already: its runs may be over."""
    cards: tuple[Handoff, ...] = ()
    """What waits for an answer there."""
    own: tuple[str, ...] = ()
    """Whose own thread it is."""
    question: Handoff | None = None
    """The open question that a reply in the thread answers."""

    @property
    def is_empty(self) -> bool:
        """Does no agent work here?"""
        return not (self.bound or self.braked or self.cards or self.own)

    @property
    def agents(self) -> frozenset[str]:
        """Those who work here."""
        return frozenset([*(run.agent for run in self.bound), *(card.agent for card in self.cards)])

    @property
    def scopes(self) -> list[wire.BrakeScope]:
        """The conversation, named in each way in which a run names it: to the store these are so many conversations."""
        named = dict.fromkeys(run.conversation.channel for run in self.bound if run.conversation)
        used = [conversation(way) for way in named if way]
        return [*used, *(each for each in self.braked if each not in used)]

    @property
    def loose(self) -> list[str]:
        """Runs that have cards here and are bound elsewhere or nowhere; the most urgent first."""
        bound = {run.id for run in self.bound}
        return list(dict.fromkeys(card.run for card in self.cards if card.run not in bound))


def conversation(way: str) -> wire.BrakeScope:
    """A conversation on Slack, as a scope."""
    return wire.BrakeScope(conversation=wire.Place(surface=_SLACK, channel=way))


def run_scope(run_id: str) -> wire.BrakeScope:
    """One run, as a scope."""
    return wire.BrakeScope(run=run_id)


class Targets:
    """Looks around."""

    def __init__(self, desk: Desk, shelf: Shelf, *, places: Places, marks: Marks, waiting: Waiting) -> None:
        """Ask the desk; Slack itself is asked for names alone, and for no longer than a moment."""
        self._desk = desk
        self._shelf = shelf
        self._places = places
        self._marks = marks
        self._waiting = waiting

    async def around(self, team: str, channel: str, thread: str | None, *, above: str = "") -> Around:
        """What there is in a conversation, or in a thread of it; `above` is who wrote its first message, if known.

        Raises:
            StoreUnavailable: Not known now.
        """
        ways = await self._places.ways(team, channel)
        bound = await self._waiting.bound(team, channel, limit=_MOST_BOUND)
        bound = [run for run in bound if run.state != "aborted"]
        standing = [conversation(way) for way in ways]
        braked = [each.scope for each in await self._desk.braking.standing() if each.scope in standing]
        cards = [card for card in await self._waiting.open() if any(_is_at(to, ways) for to in card.route.to)]
        found = Around(ways, tuple(bound), tuple(braked), tuple(cards))
        return await self._in_thread(found, Address(team, channel, thread), above) if thread else found

    async def direct(self, around: Around, team: str, user: str, person: Person) -> Around:
        """The same with the cards that were put to this person alone."""
        viewer = Viewer(team, user, person, frozenset())
        own = [card for card in await self._waiting.open() if any(is_for(to, viewer) for to in card.route.to)]
        return replace(around, cards=tuple({card.id: card for card in (*around.cards, *own)}.values()))

    async def card(self, at: Address, *, above: str = "") -> Handoff | None:
        """The handoff whose card this message is."""
        handoff_id = await self._desk.card_at(_SLACK, at.text)
        if handoff_id is None:
            try:  # its address is stored a moment after it is posted
                marked = self._marks.handoff(at.team, at.channel, at.ts, by=above)
                handoff_id = await asyncio.wait_for(marked, _PROMPT_S)
            except (TooMany, SlackFailed, TimeoutError):
                return None
        return await self._look(handoff_id)

    async def agents_seen(self, team: str, user: str) -> frozenset[str]:
        """The agents that somebody knows of, wherever they work; none when Slack does not tell."""
        try:
            with background():
                return await self._waiting.agents(await self._waiting.viewer(team, user))
        except StoreUnavailable:
            raise
        except BotError:
            return frozenset()

    async def still(self, around: Around) -> tuple[tuple[str, wire.Braked], ...]:
        """What holds the runs that are there, now, or ended them: each brake once, with the name of a run."""
        ids = around.own or (*(run.id for run in around.bound), *around.loose)
        found = await asyncio.gather(*(self._run(each) for each in ids))
        held = [(run.name, run.brake) for run in found if run and run.brake]
        return tuple({brake.epoch: (name, brake) for name, brake in held}.values())

    async def loose(self, around: Around, action: Action, done: Sequence[wire.BrakeReceipt]) -> list[wire.BrakeScope]:
        """The runs with cards there that what was done to the conversation left as they were; it concerns them too."""
        found = await asyncio.gather(*(self._run(each) for each in around.loose[:MOST_LOOSE]))
        runs = [run for run in found if run and run.state != "aborted"]
        if action == "resume":
            return [run_scope(run.id) for run in runs if run.brake and run.brake.scope.run == run.id]
        covering, ids = [receipt.scope for receipt in done], {run.id for run in runs}
        runs = [run for run in runs if run.parent not in ids]  # children stop with their parent
        return [run_scope(run.id) for run in runs if not (run.brake and run.brake.scope in covering)]

    async def _in_thread(self, around: Around, at: Address, above: str) -> Around:
        card = await self.card(at, above=above)
        asked = card or await self._look(await self._shelf.load(asked_in(at.text)))
        question = asked if asked and _takes_replies(asked) else None
        if card:
            return replace(around, own=(card.run,), question=question)
        runs = [run.id for run in around.bound if run.conversation and run.conversation.thread == at.ts]
        runs += [
            each.run
            for each in around.cards
            if any(to.thread == at.ts and _is_at(to, around.ways) for to in each.route.to)
        ]
        runs += [asked.run] if asked else []
        return replace(around, own=tuple(dict.fromkeys(runs)), question=question)

    async def _look(self, handoff_id: str | None) -> Handoff | None:
        if handoff_id is None:
            return None
        try:
            return await self._desk.look(handoff_id)
        except Gone:
            return None

    async def _run(self, run_id: str) -> wire.Run | None:
        try:
            return await self._desk.run(run_id)
        except Gone:
            return None


def _is_at(place: wire.Place, ways: Sequence[str]) -> bool:
    return place.surface == _SLACK and place.channel in ways


def _takes_replies(handoff: Handoff) -> bool:
    return isinstance(handoff.ask, wire.Input) and handoff.ask.reply_in_thread and handoff.state in OPEN
