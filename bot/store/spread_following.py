"""What follows runs and decisions over several shards as one: see `bot.store.spread`, whose rules hold here too."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypeVar

from andon import wire
from bot.errors import StoreUnavailable
from bot.handoff import Handoff
from bot.store.arrivals import Arrivals, Marked, Missed
from bot.store.beats import Beats, Due, Heard
from bot.store.messages import UNCROWDED, Crowding, NewHandoff, Settled
from bot.store.shard import Shard
from bot.store.shards import Shards, chained, first
from bot.store.unknown import Unknown
from bot.store.unreported import Unreported
from bot.store.vitals import Numbers, Queue

_T = TypeVar("_T")


class SpreadUnreported:
    """See `Unreported`."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    def _of(self, handoff_id: str) -> Unreported:
        return self._shards.of(handoff_id).unreported

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """See `Unreported.due`; so many of each shard."""
        return chained(await self._shards.answering(lambda shard: shard.unreported.due(now, limit=limit)))

    async def next_due(self) -> datetime | None:
        """See `Unreported.next_due`."""
        return first(await self._shards.answering(lambda shard: shard.unreported.next_due()))

    async def forget(self, handoff_id: str) -> None:
        """See `Unreported.forget`."""
        await self._of(handoff_id).forget(handoff_id)

    async def presume(
        self, first: Handoff, review: NewHandoff, crowding: Crowding = UNCROWDED
    ) -> Literal["opened", "early", "over"]:
        """See `Unreported.presume`."""
        return await self._of(first.id).presume(first, review, crowding)


class SpreadArrivals:
    """See `Arrivals`."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    def _of(self, handoff_id: str) -> Arrivals:
        return self._shards.of(handoff_id).arrivals

    async def delivered(self, handoff_id: str, how: Literal["poll", "stream", "callback"]) -> Marked:
        """See `Arrivals.delivered`."""
        return await self._of(handoff_id).delivered(handoff_id, how)

    async def unreached(self, handoff: Handoff, why: str, *, again: bool, due: bool = False) -> Missed:
        """See `Arrivals.unreached`."""
        return await self._of(handoff.id).unreached(handoff, why, again=again, due=due)

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """See `Arrivals.due`; so many of each shard."""
        return chained(await self._shards.answering(lambda shard: shard.arrivals.due(now, limit=limit)))

    async def next_due(self) -> datetime | None:
        """See `Arrivals.next_due`."""
        return first(await self._shards.answering(lambda shard: shard.arrivals.next_due()))

    async def forget(self, handoff_id: str) -> None:
        """See `Arrivals.forget`."""
        await self._of(handoff_id).forget(handoff_id)


class SpreadBeats:
    """See `Beats`. Nobody was there to hear for a shard that could not be reached: its runs get their time again."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards
        self._unheard: set[int] = set()
        """Shards that this process could not reach since it last looked there."""

    def _of(self, record_id: str) -> Beats:
        return self._shards.of(record_id).beats

    async def beat(self, run: wire.Run, acting: Sequence[str], *, found: wire.Notice, last: bool = False) -> Heard:
        """See `Beats.beat`."""
        return await self._of(run.id).beat(run, acting, found=found, last=last)

    async def claimed(self, run_id: str) -> list[str]:
        """See `Beats.claimed`."""
        return await self._of(run_id).claimed(run_id)

    async def expected(self) -> bool:
        """See `Beats.expected`; by the shards that answer."""
        return any(await self._reachable(lambda shard: shard.beats.expected()))

    async def watch(self, *, away: bool = False) -> tuple[list[Due], list[Due]]:
        """See `Beats.watch`; in the shards that answer."""

        async def watch(shard: Shard) -> tuple[list[Due], list[Due]]:
            found = await shard.beats.watch(away=away or shard.number in self._unheard)
            self._unheard.discard(shard.number)
            return found

        found = await self._reachable(watch)
        return chained(runs for runs, _ in found), chained(claims for _, claims in found)

    async def lose(self, run: wire.Run, due: Due, told: wire.Notice) -> Literal["lost", "early", "over"]:
        """See `Beats.lose`."""
        return await self._of(run.id).lose(run, due, told)

    async def forget(self, due: Due) -> None:
        """See `Beats.forget`."""
        await self._of(due.id).forget(due)

    async def _reachable(self, ask: Callable[[Shard], Awaitable[_T]]) -> list[_T]:
        async def asked(shard: Shard) -> _T:
            try:
                return await ask(shard)
            except StoreUnavailable:
                self._unheard.add(shard.number)
                raise

        return await self._shards.answering(asked)


class SpreadUnknown:
    """See `Unknown`; a question is in the shard of what it is about."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    def _of(self, handoff_id: str) -> Unknown:
        return self._shards.of(handoff_id).unknown

    async def ask(
        self, first: Handoff, due: Due, question: NewHandoff, asked: str
    ) -> Literal["asked", "early", "over"]:
        """See `Unknown.ask`."""
        return await self._of(first.id).ask(first, due, question, asked)

    async def rule(
        self,
        question: Handoff,
        decision: wire.Decision,
        outcome: wire.Outcome | None,
        withdrawal: wire.Withdrawn,
        *,
        answer_id: str,
    ) -> Settled:
        """See `Unknown.rule`."""
        return await self._of(question.id).rule(question, decision, outcome, withdrawal, answer_id=answer_id)

    async def answered_by(self, question: Handoff) -> str:
        """See `Unknown.answered_by`."""
        return await self._of(question.id).answered_by(question)

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """See `Unknown.due`; so many of each shard."""
        return chained(await self._shards.answering(lambda shard: shard.unknown.due(now, limit=limit)))

    async def later(self, handoff_id: str, now: datetime) -> None:
        """See `Unknown.later`."""
        await self._of(handoff_id).later(handoff_id, now)

    async def forget(self, handoff_id: str) -> None:
        """See `Unknown.forget`."""
        await self._of(handoff_id).forget(handoff_id)


class SpreadRestored:
    """See `Restored`."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    async def outdate(self) -> int:
        """See `Restored.outdate`."""
        return sum(await self._shards.each(lambda shard: shard.restored.outdate()))


class SpreadVitals:
    """See `Vitals`. What one shard alone can say, such as whether it takes a write, is asked of each."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    async def count(self) -> Numbers:
        """See `Vitals.count`. A brake wider than a run is counted once, as home has it."""
        home, *others = await self._shards.each(lambda shard: shard.vitals.count())
        queues = {queue.name: queue for queue in home.queues}
        for queue in chained(each.queues for each in others):
            known = queues.get(queue.name, Queue(queue.name, 0, 0, queue.oldest))
            queues[queue.name] = Queue(
                queue.name,
                known.pending + queue.pending,
                known.waiting + queue.waiting,
                max(known.oldest, queue.oldest),
            )
        every = (home, *others)
        return replace(
            home,
            open=sum(each.open for each in every),
            held=sum(each.held for each in every),
            in_flight=sum(each.in_flight for each in every),
            kept=sum(each.kept for each in every),
            brakes=home.brakes + sum(each.run_brakes for each in others),
            run_brakes=sum(each.run_brakes for each in every),
            dead_cards=sum(each.dead_cards for each in every),
            queues=tuple(queues.values()),
        )
