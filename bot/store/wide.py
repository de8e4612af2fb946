"""Brakes over several shards: each has its own copy of those that are wider than one run, and its claims look at that.

A wide order is obeyed at home, in the first shard, which numbers it; then every shard follows. It is confirmed when all
of them have. What a shard lost, or did not hear of, it takes from the others: see `follow.lua` for whose word counts.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from andon import wire
from bot.brake.order import BrakeOrder
from bot.errors import StoreUnavailable
from bot.handoff import Handoff
from bot.store.brakes import Affected, Brakes, Obeyed, told_to
from bot.store.census import Census
from bot.store.pipe import load_script
from bot.store.records import read_brake, scope_text
from bot.store.shard import Shard
from bot.store.shards import Shards

_FOLLOW: Final = load_script("follow")

_AT_ONCE_S: Final = 1.0
_AHEAD: Final = 1_000_000
"""More numbers than a home that failed over can have lost."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """What one shard has of a wide brake."""

    record: bytes = b""
    ended: bytes = b""
    """The record of an abort."""
    upto: int = 0
    """The number up to which it was lifted."""

    @property
    def highest(self) -> int:
        return max(_number(self.record), _number(self.ended), self.upto)


class WideBrakes:
    """The brakes of all shards as one; with one shard, its own."""

    def __init__(self, shards: Shards, census: Census) -> None:
        """The first of the `shards` is home; `census` knows whether they are all there are."""
        self._of_record = shards.of
        self._shards = shards.all
        self._brakes = [shard.brakes for shard in shards.all]
        self._census = census

    async def obey(self, order: BrakeOrder, agents: Collection[str] | None) -> Obeyed:
        """Pull or lift a brake; `agents` are told of it, None: all.

        Raises:
            StoreUnavailable: Not every shard has confirmed it. Those that have it stay stopped; the same order again is
                safe.
        """
        if order.scope.run is not None:
            own = self._of(order.scope.run)
            drawn = own is not self._brakes[0] and order.action != "resume"
            number = await self._draw() if drawn else ""
            return await own.obey(order, agents, number=number)
        text, told = scope_text(order.scope), told_to(agents)
        if len(self._brakes) > 1:
            here = self._shards if order.action == "resume" else await self._answering(text)
            await self._agree_on(text, told, among=here)
            if len(here) < len(self._shards):  # who is away may have met numbers that home has lost
                await self._shards[0].pipe.call("INCRBY", self._shards[0].keys.brakes_epoch, _AHEAD)
            obeyed = await self._brakes[0].obey(order, agents, wide=True)
            if len(here) < len(self._shards):  # they hold at once, and do not wait for the others
                await self._agree_on(text, told, among=here, confirmed=True)
            await self._agree_on(text, told, confirmed=True)
        else:
            obeyed = await self._brakes[0].obey(order, agents)
        await self._census.check()
        return obeyed

    async def _answering(self, scope: str) -> Sequence[Shard]:
        """Home, and the shards that answer at once: a stop waits for nobody who is away before it stops the others."""
        home, *others = self._shards
        asked = {asyncio.create_task(self._copy(shard, scope)): shard for shard in others}
        try:
            done, _ = await asyncio.wait(asked, timeout=_AT_ONCE_S)
        finally:
            for task in asked:
                task.cancel()
        there = {asked[task] for task in done if not isinstance(task.exception(), StoreUnavailable)}
        return [home, *(shard for shard in others if shard in there)]

    async def agree(self) -> None:
        """Bring the shards in line with each other; where they agree, that changes nothing.

        Raises:
            StoreUnavailable: Not all of them; the same call again is safe.
        """
        if len(self._brakes) == 1:
            return
        found = await asyncio.gather(*(self._wide(shard) for shard in self._shards))
        for scope in sorted(set().union(*found)):
            copies = [each.get(scope, _Copy()) for each in found]
            if len(set(copies)) > 1:
                await self._agree_on(scope, None)

    async def _agree_on(
        self, scope: str, told: str | None, *, among: Sequence[Shard] | None = None, confirmed: bool = False
    ) -> None:
        """Let every shard follow the others in one scope; `told` are the agents who hear of it, None: find them.

        `among`: only these, home being one. `confirmed`: write in each even where they agree, so that what another
        process has just written is confirmed.
        """
        home = self._shards[0]
        copies = await asyncio.gather(*(self._copy(shard, scope) for shard in among or self._shards))
        count = int(await home.pipe.call("GET", home.keys.brakes_epoch) or 0)
        highest = max(each.highest for each in copies)
        if len(set(copies)) == 1 and count >= highest and not confirmed:
            return
        joined = _Copy(
            max((each.record for each in copies), key=_place),
            max((each.ended for each in copies), key=_place),
            max(each.upto for each in copies),
        )
        told = told or await self._told(joined.record or joined.ended)
        followed = [self._follow(shard, scope, joined, told) for shard in among or self._shards]
        for said in await asyncio.gather(*followed, return_exceptions=True):
            if isinstance(said, BaseException):
                raise said

    async def _draw(self) -> str:
        """A number for a brake, from home."""
        home = self._shards[0]
        return str(await home.pipe.call("INCR", home.keys.brakes_epoch))

    async def _follow(self, shard: Shard, scope: str, joined: _Copy, told: str) -> None:
        """Let one shard follow; `joined` is what they have together."""
        keys = shard.keys
        await shard.pipe.run(
            _FOLLOW,
            (keys.brakes, keys.brakes_epoch, keys.brakes_lifted, keys.brakes_told, keys.events),
            scope,
            joined.record,
            joined.ended,
            joined.upto,
            told,
        )

    async def _copy(self, shard: Shard, scope: str) -> _Copy:
        keys = shard.keys
        stands, lifted = await asyncio.gather(
            shard.pipe.call("HMGET", keys.brakes, scope, f"!{scope}"),
            shard.pipe.call("HGET", keys.brakes_lifted, f"upto {scope}"),
        )
        return _Copy(stands[0] or b"", stands[1] or b"", _upto(lifted))

    async def _wide(self, shard: Shard) -> dict[str, _Copy]:
        """All that a shard has of brakes wider than a run, by scope."""
        stands, lifted = await asyncio.gather(
            shard.pipe.call("HGETALL", shard.keys.brakes), shard.pipe.call("HGETALL", shard.keys.brakes_lifted)
        )
        records = {name.decode(): record for name, record in _pairs(stands)}
        upto = {name.decode().removeprefix("upto "): n for name, n in _pairs(lifted) if name.startswith(b"upto ")}
        scopes = {name.removeprefix("!") for name in records} | set(upto)
        return {
            scope: _Copy(records.get(scope, b""), records.get(f"!{scope}", b""), _upto(upto.get(scope)))
            for scope in scopes
            if not scope.startswith(("run:", "?"))
        }

    async def _told(self, record: bytes) -> str:
        if not record:
            return told_to(None)
        scope = read_brake(record).scope
        if scope.conversation is not None:
            return told_to(await self.agents_at(scope.conversation))
        return told_to(None if scope.agent is None else {scope.agent})

    # --- one run's ---

    def _of(self, run: str) -> Brakes:
        return self._of_record(run).brakes

    async def heard(self, run: str, agent: str, steers: Iterable[str]) -> Obeyed | None:
        """See `Brakes.heard`."""
        return await self._of(run).heard(run, agent, steers)

    async def note_heard(self, handoffs: Sequence[Handoff], heard: wire.Braked) -> None:
        """See `Brakes.note_heard`; they are all of one run."""
        if handoffs:
            await self._of(handoffs[0].run).note_heard(handoffs, heard)

    # --- all ---

    async def standing(self) -> list[wire.Braked]:
        """Every brake that is on in any shard, each once, the latest first."""
        return _each_once(await asyncio.gather(*(each.standing() for each in self._brakes)))

    async def beside(self, scope: wire.BrakeScope, runs: Collection[str]) -> list[wire.Braked]:
        """See `Brakes.beside`."""
        if scope.run is not None:
            return await self._of(scope.run).beside(scope, runs)
        some = [each.beside(scope, [run for run in runs if self._of(run) is each]) for each in self._brakes]
        return _each_once(await asyncio.gather(*some))

    async def latest(self) -> str:
        """What changes with every pull or lift of any brake in any shard, and when one of them lost what it had."""
        return " ".join(await asyncio.gather(*(each.latest() for each in self._brakes)))

    async def agents_at(self, place: wire.Place) -> set[str]:
        """The agents with runs that are bound to a channel."""
        return set[str]().union(*await asyncio.gather(*(each.agents_at(place) for each in self._brakes)))

    async def settle(
        self, scope: wire.BrakeScope | None = None, heard: wire.Braked | None = None
    ) -> AsyncIterator[Affected]:
        """See `Brakes.settle`; everywhere, the shards are brought in line first."""
        if scope is None:
            await self.agree()
        some = [self._of(scope.run)] if scope is not None and scope.run is not None else self._brakes
        for brakes in some:
            async for each in brakes.settle(scope, heard):
                yield each

    async def tidy(self, now: datetime) -> None:
        """See `Brakes.tidy`."""
        await asyncio.gather(*(each.tidy(now) for each in self._brakes))


def _each_once(found: Iterable[Iterable[wire.Braked]]) -> list[wire.Braked]:
    """Each scope's latest, and its words apart."""
    kept: dict[tuple[str, bool], wire.Braked] = {}
    for each in (brake for some in found for brake in some):
        name = scope_text(each.scope), each.action == "steer"
        if name not in kept or kept[name].epoch < each.epoch:
            kept[name] = each
    return sorted(kept.values(), key=lambda each: each.epoch, reverse=True)


def _number(record: bytes) -> int:
    return int(record.split(b" ", 3)[2]) if record else 0


def _place(record: bytes) -> tuple[int, bytes]:
    return _number(record), record


def _upto(packed: bytes | None) -> int:
    return int(packed.split()[0]) if packed else 0


def _pairs(raw: Any) -> list[tuple[bytes, bytes]]:
    return list(raw.items()) if isinstance(raw, dict) else list(zip(raw[::2], raw[1::2], strict=True))
