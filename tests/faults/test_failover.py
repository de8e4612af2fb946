"""F4: the primary dies, or is cut off from everybody but this process, under load: what was confirmed stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from redis.asyncio.connection import ConnectionPool

from bot.store import Store, Topology, connect, topology
from bot.store.urls import Address
from tests.faults.confirmed import History, Load, lost, told_twice
from tests.faults.topology import Node, Trio, trio
from tests.servers import until

Fault = Literal["kill", "abort", "swallow"]
_MANY = 30


@contextmanager
def on_the_primary_s_side(servers: Topology, there: Trio) -> Iterator[None]:
    """This process reaches the primary past the network that fails; the sentinels only know the address behind it."""
    plain = servers._at

    def at(address: Address) -> ConnectionPool:
        return plain((address[0], there.primary.port if address[1] == there.network.port else address[1]))

    servers._at = at  # type: ignore[method-assign]  # the fault is that two paths differ
    yield


async def fail_over(there: Trio, fault: Fault, *, replicated: bool, many: int = _MANY) -> tuple[History, Node]:
    """Load, the fault, the failover, and more load; the history, and the primary that stands now."""
    servers = topology(there.url, replicated=replicated)
    with on_the_primary_s_side(servers, there):
        async with Store(servers) as store:
            load = Load(store)
            await _grown(load, many)
            if fault == "kill":
                there.primary.kill()
            else:
                there.network.turn(fault)
            primary = await there.failed_over()
            await _grown(load, len(load.history) + many)
            history = await load.end()
    return history, primary


async def _grown(load: Load, count: int) -> None:
    async def enough() -> bool:
        return len(load.history) >= count

    await until(enough, within_s=60, what=f"{count} decisions were confirmed")


@pytest.mark.parametrize("fault", ["kill", "abort", "swallow"])
async def test_what_a_replica_confirmed_is_not_lost_in_a_failover(fault: Fault) -> None:
    async with trio() as there:
        history, primary = await fail_over(there, fault, replicated=True)
        assert primary is not there.primary, "another one stands"
        async with Store(connect(primary.url)) as store:
            assert await lost(history, store) == []
            assert await told_twice(history, store) == []


@pytest.mark.soak
@pytest.mark.parametrize("number", range(30))
async def test_no_failover_of_thirty_loses_what_was_confirmed(number: int) -> None:
    faults: tuple[Fault, ...] = ("kill", "abort", "swallow")
    async with trio() as there:
        history, primary = await fail_over(there, faults[number % 3], replicated=True, many=_MANY * 10)
        async with Store(connect(primary.url)) as store:
            assert await lost(history, store) == []
            assert await told_twice(history, store) == []


@pytest.mark.parametrize("fault", ["abort", "swallow"])
async def test_the_guard_is_the_wait_for_a_replica_without_it_confirmed_decisions_are_lost(fault: Fault) -> None:
    """The same fault with durability `local`: this is what the docs say of it, and what proves the test above."""
    async with trio() as there:
        history, primary = await fail_over(there, fault, replicated=False)
        async with Store(connect(primary.url)) as store:
            assert len(await lost(history, store)) >= _MANY // 2
