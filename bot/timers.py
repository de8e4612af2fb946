"""What happens when time passes: expiries, reminders, escalations, and the sweep of what is past its retention.

Any number of processes may run it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from bot import tally
from bot.beats import Beats
from bot.errors import StoreUnavailable
from bot.flow import Flow
from bot.store import Store

log = logging.getLogger("andon.timers")

_TICK_S: Final = 0.5
_SWEEP: Final = timedelta(minutes=10)
_SILENT_S: Final = 120.0
"""Longer than one turn may take, even while the store is away and each call waits for it."""
_BRAKES: Final = timedelta(seconds=2)
"""How soon after a pull or a lift other processes take up what one that died left of it."""
_WATCH: Final = timedelta(seconds=0.5)
"""So often it is said that somebody is there to hear signs of life; well below `bot.store.beats.GAP`."""


class Timers:
    """Runs what is due. Correctness does not depend on it: an answer after the deadline is refused anyway."""

    def __init__(self, flow: Flow, store: Store, beats: Beats) -> None:
        """Run `flow`'s expiries, and what `beats` looks for, by the store's clock."""
        self._beats = beats
        self._away = False
        """Was the store away since this process last looked for signs of life?"""
        self._flow = flow
        self._store = store
        self._task: asyncio.Task[None] | None = None
        self._turned_at = time.monotonic()
        self._broken: set[str] = set()
        self._settled: str | None = None
        """The latest pull or lift of a brake after which everything was put where it belongs."""

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="timers")

    async def stop(self) -> None:
        """End."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def trouble(self) -> str:
        """Why nothing may become due here; empty: it does."""
        if self._task is None or self._task.done():
            return "the clock has stopped"
        since_s = time.monotonic() - self._turned_at
        return f"the clock has not turned for {since_s:.0f} s" if since_s > _SILENT_S else ""

    async def _run(self) -> None:
        swept = braked = watched = datetime.min.replace(tzinfo=UTC)
        while True:
            self._turned_at = time.monotonic()
            try:
                now = await self._store.now()
                if now - watched > _WATCH:
                    watched = now
                    await self._watch(now)
                if await self._expire_due(now) or await self._climb_due(now) or await self._review_due(now):
                    continue
                if await self._follow_due(now):
                    continue
                if now - braked > _BRAKES:
                    braked = now
                    await self._settle_brakes()
                if now - swept > _SWEEP:
                    await self._store.handoffs.sweep(now)
                    await self._store.brakes.tidy(now)
                    swept = now
                store = self._store
                upcoming = [
                    await each.next_due() for each in (store.handoffs, store.ladder, store.unreported, store.arrivals)
                ]
                following = min((each for each in upcoming if each), default=None)
                pause = (following - now).total_seconds() if following and not self._broken else _TICK_S
            except StoreUnavailable as error:
                log.warning("timers.waiting detail=%s", error)
                self._away, pause = True, _TICK_S
            await asyncio.sleep(min(_TICK_S, max(0.005, pause)))

    async def _settle_brakes(self) -> None:
        """After a pull or a lift, put everything where it belongs, once; whatever comes later looks for itself."""
        latest = await self._store.brakes.latest()
        if latest == self._settled:
            return
        try:
            await self._flow.braking.sweep()
        except StoreUnavailable:
            raise
        except Exception:  # it must not stop the clock for all
            log.exception("timers.unsettled brake=%s", latest)
        self._settled = latest

    async def _expire_due(self, now: datetime) -> bool:
        """Expire what is due; was any of it?"""
        return await self._each(await self._store.handoffs.due(now), self._flow.expire_overdue)

    async def _review_due(self, now: datetime) -> bool:
        """Open the reviews of what was never reported; was any of it?"""
        return await self._each(await self._store.unreported.due(now), self._flow.unreported.review)

    async def _follow_due(self, now: datetime) -> bool:
        """Tell of decisions that nobody came for; were there any?"""
        return await self._each(await self._store.arrivals.due(now), self._flow.delivery.overdue)

    async def _climb_due(self, now: datetime) -> bool:
        """Remind and escalate where it is due; was it anywhere?"""
        return await self._each(await self._store.ladder.due(now), self._climb)

    async def _watch(self, now: datetime) -> None:
        """Say that somebody is there to hear signs of life, and see to what has had none."""
        runs, claims = await self._beats.look(away=self._away)
        self._away = False
        by_id = {each.id: each for each in (*runs, *claims)}

        async def lose(run_id: str) -> None:
            await self._beats.lose(by_id[run_id])

        async def ask(handoff_id: str) -> None:
            await self._beats.ask(by_id[handoff_id])

        await self._each([each.id for each in runs], lose)
        await self._each([each.id for each in claims], ask)
        await self._each(await self._store.unknown.due(now), self._beats.settle)

    async def _each(self, due: Iterable[str], step: Callable[[str], Awaitable[None]]) -> bool:
        """Do what is due for each; was any of it done? What cannot be done is told of once, and holds up no other."""
        done = 0
        for handoff_id in due:
            try:
                await step(handoff_id)
                done += 1
            except StoreUnavailable:
                raise
            except Exception:  # one broken record must not stop the clock for all
                if handoff_id not in self._broken:
                    self._broken.add(handoff_id)
                    log.exception("timers.broken id=%s", handoff_id)
        return done > 0

    async def _climb(self, handoff_id: str) -> None:
        """Climb one. People of a rung answer in the stage in which it was climbed, so that is counted first."""
        seen = await self._store.handoffs.load(handoff_id)
        if seen is None or len(seen.route.steps) == 1:
            climbed = await self._store.ladder.climb(handoff_id)
        else:
            climbed = await self._store.ladder.climb(handoff_id, stage=tally.count(seen).stage, seen=seen)
        if climbed.word == "climbed":
            log.info("ladder.climbed id=%s rungs=%d reminded=%s", handoff_id, climbed.rungs, climbed.reminded)
