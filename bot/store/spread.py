"""The records of several shards as one.

What has an id is looked for in the shard that its id names, and what spans shards is asked of all. Each class here has
the methods of the one that it stands for, and nothing of its own.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal

from andon import wire
from bot.handoff import Aside, Handoff, Risk, Told, Vote
from bot.scope import Granted
from bot.store.handoffs import Handoffs
from bot.store.ladder import Climbed, Ladder, Put
from bot.store.marks import mark, unmarked
from bot.store.messages import (
    STANDARD,
    UNCROWDED,
    ClaimReply,
    Crowding,
    Limits,
    NewHandoff,
    Opened,
    OutcomeReply,
    Settled,
    Verdict,
)
from bot.store.pages import Place, merged
from bot.store.pipe import load_script
from bot.store.records import Doc, ms_of
from bot.store.shard import Shard
from bot.store.shards import Shards, chained, first
from bot.store.trust import Trusted, ramp_id

_RESET_TOO: Final = load_script("reset_too")
_MOST_TRUSTED: Final = 1_000


class SpreadHandoffs:
    """See `Handoffs`."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    def _of(self, handoff_id: str) -> Handoffs:
        return self._shards.of(handoff_id).handoffs

    async def open(self, new: NewHandoff, limits: Limits, crowding: Crowding = UNCROWDED) -> Opened:
        """See `Handoffs.open`."""
        return await self._of(new.id).open(new, limits, crowding)

    async def load(self, handoff_id: str, doc: Doc | None = None) -> Handoff | None:
        """See `Handoffs.load`."""
        return await self._of(handoff_id).load(handoff_id, doc)

    async def answer(
        self,
        handoff: Handoff,
        verdict: Verdict,
        *,
        answer_id: str,
        digest: str = "",
        revisions: tuple[wire.Revision, ...] = (),
        risk: Risk | None = None,
    ) -> Settled:
        """See `Handoffs.answer`."""
        return await self._of(handoff.id).answer(
            handoff, verdict, answer_id=answer_id, digest=digest, revisions=revisions, risk=risk
        )

    async def vote(self, handoff: Handoff, vote: Vote) -> Settled:
        """See `Handoffs.vote`."""
        return await self._of(handoff.id).vote(handoff, vote)

    async def try_code(self, handoff: Handoff, person: str, *, right: bool) -> tuple[str, int]:
        """See `Handoffs.try_code`."""
        return await self._of(handoff.id).try_code(handoff, person, right=right)

    async def doubt(self, handoff: Handoff, unread: str) -> None:
        """See `Handoffs.doubt`."""
        await self._of(handoff.id).doubt(handoff, unread)

    async def revise(
        self,
        handoff: Handoff,
        *,
        answer_id: str,
        digest: str,
        revisions: tuple[wire.Revision, ...],
        vote: Vote | None = None,
        risk: Risk | None = None,
    ) -> Settled:
        """See `Handoffs.revise`."""
        return await self._of(handoff.id).revise(
            handoff, answer_id=answer_id, digest=digest, revisions=revisions, vote=vote, risk=risk
        )

    async def expire(self, handoff: Handoff, verdict: Verdict) -> Settled:
        """See `Handoffs.expire`."""
        return await self._of(handoff.id).expire(handoff, verdict)

    async def withdraw(self, handoff: Handoff, decision: wire.Decision) -> Settled:
        """See `Handoffs.withdraw`."""
        return await self._of(handoff.id).withdraw(handoff, decision)

    async def claim(
        self,
        handoff_id: str,
        agent: str,
        *,
        digest: str,
        claimant: str,
        max_age: timedelta,
        known: str = "",
        run: str = "",
    ) -> ClaimReply:
        """See `Handoffs.claim`."""
        return await self._of(handoff_id).claim(
            handoff_id, agent, digest=digest, claimant=claimant, max_age=max_age, known=known, run=run
        )

    async def outcome(
        self,
        handoff_id: str,
        agent: str,
        report: wire.OutcomeReport,
        *,
        ramp: str = "",
        review: NewHandoff | None = None,
        crowding: Crowding = UNCROWDED,
    ) -> OutcomeReply:
        """See `Handoffs.outcome`."""
        own = self._of(handoff_id)
        return await own.outcome(handoff_id, agent, report, ramp=ramp, review=review, crowding=crowding)

    async def is_owed(self, agent: str, tool: str) -> bool:
        """See `Handoffs.is_owed`."""
        return await (await self._shards.of_agent(agent)).handoffs.is_owed(agent, tool)

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """See `Handoffs.due`; so many of each shard."""
        return chained(await self._shards.answering(lambda shard: shard.handoffs.due(now, limit=limit)))

    async def pending(self) -> int:
        """See `Handoffs.pending`."""
        return sum(await self._shards.each(lambda shard: shard.handoffs.pending()))

    async def forget(self, handoff_id: str) -> None:
        """See `Handoffs.forget`."""
        await self._of(handoff_id).forget(handoff_id)

    async def next_due(self) -> datetime | None:
        """See `Handoffs.next_due`."""
        return first(await self._shards.answering(lambda shard: shard.handoffs.next_due()))

    async def urgent(self, after: Place | None, limit: int) -> tuple[list[Handoff], Place | None]:
        """See `Handoffs.urgent`."""
        lists = await self._shards.each(lambda shard: shard.handoffs.urgent_places(after, limit))
        return await self._loaded(merged(lists, limit, newest_first=False))

    async def latest(self, after: Place | None, limit: int) -> tuple[list[Handoff], Place | None]:
        """See `Handoffs.latest`."""
        lists = await self._shards.each(lambda shard: shard.handoffs.latest_places(after, limit))
        return await self._loaded(merged(lists, limit, newest_first=True))

    async def _loaded(self, page: tuple[list[Place], Place | None]) -> tuple[list[Handoff], Place | None]:
        found = await asyncio.gather(*(self.load(handoff_id) for _, handoff_id in page[0]))
        return [each for each in found if each], page[1]

    async def told(self, limit: int) -> list[Handoff]:
        """See `Handoffs.told`."""
        found = chained(await self._shards.each(lambda shard: shard.handoffs.told(limit)))
        return sorted(found, key=lambda each: each.opened_at, reverse=True)[:limit]

    async def sweep(self, now: datetime) -> None:
        """See `Handoffs.sweep`."""
        await self._shards.answering(lambda shard: shard.handoffs.sweep(now))


class SpreadLadder:
    """See `Ladder`."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    def _of(self, handoff_id: str) -> Ladder:
        return self._shards.of(handoff_id).ladder

    async def due(self, now: datetime, *, limit: int = 200) -> list[str]:
        """See `Ladder.due`; so many of each shard."""
        return chained(await self._shards.answering(lambda shard: shard.ladder.due(now, limit=limit)))

    async def next_due(self) -> datetime | None:
        """See `Ladder.next_due`."""
        return first(await self._shards.answering(lambda shard: shard.ladder.next_due()))

    async def climb(self, handoff_id: str, *, stage: int = 1, seen: Handoff | None = None) -> Climbed:
        """See `Ladder.climb`."""
        return await self._of(handoff_id).climb(handoff_id, stage=stage, seen=seen)

    async def put(self, handoff: Handoff, aside: Aside, *, by_agent: bool = False) -> Put:
        """See `Ladder.put`."""
        return await self._of(handoff.id).put(handoff, aside, by_agent=by_agent)


class SpreadRuns:
    """See `Runs`. The id of a notice has the mark of its shard, as other ids do."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    async def start(
        self,
        run_id: str,
        agent: str,
        start: wire.RunStart,
        fingerprint: str,
        limits: Limits = STANDARD,
        *,
        trace: str = "",
    ) -> tuple[Literal["started", "known", "reused", "no_parent", "too_deep", "too_fast"], int]:
        """See `Runs.start`."""
        return await self._shards.of(run_id).runs.start(run_id, agent, start, fingerprint, limits, trace=trace)

    async def trace(self, run_id: str) -> str:
        """See `Runs.trace`."""
        return await self._shards.of(run_id).runs.trace(run_id)

    async def load(self, run_id: str) -> wire.Run | None:
        """See `Runs.load`."""
        return await self._shards.of(run_id).runs.load(run_id)

    async def standing(self, run_id: str) -> tuple[int, str, bool]:
        """See `Runs.standing`."""
        return await self._shards.of(run_id).runs.standing(run_id)

    async def save_checkpoint(
        self,
        run_id: str,
        agent: str,
        save: wire.CheckpointSave,
        save_id: str,
        limits: Limits = STANDARD,
        *,
        handoff: str = "",
    ) -> tuple[Literal["saved", "moved", "gone", "too_fast"], int, wire.CheckpointReceipt | None]:
        """See `Runs.save_checkpoint`."""
        own = self._shards.of(run_id).runs
        return await own.save_checkpoint(run_id, agent, save, save_id, limits, handoff=handoff)

    async def steer(self, run: wire.Run, steer_id: str, text: str, by: wire.Actor) -> bool:
        """See `Runs.steer`."""
        return await self._shards.of(run.id).runs.steer(run, steer_id, text, by)

    async def bound(self, surface: str, channel: str, limit: int) -> list[wire.Run]:
        """See `Runs.bound`."""
        found = chained(await self._shards.each(lambda shard: shard.runs.bound(surface, channel, limit)))
        return sorted(found, key=lambda run: run.started_at, reverse=True)[:limit]

    async def asks(self, run_id: str) -> list[str]:
        """See `Runs.asks`."""
        return await self._shards.of(run_id).runs.asks(run_id)

    async def checkpoint(self, run_id: str) -> wire.Checkpoint | None:
        """See `Runs.checkpoint`."""
        return await self._shards.of(run_id).runs.checkpoint(run_id)

    async def notice(
        self, run: wire.Run, notice: wire.Notice, key: str, limits: Limits = STANDARD
    ) -> tuple[Literal["told", "gone", "too_fast"], int]:
        """See `Runs.notice`."""
        return await self._shards.of(run.id).runs.notice(run, notice, key, limits)

    async def notices(self, limit: int) -> list[Told]:
        """See `Runs.notices`."""

        async def of(shard: Shard) -> list[Told]:
            return [_named(told, shard) for told in await shard.runs.notices(limit)]

        return sorted(chained(await self._shards.each(of)), key=lambda told: told.at, reverse=True)[:limit]

    async def told(self, notice_id: str) -> Told | None:
        """See `Runs.told`."""
        shard = self._shards.of(notice_id)
        told = await shard.runs.told(unmarked(notice_id))
        return _named(told, shard) if told else None

    async def alert(self, about: str, text: str, every: timedelta) -> bool:
        """See `Runs.alert`."""
        return await self._shards.all[0].runs.alert(about, text, every)


class SpreadGrants:
    """See `Grants`."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    async def standing(self, agent: str) -> tuple[datetime, list[Granted]]:
        """See `Grants.standing`."""
        return await (await self._shards.of_agent(agent)).grants.standing(agent)

    async def all(self) -> list[Granted]:
        """See `Grants.all`."""
        found = chained(await self._shards.each(lambda shard: shard.grants.all()))
        return sorted(found, key=lambda each: each.at, reverse=True)

    async def revoke(self, agent: str, grant_id: str, *, why: str, told: str) -> bool:
        """See `Grants.revoke`."""
        return await (await self._shards.of_agent(agent)).grants.revoke(agent, grant_id, why=why, told=told)


class SpreadTrust:
    """See `TrustRecords`. A ramp that is not of one agent counts in several shards, and starts over in all of them."""

    def __init__(self, shards: Shards) -> None:
        """Those of all `shards`."""
        self._shards = shards

    async def counts(self, ramps: Iterable[str]) -> Mapping[str, int]:
        """See `TrustRecords.counts`."""
        texts = tuple(ramps)
        found = await asyncio.gather(*(self.one(ramp_id(text)) for text in texts))
        return {text: each.good for text, each in zip(texts, found, strict=True) if each and each.good}

    async def all(self) -> list[Trusted]:
        """See `TrustRecords.all`."""
        lists = await self._shards.each(lambda shard: shard.trust.all())
        names = {each.id for some in lists for each in some}
        found = [each for each in await asyncio.gather(*(self.one(name) for name in names)) if each]
        return sorted(found, key=lambda each: each.at, reverse=True)[:_MOST_TRUSTED]

    async def one(self, trust_id: str) -> Trusted | None:
        """See `TrustRecords.one`. Where one shard let it start over, the others do before anything is counted."""
        copies = await self._shards.each(lambda shard: shard.trust.one(trust_id))
        reset = max((each for each in copies if each and each.reset_at), key=_reset_at, default=None)
        good, moved = 0, None
        for shard, copy in zip(self._shards.all, copies, strict=True):
            if copy is None:
                continue
            moved = max(moved or copy.at, copy.at)
            if reset is None or _reset_at(copy) == _reset_at(reset):
                good += copy.good
            else:
                await self._reset_too(shard, trust_id, reset)
        if moved is None:
            return None
        known = reset or next(each for each in copies if each)
        return replace(known, good=good, at=moved)

    async def reset(self, trust_id: str, by: str) -> bool:
        """See `TrustRecords.reset`."""
        return any(await self._shards.each(lambda shard: shard.trust.reset(trust_id, by)))

    async def _reset_too(self, shard: Shard, trust_id: str, reset: Trusted) -> None:
        await shard.pipe.run(
            _RESET_TOO,
            (shard.keys.trust(trust_id), shard.keys.trusts),
            _reset_at(reset),
            reset.reset_why,
            reset.reset_by,
        )


def _named(told: Told, shard: Shard) -> Told:
    return replace(told, id=f"{told.id}{mark(shard.number)}")


def _reset_at(trusted: Trusted) -> int:
    return ms_of(trusted.reset_at) if trusted.reset_at else 0
