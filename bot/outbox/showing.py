"""Keeps the cards of one handoff on one surface in step with the store, through failures of either."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from andon import wire
from bot import failpoints
from bot.errors import Gone, StoreUnavailable, SurfaceDown, TooMany, Undeliverable
from bot.handoff import OPEN, Handoff, State
from bot.outbox.calling import Busy, Stopping, Surface, Truth, place_key, place_name
from bot.outbox.digesting import Digesting
from bot.ports import CardRef
from bot.store import Delivery, Outbox, Placed
from bot.tracing import carry

log = logging.getLogger("andon.outbox")

DELIVERIES: Final = 5
"""Failures, or processes that died of it, after which an event goes to the dead letters."""

ASIDES: Final = frozenset({"reminded", "escalated", "reassigned", "questioned", "replied"})
"""Events that are told below a card as well."""

GIVE_UP_S: Final = 24 * 3600.0


@dataclass(slots=True)
class _Spot:
    """One place of one handoff, as long as there is something to show."""

    place: wire.Place
    settled: bool = False
    busy: bool = False
    given_up: str = ""
    """Why, once it is."""
    tries: int = 0
    failures: int = 0
    """Those that count: the surface worked for others meanwhile."""
    failed_at: float = 0.0
    worked_before: int = 0
    not_before: float = 0.0
    posting: bool = False
    shown: dict[str, Handoff] = field(default_factory=dict)
    said: set[tuple[str, str]] = field(default_factory=set)
    """What was said below which card, by the id of the aside."""

    @property
    def key(self) -> str:
        return place_key(self.place)

    @property
    def name(self) -> str:
        return place_name(self.place)


class Showing:
    """One handoff's cards on one surface. There is one at a time in a process, so that two updates never cross."""

    def __init__(
        self,
        handoff_id: str,
        surface: Surface,
        outbox: Outbox,
        truth: Truth,
        *,
        digesting: Digesting,
        let_go: Callable[[Collection[Delivery]], None],
    ) -> None:
        """`let_go` hears of the events that nobody works on any more."""
        self.handoff_id = handoff_id
        self._surface = surface
        self._outbox = outbox
        self._truth = truth
        self._digesting = digesting
        self._tell_let_go = let_go
        self._rung = asyncio.Event()
        self._deliveries: dict[str, Delivery] = {}
        self._spots: dict[str, _Spot] = {}
        self._reading = _Spot(wire.Place(surface=surface.name), worked_before=-1)
        """The failures to read the handoff at all."""

    def add(self, delivery: Delivery) -> None:
        """Something happened to the handoff."""
        self._deliveries[delivery.id] = delivery
        for spot in self._spots.values():
            spot.settled = False
        self._rung.set()

    def ring(self) -> None:
        """Do not rest any longer."""
        self._rung.set()

    async def run(self) -> None:
        """Go on until everything that happened is shown, or given up."""
        try:
            async with asyncio.TaskGroup() as group:
                while self._deliveries and not self._surface.stopping:
                    await self._round(group)
        except Exception:
            # Nobody works on these any more, so they are delivered again, and buried when that goes on.
            log.exception("cards.crashed id=%s surface=%s", self.handoff_id, self._surface.name)
            self._let_go(list(self._deliveries.values()))

    async def _round(self, group: asyncio.TaskGroup) -> None:
        self._rung.clear()
        taken = list(self._deliveries.values())
        if max(delivery.number for delivery in taken) > DELIVERIES:
            self._reading.given_up = "whoever had it did not live to finish it"
            await self._finish(taken)
            return
        rest_s = await self._attempt(group)
        if rest_s is None:
            await self._finish(taken)
        elif not self._surface.stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._rung.wait()

    async def renew(self) -> None:
        """Keep the right to post, while posting takes its time."""
        for spot in self._spots.values():
            if spot.posting:
                await self._begin(spot, self._surface.pace.taken_over)

    async def _finish(self, taken: Sequence[Delivery]) -> None:
        """Everything that happened is shown, but for the places that were given up."""
        lost = [spot for spot in (self._reading, *self._spots.values()) if spot.given_up]
        try:
            if lost:
                await self._bury(taken, lost)
            else:
                await self._outbox.done(self._surface.name, [delivery.id for delivery in taken])
        except StoreUnavailable as error:
            log.debug("outbox.unconfirmed id=%s detail=%s", self.handoff_id, error)  # it is delivered again
        self._let_go(taken)

    async def _bury(self, taken: Sequence[Delivery], lost: Sequence[_Spot]) -> None:
        reason = "; ".join(f"{spot.name}: {spot.given_up}" for spot in lost)
        log.error("cards.dead id=%s events=%d detail=%s", self.handoff_id, len(taken), reason)
        failures = max(spot.failures for spot in lost)
        for spot in lost:
            spot.given_up, spot.tries, spot.failures = "", 0, 0
        for delivery in taken:
            number = delivery.number + max(0, failures - 1)
            if await self._outbox.bury(self._surface.name, delivery, deliveries=number, reason=reason):
                self._surface.buried += 1
                self._surface.note("dead")

    def _let_go(self, taken: Sequence[Delivery]) -> None:
        for delivery in taken:
            self._deliveries.pop(delivery.id, None)
        self._tell_let_go(taken)

    async def _attempt(self, group: asyncio.TaskGroup) -> float | None:
        """Begin at each place that neither rests nor is busy; returns the seconds to rest, or None when all is done."""
        try:
            handoff = await self._truth.look(self.handoff_id)
        except Gone:
            return None
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not stop the others
            await self._failed(self._reading, error)
            return None if self._reading.given_up else self._reading.not_before - time.monotonic()
        for place in handoff.places:
            if place.surface == self._surface.name:
                spot = _Spot(place, worked_before=self._surface.worked)
                self._spots.setdefault(spot.key, spot)
        now = time.monotonic()
        for spot in self._spots.values():
            if not spot.settled and not spot.busy and spot.not_before <= now:
                spot.settled = spot.busy = True  # what happens from now on unsettles it again
                group.create_task(self._settle(spot, handoff), name=f"outbox {spot.name}")
        if all(spot.settled and not spot.busy for spot in self._spots.values()):
            return None
        resting = [spot.not_before for spot in self._spots.values() if not spot.settled and not spot.busy]
        return min(resting, default=now + GIVE_UP_S) - now

    async def _settle(self, spot: _Spot, handoff: Handoff) -> None:
        carry(handoff.trace)
        try:
            await self._show(spot, handoff)
        except Stopping:
            spot.settled = False
        except Exception as error:  # noqa: BLE001  # as in `_attempt`
            await self._failed(spot, error)
            spot.settled = bool(spot.given_up)
        else:
            spot.given_up, spot.tries, spot.failures = "", 0, 0
            spot.not_before = 0.0
        finally:
            spot.busy = False
            self._rung.set()

    # --- showing ---

    async def _show(self, spot: _Spot, handoff: Handoff) -> None:
        """Make the cards at one place equal to the store.

        The handoff is read again after each change of a card: if it has moved on, so does the card. Whoever writes
        last, in whichever process, thus wrote what stands.
        """
        while True:
            placed = await self._outbox.placed(self.handoff_id, spot.key)
            if placed.refused is not None:
                await self._perhaps_undeliverable(handoff)
                return
            if await self._is_gathered(spot, handoff, placed):
                await self._in_digest(spot, handoff)
                now = await self._truth.look(self.handoff_id)
                if now == handoff:
                    return
                handoff = now
                continue
            addresses = placed.addresses or await self._place(spot, handoff, placed)
            for address in addresses:
                if spot.shown.get(address) != handoff:
                    await self._surface.slot(partial(self._update, spot, address, handoff))
            for address in addresses:
                await self._say_below(spot, address, handoff)
            if any(spot.shown.get(address) != handoff for address in addresses) and handoff.state in OPEN:
                continue  # lost, and somebody may still have to answer: it is posted anew
            now = await self._truth.look(self.handoff_id)
            if now == handoff:
                return
            handoff = now

    async def _is_gathered(self, spot: _Spot, handoff: Handoff, placed: Placed) -> bool:
        """Is it shown there in a digest? Decided once, before a card is posted, and by one process."""
        if placed.gathered or placed.begun or placed.addresses or spot.shown or handoff.state is not State.PENDING:
            return placed.gathered
        if not await self._truth.gathers(handoff, spot.place):
            return False
        return await self._digesting.gather(handoff, spot.place)

    async def _in_digest(self, spot: _Spot, handoff: Handoff) -> None:
        try:
            await self._digesting.show(spot.place, handoff)
        except Undeliverable as error:
            log.warning("cards.refused id=%s place=%s detail=%s", self.handoff_id, spot.name, error)
            await self._outbox.refuse_card(self.handoff_id, spot.key, str(error))
            await self._perhaps_undeliverable(handoff)

    async def _say_below(self, spot: _Spot, address: str, handoff: Handoff) -> None:
        """Say below a card what has happened since, as far as it has not been said and is still of use."""
        told = {delivery.kind for delivery in self._deliveries.values() if delivery.event in ASIDES}
        for aside in handoff.asides:
            known = (address, aside.id)
            if aside.id not in told or known in spot.said or address not in spot.shown:
                continue
            if handoff.state is State.PENDING:
                ref = CardRef(self._surface.name, address)
                call = partial(self._surface.adapter.say_below, ref, handoff, aside, spot.place)
                try:
                    await self._surface.slot(partial(self._surface.call, call, counted="told"))
                except Undeliverable as error:
                    log.warning("asides.refused id=%s place=%s detail=%s", self.handoff_id, spot.name, error)
            spot.said.add(known)

    async def _update(self, spot: _Spot, address: str, handoff: Handoff) -> None:
        ref = CardRef(self._surface.name, address)
        failpoints.hit("card.update")
        try:
            await self._surface.call(partial(self._surface.adapter.update, ref, handoff), counted="updated")
        except Undeliverable as error:
            log.warning("cards.lost id=%s place=%s detail=%s", self.handoff_id, spot.name, error)
            spot.shown.pop(address, None)
            await self._outbox.drop_card(self.handoff_id, spot.key, address)
            if handoff.state not in OPEN and handoff.is_for_people:  # somebody saw it and took it away: once is enough
                await self._outbox.refuse_card(self.handoff_id, spot.key, str(error))
        else:
            spot.shown[address] = handoff

    async def _place(self, spot: _Spot, handoff: Handoff, placed: Placed) -> tuple[str, ...]:
        """Post the card where it is not yet; returns where it is now."""
        for address in spot.shown:  # posted, and the store did not confirm that it knows
            await self._outbox.save_card(self.handoff_id, spot.key, address)
            return (address,)
        if not handoff.is_for_people and not placed.begun:
            return ()  # it ended before anybody saw it
        try:
            address = await self._surface.slot(partial(self._post, spot, placed))
        except Undeliverable as error:
            log.warning("cards.refused id=%s place=%s detail=%s", self.handoff_id, spot.name, error)
            await self._outbox.refuse_card(self.handoff_id, spot.key, str(error))
            await self._perhaps_undeliverable(handoff)
            return ()
        return (address,) if address else ()

    async def _post(self, spot: _Spot, placed: Placed) -> str:
        handoff = await self._truth.look(self.handoff_id)  # our turn may have been long in coming
        if not handoff.is_for_people and not placed.begun:
            return ""
        word = await self._begin(spot, self._surface.pace.taken_over)
        if word == "busy":
            raise Busy
        if word == "again" and (placed := await self._outbox.placed(self.handoff_id, spot.key)).addresses:
            return placed.addresses[0]  # while we waited for our turn
        spot.posting = True
        failpoints.hit("card.taken")
        try:
            ref = await self._find_or_post(spot, handoff, maybe_there=word == "again")
        except Exception:
            with contextlib.suppress(StoreUnavailable):
                await self._begin(spot, timedelta())  # given back: another process need not wait
            raise
        finally:
            spot.posting = False
        if ref is None:
            return ""
        await self._outbox.save_card(self.handoff_id, spot.key, ref.address)
        return ref.address

    async def _find_or_post(self, spot: _Spot, handoff: Handoff, *, maybe_there: bool) -> CardRef | None:
        surface = self._surface
        if maybe_there:
            found = await surface.call(partial(surface.adapter.find, handoff, spot.place))
            if found or not handoff.is_for_people:
                return found
        since = datetime.now(UTC)
        ref = await surface.call(partial(surface.adapter.post, handoff, spot.place), counted="posted")
        surface.shown(handoff, since)
        failpoints.hit("card.posted")
        spot.shown[ref.address] = handoff
        log.info("cards.posted id=%s place=%s", self.handoff_id, spot.name)
        return ref

    async def _begin(self, spot: _Spot, lease: timedelta) -> str:
        return await self._outbox.begin_card(self.handoff_id, spot.key, self._surface.reader, lease=lease)

    async def _perhaps_undeliverable(self, handoff: Handoff) -> None:
        """Tell the agent, if no place at all can show the card."""
        reasons = []
        for place in handoff.places:
            adapter, spot = self._surface.adapters.get(place.surface), _Spot(place)
            if adapter is None:
                reasons.append(f"{spot.name}: this service has no such surface")
                continue
            refused = None if adapter.reads_store else (await self._outbox.placed(self.handoff_id, spot.key)).refused
            if refused is None:
                return  # this one carries it
            reasons.append(f"{spot.name}: {refused.rstrip('.')}")
        if handoff.state in OPEN:
            await self._truth.undeliverable(handoff, f"{'; '.join(reasons)}.")

    # --- failing ---

    async def _failed(self, spot: _Spot, error: Exception) -> None:
        """Rest, longer each time; give up what fails again and again although the surface works for others."""
        surface, pace, now = self._surface, self._surface.pace, time.monotonic()
        if isinstance(error, Busy):
            spot.not_before = now + random.uniform(0.0, pace.pause_s)  # noqa: S311  # jitter, no secret
            return
        if isinstance(error, TooMany):  # its turn comes then; nothing is wrong
            spot.not_before = now + error.retry_after_s + random.uniform(0.0, pace.pause_s / 10)  # noqa: S311  # likewise
            log.info("cards.waits id=%s place=%s seconds=%d", self.handoff_id, spot.name, error.retry_after_s)
            return
        if not spot.tries:
            spot.failed_at = now
        spot.tries += 1
        longest_s = min(pace.longest_pause_s, pace.pause_s * 4.0 ** min(spot.tries - 1, 20))
        spot.not_before = now + random.uniform(0.0, longest_s)  # noqa: S311  # likewise
        ours = spot is self._reading
        excused = isinstance(error, StoreUnavailable | SurfaceDown)
        counts = not excused and (ours or surface.worked > spot.worked_before)
        spot.worked_before = surface.worked
        spot.failures += counts
        detail = f"{type(error).__name__}: {error}"
        log.warning(
            "cards.failed id=%s place=%s try=%d counted=%d detail=%s",
            *(self.handoff_id, spot.name, spot.tries, spot.failures, detail),
        )
        taken = list(self._deliveries.values())
        before = max(delivery.number for delivery in taken) - 1
        if before + spot.failures >= DELIVERIES or now - spot.failed_at > GIVE_UP_S:
            spot.given_up = detail
        elif counts:
            with contextlib.suppress(StoreUnavailable):
                await self._outbox.keep(surface.name, surface.reader, [d.id for d in taken], counted=True)
