"""The flow on a store, where two processes know different things."""

import asyncio

import pytest

from andon import wire
from bot.access import Access
from bot.beats import Beats
from bot.flow import Flow
from bot.hub import Hub
from bot.metrics import Metrics
from bot.policies import Policies
from bot.runs import Runs
from bot.store import Store
from bot.timers import Timers
from tests.servers import until
from tests.store import asks

MIRA = wire.Actor(kind="person", id="mira@example.com", name="Mira", surface="api")


def process(store: Store) -> tuple[Flow, Hub]:
    """What one process has, its tail not started: it knows only what it saw itself."""
    hub, access = Hub(store), Access(store, b"s" * 32)
    metrics = Metrics(waiting=lambda: 0, streams=lambda: 0)
    return Flow(store, hub, access, Runs(store, access), Policies(), surfaces={"web"}, metrics=metrics), hub


def beats(store: Store) -> Beats:
    return Beats(store, Access(store, b"s" * 32), Metrics(waiting=lambda: 0, streams=lambda: 0))


async def test_a_repeated_answer_tells_what_stands_even_where_the_card_was_known_as_open(store: Store) -> None:
    """The same answer id with another answer, to a process that has not heard yet: the first one stands."""
    asked = await asks.opened(store)
    here, _ = process(store)
    there, hub = process(store)
    hub.recent.put(asked)
    await here.answer(asked.id, wire.Reject(revision=1, reason="no"), MIRA, answer_id="press")
    said = await there.answer(asked.id, wire.Approve(revision=1), MIRA, answer_id="press")
    assert said.decision
    assert said.decision.kind == "rejected"


async def test_an_edit_that_decides_changes_what_the_digest_covers(store: Store) -> None:
    asked = await asks.opened(store)
    flow, _ = process(store)
    said = await flow.answer(asked.id, wire.Edit(revision=1, args={"to": "bob@example.com"}), MIRA)
    assert said.payload == (await flow.look(asked.id)).payload != asked.payload


@pytest.mark.parametrize("clock", ["due", "ladder", "unreported"])
async def test_a_broken_record_stops_no_clock(store: Store, caplog: pytest.LogCaptureFixture, clock: str) -> None:
    """It stays due for ever, and nobody may have to wait for it."""
    broken, fine = await asks.opened(store), await asks.opened(store)
    await store._pipe.call("HSET", asks.own(store).keys.handoff(broken.id), "doc", "no such thing", "state", "claimed")
    await store._pipe.call("ZREM", asks.own(store).keys.due, broken.id)
    await store._pipe.call("ZADD", getattr(asks.own(store).keys, clock), 1, broken.id)
    timers = Timers(process(store)[0], store, beats(store))
    timers.start()

    async def told() -> bool:
        return any(broken.id in record.message for record in caplog.records)

    async def expired() -> bool:
        found = await store.handoffs.load(fine.id)
        return found is not None and found.decision is not None

    try:
        await until(told)
        await store._pipe.call("HSET", asks.own(store).keys.handoff(fine.id), "due_at", 1)
        await store._pipe.call("ZADD", asks.own(store).keys.due, 1, fine.id)
        await until(expired)
    finally:
        await timers.stop()
    assert len([record for record in caplog.records if broken.id in record.message]) == 1
    steps = {"due": timers._expire_due, "ladder": timers._climb_due, "unreported": timers._review_due}
    assert not await steps[clock](await store.now()), "nothing was done, so it rests before it looks again"


async def test_one_broken_handoff_holds_up_no_other_s_expiry(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The longest overdue comes first; if it cannot be read, silence must still decide the others."""
    broken, fine = await asks.opened(store), await asks.opened(store)
    for handoff, overdue_ms in ((broken, 1), (fine, 2)):
        await store._pipe.call("HSET", asks.own(store).keys.handoff(handoff.id), "due_at", overdue_ms)
        await store._pipe.call("ZADD", asks.own(store).keys.due, overdue_ms, handoff.id)
    await store._pipe.call("HSET", asks.own(store).keys.handoff(broken.id), "doc", "no such thing")
    flow, _ = process(store)
    timers = Timers(flow, store, beats(store))
    timers.start()

    async def expired() -> bool:
        found = await store.handoffs.load(fine.id)
        return found is not None and found.decision is not None

    try:
        await until(expired)
        await asyncio.sleep(0)
    finally:
        await timers.stop()
    assert any(broken.id in record.message for record in caplog.records), "and somebody is told"
