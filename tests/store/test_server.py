"""What the server must be like, and what happens when it is not: a full one, an unsafe one, one that is not there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from andon import wire
from bot.errors import StoreUnavailable
from bot.handoff import State
from bot.store import Store, connect
from tests.store import asks

Configure = Callable[[str, str], Awaitable[None]]


@pytest.fixture
async def configure(store: Store) -> AsyncIterator[Configure]:
    """Change a setting of the server for this test."""
    before: dict[str, str] = {}

    async def change(name: str, value: str) -> None:
        _, value_before = await store._pipe.call("CONFIG", "GET", name)
        before.setdefault(name, value_before.decode())
        await store._client.config_set(name, value)

    yield change
    for name, value in before.items():
        await store._client.config_set(name, value)


async def test_a_server_as_it_should_be_has_no_fault(store: Store, configure: Configure) -> None:
    await configure("appendfsync", "always")
    assert await store.faults(embedded=False) == []


@pytest.mark.parametrize(
    "setting, fatal, says",
    [
        (("maxmemory-policy", "allkeys-lru"), True, "CONFIG SET maxmemory-policy noeviction"),
        (("appendonly", "no"), True, "CONFIG SET appendonly yes"),
        (("appendfsync", "everysec"), True, "CONFIG SET appendfsync always"),
        (("hash-max-listpack-value", "64"), False, "CONFIG SET hash-max-listpack-value 4096"),
    ],
)
async def test_an_unsafe_setting_is_found_and_the_remedy_named(
    store: Store, configure: Configure, setting: tuple[str, str], fatal: bool, says: str
) -> None:
    await configure("appendfsync", "always")
    await configure(*setting)
    (fault,) = await store.faults(embedded=False)
    assert fault.fatal is fatal
    assert says in fault.detail


async def test_a_server_that_is_not_there_is_one_fault_and_every_call_says_so(tmp_path: Path) -> None:
    async with Store(connect(f"unix://{tmp_path}/nobody")) as store:
        (fault,) = await store.faults(embedded=False)
        assert fault.fatal
        assert "does not answer" in fault.detail
        with pytest.raises(StoreUnavailable, match="repeating the call is safe"):
            await store.handoffs.load("hf_1")


async def test_a_full_server_decides_nothing_and_drops_nothing(store: Store, configure: Configure) -> None:
    """F6: unknown is not approved; nothing is half written, and all can still be read."""
    asked = await asks.opened(store)
    told = await store._pipe.call("XLEN", store.keys.events)
    await configure("maxmemory", "1")
    with pytest.raises(StoreUnavailable, match="OutOfMemory"):
        await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")
    with pytest.raises(StoreUnavailable, match="OutOfMemory"):
        await store.handoffs.open(asks.new_handoff(), asks.NO_LIMITS)
    found = await asks.look(store, asked.id)
    assert (found.state, found.decision) == (State.PENDING, None)
    assert await store._pipe.call("XLEN", store.keys.events) == told
    await store._client.config_set("maxmemory", "0")
    assert (await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")).word == "won"


async def test_one_refused_command_does_not_spoil_the_others_of_its_batch(store: Store) -> None:
    asked = await asks.opened(store)
    bad, good = store._pipe.call("HGETALL", asks.own(store).keys.due), store.handoffs.load(asked.id)
    with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
        await bad
    found = await good
    assert found
    assert found.id == asked.id


async def test_what_is_past_every_retention_leaves_the_index(store: Store) -> None:
    asked = await asks.opened(store)
    await store.handoffs.sweep(await store.now())
    assert await store._pipe.call("ZCARD", asks.own(store).keys.index) == 1
    await store.handoffs.sweep(await store.now() + timedelta(days=60))
    assert await store._pipe.call("ZCARD", asks.own(store).keys.index) == 0
    assert await store.handoffs.load(asked.id), "the index is no more than a list of names"


async def test_everything_of_a_handoff_has_a_lifetime(store: Store) -> None:
    """From the moment it is opened: time to answer and retention, then retention."""
    asked = await asks.opened(store)
    key = asks.own(store).keys.handoff(asked.id)
    assert await store._pipe.call("PTTL", key) > timedelta(days=30) / timedelta(milliseconds=1)
    await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")
    left = await store._pipe.call("PTTL", key)
    assert 0 < left <= timedelta(days=30) / timedelta(milliseconds=1)


async def test_due_ones_come_most_overdue_first(store: Store) -> None:
    first, second, later = [await asks.opened(store) for _ in range(3)]
    now = await store.now()
    await asks.make_due(store, second.id, now - timedelta(seconds=1))
    await asks.make_due(store, first.id, now - timedelta(seconds=9))
    assert await store.handoffs.due(now) == [first.id, second.id]
    assert await store.handoffs.due(now, limit=1) == [first.id]
    assert later.id in await store.handoffs.due(now + timedelta(days=1))


async def test_the_policy_that_was_taken_last_is_kept_with_its_text(store: Store) -> None:
    assert await store.loaded.last() == ("", "")
    await store.loaded.keep("0123456789ab", "rules: []\n# für später\n")
    assert await store.loaded.last() == ("0123456789ab", "rules: []\n# für später\n")


async def test_a_version_that_was_kept_without_a_text_is_read(store: Store) -> None:
    """As it was kept before."""
    await store._pipe.call("SET", store.keys.policy, "0123456789ab")
    assert await store.loaded.last() == ("0123456789ab", "")


async def test_a_checkpoint_is_versioned_and_its_own_agent_s(store: Store) -> None:
    await asks.start_run(store)
    save = wire.CheckpointSave(name="plan", state={"n": 1})
    assert await store.runs.checkpoint(asks.RUN) is None
    first = wire.CheckpointReceipt(run=asks.RUN, version=1)
    assert await store.runs.save_checkpoint(asks.RUN, asks.AGENT, save, "s1") == ("saved", 1, first)
    assert await store.runs.save_checkpoint(asks.RUN, asks.AGENT, save, "s1") == ("saved", 1, first)
    assert await store.runs.save_checkpoint(asks.RUN, "other", save, "s2") == ("gone", 0, None)
    moved = wire.CheckpointSave(name="plan", if_version=0)
    assert await store.runs.save_checkpoint(asks.RUN, asks.AGENT, moved, "s3") == ("moved", 1, None)
    second = wire.CheckpointReceipt(run=asks.RUN, version=2)
    assert await store.runs.save_checkpoint(asks.RUN, asks.AGENT, save, "s4") == ("saved", 2, second)
