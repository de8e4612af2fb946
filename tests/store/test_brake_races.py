"""A stop against everything else, with real connections: four hundred runs of each, and a history that is checked.

A call that begins after a stop was acknowledged must meet it; one that was under way may have been first, and then the
stop's own sweep must name what it let through. Each check is also run without the guard that keeps it, and must then
find something.
"""

import asyncio
import hashlib
import importlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest

from andon import wire
from bot.handoff import Handoff, State
from bot.store import Affected, Store
from bot.store.pipe import Script
from tests.servers import SHARDS
from tests.store import asks
from tests.store.asks import AGENT, NO_LIMITS
from tests.store.test_races import goes_wrong

TIMES = 400
_NUMBERS = count()
AT_ONCE = 50
Race = Callable[[Sequence[Store]], Awaitable[list[str]]]


@dataclass
class History:
    """What one run went through: each call with when it began, and what it was told."""

    calls: list[tuple[float, str]] = field(default_factory=list)
    stopped_at: float = float("inf")
    found: list[Affected] = field(default_factory=list)

    async def call(self, call: Callable[[], Awaitable[str]]) -> None:
        began = asyncio.get_running_loop().time()
        self.calls.append((began, await call()))

    async def stop(
        self, store: Store, scope: wire.BrakeScope, *, then: Callable[[], Awaitable[str]] | None = None
    ) -> None:
        """Stop; `then` is called after the acknowledgement and before the sweep."""
        assert (await asks.pull(store, "stop", scope=scope)).word == "pulled"
        self.stopped_at = asyncio.get_running_loop().time()
        if then:
            await asyncio.sleep(0)
            await self.call(then)
        self.found = [each async for each in store.brakes.settle(scope)]

    def after(self) -> list[str]:
        """What those were told who began after the acknowledgement."""
        return [word for began, word in self.calls if began > self.stopped_at]

    def passed(self, *words: str) -> int:
        return sum(word in words for _, word in self.calls)


async def four_hundred(one: Callable[[int], Awaitable[list[str]]]) -> list[str]:
    """So many races, some of them at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def held_back(number: int) -> list[str]:
        async with gate:
            return await one(number)

    return [fault for faults in await asyncio.gather(*(held_back(n) for n in range(TIMES))) for fault in faults]


async def a_moment() -> None:
    await asyncio.sleep(random.random() * 0.004)  # a race, no secret


async def run_of(store: Store, number: int) -> tuple[str, wire.BrakeScope]:
    run = f"run_{number:022d}{asks.MARK}"
    await asks.start_run(store, run)
    return run, wire.BrakeScope(run=run)


async def waiting(store: Store, run: str) -> Handoff:
    new = asks.new_handoff(run=run)
    assert (await store.handoffs.open(new, NO_LIMITS)).word == "opened"
    return await asks.look(store, new.id)


async def claim(store: Store, handoff: Handoff) -> str:
    said = await store.handoffs.claim(
        handoff.id, AGENT, digest=handoff.digest, claimant="try", max_age=asks.DECISION_AGE, run=handoff.run
    )
    return said.word


async def forget(store: Store, *handoffs: Handoff) -> None:
    """Out of the lists, so that the sweeps of the other races are short."""
    for key in (asks.own(store).keys.due, asks.own(store).keys.acting):
        await store._pipe.call("ZREM", key, *(each.id for each in handoffs))


async def answer(store: Store, handoff: Handoff) -> str:
    return (await store.handoffs.answer(handoff, asks.yes(handoff), answer_id=f"a {handoff.id}")).word


# --- the races ---


async def stop_against_claim(stores: Sequence[Store]) -> list[str]:
    """No permit after it; and every permit before it is named as in flight."""

    async def one(number: int) -> list[str]:
        run, scope = await run_of(stores[0], number)
        allowed = [await waiting(stores[0], run) for _ in stores]
        for handoff in allowed:
            assert await answer(stores[0], handoff) == "won"
        history = History()

        async def agent(store: Store, handoff: Handoff) -> None:
            for _ in range(3):
                await a_moment()
                await history.call(lambda: claim(store, handoff))

        async def person() -> None:
            await a_moment()
            await history.stop(stores[number % len(stores)], scope)

        await asyncio.gather(person(), *map(agent, stores, allowed))
        for store, handoff in zip(stores, allowed, strict=True):
            await history.call(lambda s=store, h=handoff: claim(s, h))  # type: ignore[misc]  # bound now
        flying = {each.id for each in history.found if each.state == State.CLAIMED}
        claimed = {h.id for h in allowed if (await asks.look(stores[0], h.id)).state is State.CLAIMED}
        await forget(stores[0], *allowed)
        faults = [f"{run}: {word} after the stop" for word in history.after() if word != "braked"]
        return faults if flying == claimed else [*faults, f"{run}: {len(claimed)} claimed, {len(flying)} named"]

    return await four_hundred(one)


async def stop_against_answer(stores: Sequence[Store]) -> list[str]:
    """No answer after it counts; one before it counts, and cannot be acted on."""

    async def one(number: int) -> list[str]:
        run, scope = await run_of(stores[0], number)
        asked, late_one = [await waiting(stores[0], run) for _ in stores], await waiting(stores[0], run)
        history = History()

        async def person(store: Store, handoff: Handoff) -> None:
            await a_moment()
            await history.call(lambda: answer(store, handoff))

        async def another() -> None:
            await a_moment()
            store = stores[number % len(stores)]
            await history.stop(store, scope, then=lambda: answer(store, late_one))

        await asyncio.gather(another(), *map(person, stores, asked))
        late = await waiting_no_more(stores[0], run)
        faults = [f"{run}: {word} after the stop" for word in history.after() if word != "held"]
        for handoff in asked:
            now = await asks.look(stores[0], handoff.id)
            if now.state is State.DECIDED and await claim(stores[0], handoff) != "braked":
                faults.append(f"{run}: a claim after the stop")
            if now.state is State.PENDING:
                faults.append(f"{run}: it waits on")
        await forget(stores[0], *asked, late_one)
        return [*faults, *late]

    return await four_hundred(one)


async def waiting_no_more(store: Store, run: str) -> list[str]:
    said = await store.handoffs.open(asks.new_handoff(run=run), NO_LIMITS)
    return [] if said.word == "braked" else [f"{run}: an ask was {said.word} after the stop"]


async def stop_against_resume(stores: Sequence[Store]) -> list[str]:
    """Whichever came last holds, for claims and for every card, however their sweeps cross."""

    async def one(number: int) -> list[str]:
        run, scope = await run_of(stores[0], number)
        allowed, asked = await waiting(stores[0], run), await waiting(stores[0], run)
        assert await answer(stores[0], allowed) == "won"
        await asks.pull(stores[0], "stop", scope=scope)

        async def pull(store: Store, action: str) -> None:
            await a_moment()
            order = asks.order("stop" if action == "stop" else "resume", scope=scope)
            await store.brakes.obey(order, {AGENT})
            async for _ in store.brakes.settle(scope):
                pass

        actions = ["resume", "stop", "resume", "stop", "resume"]
        await asyncio.gather(*map(pull, stores, actions))
        on = run in {brake.scope.run for brake in await stores[0].brakes.standing()}
        said, now = await claim(stores[1], allowed), await asks.look(stores[0], asked.id)
        await forget(stores[0], allowed, asked)
        faults = [] if (said == "braked") == on else [f"{run}: the brake is {on}, and a claim is {said}"]
        return faults if (now.state is State.HELD) == on else [*faults, f"{run}: the brake is {on}, {now.state}"]

    return await four_hundred(one)


async def stop_against_start(stores: Sequence[Store]) -> list[str]:
    """A run that starts meanwhile is held: it began before the stop, or under it."""

    async def one(number: int) -> list[str]:
        fresh = next(_NUMBERS)  # what stays stopped is met by no further try
        agent = f"agent-{fresh}"
        scope = wire.BrakeScope(agent=agent)
        history = History()
        runs = [f"run_{fresh * 10 + i:022d}{asks.MARK}" for i in range(len(stores))]

        async def begin(store: Store, run: str) -> None:
            for _ in range(random.randint(1, 4 * SHARDS - 3)):  # a stop over several shards takes several round trips
                await a_moment()
            await store.runs.start(run, agent, wire.RunStart(name="n"), "f", NO_LIMITS)

        async def person() -> None:
            await a_moment()
            await history.stop(stores[number % len(stores)], scope)

        await asyncio.gather(person(), *map(begin, stores, runs))
        faults = []
        for store, run in zip(stores, runs, strict=True):
            new = asks.new_handoff(run=run, agent=agent)
            said = await store.handoffs.open(new, NO_LIMITS)
            if said.word != "braked":
                faults.append(f"{run}: {said.word}")
        return faults

    return await four_hundred(one)


RACES = [stop_against_claim, stop_against_answer, stop_against_resume, stop_against_start]


@pytest.mark.parametrize("race", RACES)
async def test_after_an_acknowledged_stop_nothing_acts(race: Race, stores: list[Store]) -> None:
    assert await race(stores) == []


WITHOUT = [
    (stop_against_claim, "handoffs._CLAIM", "if record then", "if false then"),
    (stop_against_answer, "handoffs._ANSWER", "KEYS[12], ARGV[1]) then", "KEYS[12], ARGV[1]) and false then"),
    (stop_against_answer, "handoffs._OPEN", 'if record and ARGV[27] ~= "anyway" then', "if false then"),
    (stop_against_resume, "handoffs._CLAIM", "if record then", "if false then"),
    (stop_against_resume, "brakes._HOLD", 'if action and f[1] == "pending" then', "if false then"),
    (stop_against_start, "handoffs._OPEN", 'or (action ~= "abort" and started >= tonumber(on)) then', "then"),
    (stop_against_start, "handoffs._OPEN", "if started <= tonumber(said) or", "if"),
]


@pytest.mark.parametrize("race, script, guard, instead", WITHOUT)
async def test_without_its_guard_a_stop_stops_not_everything(
    race: Race, script: str, guard: str, *, instead: str, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.store.test_brake_races.TIMES", 80 * SHARDS)
    module, _, name = f"bot.store.{script}".rpartition(".")
    whole: Script = getattr(importlib.import_module(module), name)
    assert whole.source.count(guard) == 1, f"{script} has changed: where is {guard!r} now?"
    source = whole.source.replace(guard, instead)
    without = Script(whole.name, source, hashlib.sha1(source.encode()).hexdigest())  # noqa: S324  # as Redis names it
    monkeypatch.setattr(f"bot.store.{script}", without)
    assert await goes_wrong(race, stores)
