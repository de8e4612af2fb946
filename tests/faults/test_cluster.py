"""F5: a Cluster's primary dies, or a slot moves to another one, while people decide."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from redis.crc import key_slot
from redis.exceptions import ResponseError

from bot.store import Store, topology
from bot.store.topology import Home
from tests.faults.confirmed import Load, lost, told_twice
from tests.faults.topology import Cluster, Node, cluster
from tests.servers import until
from tests.store import asks

_MANY = 30


async def _grown(load: Load, count: int) -> None:
    async def enough() -> bool:
        return len(load.history) >= count

    await until(enough, within_s=60, what=f"{count} decisions were confirmed")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often servers said that a key is elsewhere."""
    counts: Counter[str] = Counter()
    again = Home.again

    async def listening(self: Home, commands: Sequence[tuple[Any, ...]], replies: list[Any]) -> list[int]:
        counts.update(said.status_code for said in replies if isinstance(said, ResponseError) and said.status_code)
        return await again(self, commands, replies)

    monkeypatch.setattr(Home, "again", listening)
    return counts


def namespace_on(there: Cluster, number: int) -> str:
    """A namespace whose slot is in that third of the Cluster."""
    return next(ns for ns in map("ns{}".format, range(1_000)) if key_slot(ns.encode()) * 3 // 16_384 == number)


async def test_the_owner_of_the_slot_dies_and_its_replica_goes_on_with_all_that_was_confirmed() -> None:
    async with cluster(replicas=2) as there:
        ns = namespace_on(there, 0)
        async with Store(topology(there.url, replicated=True), ns=ns) as store:
            load = Load(store)
            await _grown(load, _MANY)
            there.primaries[0].kill()
            await _grown(load, len(load.history) + _MANY)
            history = await load.end()
            assert (await there.owner(key_slot(ns.encode()))) in there.replicas
            assert history.unconfirmed or store.troubled_at, "the fault was met"
            assert await lost(history, store) == []
            assert await told_twice(history, store) == []


async def move(slot: int, source: Node, target: Node, others: list[Node], *, pause: asyncio.Event) -> None:
    """As `valkey-cli --cluster reshard` does it; in the middle it waits for `pause`."""
    source_id, target_id = [str(await each.call("CLUSTER", "MYID")) for each in (source, target)]
    await target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    await source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    moved = False
    while keys := await source.call("CLUSTER", "GETKEYSINSLOT", slot, 20):
        await source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
        if not moved:
            await pause.wait()
        moved = True
    for each in (target, source, *others):
        await each.call("CLUSTER", "SETSLOT", slot, "NODE", target_id)


async def test_a_slot_that_moves_while_people_decide_loses_and_doubles_nothing(heard: Counter[str]) -> None:
    async with cluster() as there:
        source, target, other = there.primaries
        ns = namespace_on(there, 0)
        async with Store(topology(there.url), ns=ns) as store:
            load = Load(store)
            await _grown(load, _MANY)
            half_way = asyncio.Event()
            moving = asyncio.create_task(move(key_slot(ns.encode()), source, target, [other], pause=half_way))

            async def is_asked_elsewhere() -> bool:
                """Some have moved and some have not, and each is found where it is."""
                known = list(load.history.decided)
                found = await asyncio.gather(*(store.handoffs.load(each) for each in known))
                assert [each.id for each in found if each] == known
                return bool(heard["ASK"] and heard["TRYAGAIN"])

            await until(is_asked_elsewhere, within_s=30, what="keys are asked for in their new place")
            half_way.set()
            await moving
            await _grown(load, len(load.history) + _MANY)
            assert heard["MOVED"]
            assert await there.owner(key_slot(ns.encode())) is target

            heard.clear()  # and on at one stroke, as Valkey 9 moves slots
            slot, other_id = key_slot(ns.encode()), await other.call("CLUSTER", "MYID")
            await target.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", other_id)

            async def has_moved() -> bool:
                return await there.owner(slot) is other and bool(heard["MOVED"])

            await until(has_moved, within_s=30, what="the slot moves at one stroke")
            await _grown(load, len(load.history) + _MANY)
            history = await load.end()
            assert not heard["TRYAGAIN"]
            assert await lost(history, store) == []
            assert await told_twice(history, store) == []


async def test_two_namespaces_of_one_store_live_on_different_servers() -> None:
    """A shard's pipe goes to its own slot's owner."""
    async with cluster() as there:
        servers = topology(there.url)
        for number in range(3):
            async with Store(servers, ns=namespace_on(there, number)) as store:
                asked = await asks.opened(store)
                assert (await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")).word == "won"
                assert await there.primaries[number].call("DBSIZE") > 0
