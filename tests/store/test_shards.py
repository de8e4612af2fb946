"""Several shards as one store: what has an id is found, what spans them is whole, and a stop is a stop in all of them.

The races are also run with a shard left out, or without the guard that keeps them, and must then find something.
"""

import asyncio
import inspect
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from andon import wire
from bot.errors import StoreUnavailable
from bot.handoff import Handoff, State
from bot.store import Store, connect, mark, mark_of, ramp_id, wide
from bot.store.arrivals import Arrivals
from bot.store.beats import Beats
from bot.store.brakes import Obeyed
from bot.store.census import Census
from bot.store.grants import Grants
from bot.store.handoffs import Handoffs
from bot.store.ladder import Ladder
from bot.store.marks import shard_in, unmarked
from bot.store.pages import Place, merged
from bot.store.pipe import Pipe, Script
from bot.store.records import scope_text
from bot.store.restored import Restored
from bot.store.runs import Runs
from bot.store.spread import SpreadGrants, SpreadHandoffs, SpreadLadder, SpreadRuns, SpreadTrust
from bot.store.spread_following import (
    SpreadArrivals,
    SpreadBeats,
    SpreadRestored,
    SpreadUnknown,
    SpreadUnreported,
    SpreadVitals,
)
from bot.store.trust import TrustRecords
from bot.store.unknown import Unknown
from bot.store.unreported import Unreported
from bot.store.vitals import Vitals
from tests.servers import Valkey, lasting_keys
from tests.store import asks
from tests.store.asks import NO_LIMITS, sha_of

SHARDS = 3
TIMES = 50
EVERYTHING = wire.BrakeScope(everything=True)
OPS = wire.BrakeScope(conversation=wire.Place(surface="paper", channel="ops"))
AGENTS = ("ann", "ben", "cid")
ASKED_SHARD_BY_SHARD = {"urgent_places", "latest_places", "behind", "write"}


@pytest.fixture
async def reopen(valkey: Valkey, request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Any]]:
    """Opens the test's namespace, each time as another process does; with so many shards."""
    ns, opened = f"s{sha_of(request.node.nodeid)[:12]}", []

    async def open_(shards: int = SHARDS, *, grow: bool = True) -> Store:
        store = Store(connect(valkey.url(), shards=shards), ns=ns, shards=shards)
        opened.append(store)
        assert await store.settle_shards(grow=grow) == ""
        return store

    yield open_
    client, left = connect(valkey.url()), []
    for name in (ns, *(f"{ns}:{n}" for n in range(1, 5))):
        left += await lasting_keys(client, f"{{{name}}}:*")
        found = [key async for key in client.scan_iter(match=f"{{{name}}}:*", count=1000)]
        if found:
            await client.unlink(*found)
    await client.aclose()
    for store in opened:
        await store.close()
    assert not left, f"keys without a lifetime: {left}"


@pytest.fixture
async def spread(reopen: Callable[..., Any]) -> Store:
    """A store with several shards."""
    store: Store = await reopen()
    return store


async def run_in(store: Store, shard: int, agent: str | None = None, *, letter: str = "r") -> str:
    """A run of a shard's own agent, in the channel `ops`."""
    run = f"run_{letter * 22}{mark(shard)}"
    start = wire.RunStart(name="weekly", conversation=OPS.conversation)
    word, _ = await store.runs.start(run, agent or AGENTS[shard], start, "f", NO_LIMITS)
    assert word in {"started", "known"}
    return run


async def opened_in(store: Store, shard: int, *, timeout_s: int = 600) -> Handoff:
    run = await run_in(store, shard)
    handoff_id = asks.new_id()
    new = asks.new_handoff(
        handoff_id=f"{unmarked(handoff_id)}{mark(shard)}", agent=AGENTS[shard], run=run, timeout_s=timeout_s
    )
    assert (await store.handoffs.open(new, NO_LIMITS)).word == "opened"
    return await asks.look(store, new.id)


async def allowed_in(store: Store, shard: int) -> Handoff:
    asked = await opened_in(store, shard)
    assert (await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")).word == "won"
    return asked


async def claim(store: Store, handoff: Handoff) -> str:
    said = await store.handoffs.claim(
        handoff.id, handoff.agent, digest=handoff.digest, claimant="try", max_age=asks.DECISION_AGE
    )
    return said.word


async def pull(store: Store, action: Any, scope: wire.BrakeScope = EVERYTHING, **more: object) -> Obeyed:
    return await store.brakes.obey(asks.order(action, scope=scope, **more), None)


# --- ids ---


@pytest.mark.parametrize(
    "record_id, shard",
    [
        ("hf_AAAAAAAAAAAAAAAAAAAAAA", 0),
        ("hf_AAAAAAAAAAAAAAAAAAA-07", 0),  # an id of before, which happens to end so
        ("run_AAAAAAAAAAAAAAAAAAAAAA-07", 7),
        ("hf_AAAAAAAAAAAAAAAAAAAAAA-7", 0),
        ("hf_AAAAAAAAAAAAAAAAAAAAAA-071", 0),
        ("1763845200000-3", 0),
        ("1763845200000-3-07", 7),
        ("", 0),
        ("-07", 0),
        ("hf_gone", 0),
    ],
)
def test_an_id_names_its_shard(record_id: str, shard: int) -> None:
    assert shard_in(record_id) == shard
    assert mark_of(record_id) == (f"-{shard:02d}" if shard else "")
    assert unmarked(record_id) + mark_of(record_id) == record_id


async def test_an_id_of_a_shard_that_is_not_there_is_nobody_s(spread: Store) -> None:
    assert await spread.handoffs.load(f"hf_{'a' * 22}-63") is None
    assert await spread.runs.load(f"run_{'a' * 22}-63") is None


@pytest.mark.parametrize(
    "spread_out, own",
    [
        (SpreadHandoffs, Handoffs),
        (SpreadLadder, Ladder),
        (SpreadUnreported, Unreported),
        (SpreadRuns, Runs),
        (SpreadGrants, Grants),
        (SpreadTrust, TrustRecords),
        (SpreadArrivals, Arrivals),
        (SpreadBeats, Beats),
        (SpreadUnknown, Unknown),
        (SpreadRestored, Restored),
        (SpreadVitals, Vitals),
    ],
)
def test_records_that_are_spread_are_called_as_those_of_one_shard(spread_out: type, own: type) -> None:
    """A verb that only one of them has would look at the first shard alone, or fail there."""
    ours = {name for name in vars(own) if not name.startswith("_")} - ASKED_SHARD_BY_SHARD
    assert {name for name in vars(spread_out) if not name.startswith("_")} == ours
    for name in ours:
        assert inspect.signature(getattr(spread_out, name)) == inspect.signature(getattr(own, name)), name


# --- stops ---


async def stop_against_claims(reopen: Callable[..., Any]) -> list[str]:
    """Fifty stops of everything, each against claims in every shard by another process: none succeeds after it."""
    person, agent = await reopen(), await reopen()
    faults: list[str] = []
    for number in range(TIMES):
        allowed = [await allowed_in(person, shard) for shard in range(SHARDS)]
        acknowledged, after = asyncio.Event(), list[str]()

        async def act(handoff: Handoff, acknowledged: asyncio.Event = acknowledged, after: Any = after) -> None:
            await asyncio.sleep(random.random() * 0.003)  # a race, no secret
            late = acknowledged.is_set()
            word = await claim(agent, handoff)
            after += [word] if late else []

        async def stop(number: int = number, acknowledged: asyncio.Event = acknowledged) -> None:
            await asyncio.sleep(random.random() * 0.003)
            assert (await pull(person, "stop", (EVERYTHING, OPS)[number % 2])).word == "pulled"
            acknowledged.set()

        await asyncio.gather(stop(), *(act(each) for each in allowed))
        after += [await claim(agent, each) for each in allowed]
        faults += [f"{number}: {word} after the stop" for word in after if word != "braked"]
        assert (await pull(person, "resume", (EVERYTHING, OPS)[number % 2])).word == "lifted"
    return faults


async def test_after_a_stop_of_everything_no_claim_succeeds_in_any_shard(reopen: Callable[..., Any]) -> None:
    assert await stop_against_claims(reopen) == []


@pytest.mark.parametrize("shard", range(1, SHARDS))
async def test_with_one_shard_left_out_a_stop_stops_not_everything(
    reopen: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, shard: int
) -> None:
    follow = wide.WideBrakes._follow

    async def all_but_one(self: wide.WideBrakes, other: Any, *args: Any) -> None:
        if other is not self._shards[shard]:
            await follow(self, other, *args)

    monkeypatch.setattr(wide.WideBrakes, "_follow", all_but_one)
    monkeypatch.setattr("tests.store.test_shards.TIMES", 3)
    assert await stop_against_claims(reopen)


def cut(monkeypatch: pytest.MonkeyPatch, store: Store, shard: int, when: Callable[[Script], bool]) -> None:
    """Scripts on one shard fail, as they do while it fails over."""
    run = store._pipe.run

    def broken(script: Script, keys: tuple[str, ...], *args: Any) -> Any:
        if keys[0].startswith(f"{{{store.shards[shard].keys.ns}}}") and when(script):
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.set_exception(StoreUnavailable("it fails over"))
            return future
        return run(script, keys, *args)

    monkeypatch.setattr(store._pipe, "run", broken)


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_a_stop_is_confirmed_by_all_shards_or_not_at_all(
    spread: Store, monkeypatch: pytest.MonkeyPatch, shard: int
) -> None:
    allowed = [await allowed_in(spread, each) for each in range(SHARDS)]
    with monkeypatch.context() as patch:
        cut(patch, spread, shard, lambda script: script.name in {"follow", "brake"})
        with pytest.raises(StoreUnavailable):
            await pull(spread, "stop", id="order")
        if shard:
            assert [await claim(spread, each) for each in allowed if shard_in(each.id) != shard] == ["braked"] * 2
    assert (await pull(spread, "stop", id="order")).word == "pulled", "the same order, again"
    assert [await claim(spread, each) for each in allowed] == ["braked"] * SHARDS
    with monkeypatch.context() as patch:
        cut(patch, spread, shard, lambda script: script.name in {"follow", "brake"})
        with pytest.raises(StoreUnavailable):
            await pull(spread, "resume")
        if shard:
            assert await claim(spread, allowed[shard]) == "braked", "the safe side"
    assert (await pull(spread, "resume")).word in {"lifted", "off"}
    assert [await claim(spread, each) for each in allowed] == ["permit"] * SHARDS
    assert await spread.brakes.standing() == []


async def lose(store: Store, shard: int, lost: Callable[[], Any]) -> None:
    """Whatever `lost` does is forgotten by one shard, as when a replica took over that had not heard of it."""
    keys = store.shards[shard].keys
    names = (keys.brakes, keys.brakes_told, keys.brakes_epoch, keys.brakes_lifted)
    before = [await store._pipe.call("DUMP", name) for name in names]
    await lost()
    for name, dump in zip(names, before, strict=True):
        await store._pipe.call("DEL", name)
        if dump is not None:
            life = 0 if name in {keys.brakes, keys.brakes_epoch} else 60_000
            await store._pipe.call("RESTORE", name, life, dump)


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_a_stop_that_one_shard_lost_is_taken_from_the_others(reopen: Callable[..., Any], shard: int) -> None:
    """Within the two seconds after which any process looks: what tells it to is lost with the stop."""
    one, other = await reopen(), await reopen()
    allowed = [await allowed_in(one, each) for each in range(SHARDS)]
    before = await other.brakes.latest()
    seen = ""

    async def stop() -> None:
        nonlocal seen
        await pull(one, "stop")
        seen = await other.brakes.latest()

    await lose(one, shard, stop)
    assert len({before, seen, await other.brakes.latest()}) == 3, "a sweep is due"
    assert [each.action for each in await one.brakes.standing()] == ["stop"], "it is listed all the while"
    await other.brakes.agree()
    assert [await claim(one, each) for each in allowed] == ["braked"] * SHARDS
    assert (await pull(one, "resume")).word == "lifted"
    assert [await claim(one, each) for each in allowed] == ["permit"] * SHARDS


@pytest.mark.parametrize("shard", range(SHARDS))
async def test_after_a_resume_that_one_shard_lost_a_new_stop_stops_all(reopen: Callable[..., Any], shard: int) -> None:
    """The old stop still stands there: it must not pass for the new one, nor take the others with it."""
    store = await reopen()
    allowed = [await allowed_in(store, each) for each in range(SHARDS)]
    await pull(store, "stop")
    await lose(store, shard, lambda: pull(store, "resume"))
    assert await claim(store, allowed[shard]) == "braked"
    assert (await pull(store, "stop")).word == "pulled"
    assert [await claim(store, each) for each in allowed] == ["braked"] * SHARDS
    await pull(store, "resume")
    assert [await claim(store, each) for each in allowed] == ["permit"] * SHARDS
    assert await store.brakes.standing() == []


@contextmanager
def away(store: Store, shard: int) -> Iterator[None]:
    """One shard does not answer."""
    call, run, tag = store._pipe.call, store._pipe.run, f"{{{store.shards[shard].keys.ns}}}:"

    def broken() -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(StoreUnavailable("it fails over"))
        return future

    def called(*command: Any) -> Any:
        return broken() if str(command[1]).startswith(tag) else call(*command)

    def ran(script: Script, keys: tuple[str, ...], *args: Any) -> Any:
        return broken() if keys[0].startswith(tag) else run(script, keys, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store._pipe, "call", called)
        patch.setattr(store._pipe, "run", ran)
        yield


@pytest.mark.parametrize("shard", range(1, SHARDS))
async def test_a_stop_that_one_shard_does_not_hear_stops_the_others_and_is_not_confirmed(
    reopen: Callable[..., Any], shard: int
) -> None:
    store = await reopen()
    allowed = [await allowed_in(store, each) for each in range(SHARDS)]
    order = asks.order("stop", scope=EVERYTHING)
    with away(store, shard):
        with pytest.raises(StoreUnavailable):
            await store.brakes.obey(order, None)
        others = [each for number, each in enumerate(allowed) if number != shard]
        assert [await claim(store, each) for each in others] == ["braked"] * (SHARDS - 1)
        with pytest.raises(StoreUnavailable):
            await pull(store, "resume")
        assert [await claim(store, each) for each in others] == ["braked"] * (SHARDS - 1)
    assert (await store.brakes.obey(order, None)).word == "pulled"
    assert [await claim(store, each) for each in allowed] == ["braked"] * SHARDS


async def test_a_stop_counts_for_more_than_the_numbers_that_only_an_absent_shard_has_met(
    reopen: Callable[..., Any],
) -> None:
    """Guard: home has lost them, and could not ask."""
    store = await reopen()
    allowed = [await allowed_in(store, each) for each in range(SHARDS)]
    lifted = store.shards[2].keys.brakes_lifted
    await store._pipe.call("HSET", lifted, f"upto {scope_text(EVERYTHING)}", "50 1")
    await store._pipe.call("PEXPIRE", lifted, 60_000)
    with away(store, 2), pytest.raises(StoreUnavailable):
        await pull(store, "stop")
    await store.brakes.agree()
    assert [await claim(store, each) for each in allowed] == ["braked"] * SHARDS


async def late_copies(reopen: Callable[..., Any]) -> list[str]:
    """A process that was away between home and the other shards wakes up after somebody has resumed."""
    slow, quick = await reopen(), await reopen()
    allowed = [await allowed_in(quick, each) for each in range(SHARDS)]
    follow, late = wide.WideBrakes._follow, list[Any]()

    async def put_off(*args: Any) -> None:
        late.append(args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wide.WideBrakes, "_follow", put_off)
        await pull(slow, "stop")
    assert (await pull(quick, "resume")).word == "lifted"
    for args in late:
        await follow(*args)
    said = [await claim(quick, each) for each in allowed]
    return [f"{word} after the resume" for word in said if word != "permit"]


async def old_process(reopen: Callable[..., Any]) -> list[str]:
    """One that was there before the store grew confirms a stop."""
    old, new = await reopen(1), await reopen(SHARDS)
    allowed = [await allowed_in(new, shard) for shard in range(SHARDS)]
    try:
        await pull(old, "stop")
    except StoreUnavailable:
        return []
    said = [await claim(new, each) for each in allowed]
    return [f"{word} after the stop" for word in said if word != "braked"]


async def half_a_stop(reopen: Callable[..., Any]) -> list[str]:
    """Home has it already, of somebody whose process died; whoever says it again is told that it stands."""
    dead, store = await reopen(), await reopen()
    allowed = [await allowed_in(store, shard) for shard in range(SHARDS)]
    await dead.shards[0].brakes.obey(asks.order("stop", scope=EVERYTHING), None, wide=True)
    assert (await pull(store, "stop")).word == "stands"
    said = [await claim(store, each) for each in allowed]
    return [f"{word} after the stop" for word in said if word != "braked"]


RACES = (late_copies, old_process, half_a_stop)


@pytest.mark.parametrize("race", RACES)
async def test_what_crosses_a_stop_or_a_resume_changes_nothing(reopen: Callable[..., Any], race: Any) -> None:
    assert await race(reopen) == []


async def unchecked(*_: object) -> None:
    """Nobody looks how many shards there are, or nobody follows."""


@pytest.mark.parametrize("race", RACES)
async def test_without_its_guard_a_stop_or_a_resume_is_crossed(
    reopen: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, race: Any
) -> None:
    guard, whole = "number(ARGV[2]) > upto and ", wide._FOLLOW.source
    assert whole.count(guard) == 1
    without = whole.replace(guard, "")
    monkeypatch.setattr(wide, "_FOLLOW", Script("follow", without, sha_of(without)))
    monkeypatch.setattr(Census, "check", unchecked)
    if race is half_a_stop:
        monkeypatch.setattr(wide.WideBrakes, "_follow", unchecked)
    assert await race(reopen)


async def test_a_brake_has_one_number_and_is_listed_and_lifted_once(spread: Store) -> None:
    runs = [await run_in(spread, shard) for shard in range(SHARDS)]
    own = [(await pull(spread, "pause", wire.BrakeScope(run=run))).brake for run in runs]
    whole = (await pull(spread, "stop", OPS)).brake
    assert whole
    standing = await spread.brakes.standing()
    assert [each.epoch for each in standing] == [whole.epoch, *sorted((b.epoch for b in own if b), reverse=True)]
    assert len({each.epoch for each in standing}) == 1 + SHARDS, "no two have one number"
    for run in runs:
        found = await spread.runs.load(run)
        assert found
        assert found.brake == whole, "every shard has the same record"
        assert len(await spread.brakes.beside(wire.BrakeScope(run=run), [run])) == 2
    assert len(await spread.brakes.beside(OPS, runs)) == 1 + SHARDS
    assert (await pull(spread, "resume", OPS, epoch=whole.epoch + 1)).word == "old"
    assert (await pull(spread, "resume", OPS, epoch=whole.epoch)).word == "lifted"
    assert len(await spread.brakes.standing()) == SHARDS
    assert [each async for each in spread.brakes.settle(EVERYTHING)] == []


async def test_a_stronger_order_replaces_the_weaker_in_every_shard(spread: Store) -> None:
    runs = [await run_in(spread, shard) for shard in range(SHARDS)]
    for action in ("pause", "stop", "abort"):
        assert (await pull(spread, action)).word == "pulled"
        found = [await spread.runs.load(run) for run in runs]
        assert [each.brake.action for each in found if each and each.brake] == [action] * SHARDS
    await pull(spread, "resume")
    found = [await spread.runs.load(run) for run in runs]
    assert [each.state for each in found if each] == ["aborted"] * SHARDS, "nothing lifts that"
    after = [await run_in(spread, shard, letter="n") for shard in range(SHARDS)]
    found = [await spread.runs.load(run) for run in after]
    assert [each.state for each in found if each] == ["running"] * SHARDS


async def test_a_stop_holds_what_waits_in_every_shard_and_names_what_is_in_flight(spread: Store) -> None:
    waiting = [await opened_in(spread, shard) for shard in range(SHARDS)]
    flying = [await allowed_in(spread, shard) for shard in range(SHARDS)]
    assert {await claim(spread, each) for each in flying} == {"permit"}
    await pull(spread, "stop", OPS)
    moved = {each.id: each.state async for each in spread.brakes.settle(OPS)}
    assert moved == {**{h.id: State.HELD for h in waiting}, **{h.id: State.CLAIMED for h in flying}}
    assert await spread.brakes.agents_at(wire.Place(surface="paper", channel="ops")) == set(AGENTS)
    await pull(spread, "resume", OPS)
    assert {each.state async for each in spread.brakes.settle()} == {State.PENDING, State.CLAIMED}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["pause", "stop", "resume", "abort", "deliver"]), st.integers(0, 63)), max_size=14
    )
)
async def test_copies_come_to_agree_whatever_is_late_or_lost(
    reopen: Callable[..., Any], steps: list[tuple[str, int]]
) -> None:
    """Every copy may come late, out of order, again, or not at all: in the end all shards have what one of them has."""
    store: Store = await reopen()
    scope = wire.BrakeScope(agent=f"agent{random.getrandbits(64)}")  # of this example alone
    late: list[Any] = []
    follow = wide.WideBrakes._follow

    async def put_off(*args: Any) -> None:
        late.append(args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wide.WideBrakes, "_follow", put_off)
        for action, number in steps:
            if action != "deliver":
                await pull(store, action, scope)
            elif late:
                await follow(*late[number % len(late)])
    await store.brakes.agree()
    text = f"agent:{scope.agent}"
    copies = {(await store.brakes._copy(shard, text)).record for shard in store.shards}
    assert len(copies) == 1
    ended = {(await store.brakes._copy(shard, text)).ended for shard in store.shards}
    assert len(ended) == 1
    last = next((action for action, _ in reversed(steps) if action != "deliver"), "")
    if last == "resume":
        assert copies == {b""}, "the last word was to go on"
    elif last in {"pause", "stop"}:
        assert copies != {b""}, "the last word was to stop"


# --- how many ---


async def test_more_shards_move_nobody_and_take_the_brakes_that_are_on(reopen: Callable[..., Any]) -> None:
    """Ids of before, an agent of before, and a stop of before."""
    before: Store = await reopen(1)
    run, asked = await run_in(before, 0), await opened_in(before, 0)
    await before.access.save_key("k1", {"kind": "agent", "name": AGENTS[0], "last_used": "2026-11-22"})
    await before.access.save_key("k2", {"kind": "agent", "name": "new", "last_used": ""})
    stop = (await pull(before, "stop")).brake
    assert not [key async for key in before._client.scan_iter(match=f"{{{before.keys.ns}}}:shards")]

    after: Store = await reopen(3)
    assert (await after.shard_of(AGENTS[0])).number == 0
    assert unmarked(run) == run
    assert await asks.look(after, asked.id) == asked
    drawn = {f"agent {n}": (await after.shard_of(f"agent {n}")).number for n in range(40)}
    assert set(drawn.values()) == {0, 1, 2}
    assert await after.brakes.standing() == [stop]
    held = await after.runs.load(await run_in(after, 2))
    assert held
    assert held.brake == stop

    more: Store = await reopen(5)
    assert {name: (await more.shard_of(name)).number for name in drawn} == drawn, "who has a shard stays there"
    later = {(await more.shard_of(f"later {n}")).number for n in range(80)}
    assert later == {0, 1, 2, 3, 4}, "and new ones fill the new"
    await pull(more, "resume")
    for key in ("k1", "k2"):
        await more.access.revoke_key(key)


async def test_fewer_shards_than_there_are_are_refused_with_the_way_out(reopen: Callable[..., Any]) -> None:
    three: Store = await reopen(3)
    for own in (1, 2):
        few = Store(connect_of(three), ns=three.keys.ns, shards=own)
        said = await few.settle_shards(grow=True)
        assert said.startswith(f"this store has 3 shards, and ANDON_SHARDS is {own}")
        assert "set ANDON_SHARDS=3" in said
        await few._pipe.close()


def connect_of(store: Store) -> Any:
    return store._client


async def test_a_command_lets_the_store_grow_no_more_than_a_look_would(reopen: Callable[..., Any]) -> None:
    one: Store = await reopen(1)
    await reopen(3, grow=False)
    assert await one._pipe.call("GET", one.keys.shards) is None


async def test_a_process_that_knows_of_fewer_shards_confirms_no_stop_and_places_nobody(
    reopen: Callable[..., Any],
) -> None:
    """It was there before the store grew, and would leave a shard out."""
    old: Store = await reopen(1)
    new: Store = await reopen(3)
    allowed = await allowed_in(new, 2)
    with pytest.raises(StoreUnavailable, match="start it again"):
        await pull(old, "stop")
    with pytest.raises(StoreUnavailable, match="start it again"):
        await old.shard_of("somebody new")
    assert (await pull(new, "stop")).word == "stands"
    assert await claim(new, allowed) == "braked"
    await pull(new, "resume")


async def test_an_agent_in_a_shard_that_a_process_does_not_know_is_told_so(reopen: Callable[..., Any]) -> None:
    two: Store = await reopen(2)
    four: Store = await reopen(4)
    placed = {f"agent {n}": (await four.shard_of(f"agent {n}")).number for n in range(30)}
    for agent, shard in placed.items():
        if shard < 2:
            assert (await two.shard_of(agent)).number == shard
        else:
            with pytest.raises(StoreUnavailable, match="start it again"):
                await two.shard_of(agent)
            with pytest.raises(StoreUnavailable, match="start it again"):
                await two.grants.standing(agent)


async def test_with_one_shard_nothing_but_what_there_was_is_written(
    reopen: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one byte: the commands that a round of everything sends name no key that is new."""
    sent: set[str] = set()
    run, call = Pipe.run, Pipe.call

    def noted(self: Pipe, script: Script, keys: tuple[str, ...], *args: Any) -> Any:
        sent.update(keys)
        return run(self, script, keys, *args)

    def called(self: Pipe, *command: Any) -> Any:
        sent.update(str(part) for part in command[1:2])
        return call(self, *command)

    one: Store = await reopen(1)
    monkeypatch.setattr(Pipe, "run", noted)
    monkeypatch.setattr(Pipe, "call", called)
    await run_in(one, 0)
    asked = await allowed_in(one, 0)
    assert (await one.shard_of("somebody")).number == 0
    assert mark_of(asked.id) == ""
    await pull(one, "stop")
    await pull(one, "resume")
    monkeypatch.undo()
    names = [key async for key in one._client.scan_iter(match=f"{{{one.keys.ns}*")]
    assert {key for key in sent if key.endswith((":shards", ":agents"))} == {one.keys.shards}, "read, and never written"
    assert not [key for key in names if key.endswith((b":shards", b":agents")) or b":1}" in key]
    lifted = await one._pipe.call("HKEYS", one.keys.brakes_lifted)
    assert not [field for field in lifted if field.startswith(b"upto")]


# --- what spans shards ---


_places = st.tuples(st.integers(0, 5), st.text("ab", max_size=3))


@settings(max_examples=60)
@given(
    lists=st.lists(
        st.sets(st.tuples(st.integers(0, 5), st.text("ab", max_size=3)), max_size=12), min_size=1, max_size=4
    ),
    limit=st.integers(1, 7),
    newest_first=st.booleans(),
)
def test_pages_lose_and_repeat_nothing(lists: list[set[Place]], limit: int, newest_first: bool) -> None:
    whole = sorted(set[Place]().union(*lists), reverse=newest_first)
    parts = [each - set[Place]().union(*lists[:n]) for n, each in enumerate(lists)]  # an id is in one shard alone
    read, after = list[Place](), None
    while True:
        left = [[p for p in part if after is None or (p < after if newest_first else p > after)] for part in parts]
        asked = [sorted(part, reverse=newest_first) for part in left]
        page, after = merged([each[: limit + 1] for each in asked], limit, newest_first=newest_first)
        read += page
        assert len(page) <= limit
        if after is None:
            break
    assert read == whole


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_the_inbox_and_the_history_are_paged_over_all_shards(spread: Store, limit: int) -> None:
    for number in range(20):
        await opened_in(spread, number % SHARDS, timeout_s=3600 - 7 * (number % 5))
    for verb, key in (
        (spread.handoffs.urgent, lambda h: (h.expires_at, h.id)),
        (spread.handoffs.latest, lambda h: (h.opened_at, h.id)),
    ):
        read, after = list[Handoff](), None
        while True:
            page, after = await verb(after, limit)
            read += page
            if after is None:
                break
        assert len({each.id for each in read}) == len(read) == 20
        assert read == sorted(read, key=key, reverse=verb == spread.handoffs.latest)
    assert await spread.handoffs.pending() == 20


async def test_timers_and_lists_span_shards(spread: Store) -> None:
    asked = []
    for shard in range(SHARDS):
        asked.append(await opened_in(spread, shard))
        await asks.pass_time(spread, 1)
    now = await spread.now()
    assert await spread.handoffs.due(now) == []
    assert await spread.handoffs.next_due() == min(each.expires_at for each in asked)
    assert set(await spread.handoffs.due(now + timedelta(hours=1))) == {each.id for each in asked}
    assert [run.id for run in await spread.runs.bound("paper", "ops", 2)] == [asked[2].run, asked[1].run]
    for each in asked:
        await asks.make_due(spread, each.id)
        assert (await spread.handoffs.expire(await asks.look(spread, each.id), asks.silent(each))).word == "won"
    assert await spread.handoffs.pending() == 0


async def test_a_shard_that_is_away_holds_up_no_other_s_timers(spread: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [await opened_in(spread, shard) for shard in range(SHARDS)]
    call = spread._pipe.call

    def broken(*command: Any) -> Any:
        if str(command[1:2]).count(f"{{{spread.shards[1].keys.ns}}}"):
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.set_exception(StoreUnavailable("it fails over"))
            return future
        return call(*command)

    later = await spread.now() + timedelta(hours=1)
    monkeypatch.setattr(spread._pipe, "call", broken)
    assert set(await spread.handoffs.due(later)) == {asked[0].id, asked[2].id}
    with pytest.raises(StoreUnavailable):
        await spread.handoffs.urgent(None, 10)  # a list with a part left out would be a lie


async def test_runs_of_a_shard_that_was_away_get_their_time_again_and_no_others(spread: Store) -> None:
    """Guard: what was sent to this process meanwhile could not be written there."""

    async def heard_for_ms(shard: int) -> int:
        since = await spread._pipe.call("HGET", spread.shards[shard].keys.beats_watch, "since")
        return round((await spread.now()).timestamp() * 1000) - int(since)

    await spread.beats.watch()
    for shard in spread.shards:
        await spread._pipe.call("HINCRBY", shard.keys.beats_watch, "since", -60_000)
    with away(spread, 1):
        assert await spread.beats.expected() is False
    await spread.beats.watch()
    assert [await heard_for_ms(shard) >= 60_000 for shard in range(SHARDS)] == [True, False, True]
    await spread.beats.watch()
    assert await heard_for_ms(1) < 60_000


async def test_numbers_are_of_all_shards_and_a_brake_is_one(spread: Store) -> None:
    for shard in range(SHARDS):
        await opened_in(spread, shard)
        await spread.shards[shard].outbox.join("paper")
    await pull(spread, "stop")
    await pull(spread, "pause", wire.BrakeScope(run=await run_in(spread, 2)))
    found = await spread.vitals.count()
    assert (found.open, found.kept, found.brakes, found.run_brakes) == (SHARDS, SHARDS, 2, 1)
    (queue,) = found.queues
    assert (queue.name, queue.waiting >= 2 * SHARDS) == ("cards:paper", True)


async def test_a_notice_is_found_by_its_id_in_the_shard_that_told_it(spread: Store) -> None:
    for shard in range(SHARDS):
        run = await spread.runs.load(await run_in(spread, shard))
        assert run
        assert await spread.runs.notice(run, wire.Notice(text=f"from {shard}"), "key", NO_LIMITS) == ("told", 0)
        await spread.shards[shard].outbox.join("paper")
        read = await spread.shards[shard].outbox.read("paper", "r", limit=10, wait=timedelta(seconds=1))
        told = await spread.runs.told(read[-1].kind)
        assert told
        assert (told.text, told.id) == (f"from {shard}", read[-1].kind)
    assert {told.text for told in await spread.runs.notices(10)} == {f"from {shard}" for shard in range(SHARDS)}


async def test_trust_of_several_agents_is_counted_together_and_starts_over_everywhere(spread: Store) -> None:
    ramp, key = "default|tool=send", ramp_id("default|tool=send")
    for shard in range(SHARDS):
        asked = await allowed_in(spread, shard)
        await claim(spread, asked)
        report = wire.OutcomeReport(status="executed", claimant="try")
        said = await spread.handoffs.outcome(asked.id, asked.agent, report, ramp=ramp)
        assert said.word == "recorded"
        own = spread.shards[shard].keys.trust(key)
        await spread._pipe.call("HSET", own, "good", shard + 1, "at", 1000 + shard, "ramp", ramp)
        await spread._pipe.call("PEXPIRE", own, 60_000)
        await spread._pipe.call("ZADD", spread.shards[shard].keys.trusts, 1000, ramp)
        await spread._pipe.call("PEXPIRE", spread.shards[shard].keys.trusts, 60_000)
    assert await spread.trust.counts([ramp]) == {ramp: 1 + 2 + 3}
    assert [(each.id, each.good) for each in await spread.trust.all()] == [(key, 6)]
    assert await spread.shards[1].trust.reset(key, "mira@example.com"), "as a no in one of them does"
    assert await spread.trust.counts([ramp]) == {}
    assert [await spread._pipe.call("HGET", each.keys.trust(key), "good") for each in spread.shards] == [b"0"] * SHARDS
    assert await spread.trust.reset(key, "mira@example.com")
    assert not await spread.trust.reset("tr_nobody", "mira@example.com")
