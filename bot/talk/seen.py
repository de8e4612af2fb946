"""Which handoffs and runs a person may be told of, and how a list shows them.

Nobody is told of a handoff whose room they are not in, unless it was put to them in person or the policy lists them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from andon import wire
from bot.cards import summary
from bot.cards.listing import PendingLine, RunLine
from bot.errors import DirectoryDown, Gone, NotAnApprover
from bot.handoff import Handoff, State
from bot.ports import Desk, Shelf
from bot.talk.requests import reference
from bot.talk.who import Ground, Pointed, Viewer

MOST_RUNS: Final = 20
MOST_LINES: Final = 30
_PAGES: Final = 4
_KEPT: Final = timedelta(days=40)
_MOST_ROOMS: Final = 100
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Found:
    """What a reference means to one person. `several`: how many it may mean, when that is not one."""

    handoff: Handoff | None
    at: tuple[str, str] | None = None
    """The room and the message where it was found, if it was by a link."""
    several: int = 0


class Seen:
    """Looks things up for one person at a time."""

    def __init__(
        self,
        desk: Desk,
        shelf: Shelf,
        ground: Ground,
        *,
        page: Callable[[str], str],
        clock: Callable[[], datetime],
    ) -> None:
        """Read from the desk; what is open may change at any time. `page` is a handoff's address in the console."""
        self._desk = desk
        self._shelf = shelf
        self._ground = ground
        self._page = page
        self._clock = clock

    @property
    def ground(self) -> Ground:
        """What the platform tells."""
        return self._ground

    async def mine(self, viewer: Viewer) -> list[PendingLine]:
        """What waits for this person, most urgent first."""
        return await self._lines(viewer, [each for each in await self.open() if await self.sees(viewer, each)])

    async def here(self, viewer: Viewer, room: str) -> list[PendingLine]:
        """What waits in one room, most urgent first; nothing for who is not in it."""
        if not await self._is_in(viewer, room):
            return []
        found = [each for each in await self.open() if room in await self._rooms(each)]
        # Everybody there reads it: no other room of the one who asks is named.
        return await self._lines(viewer, found, only=room)

    async def sees(self, viewer: Viewer, handoff: Handoff) -> bool:
        """May this person know that there is this handoff?"""
        if viewer.person.refusal:
            return False
        if any(self.is_for(place, viewer) for place in handoff.route.to):
            return True
        for room in await self._rooms(handoff):
            if await self._is_in(viewer, room):
                return True
        return viewer.is_member and await self._is_listed(viewer, handoff)

    def is_for(self, place: wire.Place, viewer: Viewer) -> bool:
        """Was it put to this very person?"""
        email = (viewer.person.actor.email or "").casefold()
        named = self._ground.named(viewer) | {viewer.person.actor.id}
        to = place.person or ""
        return place.surface == self._ground.surface and bool(to) and (to in named or to.casefold() == email)

    async def find(self, viewer: Viewer, text: str) -> Found | None:
        """What a person means, of what they may know; what they may not know is not there.

        None: they mean nothing by it.
        """
        if pointed := self._ground.pointed(viewer, text):
            return await self._at(viewer, pointed)
        meant = reference(text)
        if meant is None:
            return None
        if meant.id:
            try:
                handoff = await self._desk.look(meant.id)
            except Gone:
                return Found(None)
            return Found(handoff if await self.sees(viewer, handoff) else None)
        found = {
            each.id: each
            for each in [*await self.open(), *await self._ended()]
            if each.id.endswith(meant.end) and await self.sees(viewer, each)
        }
        if len(found) == 1:
            return Found(next(iter(found.values())))
        return Found(None, several=len(found))

    async def link(self, viewer: Viewer, handoff: Handoff, at: tuple[str, str] | None = None) -> str | None:
        """A link to its card, of those that this person can open; None: not known."""
        at = at or await self._card(viewer, handoff)
        return await self._ground.link(*at) if at else None

    async def posted(self, handoff_id: str, room: str, message: str) -> None:
        """Remember where a card is, for links to it."""
        await self._shelf.save(_card_name(handoff_id, room), message, _KEPT)

    async def bound(self, room: str, *, limit: int = MOST_RUNS) -> list[wire.Run]:
        """The runs that are bound to a room or a thread in it, latest first; so many by each of its names."""
        ways = await self._ground.ways(room)
        found = await asyncio.gather(*(self._desk.runs(self._ground.surface, way, limit=limit) for way in ways))
        runs = {run.id: run for each in found for run in each}
        return sorted(runs.values(), key=lambda run: run.started_at, reverse=True)

    async def runs(self, viewer: Viewer) -> list[RunLine]:
        """The runs of the rooms that a person shares with the bot, latest started first."""
        waiting = [each.run for each in await self.open()]
        return [
            RunLine(
                name=run.name,
                agent=run.agent,
                started_at=run.started_at,
                channel=await self._ground.name(room),
                open_cards=waiting.count(run.id),
                state=run.state,
                lost_since=run.lost_since,
            )
            for room, run in (await self._shared(viewer))[:MOST_RUNS]
        ]

    async def agents(self, viewer: Viewer) -> frozenset[str]:
        """The agents that this person knows of: by a run in one of their rooms, or by a card that waits there."""
        runs = [run.agent for _, run in await self._shared(viewer)]
        return frozenset(runs) | {each.agent for each in await self.open() if await self.sees(viewer, each)}

    async def is_among(self, viewer: Viewer, run: wire.Run) -> bool:
        """Is this person in a room that the run is bound to, or has cards in that wait; or is one for them?"""
        at = run.conversation
        bound = await self._ground.room(at) if at and at.surface == self._ground.surface else None
        cards = [each for each in await self.open() if each.run == run.id]
        if any(self.is_for(place, viewer) for each in cards for place in each.route.to):
            return True
        rooms = [*([bound] if bound else []), *[room for each in cards for room in await self._rooms(each)]]
        for room in dict.fromkeys(rooms):
            if await self._is_in(viewer, room):
                return True
        return False

    async def is_there(self, viewer: Viewer, room: str) -> bool:
        """Are they in it, wherever they ask from?"""
        return not viewer.person.refusal and await self._ground.is_in(viewer, room)

    async def _is_in(self, viewer: Viewer, room: str) -> bool:
        return not viewer.person.refusal and (room == viewer.direct or await self._ground.is_in(viewer, room))

    async def _shared(self, viewer: Viewer) -> list[tuple[str, wire.Run]]:
        """The runs of shared rooms, latest started first, each with its room."""
        rooms = sorted(await self._ground.shared(viewer))[:_MOST_ROOMS]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def of(room: str) -> list[tuple[str, wire.Run]]:
            async with gate:
                runs = await self.bound(room)
                is_theirs = runs and await self._is_in(viewer, room)
                return [(room, run) for run in runs] if is_theirs else []

        found = [pair for each in await asyncio.gather(*map(of, rooms)) for pair in each]
        return sorted(found, key=lambda pair: pair[1].started_at, reverse=True)

    # --- what is there ---

    async def open(self) -> list[Handoff]:
        """What waits for a person: time that is up waits for nobody."""
        now, waiting = self._clock(), await self._desk.inbox()
        return [each for each in waiting.handoffs if each.state is State.HELD or each.expires_at > now]

    async def _ended(self) -> list[Handoff]:
        found: list[Handoff] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page, cursor = await self._desk.history(cursor)
            found += page
            if cursor is None:
                break
        return found

    async def _at(self, viewer: Viewer, pointed: Pointed) -> Found:
        """By a link: whoever is in the room may know what stands there."""
        for message in pointed.messages:
            address = self._ground.address(pointed.room, message)
            handoff_id = await self._desk.card_at(self._ground.surface, address)
            if handoff_id is None:
                continue
            try:
                handoff = await self._desk.look(handoff_id)
            except Gone:
                continue
            is_theirs = await self._is_in(viewer, pointed.room) or await self.sees(viewer, handoff)
            return Found(handoff, (pointed.room, message)) if is_theirs else Found(None)
        return Found(None)

    async def _is_listed(self, viewer: Viewer, handoff: Handoff) -> bool:
        """Does the policy name this person, or a group that they are in?"""
        if not handoff.route.steps[0].approvers:
            return False
        try:
            # Seen from outside of every conversation, only those who are listed may answer.
            await self._desk.may_answer(handoff, viewer.person.actor, standing="outside")
        except (NotAnApprover, DirectoryDown):
            return False
        return True

    # --- where it is ---

    async def _rooms(self, handoff: Handoff) -> list[str]:
        """The rooms that it was put to; which cannot be found are left out."""
        surface = self._ground.surface
        places = [
            place for place in handoff.route.to if place.surface == surface and (place.channel or not place.person)
        ]
        found = [await self._ground.room(place) for place in places]
        return list(dict.fromkeys(room for room in found if room))

    async def _card(self, viewer: Viewer, handoff: Handoff) -> tuple[str, str] | None:
        for room in await self._rooms(handoff):
            message = await self._is_in(viewer, room) and await self._shelf.load(_card_name(handoff.id, room))
            if message:
                return room, message
        return None

    # --- how it is shown ---

    async def _lines(self, viewer: Viewer, found: Sequence[Handoff], *, only: str = "") -> list[PendingLine]:
        """One line each; where it is and how to get there only of those that are shown."""
        first = [await self._line(viewer, each, only) for each in found[:MOST_LINES]]
        now = self._clock()
        rest = [PendingLine(summary(each, now=now), "", self._page(each.id)) for each in found[MOST_LINES:]]
        return [*first, *rest]

    async def _line(self, viewer: Viewer, handoff: Handoff, only: str) -> PendingLine:
        """How a list shows it to this person: no room is named that they are not in."""
        shared = [
            room for room in await self._rooms(handoff) if (room == only if only else await self._is_in(viewer, room))
        ]
        where, permalink = "", None
        if shared:
            where = await self._ground.name(shared[0])
            permalink = await self._linked(handoff, shared)
        elif any(self.is_for(place, viewer) for place in handoff.route.to):
            where = "direct message"
        return PendingLine(summary(handoff, now=self._clock()), where, self._page(handoff.id), permalink)

    async def _linked(self, handoff: Handoff, rooms: Sequence[str]) -> str | None:
        for room in rooms:
            if message := await self._shelf.load(_card_name(handoff.id, room)):
                return await self._ground.link(room, message)
        return None


def _card_name(handoff_id: str, room: str) -> str:
    return f"card:{handoff_id}:{room}"
