"""Which handoffs and runs a person on Slack may be told of, and how a list shows them.

Nobody is told of a handoff whose channel they are not in, unless it was put to them in person or the policy lists them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from adapters.slack import words
from adapters.slack.address import Address
from adapters.slack.api import NoAccess, SlackFailed
from adapters.slack.cards import Cards
from adapters.slack.installs import Installs
from adapters.slack.naming import names
from adapters.slack.people import People, Person
from adapters.slack.places import Places, Spot
from adapters.slack.words import Reference
from andon import wire
from bot.cards import summary
from bot.cards.listing import PendingLine, RunLine
from bot.errors import DirectoryDown, Gone, NotAnApprover, TooMany, Undeliverable
from bot.handoff import Handoff, State
from bot.ports import Desk, Shelf

MOST_RUNS: Final = 20
MOST_LINES: Final = 30
_PAGES: Final = 4
_KEPT: Final = timedelta(days=40)
_MOST_CHANNELS: Final = 100
_AT_ONCE: Final = 8
_SLACK: Final = "slack"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who asks: who they are, and the conversations that they share with the bot."""

    team: str
    user: str
    person: Person
    channels: frozenset[str]

    @property
    def is_member(self) -> bool:
        """A full member of the workspace, whether or not in one conversation or another."""
        return self.person.standing in {"member", "outside"}


@dataclass(frozen=True, slots=True)
class Found:
    """What a reference means to one person. `several`: how many it may mean, when that is not one."""

    handoff: Handoff | None
    address: Address | None = None
    several: int = 0


class Waiting:
    """Looks things up for one person at a time."""

    def __init__(
        self,
        desk: Desk,
        shelf: Shelf,
        *,
        people: People,
        places: Places,
        installs: Installs,
        cards: Cards,
        clock: Callable[[], datetime],
    ) -> None:
        """Read from the desk; what is open may change at any time."""
        self._desk = desk
        self._shelf = shelf
        self._people = people
        self._places = places
        self._installs = installs
        self._cards = cards
        self._clock = clock

    async def viewer(self, team: str, user: str, *, channel: str | None = None, user_team: str | None = None) -> Viewer:
        """Who asks, seen from the conversation where they ask.

        Raises:
            DirectoryDown: Slack does not tell.
        """
        person = await self._people.person(team, user, channel=channel, user_team=user_team)
        channels = frozenset[str]() if person.refusal else await self._people.channels(team, user)
        direct = frozenset({channel}) if channel and channel.startswith("D") else frozenset[str]()
        return Viewer(team, user, person, channels | direct)

    async def mine(self, viewer: Viewer) -> list[PendingLine]:
        """What waits for this person, most urgent first."""
        return await self._lines(viewer, [each for each in await self.open() if await self.sees(viewer, each)])

    async def here(self, viewer: Viewer, channel: str) -> list[PendingLine]:
        """What waits in one conversation, most urgent first; nothing for who is not in it."""
        if channel not in viewer.channels:
            return []
        at = Spot(viewer.team, channel, None)
        found = [each for each in await self.open() if at in await self._spots(each)]
        # Everybody there reads it: no other channel of the one who asks is named.
        return await self._lines(replace(viewer, channels=frozenset({channel})), found)

    async def sees(self, viewer: Viewer, handoff: Handoff) -> bool:
        """May this person know that there is this handoff?"""
        if viewer.person.refusal:
            return False
        if any(is_for(place, viewer) for place in handoff.route.to):
            return True
        if any(spot.team == viewer.team and spot.channel in viewer.channels for spot in await self._spots(handoff)):
            return True
        return viewer.is_member and await self._is_listed(viewer, handoff)

    async def find(self, viewer: Viewer, reference: Reference) -> Found:
        """What a person means, of what they may know; what they may not know is not there."""
        if reference.channel:
            return await self._at(viewer, reference)
        if reference.id:
            try:
                handoff = await self._desk.look(reference.id)
            except Gone:
                return Found(None)
            return Found(handoff if await self.sees(viewer, handoff) else None)
        found = {
            each.id: each
            for each in [*await self.open(), *await self._ended()]
            if each.id.endswith(reference.end) and await self.sees(viewer, each)
        }
        if len(found) == 1:
            return Found(next(iter(found.values())))
        return Found(None, several=len(found))

    async def link(self, viewer: Viewer, handoff: Handoff, address: Address | None = None) -> str | None:
        """The address of its card as Slack links to it, of those that this person can open; None: not known."""
        at = address or await self._card(viewer, handoff)
        if at is None:
            return None
        url = (await self._installs.bot(at.team)).url
        return f"{url.rstrip('/')}/archives/{at.channel}/p{at.ts.replace('.', '')}" if url else None

    async def typed(self, team: str, text: str) -> str:
        """What a person typed, from the text that Slack made of it, with the names of whom it mentions."""
        return words.typed(text, await names(self._people, self._places, team, text))

    async def called(self, team: str, user: str) -> str:
        """What a person is called; raises `DirectoryDown`."""
        return await self._people.name(team, user)

    async def channel(self, team: str, channel: str) -> str:
        """What a channel is called; its id when Slack does not tell."""
        return await self._name(team, channel)

    async def posted(self, handoff_id: str, address: Address) -> None:
        """Remember where a card is, for links to it."""
        await self._shelf.save(_card_name(handoff_id, address.team, address.channel), address.ts, _KEPT)

    async def bound(self, team: str, channel: str, *, limit: int = MOST_RUNS) -> list[wire.Run]:
        """The runs that are bound to a channel or a thread in it, latest first; so many by each of its names."""
        ways = await self._places.ways(team, channel)
        found = await asyncio.gather(*(self._desk.runs(_SLACK, way, limit=limit) for way in ways))
        runs = {run.id: run for each in found for run in each}
        return sorted(runs.values(), key=lambda run: run.started_at, reverse=True)

    async def runs(self, viewer: Viewer) -> list[RunLine]:
        """The runs of the channels that a person shares with the bot, latest started first."""
        waiting = [each.run for each in await self.open()]
        return [
            RunLine(
                name=run.name,
                agent=run.agent,
                started_at=run.started_at,
                channel=await self._name(viewer.team, channel),
                open_cards=waiting.count(run.id),
                state=run.state,
            )
            for channel, run in (await self._shared(viewer))[:MOST_RUNS]
        ]

    async def agents(self, viewer: Viewer) -> frozenset[str]:
        """The agents that this person knows of: by a run in one of their channels, or by a card that waits there."""
        runs = [run.agent for _, run in await self._shared(viewer)]
        return frozenset(runs) | {each.agent for each in await self.open() if await self.sees(viewer, each)}

    async def is_among(self, viewer: Viewer, run: wire.Run) -> bool:
        """Is this person in a channel that the run is bound to, or has cards in that wait; or is one for them?"""
        bound = await self.spot(run.conversation) if run.conversation and run.conversation.surface == _SLACK else None
        cards = [each for each in await self.open() if each.run == run.id]
        if any(is_for(place, viewer) for each in cards for place in each.route.to):
            return True
        spots = [*([bound] if bound else []), *[spot for each in cards for spot in await self._spots(each)]]
        return any(spot.team == viewer.team and spot.channel in viewer.channels for spot in spots)

    async def _shared(self, viewer: Viewer) -> list[tuple[str, wire.Run]]:
        """The runs of shared channels, latest started first, each with its channel."""
        bot = await self._installs.bot(viewer.team)
        shared = viewer.channels & await self._people.channels(viewer.team, bot.user)
        channels = sorted(shared)[:_MOST_CHANNELS]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def of(channel: str) -> list[tuple[str, wire.Run]]:
            async with gate:
                return [(channel, run) for run in await self.bound(viewer.team, channel)]

        found = [pair for each in await asyncio.gather(*map(of, channels)) for pair in each]
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

    async def _at(self, viewer: Viewer, reference: Reference) -> Found:
        """By a link: whoever is in the channel may know what stands there."""
        for ts in reference.ts:
            address = Address(viewer.team, reference.channel, ts)
            handoff_id = await self._desk.card_at(_SLACK, address.text)
            if handoff_id is None:
                continue
            try:
                handoff = await self._desk.look(handoff_id)
            except Gone:
                continue
            is_there = not viewer.person.refusal and reference.channel in viewer.channels
            return Found(handoff, address) if is_there or await self.sees(viewer, handoff) else Found(None)
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

    async def _spots(self, handoff: Handoff) -> list[Spot]:
        """The channels that it was put to; which cannot be found are left out."""
        channels = [
            place for place in handoff.route.to if place.surface == _SLACK and (place.channel or not place.person)
        ]
        found = [await self.spot(place) for place in channels]
        return [Spot(spot.team, spot.channel, None) for spot in found if spot]

    async def spot(self, place: wire.Place) -> Spot | None:
        """Where a place is; None when it cannot be found now."""
        try:
            return await self._places.find(place)
        except (Undeliverable, SlackFailed, NoAccess, TooMany, DirectoryDown):
            return None

    async def _name(self, team: str, channel: str) -> str:
        return await self._places.name(team, channel)

    async def _card(self, viewer: Viewer, handoff: Handoff) -> Address | None:
        for channel in dict.fromkeys(spot.channel for spot in await self._spots(handoff) if spot.team == viewer.team):
            ts = channel in viewer.channels and await self._shelf.load(_card_name(handoff.id, viewer.team, channel))
            if ts:
                return Address(viewer.team, channel, ts)
        return None

    # --- how it is shown ---

    async def _lines(self, viewer: Viewer, found: Sequence[Handoff]) -> list[PendingLine]:
        """One line each; where it is and how to get there only of those that are shown."""
        first = [await self.line(viewer, each) for each in found[:MOST_LINES]]
        now = self._clock()
        rest = [PendingLine(summary(each, now=now), "", self._cards.page(each.id)) for each in found[MOST_LINES:]]
        return [*first, *rest]

    async def line(self, viewer: Viewer, handoff: Handoff, address: Address | None = None) -> PendingLine:
        """How a list shows it to this person: no channel is named that they are not in."""
        spots = await self._spots(handoff)
        shared = [spot.channel for spot in spots if spot.team == viewer.team and spot.channel in viewer.channels]
        if shared:
            where = await self._name(viewer.team, shared[0])
        else:
            where = "direct message" if any(is_for(place, viewer) for place in handoff.route.to) else ""
        return PendingLine(
            summary(handoff, now=self._clock()),
            where=where,
            url=self._cards.page(handoff.id),
            permalink=await self.link(viewer, handoff, address),
        )


def is_for(place: wire.Place, viewer: Viewer) -> bool:
    """Was it put to this very person?"""
    email = (viewer.person.actor.email or "").casefold()
    named = {viewer.user, f"{viewer.team}/{viewer.user}", viewer.person.actor.id}
    to = place.person or ""
    return place.surface == _SLACK and bool(to) and (to in named or to.casefold() == email)


def _card_name(handoff_id: str, team: str, channel: str) -> str:
    return f"card:{handoff_id}:{team}/{channel}"
