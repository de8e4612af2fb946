"""Follows the events stream, the outbox, for every surface that needs posting; takes over what a dead process left.

Each surface follows it in a consumer group of its own, so that one that is down holds up no other. An event only says
that something happened: what a card shows is read from the store.
"""

import asyncio
import contextlib
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from andon import wire
from bot.errors import StoreUnavailable, SurfaceDown, TooMany, Undeliverable
from bot.handoff import Told
from bot.outbox.calling import Counts, Pace, Surface, Truth, place_name
from bot.outbox.digesting import Digesting
from bot.outbox.showing import DELIVERIES, GIVE_UP_S, Showing
from bot.ports import Adapter
from bot.store import Delivery, Digests, Outbox

log = logging.getLogger("andon.outbox")

_IN_HAND: Final = 2_000
"""Events of one surface that a process works on; the others wait in the stream."""

_PAGE: Final = 100
_WAIT: Final = timedelta(seconds=5)
_READER_FORGOTTEN: Final = timedelta(hours=1)
_STOP_S: Final = 10.0


class CardWork:
    """The cards of every surface that needs posting: at least once, until each shows what stands."""

    def __init__(
        self,
        outbox: Outbox,
        digests: Digests,
        truth: Truth,
        adapters: Mapping[str, Adapter],
        *,
        pace: Pace | None = None,
        counts: Counts | None = None,
    ) -> None:
        """Work for those of all `adapters` that do not read the store; `counts` hears of every call."""
        self._followers = [
            _Follower(
                *(outbox, digests, truth),
                Surface(name, adapters, reader=secrets.token_hex(8), pace=pace or Pace(), counts=counts),
            )
            for name, adapter in adapters.items()
            if not adapter.reads_store
        ]

    def trouble(self, surface: str) -> str:
        """What the latest call of a surface met, when it did not answer; empty: nothing is known."""
        return next((each.surface.trouble for each in self._followers if each.surface.name == surface), "")

    def start(self) -> None:
        """Begin; nothing runs when every surface reads the store."""
        for follower in self._followers:
            follower.start()

    async def stop(self) -> None:
        """Finish the calls under way, and leave the rest to the other processes or the next start."""
        await asyncio.gather(*(follower.stop() for follower in self._followers))

    @property
    def buried(self) -> int:
        """Events that this process gave up."""
        return sum(follower.surface.buried for follower in self._followers)


class _Follower:
    """One surface's share of the outbox, in this process."""

    def __init__(self, outbox: Outbox, digests: Digests, truth: Truth, surface: Surface) -> None:
        self.surface = surface
        self._digesting = Digesting(surface, outbox, digests, truth)
        self._outbox = outbox
        self._truth = truth
        self._in_hand: set[str] = set()
        self._room = asyncio.Event()
        self._room.set()
        self._showing: dict[str, Showing] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()

    def start(self) -> None:
        name = self.surface.name
        self._loops = [
            asyncio.create_task(self._read(), name=f"outbox {name}"),
            asyncio.create_task(self._tend(), name=f"outbox {name}, taking over"),
        ]

    async def stop(self) -> None:
        self.surface.stopping = True
        self._ending.set()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        for showing in self._showing.values():
            showing.ring()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(StoreUnavailable):
            await self._outbox.hand_back(self.surface.name, self.surface.reader, idle=self.surface.pace.taken_over)

    async def _read(self) -> None:
        surface = self.surface
        while True:
            try:
                await self._outbox.join(surface.name)
                while True:
                    await self._room.wait()
                    for delivery in await self._outbox.read(surface.name, surface.reader, limit=_PAGE, wait=_WAIT):
                        self._take(delivery)
            except StoreUnavailable as error:
                log.warning("outbox.waiting surface=%s detail=%s", surface.name, error)
                await asyncio.sleep(1)

    async def _tend(self) -> None:
        """Show that what is in hand is being worked on, and take over what a dead process left."""
        surface = self.surface
        name, reader, idle = surface.name, surface.reader, surface.pace.taken_over
        while True:
            try:
                await self._outbox.join(name)
                await self._outbox.keep(name, reader, sorted(self._in_hand))
                for showing in list(self._showing.values()):
                    await showing.renew()
                if self._room.is_set():
                    for delivery in await self._outbox.take_over(name, reader, idle=idle, limit=_PAGE):
                        self._take(delivery)
                await self._outbox.forget_readers(name, idle=_READER_FORGOTTEN)
            except StoreUnavailable as error:
                log.warning("outbox.waiting surface=%s detail=%s", name, error)
            await asyncio.sleep(idle.total_seconds() / 3)

    def _take(self, delivery: Delivery) -> None:
        if delivery.id in self._in_hand:
            return
        self._in_hand.add(delivery.id)
        if len(self._in_hand) >= _IN_HAND:
            self._room.clear()
        if not delivery.handoff:
            self._spawn(self._pass(delivery))
            return
        showing = self._showing.get(delivery.handoff)
        if showing is None:
            showing = Showing(
                *(delivery.handoff, self.surface, self._outbox, self._truth),
                digesting=self._digesting,
                let_go=self._let_go,
            )
            self._showing[delivery.handoff] = showing
            self._spawn(self._show(showing))
        showing.add(delivery)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work, name=f"outbox {self.surface.name}, a handoff")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _show(self, showing: Showing) -> None:
        await showing.run()
        del self._showing[showing.handoff_id]

    async def _pass(self, delivery: Delivery) -> None:
        """Not about a handoff: a notice is told at its places; anything else is not for people."""
        if delivery.event != "noticed" or await self._tell(delivery):
            with contextlib.suppress(StoreUnavailable):  # else it is delivered again
                await self._outbox.done(self.surface.name, [delivery.id])
        self._let_go([delivery])

    async def _tell(self, delivery: Delivery) -> bool:
        """Tell a notice at each of its places on this surface; False when the service stops before that is done.

        One place waits for no other. What fails again and again is let be, with a line in the log.
        """
        surface, notice = self.surface, _Notice(delivery.kind, worked=self.surface.worked)
        if delivery.number > DELIVERIES:
            log.error("notices.dead id=%s surface=%s detail=whoever had it did not live", notice.id, surface.name)
            surface.note("dead")
            return True
        while not surface.stopping:
            rests = await self._try_telling(notice)
            if not rests:
                return True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(rests)):
                    await self._ending.wait()
        return False

    async def _try_telling(self, notice: "_Notice") -> list[float]:
        """One try at every place that is left; returns how long each that is still left should rest, in seconds."""
        try:
            told = await self._truth.told(notice.id)
        except StoreUnavailable as error:
            log.warning("notices.waiting id=%s detail=%s", notice.id, error)
            return [self.surface.pace.pause_s]
        places = (
            [place for place in told.to if place.surface == self.surface.name] if told else []
        )  # else it is too old
        left = [place for place in dict.fromkeys(places) if place not in notice.done]
        said = await asyncio.gather(*(self._tell_at(told, place, notice) for place in left if told))
        notice.done.update(place for place, rest_s in zip(left, said, strict=True) if rest_s is None)
        notice.worked = self.surface.worked
        return [rest_s for rest_s in said if rest_s is not None]

    async def _tell_at(self, told: Told, place: wire.Place, notice: "_Notice") -> float | None:
        """One try at one place; returns how long to rest before the next, or None when there is to be none."""
        surface, pace, name = self.surface, self.surface.pace, place_name(place)
        try:
            call = partial(surface.adapter.tell, told, place)
            await surface.slot(partial(surface.call, call, counted="told"))
        except TooMany as error:  # its turn comes then; nothing is wrong
            return float(error.retry_after_s)
        except Undeliverable as error:
            log.warning("notices.refused id=%s place=%s detail=%s", notice.id, name, error)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not stop the others
            notice.tries += 1
            notice.failures[place] += surface.worked > notice.worked and not isinstance(error, SurfaceDown)
            detail = f"{type(error).__name__}: {error}"
            log.warning("notices.failed id=%s place=%s try=%d detail=%s", notice.id, name, notice.tries, detail)
            if notice.failures[place] < DELIVERIES and time.monotonic() - notice.since < GIVE_UP_S:
                longest_s = min(pace.longest_pause_s, pace.pause_s * 4.0 ** min(notice.tries - 1, 20))
                return random.uniform(0.0, longest_s)  # noqa: S311  # jitter, no secret
            log.error("notices.dead id=%s place=%s detail=%s", notice.id, name, detail)  # noqa: TRY400  # told above
            surface.note("dead")
        return None

    def _let_go(self, deliveries: Collection[Delivery]) -> None:
        self._in_hand.difference_update(delivery.id for delivery in deliveries)
        if len(self._in_hand) < _IN_HAND:
            self._room.set()


@dataclass(slots=True)
class _Notice:
    """How far one notice is with its places on one surface."""

    id: str
    worked: int
    """How often the surface had worked before this try."""
    done: set[wire.Place] = field(default_factory=set)
    failures: Counter[wire.Place] = field(default_factory=Counter)
    """Those that count: the surface worked for others meanwhile."""
    tries: int = 0
    since: float = field(default_factory=time.monotonic)
