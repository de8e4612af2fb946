"""The hub on a real store: when it has caught up, its streams have everything."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot import hub as hub_module
from bot.hub import Hub
from bot.store import Store
from tests.store import asks


@pytest.fixture
async def hub(store: Store) -> AsyncIterator[Hub]:
    hub = Hub(store)
    await hub.start()
    yield hub
    await hub.stop()


async def test_once_it_has_caught_up_streams_have_what_happened_before(store: Store, hub: Hub) -> None:
    await asks.start_run(store)
    with hub.agent_stream(asks.AGENT, await store.shard_of(asks.AGENT)) as stream:
        for number in range(50):
            await asks.pull(store, "stop" if number % 2 == 0 else "resume")
            await hub.caught_up()
            assert [change.event for change in await stream.take(0)] == [("braked", "lifted")[number % 2]]


async def test_many_may_wait_for_it(store: Store, hub: Hub) -> None:
    await asks.start_run(store)
    with hub.agent_stream(asks.AGENT, await store.shard_of(asks.AGENT)) as stream:
        await asyncio.gather(*(asks.pull(store, "stop", id=f"o{n}") for n in range(5)))
        await asyncio.gather(*(hub.caught_up() for _ in range(5)))
        assert [change.event for change in await stream.take(0)] == ["braked"]


async def test_it_waits_for_nothing_that_does_not_come(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a process that cannot read the events, people still get their replies."""
    monkeypatch.setattr(hub_module, "_CATCH_UP_S", 0.05)
    await asks.start_run(store)
    await asks.pull(store, "stop")
    async with asyncio.timeout(5):
        await Hub(store).caught_up()
