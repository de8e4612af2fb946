"""Whether a decision arrived: noted once, never before it, never after it mattered; and who is told that it did not."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from andon import wire
from bot.handoff import Handoff, State
from bot.store import Store
from tests.store import asks

MINUTE = timedelta(minutes=1)


async def decided(store: Store, verdict: Any = asks.yes, ask: wire.Confirmation | None = None) -> Handoff:
    asked = await asks.opened(store, ask)
    assert (await store.handoffs.answer(asked, verdict(asked), answer_id="a")).word == "won"
    return await asks.look(store, asked.id)


async def waits(store: Store, handoff_id: str) -> bool:
    return await asks.own(store).pipe.call("ZSCORE", asks.own(store).keys.undelivered, handoff_id) is not None


async def overdue(store: Store, handoff: Handoff) -> str:
    return await store.arrivals.unreached(handoff, "It did not ask.", again=False, due=True)


async def events(store: Store, handoff_id: str) -> list[str]:
    raw = await asks.own(store).pipe.call("XRANGE", asks.own(store).keys.events, "-", "+")
    found = [{f[i]: f[i + 1] for i in range(0, len(f), 2)} for _, f in raw]
    return [each[b"e"].decode() for each in found if each[b"h"].decode() == handoff_id]


async def test_a_decision_is_noted_as_delivered_once(store: Store) -> None:
    asked = await decided(store)
    assert await store.arrivals.delivered(asked.id, "poll") == "marked"
    assert await store.arrivals.delivered(asked.id, "callback") == "known"
    now = await asks.look(store, asked.id)
    assert now.received
    assert (now.received.how, now.state) == ("poll", State.DECIDED)
    assert await events(store, asked.id) == ["opened", "decided", "delivered"]
    assert not await waits(store, asked.id)


@pytest.mark.parametrize("state", [State.PENDING, State.HELD])
async def test_guard_nothing_is_delivered_before_it_is_decided(store: Store, state: State) -> None:
    """I12: a card never says more than the store, and the store knows of no decision yet."""
    asked = await asks.opened(store)
    if state is State.HELD:
        await asks.hold(store)
    assert await store.arrivals.delivered(asked.id, "poll") == "open"
    assert await store.arrivals.unreached(asked, "HTTP 500", again=True) == "open"
    now = await asks.look(store, asked.id)
    assert (now.state, now.received, now.missed) == (state, None, None)
    assert not {"delivered", "unreached"} & set(await events(store, asked.id))


@pytest.mark.parametrize("closed", [False, True])
async def test_guard_a_mark_that_comes_after_the_agent_acted_changes_nothing(store: Store, closed: bool) -> None:
    asked = await decided(store)
    await store.handoffs.claim(asked.id, asks.AGENT, digest=asked.digest, claimant="c", max_age=asks.DECISION_AGE)
    if closed:
        report = wire.OutcomeReport(status="executed", claimant="c")
        assert (await store.handoffs.outcome(asked.id, asks.AGENT, report)).word == "recorded"
    before, told = await asks.look(store, asked.id), await events(store, asked.id)
    assert await store.arrivals.delivered(asked.id, "poll") == "over"
    assert await store.arrivals.unreached(asked, "HTTP 500", again=True) == "over"
    assert await asks.look(store, asked.id) == before
    assert await events(store, asked.id) == told
    assert before.delivered == wire.Delivered(at=before.claim.at, how="claim") if before.claim else False


async def test_race_two_processes_note_it_once(store: Store) -> None:
    for _ in range(50):
        asked = await decided(store)
        said = await asyncio.gather(*(store.arrivals.delivered(asked.id, "poll") for _ in range(4)))
        assert sorted(said) == ["known", "known", "known", "marked"]
        assert (await events(store, asked.id)).count("delivered") == 1


async def test_race_two_processes_tell_once_that_it_did_not_arrive(store: Store) -> None:
    for _ in range(50):
        asked = await decided(store)
        await asks.make_overdue(store, asked.id)
        said = await asyncio.gather(*(overdue(store, asked) for _ in range(4)))
        assert sorted(said) == ["marked", "over", "over", "over"]
        assert (await events(store, asked.id)).count("unreached") == 1


async def test_race_of_a_delivery_and_its_timer_ends_delivered(store: Store) -> None:
    for _ in range(50):
        asked = await decided(store)
        await asks.make_overdue(store, asked.id)
        await asyncio.gather(overdue(store, asked), store.arrivals.delivered(asked.id, "poll"), overdue(store, asked))
        now = await asks.look(store, asked.id)
        assert (bool(now.received), now.missed, now.unreached) == (True, None, None)
        assert not await waits(store, asked.id)


async def test_after_a_minute_it_counts_as_not_reached_since_it_was_decided(store: Store) -> None:
    asked = await decided(store)
    assert asked.decision
    score = await asks.own(store).pipe.call("ZSCORE", asks.own(store).keys.undelivered, asked.id)
    assert float(score) == (asked.decision.at + MINUTE).timestamp() * 1000
    assert await overdue(store, asked) == "early"
    since = await asks.make_overdue(store, asked.id)
    assert await store.arrivals.due(await store.now()) == [asked.id]
    assert await overdue(store, asked) == "marked"
    now = await asks.look(store, asked.id)
    assert now.unreached
    assert (now.unreached.why, now.unreached.again) == ("It did not ask.", False)
    assert abs(now.unreached.since - since) < timedelta(milliseconds=2)
    assert await store.arrivals.next_due() is None


async def test_a_later_delivery_clears_it(store: Store) -> None:
    asked = await decided(store)
    assert await store.arrivals.unreached(asked, "HTTP 500", again=True) == "marked"
    assert await store.arrivals.delivered(asked.id, "callback") == "marked"
    now = await asks.look(store, asked.id)
    assert (now.missed, now.unreached) == (None, None)
    assert await store.arrivals.unreached(asked, "HTTP 500", again=True) == "delivered"
    assert (await asks.look(store, asked.id)).missed is None


async def test_a_claim_clears_it(store: Store) -> None:
    asked = await decided(store)
    await store.arrivals.unreached(asked, "HTTP 500", again=True)
    await store.handoffs.claim(asked.id, asks.AGENT, digest=asked.digest, claimant="c", max_age=asks.DECISION_AGE)
    now = await asks.look(store, asked.id)
    assert now.unreached is None
    assert now.delivered


async def test_since_when_stays_and_why_is_the_latest(store: Store) -> None:
    asked = await decided(store)
    await store.arrivals.unreached(asked, "HTTP 500", again=True)
    first = (await asks.look(store, asked.id)).unreached
    assert await store.arrivals.unreached(asked, "HTTP 500", again=True) == "known"
    assert await store.arrivals.unreached(asked, "The endpoint\n was disabled", again=True) == "marked"
    later = (await asks.look(store, asked.id)).unreached
    assert first
    assert later == first.model_copy(update={"why": "The endpoint was disabled"})
    assert asked.decision
    assert first.since == asked.decision.at
    assert (await events(store, asked.id)).count("unreached") == 2


async def test_a_stopped_run_is_not_blamed_for_not_asking_until_it_may_go_on(store: Store) -> None:
    asked = await decided(store)
    await asks.hold(store)
    await asks.make_overdue(store, asked.id)
    assert await overdue(store, asked) == "stopped"
    assert (await asks.look(store, asked.id)).missed is None
    await asks.pull(store, "resume")
    assert await overdue(store, asked) == "early", "it has a whole minute again"
    since = await asks.make_overdue(store, asked.id)
    assert await overdue(store, asked) == "marked"
    now = (await asks.look(store, asked.id)).unreached
    assert now
    assert abs(now.since - since) < timedelta(milliseconds=2)


async def test_an_ended_run_is_not_waited_for(store: Store) -> None:
    asked = await decided(store)
    await asks.pull(store, "abort")
    await asks.make_overdue(store, asked.id)
    assert await overdue(store, asked) == "over"
    assert not await waits(store, asked.id)


async def test_who_is_expected_to_come(store: Store) -> None:
    """Silence and a no are for the agent to hear too; what it took back itself, or may let stand, is not."""
    after = asks.confirmation(timing="after")
    expected = {
        "approved": await decided(store),
        "rejected": await decided(store, asks.no),
        "kept": await decided(store, ask=after),
        "to be undone": await decided(store, asks.no, after),
    }
    silent, withdrawn, aborted, nowhere = [await asks.opened(store) for _ in range(4)]
    await asks.make_due(store, silent.id)
    await store.handoffs.expire(silent, asks.silent(silent))
    expected["expired"] = silent
    by = wire.Actor(kind="service", id="andon", name="Andon")
    said = {"by": by, "at": asks.now(), "revision": 1, "message_for_agent": "It ended."}
    await store.handoffs.withdraw(withdrawn, asks.withdrawn(withdrawn))
    await store.handoffs.withdraw(aborted, wire.Aborted.model_validate(said))
    await store.handoffs.withdraw(nowhere, wire.Undeliverable.model_validate({**said, "reason": "No such channel."}))
    expected |= {"withdrawn": withdrawn, "aborted": aborted, "undeliverable": nowhere}
    found = {name for name, each in expected.items() if await waits(store, each.id)}
    assert found == {"approved", "rejected", "to be undone", "expired", "undeliverable"}
    for each in (withdrawn, aborted):
        assert await store.arrivals.unreached(each, "HTTP 500", again=True) == "over"


async def test_an_outcome_without_a_claim_ends_the_waiting(store: Store) -> None:
    asked = await decided(store, asks.no, asks.confirmation(timing="after"))
    await store.arrivals.unreached(asked, "It did not ask.", again=False)
    assert (await store.handoffs.outcome(asked.id, asks.AGENT, wire.OutcomeReport(status="undone"))).word == "recorded"
    assert not await waits(store, asked.id)
    assert (await asks.look(store, asked.id)).unreached is None


async def test_what_was_decided_as_it_was_opened_was_carried_by_the_reply(store: Store) -> None:
    await asks.start_run(store)
    new = asks.new_handoff()
    rule = wire.Actor(kind="policy", id="p1", name="policy p1")
    no = wire.Rejected(by=rule, at=asks.now(), revision=1, reason="no", message_for_agent="No.")
    assert (await store.handoffs.open(replace(new, decision=no), asks.NO_LIMITS)).word == "opened"
    asked = await asks.look(store, new.id)
    assert not await waits(store, asked.id)
    assert not asked.awaits_delivery
    assert await store.arrivals.unreached(asked, "HTTP 500", again=True) == "over"


async def test_the_timer_of_one_that_is_gone_goes_too(store: Store) -> None:
    asked = await decided(store)
    await asks.own(store).pipe.call("DEL", asks.own(store).keys.handoff(asked.id))
    assert await store.arrivals.delivered(asked.id, "poll") == "gone"
    assert not await waits(store, asked.id)
