"""What somebody's words to the brake are about: the runs of a thread, of a room, or with cards there."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from andon import wire
from bot.cards.obeyed import Action
from bot.errors import BotError, Gone, StoreUnavailable
from bot.handoff import OPEN, Handoff
from bot.ports import Desk, Shelf
from bot.talk.seen import Seen
from bot.talk.who import Viewer

Below = Literal["", "us", "other"]
"""Whose message a thread hangs from: the bot's, somebody else's, or nothing: not known."""

_PROMPT_S: Final = 1.0
_MOST_BOUND: Final = 200
MOST_LOOSE: Final = 20
"""Runs that are stopped one by one, because they have cards in a room that they are not bound to: each order looks at
all that waits anywhere."""


@dataclass(frozen=True, slots=True)
class Around:
    """What there is where somebody speaks."""

    surface: str
    bound: tuple[wire.Run, ...] = ()
    """Runs that are bound to it and have not ended for good."""
    braked: tuple[wire.BrakeScope, ...] = ()
    """The room, where it is stopped already: its runs may be over."""
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
        """The room, named in each way in which a run names it: to the store these are so many conversations."""
        named = dict.fromkeys(run.conversation.channel for run in self.bound if run.conversation)
        used = [room_scope(self.surface, way) for way in named if way]
        return [*used, *(each for each in self.braked if each not in used)]

    @property
    def loose(self) -> list[str]:
        """Runs that have cards here and are bound elsewhere or nowhere; the most urgent first."""
        bound = {run.id for run in self.bound}
        return list(dict.fromkeys(card.run for card in self.cards if card.run not in bound))


def room_scope(surface: str, way: str) -> wire.BrakeScope:
    """A conversation, as a scope."""
    return wire.BrakeScope(conversation=wire.Place(surface=surface, channel=way))


def run_scope(run_id: str) -> wire.BrakeScope:
    """One run, as a scope."""
    return wire.BrakeScope(run=run_id)


def asked_in(thread: str) -> str:
    """Where the shelf keeps which question was asked last in this thread."""
    return f"asked-in:{thread}"


class Targets:
    """Looks around."""

    def __init__(self, desk: Desk, shelf: Shelf, *, seen: Seen) -> None:
        """Ask the desk; the platform itself is asked for names alone, and for no longer than a moment."""
        self._desk = desk
        self._shelf = shelf
        self._seen = seen
        self._ground = seen.ground

    async def around(self, room: str, thread: str | None, *, below: Below = "") -> Around:
        """What there is in a room, or in a thread of it; `below` is whose message the thread hangs from.

        Raises:
            StoreUnavailable: Not known now.
        """
        surface = self._ground.surface
        ways = await self._ground.ways(room)
        bound = await self._seen.bound(room, limit=_MOST_BOUND)
        bound = [run for run in bound if run.state != "aborted"]
        standing = [room_scope(surface, way) for way in ways]
        braked = [each.scope for each in await self._desk.braking.standing() if each.scope in standing]
        cards = [card for card in await self._seen.open() if any(self._is_at(to, ways) for to in card.route.to)]
        found = Around(surface, tuple(bound), tuple(braked), tuple(cards))
        return await self._in_thread(found, room, thread, ways, below) if thread else found

    async def direct(self, around: Around, viewer: Viewer) -> Around:
        """The same with the cards that were put to this person alone."""
        waiting = await self._seen.open()
        own = [card for card in waiting if any(self._seen.is_for(to, viewer) for to in card.route.to)]
        return replace(around, cards=tuple({card.id: card for card in (*around.cards, *own)}.values()))

    async def card(self, room: str, message: str, *, below: Below = "") -> Handoff | None:
        """The handoff whose card this message is."""
        handoff_id = await self._desk.card_at(self._ground.surface, self._ground.address(room, message))
        if handoff_id is None and below != "other":
            try:  # its address is stored a moment after it is posted
                handoff_id = await asyncio.wait_for(self._ground.marked(room, message), _PROMPT_S)
            except TimeoutError:
                return None
        return await self._look(handoff_id)

    async def agents(self, viewer: Viewer) -> frozenset[str]:
        """The agents that somebody knows of, wherever they work; none when the platform does not tell."""
        try:
            with self._ground.background():
                return await self._seen.agents(viewer)
        except StoreUnavailable:
            raise
        except BotError:
            return frozenset()

    async def still(self, around: Around) -> tuple[tuple[str, wire.Braked], ...]:
        """What holds the runs that are there, now: each brake once, with the name of a run that it holds."""
        ids = around.own or (*(run.id for run in around.bound), *around.loose)
        found = await asyncio.gather(*(self._run(each) for each in ids))
        held = [(run.name, run.brake) for run in found if run and run.state == "held" and run.brake]
        return tuple({brake.epoch: (name, brake) for name, brake in held}.values())

    async def loose(self, around: Around, action: Action, done: Sequence[wire.BrakeReceipt]) -> list[wire.BrakeScope]:
        """The runs with cards there that what was done to the room left as they were; it concerns them too."""
        found = await asyncio.gather(*(self._run(each) for each in around.loose[:MOST_LOOSE]))
        runs = [run for run in found if run and run.state != "aborted"]
        if action == "resume":
            return [run_scope(run.id) for run in runs if run.brake and run.brake.scope.run == run.id]
        covering = [receipt.scope for receipt in done]
        return [run_scope(run.id) for run in runs if not (run.brake and run.brake.scope in covering)]

    async def _in_thread(self, around: Around, room: str, thread: str, ways: Sequence[str], below: Below) -> Around:
        card = await self.card(room, thread, below=below)
        asked = card or await self._look(await self._shelf.load(asked_in(self._ground.thread(room, thread))))
        question = asked if asked and _takes_replies(asked) else None
        if card:
            return replace(around, own=(card.run,), question=question)
        runs = [run.id for run in around.bound if run.conversation and run.conversation.thread == thread]
        runs += [
            each.run
            for each in around.cards
            if any(to.thread == thread and self._is_at(to, ways) for to in each.route.to)
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

    def _is_at(self, place: wire.Place, ways: Sequence[str]) -> bool:
        return place.surface == self._ground.surface and place.channel in ways


def _takes_replies(handoff: Handoff) -> bool:
    return isinstance(handoff.ask, wire.Input) and handoff.ask.reply_in_thread and handoff.state in OPEN
