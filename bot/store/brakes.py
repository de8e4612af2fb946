"""Brakes in Redis: pulling and lifting them, and putting handoffs where they belong."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from andon import wire
from bot.brake.order import BrakeOrder
from bot.handoff import Handoff
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import hashed, ms_of, read_brake, reply, scope_text, when
from bot.store.run_asks import RunAsks

_BRAKE, _HOLD, _HEARD = (load_script(name) for name in ("brake", "hold", "heard"))

_AT_ONCE: Final = 500
_A_CALL: Final = 100
"""Handoffs that one call of a script moves: a few milliseconds of work, and one write to disk."""
_KEPT: Final = timedelta(days=31)
"""A day longer than a run lives after its last sign of life."""


@dataclass(frozen=True, slots=True)
class Obeyed:
    """What became of an order, as `brake.lua` says it, and the brake that it is about."""

    word: Literal["pulled", "stands", "lifted", "off", "old", "gone"]
    brake: wire.Braked | None = None


@dataclass(frozen=True, slots=True)
class Affected:
    """A handoff that a brake concerns, and where it stands now."""

    id: str
    run: str
    state: str
    by: str = ""
    """The action of the brake that holds its run; empty: none does."""
    changed: bool = False


@dataclass(frozen=True, slots=True)
class _Run:
    """What of a run says which brakes hold it."""

    agent: str
    started_at: datetime
    scopes: frozenset[str]

    def is_held_by(self, brake: wire.Braked) -> bool:
        """As `_brake.lua` has it, of one that is no abort."""
        said_at = brake.said_at or brake.at
        return scope_text(brake.scope) in self.scopes and not said_at < self.started_at < brake.at


class Brakes:
    """The brakes of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys
        self._asks = RunAsks(pipe, keys)

    async def obey(
        self, order: BrakeOrder, agents: Collection[str] | None, *, number: str = "", wide: bool = False
    ) -> Obeyed:
        """Pull or lift a brake, in one step; `agents` are told of it, None: all.

        `number` is that of the pull, if it was drawn elsewhere; `wide`: other shards have copies of this brake.
        """
        keys, scope, run = self._keys, order.scope, order.scope.run or ""
        own: dict[str, object] = {
            "by": order.by.model_dump(mode="json", exclude_none=True),
            "scope": scope.model_dump(mode="json", exclude_none=True),
        }
        if order.text is not None:
            own["text"] = order.text
        steer = hashed(order.id) if order.action == "steer" else ""
        words = json.dumps({"id": steer, "text": order.text, "by": own["by"]}) if steer else ""
        word, *rest = reply(
            await self._pipe.run(
                _BRAKE,
                (
                    *(keys.brakes, keys.brakes_epoch, keys.brakes_lifted, keys.brakes_told, keys.events),
                    keys.brake_order(hashed(order.id)),
                    *((keys.run(run), keys.steers(run)) if run else (keys.brakes, keys.brakes)),
                ),
                scope_text(scope),
                order.action,
                "" if order.said_at is None else ms_of(order.said_at),
                json.dumps({**own, "steer": steer} if steer else own),
                "" if order.epoch is None else order.epoch,
                told_to(agents),
                run,
                words,
                number,
                "wide" if wide else "",
            )
        )
        return Obeyed(word, read_brake(rest[0]) if rest and rest[0] else None)

    async def heard(self, run: str, agent: str, steers: Iterable[str]) -> Obeyed | None:
        """The agent has read these words; `lifted` when they were what held the run. None when the run is gone.

        The same call again gets the same reply.
        """
        keys, read = self._keys, " ".join(sorted(steers))
        word, *rest = reply(
            await self._pipe.run(
                _HEARD,
                (
                    *(keys.run(run), keys.steers(run), keys.brakes, keys.brakes_lifted, keys.brakes_told),
                    *(keys.events, keys.brake_order(hashed(f"heard {run} {read}"))),
                ),
                run,
                agent,
                f" {read} ",
            )
        )
        if word == "gone":
            return None
        return Obeyed(word if word == "lifted" else "off", read_brake(rest[0]) if rest else None)

    async def standing(self) -> list[wire.Braked]:
        """Every brake that is on, the latest first; runs that were aborted are not among them."""
        found = [read_brake(record) for record in await self._pipe.call("HVALS", self._keys.brakes)]
        return sorted((each for each in found if each.action != "abort"), key=lambda each: each.epoch, reverse=True)

    async def beside(self, scope: wire.BrakeScope, runs: Collection[str]) -> list[wire.Braked]:
        """The brakes that hold a scope, or a part of it, the latest first; `runs` are some of its."""
        others, own = await self.standing(), scope_text(scope)
        if scope.everything or not others:
            return others
        known = {*runs, *(each.scope.run for each in others if each.scope.run)}
        known |= {scope.run} if scope.run else set()
        if scope.conversation is not None:
            known |= await self._bound(scope.conversation)
        within = [run for run in await self._records(known) if own in run.scopes]
        found = []
        for each in others:
            wide = scope.run is None and (each.scope.everything or await self._is_agent_in(scope.agent, each.scope))
            if wide or any(run.is_held_by(each) for run in within):
                found.append(each)
        return found

    async def latest(self) -> str:
        """The event of the latest pull or lift of any brake; empty when there was none for a week."""
        newest = await self._pipe.call("XREVRANGE", self._keys.brakes_told, "+", "-", "COUNT", 1)
        return str(newest[0][0].decode()) if newest else ""

    async def agents_at(self, place: wire.Place) -> set[str]:
        """The agents with runs that are bound to a channel."""
        found = await self._records(await self._bound(place))
        return {run.agent for run in found}

    async def _is_agent_in(self, agent: str | None, scope: wire.BrakeScope) -> bool:
        place = scope.conversation
        return agent is not None and place is not None and agent in await self.agents_at(place)

    async def _bound(self, place: wire.Place) -> set[str]:
        """The runs that are bound to a channel, the newest of them."""
        ids = await self._pipe.call("ZRANGE", self._keys.conversation(place.surface, place.channel or ""), 0, -1)
        return {each.decode() for each in ids}

    async def _records(self, runs: Collection[str]) -> list[_Run]:
        """What says whether a brake holds them; those that are gone left out."""
        heads = [self._pipe.call("HMGET", self._keys.run(run), "agent", "started_at", "scopes") for run in runs]
        return [
            _Run(agent.decode(), when(started), _scopes(packed, run, agent.decode()))
            for run, (agent, started, packed) in zip(runs, await asyncio.gather(*heads), strict=True)
            if agent
        ]

    async def settle(
        self, scope: wire.BrakeScope | None = None, heard: wire.Braked | None = None
    ) -> AsyncIterator[Affected]:
        """Put every handoff in a scope (None: everywhere) where the brakes put it; again changes nothing.

        They are the open ones, and those whose decision allows something that was not reported yet. `heard` is the
        steer that has just ended because its agent has read it.
        """
        told = "" if heard is None else _words_of(heard)
        async for ids in self._met(scope):
            for first in range(0, len(ids), _AT_ONCE):
                for each in await self._settle(ids[first : first + _AT_ONCE], scope, told):
                    yield each

    async def note_heard(self, handoffs: Sequence[Handoff], heard: wire.Braked) -> None:
        """Note on these that their agent has read the words of a steer; `settle` does it for those that still wait."""
        if handoffs:
            await self._hold([(each.id, each.run, each.agent) for each in handoffs], _words_of(heard))

    async def _met(self, scope: wire.BrakeScope | None) -> AsyncIterator[list[str]]:
        """Ids of what is open or may be acted on, in the scope at least."""
        own = await self._asks.acted_on(scope.run) if scope is not None and scope.run is not None else None
        if own is not None:
            yield own
            return
        for key in (self._keys.due, self._keys.acting):
            yield [each.decode() for each in await self._pipe.call("ZRANGE", key, 0, -1)]

    async def _settle(self, ids: list[str], scope: wire.BrakeScope | None, heard: str) -> list[Affected]:
        heads = await asyncio.gather(*(self._pipe.call("HMGET", self._keys.handoff(i), "run", "agent") for i in ids))
        known = [(i, run.decode(), agent.decode()) for i, (run, agent) in zip(ids, heads, strict=True) if run]
        within = await self._within({(run, agent) for _, run, agent in known}, scope)
        meant = [each for each in known if each[1] in within]
        parts = [meant[first : first + _A_CALL] for first in range(0, len(meant), _A_CALL)]
        said = await asyncio.gather(*(self._hold(part, heard) for part in parts))
        return [each for part in said for each in part]

    async def _within(self, runs: Collection[tuple[str, str]], scope: wire.BrakeScope | None) -> set[str]:
        if scope is None or scope.everything:
            return {run for run, _ in runs}
        text = scope_text(scope)
        packed = await asyncio.gather(*(self._pipe.call("HGET", self._keys.run(run), "scopes") for run, _ in runs))
        return {run for (run, agent), scopes in zip(runs, packed, strict=True) if text in _scopes(scopes, run, agent)}

    async def _hold(self, handoffs: Sequence[tuple[str, str, str]], heard: str) -> list[Affected]:
        keys = self._keys
        each = [
            (keys.handoff(i), keys.run(run), keys.agent_events(agent), keys.run_asks(run)) for i, run, agent in handoffs
        ]
        said: list[list[Any]] = await self._pipe.run(
            _HOLD,
            (*(keys.due, keys.events, keys.brakes, keys.acting), *(key for keys_of in each for key in keys_of)),
            heard,
            *(i for i, _, _ in handoffs),
        )
        return [
            Affected(i, run, state.decode(), rest[0].decode(), bool(int(rest[1])))
            for (i, run, _), (state, *rest) in zip(handoffs, said, strict=True)
            if rest
        ]

    async def tidy(self, now: datetime) -> None:
        """Forget aborts of runs that are gone, and when scopes were held long ago."""
        oldest = ms_of(now - _KEPT)
        brakes = _pairs(await self._pipe.call("HGETALL", self._keys.brakes))
        old = [name for name, record in brakes if name.startswith(b"!") and int(record.split(b" ")[1]) < oldest]
        if old:
            await self._pipe.call("HDEL", self._keys.brakes, *old)
        lifted = _pairs(await self._pipe.call("HGETALL", self._keys.brakes_lifted))
        past = [name for name, packed in lifted if int(packed.split()[-1].rpartition(b"-")[2]) < oldest]
        if past:
            await self._pipe.call("HDEL", self._keys.brakes_lifted, *past)


def told_to(agents: Collection[str] | None) -> str:
    """Who is told of a brake, as the scripts have it; None: all."""
    return " * " if agents is None else f" {' '.join(sorted(agents))} "


def _words_of(steer: wire.Braked) -> str:
    return steer.model_dump_json(include={"by", "text"}, exclude_none=True)


def _scopes(packed: bytes | None, run: str, agent: str) -> frozenset[str]:
    return frozenset(packed.decode().split("\n") if packed else (f"run:{run}", f"agent:{agent}", "all"))


def _pairs(raw: Any) -> list[tuple[bytes, bytes]]:
    return list(raw.items()) if isinstance(raw, dict) else list(zip(raw[::2], raw[1::2], strict=True))
