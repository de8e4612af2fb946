"""Durability `replicated`: nobody hears of what no replica has. The replica is stopped, and later goes on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from bot.errors import NotConfirmed, StoreUnavailable
from bot.handoff import Change
from bot.store import Store, connect, topology
from tests.faults.topology import Node, node, replicated_pair
from tests.servers import until
from tests.store import asks

PAIR = tuple[Node, Node]


@pytest.fixture
async def pair() -> AsyncIterator[PAIR]:
    async with replicated_pair(min_replicas_to_write="1") as both:
        yield both


@pytest.fixture
async def store(pair: PAIR) -> AsyncIterator[Store]:
    async with Store(topology(pair[0].url, replicated=True)) as opened:
        await asks.start_run(opened)
        yield opened


@pytest.fixture
async def plain(pair: PAIR) -> AsyncIterator[Store]:
    """The same store, looked at by somebody who waits for no replica."""
    async with Store(connect(pair[0].url)) as opened:
        yield opened


@contextmanager
def stopped(replica: Node) -> Iterator[None]:
    """It answers nothing meanwhile, and its connections stay."""
    os.kill(replica.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(replica.pid, signal.SIGCONT)


async def test_an_answer_that_no_replica_has_is_not_confirmed_and_neither_is_its_repetition(
    store: Store, plain: Store, pair: PAIR
) -> None:
    """The repetition writes nothing: a bare WAIT after it would wait for nothing, and say that all is well (I2)."""
    before, asked = [await asks.opened(store) for _ in range(2)]
    await store.handoffs.answer(before, asks.yes(before), answer_id="p")  # the server knows the script from here on
    with stopped(pair[1]):
        for _ in range(2):
            with pytest.raises(NotConfirmed, match="repeating the call is safe"):
                await store.handoffs.answer(asked, asks.yes(asked), answer_id="press")
        async with Store(topology(pair[0].url, replicated=True)) as fresh:  # on connections that have written nothing
            with pytest.raises(NotConfirmed):
                await fresh.handoffs.answer(asked, asks.yes(asked), answer_id="press")
        assert (await asks.look(plain, asked.id)).decision, "it was written"
    said = await store.handoffs.answer(asked, asks.yes(asked), answer_id="press")
    assert said.word == "won", "the same press, once a replica has it"


async def test_what_no_replica_has_is_shown_to_nobody_who_reads(store: Store, plain: Store, pair: PAIR) -> None:
    asked = await asks.opened(store)
    with stopped(pair[1]):
        assert (await plain.handoffs.answer(asked, asks.yes(asked), answer_id="press")).word == "won"
        with pytest.raises(NotConfirmed):
            await store.handoffs.load(asked.id)
    assert (await asks.look(store, asked.id)).decision


async def test_the_tail_and_the_outbox_tell_only_of_what_a_replica_has(store: Store, plain: Store, pair: PAIR) -> None:
    asked = await asks.opened(store)
    await store.outbox.join("paper")
    told: list[Change] = []
    after = await store.feed.last_id()

    async def follow() -> None:
        async for changes in store.feed.tail(after):
            told.extend(changes)

    minute = timedelta(minutes=1)
    following = asyncio.create_task(follow())
    try:
        await store.outbox.read("paper", "me", limit=100, wait=timedelta(milliseconds=50))
        with stopped(pair[1]):
            await plain.handoffs.answer(asked, asks.yes(asked), answer_id="press")
            with pytest.raises(StoreUnavailable):
                await store.outbox.read("paper", "me", limit=100, wait=timedelta(milliseconds=50))
            assert told == []
        await until(lambda: _true(bool(told)), what="the tail goes on")
        assert [change.event for change in told] == ["decided"]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    taken = await store.outbox.take_over("paper", "other", idle=timedelta(0), limit=100)
    assert asked.id in [each.handoff for each in taken], "what was read in vain is given to the next reader"
    assert await store.outbox.take_over("paper", "other", idle=minute, limit=100) == []


async def _true(value: bool) -> bool:
    return value


async def test_a_server_that_syncs_once_a_second_is_asked_for_its_disk_and_the_replica_s(pair: PAIR) -> None:
    """WAITAOF: with `everysec`, a replica's memory alone would not survive a power cut of both."""
    primary, replica = pair
    for each in pair:
        await each.call("CONFIG", "SET", "appendfsync", "everysec")
    async with Store(topology(primary.url, replicated=True)) as store:
        assert [fault.detail for fault in await store.faults(embedded=False) if fault.fatal] == []
        await store.now()
        await replica.call("CONFIG", "SET", "appendonly", "no")
        with pytest.raises(NotConfirmed):
            await store.now()


async def test_without_any_replica_a_server_refuses_and_everybody_is_told_that_nothing_is_confirmed() -> None:
    async with node(min_replicas_to_write="1") as alone, Store(topology(alone.url)) as store:
        with pytest.raises(NotConfirmed, match="NOREPLICAS"):
            await asks.start_run(store)


async def test_nothing_more_is_sent_where_no_replica_is_waited_for(plain: Store, pair: PAIR) -> None:
    await asks.opened(plain)
    statistics = str(await pair[0].call("INFO", "commandstats"))
    assert "cmdstat_evalsha" in statistics
    assert not any(f"cmdstat_{name}:" in statistics for name in ("wait", "waitaof", "role"))
    assert await pair[0].call("EXISTS", plain.keys.mark) == 0


async def test_the_mark_has_a_lifetime(store: Store, pair: PAIR) -> None:
    assert 0 < await pair[0].call("PTTL", store.keys.mark) <= 86_400_000
