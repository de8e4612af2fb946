"""Decisions, claims and stops under load, what each caller was told, and whether the store still says the same."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from andon import wire
from bot.errors import StoreUnavailable
from bot.handoff import OPEN, Handoff
from bot.store import Store
from tests.store import asks

_T = TypeVar("_T")


class Ended(Exception):
    """The load is over, and this call was never confirmed."""


@dataclass
class History:
    """What was told as a success. What was not may have happened or not."""

    decided: dict[str, str] = field(default_factory=dict)
    """Handoff -> the answer that its person was told stands."""
    permits: dict[str, str] = field(default_factory=dict)
    """Handoff -> who was given leave to act."""
    stopped: dict[str, int] = field(default_factory=dict)
    """Run -> number of the stop that somebody was told of."""
    unconfirmed: int = 0
    """Calls that were told to come again."""

    def __len__(self) -> int:
        return len(self.decided)


class Load:
    """Workers that open, answer, claim and stop, and repeat with the same ids what was not confirmed."""

    def __init__(self, store: Store, workers: int = 4) -> None:
        self.history = History()
        self._store = store
        self._over = False
        self._numbers = itertools.count(1)
        self._tasks = [asyncio.create_task(self._work(n)) for n in range(workers)]

    async def end(self) -> History:
        self._over = True
        await asyncio.gather(*self._tasks)
        return self.history

    async def _work(self, worker: int) -> None:
        try:
            while not self._over:
                await self._one(worker)
        except Ended:
            return

    async def _one(self, worker: int) -> None:
        store, told, number = self._store, self.history, next(self._numbers)
        new = asks.new_handoff()
        await self._until_confirmed(lambda: asks.start_run(store))
        await self._until_confirmed(lambda: store.handoffs.open(new, asks.NO_LIMITS))
        asked = await self._until_confirmed(lambda: store.handoffs.load(new.id))
        if asked is None:  # it was opened, and a failover took it back: nobody was asked
            return
        verdict = asks.yes(asked) if number % 3 else asks.no(asked)
        said = await self._until_confirmed(lambda: store.handoffs.answer(asked, verdict, answer_id=f"press {new.id}"))
        if said.word != "won":
            return
        told.decided[new.id] = verdict.decision.kind
        if verdict.decision.kind == "approved":
            who = f"worker {worker}"
            age = asks.DECISION_AGE
            claimed = await self._until_confirmed(
                lambda: store.handoffs.claim(new.id, new.agent, digest=asked.digest, claimant=who, max_age=age)
            )
            if claimed.word == "permit":
                told.permits[new.id] = who
        if number % 5 == 0:
            run = f"run_{number:022d}"
            await self._until_confirmed(lambda: asks.start_run(store, run))
            order = asks.order("stop", scope=wire.BrakeScope(run=run))
            obeyed = await self._until_confirmed(lambda: store.brakes.obey(order, {asks.AGENT}))
            if obeyed.brake:
                told.stopped[run] = obeyed.brake.epoch

    async def _until_confirmed(self, call: Callable[[], Awaitable[_T]]) -> _T:
        while True:
            try:
                return await call()
            except StoreUnavailable:
                self.history.unconfirmed += 1
                if self._over:
                    raise Ended from None
                await asyncio.sleep(0.02)  # as a client does between two tries


async def lost(history: History, store: Store) -> list[str]:
    """Everything that somebody was told, and that the store does not say any more."""
    found = []
    for handoff_id, kind in history.decided.items():
        stands: Handoff | None = await store.handoffs.load(handoff_id)
        if stands is None or stands.state in OPEN or getattr(stands.decision, "kind", "") != kind:
            found.append(f"{handoff_id}: {kind} was confirmed, and it is {stands.state.value if stands else 'gone'}")
        elif handoff_id in history.permits and (
            not stands.claim or stands.claim.claimant != history.permits[handoff_id]
        ):
            found.append(f"{handoff_id}: {history.permits[handoff_id]} was let act, and the claim is {stands.claim}")
    standing = {brake.scope.run for brake in await store.brakes.standing()}
    found += [f"{run}: its stop was confirmed, and it is not held" for run in history.stopped if run not in standing]
    return found


async def told_twice(history: History, store: Store) -> list[str]:
    """Decisions that the events tell of more than once."""
    counts: dict[str, int] = {}
    for _, pairs in await store._pipe.call("XRANGE", store.keys.events, "-", "+"):
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        if fields[b"e"] == b"decided":
            counts[fields[b"h"].decode()] = counts.get(fields[b"h"].decode(), 0) + 1
    return [handoff_id for handoff_id in history.decided if counts.get(handoff_id) != 1]
