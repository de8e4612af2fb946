"""Brakes that are on, for those who are in the conversations that they hold; and presses that lift or pull one."""

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from andon import wire
from bot.cards import pulled, scope_in_words, visible
from bot.cards.listing import BrakeLine
from bot.cards.obeyed import Done, Sentence, plainly, reply
from bot.errors import DirectoryDown, Gone, NotAnApprover, StoreUnavailable
from bot.handoff import Handoff
from bot.ports import Desk, Standing
from bot.talk.orders import Given, Orders, Wish
from bot.talk.seen import Seen
from bot.talk.targets import run_scope
from bot.talk.who import Person, Viewer

_OVER: Final = "This is not on hold any more."
_OTHER: Final = "Something else holds it now."
_GONE: Final = "That brake is not on any more, or holds nothing that you can see."
_DOWN: Final = "It could not be resumed just now, so it is still on hold. Try again in a moment."
_STRANGER: Final = "only people of this {} stop its agents."


@dataclass(frozen=True, slots=True)
class _Seen:
    """A brake that somebody may know of, how a list shows it, and what they are to it."""

    brake: wire.Braked
    line: BrakeLine
    standing: Standing


class Brakes:
    """Shows brakes, and takes presses."""

    def __init__(self, desk: Desk, *, seen: Seen, orders: Orders, home: str) -> None:
        """Look up with `seen` what somebody may see; `home` is what people call it: `workspace`."""
        self._desk = desk
        self._seen = seen
        self._orders = orders
        self._home = home

    # --- lists ---

    async def seen(self, viewer: Viewer) -> list[BrakeLine]:
        """The brakes that are on and that this person may know of, the latest first.

        Raises:
            DirectoryDown: The platform does not tell.
            StoreUnavailable: They cannot be read.
        """
        return [each.line for each in await self._all(viewer)]

    async def lift(self, viewing: Awaitable[Viewer], epoch: str, *, id: str, said_at: datetime | None) -> str:
        """Lift that very brake; what came of it, in words for this person.

        Args:
            viewing: Finds whoever pressed Resume on a list.
            epoch: Of the brake, as the list's button has it.
            id: The same for each time that the platform tells of the press.
            said_at: When they pressed.
        """
        try:
            viewer = await viewing
            found = next((each for each in await self._all(viewer) if str(each.line.epoch) == epoch), None)
            if found is None:
                return _GONE
            person = replace(viewer.person, standing=found.standing)
            wish = Wish(id, "resume", person, said_at=said_at, epoch=found.brake.epoch)
            given = await self._orders.give(wish, [found.brake.scope])
        except (DirectoryDown, StoreUnavailable):
            return _DOWN
        what = f"{found.line.what} ({found.line.where})" if found.line.where else found.line.what
        return plainly(reply(_done(wish, given, what))) if given.receipts else given.refused or _GONE

    async def _all(self, viewer: Viewer) -> list[_Seen]:
        if viewer.person.refusal or viewer.person.standing == "external":
            return []
        standing = await self._desk.braking.standing()
        agents = await self._seen.agents(viewer) if any(each.scope.agent for each in standing) else frozenset()
        found = [await self._see(viewer, each, agents) for each in standing]
        return [each for each in found if each]

    async def _see(self, viewer: Viewer, brake: wire.Braked, agents: frozenset[str]) -> _Seen | None:
        scope, is_mine, ground = brake.scope, brake.by.id == viewer.person.actor.id, self._seen.ground
        where, is_there = "", scope.agent is None or scope.agent in agents
        if scope.conversation is not None:
            at = scope.conversation
            room = await ground.room(at) if at.surface == ground.surface else None
            is_there = room is not None and await self._seen.is_there(viewer, room)
            if room and is_mine and ground.is_direct(room):
                is_there = True
            where = await ground.name(room) if room else ""
        elif scope.run is not None:
            try:
                run = await self._desk.run(scope.run)
            except Gone:
                return None
            is_there, where = await self._seen.is_among(viewer, run), f"{visible(run.name)} · {run.agent}"
        if not is_there and not is_mine:
            return None
        line = BrakeLine(pulled(brake), where, scope_in_words(scope), brake.epoch)
        standing: Standing = viewer.person.standing
        if viewer.is_member:
            standing = "member" if is_there else "outside"
        return _Seen(brake, line, standing)

    # --- cards ---

    async def resume(self, handoff: Handoff, epoch: object, wish: Wish) -> Done:
        """Resume was pressed on a card that is on hold: lift what the card told of, by its epoch.

        Raises:
            NotAnApprover: It is another brake now, or none; or this person may not lift it.
            StoreUnavailable: Nothing was confirmed; the same wish again is safe.
        """
        if handoff.brake is None:
            raise NotAnApprover(_OVER, handoff=handoff.id)
        if handoff.brake.epoch != epoch:
            raise NotAnApprover(f"{_OTHER} {pulled(handoff.brake)} Look at the card again.", handoff=handoff.id)
        wish = replace(wish, epoch=handoff.brake.epoch)
        return await self._pressed(handoff, handoff.brake.scope, wish, ())

    async def stop(self, handoff: Handoff, wish: Wish, how: Sentence) -> Done:
        """“Stop this run” was pressed on a card that waits; `how` says how it is let go on.

        Raises:
            NotAnApprover: The run is gone.
            StoreUnavailable: As `resume`.
        """
        return await self._pressed(handoff, run_scope(handoff.run), wish, how)

    def check(self, person: Person, action: str) -> None:
        """May this person press it at all? Who may lift a brake is seen when it is lifted.

        Raises:
            NotAnApprover: They are none of ours.
        """
        if person.refusal or (action != "resume" and person.standing == "external"):
            stranger = f"{person.actor.name}, {_STRANGER.format(self._home)}"
            raise NotAnApprover(person.refusal or stranger)

    async def _pressed(self, handoff: Handoff, scope: wire.BrakeScope, wish: Wish, how: Sentence) -> Done:
        given = await self._orders.give(wish, [scope])
        if not given.receipts:
            raise NotAnApprover(given.refused or _OVER, handoff=handoff.id)
        still = tuple((handoff.run_name, each) for each in given.receipts[0].still)
        return replace(_done(wish, given, scope_in_words(scope)), how=how, still=still)


def _done(wish: Wish, given: Given, what: str) -> Done:
    return Done(wish.action, wish.person.actor.name, what, given.receipts)
