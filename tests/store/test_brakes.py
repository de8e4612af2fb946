"""Brakes in the store: what they hold, whom they do not, what comes back when they are lifted, and what never does."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any, Literal

import pytest

from andon import wire
from bot.handoff import Handoff, State
from bot.store import Affected, Obeyed, Settled, Store
from bot.store.records import ms_of, when
from tests.store import asks
from tests.store.asks import AGENT, NO_LIMITS, RUN, pull

OTHER_RUN, CHILD, GRANDCHILD = (f"run_{letter * 22}{asks.MARK}" for letter in "ocg")
THIS_RUN = wire.BrakeScope(run=RUN)
OPS = wire.BrakeScope(conversation=wire.Place(surface="slack", channel="C0OPS"))


async def settle(store: Store, scope: wire.BrakeScope | None = None) -> list[Affected]:
    return [each async for each in store.brakes.settle(scope)]


async def claim(store: Store, handoff: Handoff, claimant: str = "try") -> str:
    said = await store.handoffs.claim(
        handoff.id, handoff.agent, digest=handoff.digest, claimant=claimant, max_age=asks.DECISION_AGE
    )
    return said.word


async def approve(store: Store, handoff: Handoff, answer_id: str = "a") -> Settled:
    return await store.handoffs.answer(handoff, asks.yes(handoff), answer_id=answer_id)


async def decided(store: Store, run: str = RUN) -> Handoff:
    handoff = await opened(store, run)
    assert (await approve(store, handoff)).word == "won"
    return handoff


async def opened(store: Store, run: str = RUN) -> Handoff:
    new = asks.new_handoff(run=run)
    assert (await store.handoffs.open(new, NO_LIMITS)).word == "opened"
    return await asks.look(store, new.id)


async def start(store: Store, run: str, agent: str = AGENT, **given: Any) -> None:
    word, _ = await store.runs.start(run, agent, wire.RunStart(name="weekly", **given), "f", NO_LIMITS)
    assert word == "started"


async def state_of(store: Store, run: str = RUN) -> str:
    found = await store.runs.load(run)
    return found.state if found else "gone"


async def events(store: Store) -> list[str]:
    found = await store._pipe.call("XRANGE", asks.own(store).keys.events, "-", "+")
    return [fields[1].decode() for _, fields in found]


# --- what it holds ---


async def test_no_claim_answer_or_ask_passes_a_stop_even_before_anything_was_swept(store: Store) -> None:
    await asks.start_run(store)
    waiting, allowed = await opened(store), await decided(store)
    stopped = await pull(store, "stop", text="Not this list.")
    assert stopped.word == "pulled"
    assert await claim(store, allowed) == "braked"
    assert (await approve(store, waiting)).word == "held"
    said = await store.handoffs.open(asks.new_handoff(), NO_LIMITS)
    assert (said.word, said.brake) == ("braked", stopped.brake)
    assert said.brake
    assert (said.brake.action, said.brake.by, said.brake.text) == ("stop", asks.MIRA, "Not this list.")


async def test_a_permit_that_was_given_is_not_given_again_while_it_is_on(store: Store) -> None:
    """Whoever lost the reply has not acted yet."""
    await asks.start_run(store)
    allowed = await decided(store)
    assert await claim(store, allowed) == "permit"
    await pull(store, "stop")
    assert await claim(store, allowed) == "braked"
    await pull(store, "resume")
    assert await claim(store, allowed) == "permit"
    assert await claim(store, allowed, "another") == "taken"


async def test_an_outcome_is_recorded_all_the_same(store: Store) -> None:
    await asks.start_run(store)
    allowed = await decided(store)
    await claim(store, allowed)
    await pull(store, "stop")
    report = wire.OutcomeReport(status="executed", claimant="try")
    assert (await store.handoffs.outcome(allowed.id, AGENT, report)).word == "recorded"


@pytest.mark.parametrize(
    "scope, held",
    [
        (THIS_RUN, {RUN, CHILD, GRANDCHILD}),
        (wire.BrakeScope(run=CHILD), {CHILD, GRANDCHILD}),
        (OPS, {RUN, CHILD, GRANDCHILD}),
        (wire.BrakeScope(agent=AGENT), {RUN, CHILD, GRANDCHILD}),
        (wire.BrakeScope(agent="other"), {OTHER_RUN}),
        (wire.BrakeScope(everything=True), {RUN, CHILD, GRANDCHILD, OTHER_RUN}),
        (wire.BrakeScope(conversation=wire.Place(surface="teams", channel="C0OPS")), set()),
    ],
)
async def test_a_scope_holds_its_runs_and_their_children_and_no_other(
    store: Store, scope: wire.BrakeScope, held: set[str]
) -> None:
    await start(store, RUN, conversation=OPS.conversation)
    await start(store, CHILD, parent=RUN, conversation=wire.Place(surface="slack", channel="C0ELSE"))
    await start(store, GRANDCHILD, parent=CHILD)
    await start(store, OTHER_RUN, "other")
    allowed = {run: await decided(store, run) for run in (RUN, CHILD, GRANDCHILD)}
    new = asks.new_handoff(run=OTHER_RUN, agent="other")
    await store.handoffs.open(new, NO_LIMITS)
    allowed[OTHER_RUN] = await asks.look(store, new.id)
    await approve(store, allowed[OTHER_RUN])
    await pull(store, "stop", scope=scope)
    assert {run for run, handoff in allowed.items() if await claim(store, handoff) == "braked"} == held
    assert {each.run for each in await settle(store, scope)} == held
    assert {run for run in allowed if await state_of(store, run) == "held"} == held


async def test_a_run_that_starts_under_it_is_held_and_one_that_started_after_it_was_said_is_not(store: Store) -> None:
    """The platform tells late: between the words and their coming somebody began anew."""
    await start(store, RUN)
    said_at = await store.now()
    await asks.pass_time(store, 5)
    await start(store, CHILD)
    await asks.pass_time(store, 5)
    stopped = await pull(store, "stop", scope=wire.BrakeScope(agent=AGENT), said_at=said_at)
    assert stopped.word == "pulled"
    assert stopped.brake
    assert stopped.brake.said_at == said_at < stopped.brake.at
    await start(store, GRANDCHILD)
    states = [await state_of(store, run) for run in (RUN, CHILD, GRANDCHILD)]
    assert states == ["held", "running", "held"]


async def test_words_older_than_the_run_they_name_stop_nothing(store: Store) -> None:
    said_at = await store.now() - timedelta(seconds=1)
    await start(store, RUN)
    assert await pull(store, "stop", said_at=said_at) == Obeyed("old")
    assert await state_of(store) == "running"


async def test_a_run_that_is_not_there_is_gone(store: Store) -> None:
    assert await pull(store, "stop") == Obeyed("gone")
    assert await store.brakes.standing() == []


# --- repeats, and order ---


async def test_the_same_order_is_one_stop_and_gets_the_same_reply(store: Store) -> None:
    await asks.start_run(store)
    first = await pull(store, "stop", id="event 1")
    assert await pull(store, "stop", id="event 1") == first
    assert (await pull(store, "resume")).word == "lifted"
    assert await pull(store, "stop", id="event 1") == first, "an old stop that comes again does nothing"
    assert await store.brakes.standing() == []
    assert (await events(store)).count("braked") == 1


async def test_a_stop_that_was_said_before_the_resume_does_nothing_however_late_it_comes(store: Store) -> None:
    await asks.start_run(store)
    said_at = await store.now()
    await asks.pass_time(store, 5)
    await pull(store, "stop")
    await pull(store, "resume")
    assert (await pull(store, "stop", said_at=said_at)).word == "old"
    assert (await pull(store, "resume", said_at=await store.now())).word == "off"
    assert await store.brakes.standing() == []


async def test_a_resume_that_was_said_before_the_stop_lifts_nothing(store: Store) -> None:
    await asks.start_run(store)
    said_at = await store.now()
    await asks.pass_time(store, 5)
    stopped = await pull(store, "stop")
    assert await pull(store, "resume", said_at=said_at) == Obeyed("old", stopped.brake)
    assert len(await store.brakes.standing()) == 1


async def test_a_resume_lifts_only_the_brake_that_it_names(store: Store) -> None:
    await asks.start_run(store)
    first = (await pull(store, "pause")).brake
    second = (await pull(store, "stop")).brake
    assert first
    assert second
    assert second.epoch > first.epoch
    assert (await pull(store, "resume", epoch=first.epoch)).word == "old"
    assert (await pull(store, "resume", epoch=second.epoch)).word == "lifted"


async def test_a_stronger_one_takes_over_and_a_weaker_one_changes_nothing(store: Store) -> None:
    await asks.start_run(store)
    paused = (await pull(store, "pause")).brake
    stopped = (await pull(store, "stop", by=asks.ANA)).brake
    assert paused
    assert stopped
    assert (stopped.action, stopped.by, stopped.at) == ("stop", asks.ANA, paused.at), "held since the first"
    assert await pull(store, "pause") == Obeyed("stands", stopped)
    assert await pull(store, "stop") == Obeyed("stands", stopped)


async def test_two_scopes_hold_until_both_are_lifted(store: Store) -> None:
    await asks.start_run(store)
    allowed, waiting = await decided(store), await opened(store)
    await pull(store, "stop")
    await pull(store, "pause", scope=wire.BrakeScope(agent=AGENT))
    await settle(store)
    await pull(store, "resume")
    await settle(store)
    found = await asks.look(store, waiting.id)
    assert (found.state, found.brake and found.brake.action) == (State.HELD, "pause")
    assert await claim(store, allowed) == "braked"
    await pull(store, "resume", scope=wire.BrakeScope(agent=AGENT))
    await settle(store)
    assert (await asks.look(store, waiting.id)).state is State.PENDING
    assert await claim(store, allowed) == "permit"


# --- what comes back ---


async def test_what_is_held_keeps_its_time_its_votes_and_says_who_stopped_it(store: Store) -> None:
    await asks.start_run(store)
    waiting = await opened(store)
    left = waiting.expires_at - await store.now()
    stopped = await pull(store, "stop", text="Wrong list.")
    assert [each.changed for each in await settle(store)] == [True]
    held = await asks.look(store, waiting.id)
    assert (held.state, held.brake) == (State.HELD, stopped.brake)
    assert held.left_s == pytest.approx(left.total_seconds(), abs=1)
    assert waiting.id not in await store.handoffs.due(await store.now() + timedelta(days=3650))
    assert [each.id for each in (await store.handoffs.urgent(None, 10))[0]] == [waiting.id], "people still see it"
    await asks.pass_time(store, 30)
    await pull(store, "resume")
    await settle(store)
    again = await asks.look(store, waiting.id)
    assert (again.state, again.brake, again.left_s, again.stops) == (State.PENDING, None, None, 1)
    assert (again.expires_at - await store.now()).total_seconds() == pytest.approx(held.left_s or 0, abs=1)
    assert (await approve(store, again)).word == "won"
    assert await settle(store) == [Affected(waiting.id, RUN, "decided")]


async def test_what_is_held_is_read_by_the_time_that_is_left_behind_what_runs(store: Store) -> None:
    """Whatever order it was put on hold in; what an earlier version held comes last, as it was held."""
    await asks.start_run(store)
    await start(store, OTHER_RUN)
    left = {}
    for timeout_s in (600, 3600, 60):
        left[timeout_s] = (await asks.opened(store, timeout_s=timeout_s)).id
    before = (await asks.opened(store)).id
    new = asks.new_handoff(run=OTHER_RUN, timeout_s=86_400)
    await store.handoffs.open(new, NO_LIMITS)
    for each in (before, left[3600], left[60], left[600]):
        await pull(store, "stop")
        await asks.own(store).brakes._hold([(each, RUN, AGENT)], "")
        await asks.pass_time(store, 2)
    await store._pipe.call("ZADD", asks.own(store).keys.due, 10_000_000_000_000 + ms_of(await store.now()), before)

    order = [new.id, left[60], left[600], left[3600], before]
    assert [each.id for each in (await store.handoffs.urgent(None, 10))[0]] == order
    paged, place = await store.handoffs.urgent(None, 2)
    while place:
        page, place = await store.handoffs.urgent(place, 2)
        paged += page
    assert [each.id for each in paged] == order
    await pull(store, "resume")
    await settle(store)
    assert [each.id for each in (await store.handoffs.urgent(None, 10))[0]][:2] == [left[60], left[600]]


async def test_without_a_sweep_whoever_comes_finds_it_held_and_free_again(store: Store) -> None:
    await asks.start_run(store)
    waiting = await opened(store)
    await pull(store, "stop")
    assert (await approve(store, waiting, "a1")).word == "held"
    assert (await asks.look(store, waiting.id)).state is State.HELD
    await pull(store, "resume")
    assert (await approve(store, waiting, "a2")).word == "won"


async def test_what_was_due_before_the_stop_is_over_and_silence_means_no_yes(store: Store) -> None:
    await asks.start_run(store)
    waiting = await asks.opened(store, asks.confirmation(silence="approve"), silence="approve")
    await asks.make_due(store, waiting.id)
    await pull(store, "stop")
    assert [each.state for each in await settle(store)] == ["pending"]
    yes = asks.silent(await asks.look(store, waiting.id))
    assert yes.decision.kind == "approved"
    assert (await store.handoffs.expire(waiting, yes)).word == "stale"
    again = await asks.look(store, waiting.id)
    assert asks.silent(again).decision.kind == "expired"
    assert (await store.handoffs.expire(again, asks.silent(again))).word == "won"


async def test_after_a_stop_silence_approves_nothing(store: Store) -> None:
    await asks.start_run(store)
    waiting = await asks.opened(store, asks.confirmation(silence="approve"), silence="approve")
    before = asks.silent(waiting)
    await asks.hold(store)
    await pull(store, "resume")
    await settle(store)
    await asks.make_due(store, waiting.id)
    assert (await store.handoffs.expire(waiting, before)).word == "stale"
    assert asks.silent(await asks.look(store, waiting.id)).decision.kind == "expired"


async def test_the_age_of_a_decision_does_not_grow_while_it_is_stopped(store: Store) -> None:
    await asks.start_run(store)
    young, old = await decided(store), await decided(store)
    now = ms_of(await store.now())
    minute = 60_000
    for handoff, ago in ((young, 40), (old, 50)):
        await store._pipe.call("HSET", asks.own(store).keys.handoff(handoff.id), "decided_at", now - ago * minute)
    # Two stops that overlap, of 30 minutes together.
    await store._pipe.call(
        "HSET", asks.own(store).keys.brakes_lifted, f"run:{RUN}", f"{now - 35 * minute}-{now - 15 * minute} "
    )
    await store._pipe.call(
        "HSET", asks.own(store).keys.brakes_lifted, "all", f"{now - 30 * minute}-{now - 5 * minute} "
    )
    await store._pipe.call("PEXPIRE", asks.own(store).keys.brakes_lifted, minute)
    assert await claim(store, young) == "permit"
    assert await claim(store, old) == "old"


async def test_what_is_decided_and_not_claimed_says_that_it_is_stopped(store: Store) -> None:
    await asks.start_run(store)
    allowed, done = await decided(store), await decided(store)
    await claim(store, done)
    stopped = await pull(store, "stop")
    assert {(each.id, each.state, each.changed) for each in await settle(store)} == {
        (allowed.id, "decided", True),
        (done.id, "claimed", False),
    }
    assert (await asks.look(store, allowed.id)).brake == stopped.brake
    await pull(store, "resume")
    await settle(store)
    assert (await asks.look(store, allowed.id)).brake is None


# --- the end of a run ---


async def test_what_is_taken_back_while_a_stop_moves_what_waits_is_not_marked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would take the mark off again: what allows nothing is in no list of what a brake concerns."""
    monkeypatch.setattr("bot.store.brakes._AT_ONCE", 1)
    await asks.start_run(store)
    await opened(store)
    taken = await opened(store)
    await pull(store, "stop")
    settling = store.brakes.settle(THIS_RUN)
    await anext(settling)
    decision = wire.Withdrawn(by=asks.MIRA, at=await store.now(), revision=1, message_for_agent="Taken back.")
    assert (await store.handoffs.withdraw(taken, decision)).word == "won"
    assert [each.changed async for each in settling] == [False]
    assert (await asks.look(store, taken.id)).brake is None


async def test_what_was_aborted_never_goes_on(store: Store) -> None:
    await asks.start_run(store)
    allowed, waiting = await decided(store), await opened(store)
    assert (await pull(store, "abort")).word == "pulled"
    assert await claim(store, allowed) == "braked"
    assert (await approve(store, waiting)).word == "held"
    assert (await pull(store, "resume")).word == "off", "it is no stop"
    assert await claim(store, allowed) == "braked"
    assert (await store.handoffs.open(asks.new_handoff(), NO_LIMITS)).word == "braked"
    assert await state_of(store) == "aborted"
    assert await store.brakes.standing() == []


async def test_an_abort_takes_the_run_s_own_stop_along_and_stands_whatever_comes(store: Store) -> None:
    await asks.start_run(store)
    await pull(store, "stop")
    ended = (await pull(store, "abort", text="The customer left.")).brake
    assert await store.brakes.standing() == []
    again: tuple[Literal["stop", "steer", "abort"], ...] = ("stop", "steer", "abort")
    for action in again:
        assert await pull(store, action, by=asks.ANA) == Obeyed("stands", ended)
    assert await store.brakes.standing() == []


async def test_a_brake_on_a_run_that_is_gone_can_be_lifted(store: Store) -> None:
    await asks.start_run(store)
    await pull(store, "stop")
    await store._pipe.call("DEL", asks.own(store).keys.run(RUN))
    assert (await pull(store, "stop")).word == "gone"
    assert (await pull(store, "resume")).word == "lifted"
    assert await store.brakes.standing() == []


async def test_an_abort_of_all_ends_what_runs_and_not_what_starts_later(store: Store) -> None:
    await start(store, RUN)
    await pull(store, "abort", scope=wire.BrakeScope(everything=True))
    await asks.pass_time(store, 5)
    await start(store, CHILD)
    assert [await state_of(store, run) for run in (RUN, CHILD)] == ["aborted", "running"]


async def test_what_is_done_already_may_still_be_undone_after_an_abort(store: Store) -> None:
    review = await asks.opened(store, asks.confirmation(timing="after"))
    await pull(store, "abort")
    assert [each.state for each in await settle(store)] == ["pending"]
    assert (await store.handoffs.answer(review, asks.no(review), answer_id="a")).word == "won"


# --- words for the agent ---


async def test_a_steer_holds_the_run_until_its_agent_has_read_it(store: Store) -> None:
    await asks.start_run(store)
    waiting = await opened(store)
    steered = (await pull(store, "steer", text="Send it to Bob.")).brake
    assert steered
    assert steered.steer
    await settle(store)
    assert await store.brakes.heard(RUN, "other", [steered.steer]) is None
    assert await store.brakes.heard(RUN, AGENT, ["something else"]) == Obeyed("off")
    assert (await asks.look(store, waiting.id)).state is State.HELD
    assert await store.brakes.heard(RUN, AGENT, [steered.steer]) == Obeyed("lifted", steered)
    assert await store.brakes.heard(RUN, AGENT, [steered.steer]) == Obeyed("lifted", steered), "for a lost reply"
    async for _ in store.brakes.settle(THIS_RUN, steered):
        pass
    heard = (await asks.look(store, waiting.id)).heard
    assert heard
    assert (heard.text, heard.by) == ("Send it to Bob.", asks.MIRA)
    _, _, receipt = await store.runs.save_checkpoint(RUN, AGENT, wire.CheckpointSave(name="n"), "s", NO_LIMITS)
    assert receipt
    assert receipt.steers == (), "it has them already"


async def test_a_second_steer_holds_on_when_the_first_was_read(store: Store) -> None:
    await asks.start_run(store)
    first, second = [(await pull(store, "steer", text=text)).brake for text in ("One.", "Two.")]
    assert first
    assert second
    assert await store.brakes.heard(RUN, AGENT, [first.steer or ""]) == Obeyed("off")
    assert await store.brakes.heard(RUN, AGENT, [second.steer or ""]) == Obeyed("lifted", second)


async def test_reading_the_words_does_not_lift_a_stop(store: Store) -> None:
    await asks.start_run(store)
    steered = (await pull(store, "steer")).brake
    stopped = (await pull(store, "stop")).brake
    assert steered
    assert await store.brakes.heard(RUN, AGENT, [steered.steer or ""]) == Obeyed("lifted", steered)
    assert await store.brakes.standing() == [stopped]


async def test_words_under_a_stop_wait_for_the_agent(store: Store) -> None:
    await asks.start_run(store)
    await pull(store, "stop")
    assert (await pull(store, "steer", text="Send it to Bob.")).word == "stands"
    _, _, receipt = await store.runs.save_checkpoint(RUN, AGENT, wire.CheckpointSave(name="n"), "s", NO_LIMITS)
    assert receipt
    assert [steer.text for steer in receipt.steers] == ["Send it to Bob."]
    assert receipt.brake
    assert receipt.brake.action == "stop"


async def test_reading_the_words_leaves_the_pause_that_lay_below_them(store: Store) -> None:
    """Anybody may tell an agent something, and only an approver resumes."""
    await asks.start_run(store)
    allowed = await decided(store)
    paused = (await pull(store, "pause")).brake
    steered = (await pull(store, "steer", text="Go on.")).brake
    assert steered
    assert await store.brakes.heard(RUN, AGENT, [steered.steer or ""]) == Obeyed("lifted", steered)
    assert await store.brakes.standing() == [paused]
    assert await claim(store, allowed) == "braked"
    assert (await pull(store, "resume")).word == "lifted"
    assert await claim(store, allowed) == "permit"


@pytest.mark.parametrize("order", [("stop", "steer"), ("steer", "stop")])
async def test_words_that_nobody_read_still_hold_the_run_once_its_stop_is_lifted(
    store: Store, order: tuple[Literal["stop", "steer"], ...]
) -> None:
    """Else what was approved before runs, although somebody was told that the agent would read them first."""
    await asks.start_run(store)
    allowed, waiting = await decided(store), await opened(store)
    for action in order:
        await pull(store, action, text="Send it to Bob.")
    assert (await pull(store, "resume")).word == "lifted"
    assert (await events(store))[-2:] == ["lifted", "braked"], "whoever reads the stream alone hears of the words, too"
    run = await store.runs.load(RUN)
    assert run
    assert run.brake
    assert (run.state, run.brake.action) == ("held", "steer")
    assert await claim(store, allowed) == "braked"
    await settle(store)
    assert (await asks.look(store, waiting.id)).state is State.HELD
    assert (await store.brakes.heard(RUN, AGENT, [run.brake.steer or ""])) == Obeyed("lifted", run.brake)
    assert await claim(store, allowed) == "permit"


async def test_a_resume_that_names_the_words_lifts_them_and_leaves_the_stop(store: Store) -> None:
    await asks.start_run(store)
    stopped = (await pull(store, "stop")).brake
    await pull(store, "steer", text="Send it to Bob.")
    steered = next(each for each in await store.brakes.standing() if each.action == "steer")
    assert (await pull(store, "resume", epoch=steered.epoch)).brake == steered
    assert await store.brakes.standing() == [stopped]


async def test_an_abort_takes_the_words_along(store: Store) -> None:
    await asks.start_run(store)
    await pull(store, "steer", text="Send it to Bob.")
    await pull(store, "abort")
    assert await store.brakes.standing() == []
    assert await state_of(store) == "aborted"


# --- who hears ---


async def test_agents_hear_of_it_in_order_and_after_they_come_back(store: Store) -> None:
    await asks.start_run(store)
    before = await asks.own(store).feed.last_id()
    waiting = await opened(store)
    await pull(store, "stop")
    await settle(store)
    await pull(store, "resume")
    await settle(store)

    async def told(agent: str, after: str = before) -> list[tuple[str, str]]:
        return [(each.event, each.handoff) for each in await asks.own(store).feed.since(agent, after)]

    assert await told(AGENT) == [("braked", ""), ("held", waiting.id), ("lifted", ""), ("released", waiting.id)]
    assert await told("other") == []
    first = (await asks.own(store).feed.since(AGENT, before))[0]
    assert await told(AGENT, first.id) == (await told(AGENT))[1:]
    await store.brakes.obey(asks.order("stop", scope=wire.BrakeScope(everything=True)), None)
    assert await told("other") == [("braked", "")]


async def test_a_full_page_of_an_agent_s_own_events_lets_no_brake_run_ahead(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.feed._PAGE", 2)
    await asks.start_run(store)
    before = await asks.own(store).feed.last_id()
    for _ in range(3):
        await decided(store)
    await pull(store, "stop")
    await pull(store, "resume")
    found: list[str] = []
    after = before
    while page := await asks.own(store).feed.since(AGENT, after):
        found += [each.event for each in page]
        after = page[-1].id
    assert found == ["decided"] * 3 + ["braked", "lifted"]


async def test_what_comes_between_the_reading_of_two_streams_is_not_passed_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent resumes from its own events and the brakes': a later brake must not hide what came just before it."""
    await asks.start_run(store)
    before = await asks.own(store).feed.last_id()
    waiting = await opened(store)
    call = store._pipe.call
    turns: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    turns.set_result(None)

    async def meanwhile(*command: Any) -> Any:
        found = await call(*command)
        if command[:2] == ("XRANGE", asks.own(store).keys.agent_events(AGENT)):
            await approve(store, waiting)
            await asks.own(store).brakes.obey(asks.order("stop", id="once"), {AGENT})
        return found

    def in_turn(*command: Any) -> "asyncio.Future[Any]":
        nonlocal turns
        turns = asyncio.ensure_future(after(turns, meanwhile(*command)))
        return turns

    monkeypatch.setattr(store._pipe, "call", in_turn)
    assert await asks.own(store).feed.since(AGENT, before) == []
    assert [each.event for each in await asks.own(store).feed.since(AGENT, before)] == ["decided", "braked"], (
        "on the next page"
    )


async def after(first: Awaitable[Any], then: Awaitable[Any]) -> Any:
    await first
    return await then


# --- what is kept ---


async def test_old_aborts_and_stops_are_forgotten_and_what_is_on_is_not(store: Store) -> None:
    async def obey(action: Literal["stop", "resume"], scope: wire.BrakeScope) -> None:
        await asks.own(store).brakes.obey(asks.order(action, scope=scope), {AGENT})

    await start(store, RUN)
    await start(store, CHILD)
    await pull(store, "abort")
    await pull(store, "stop", scope=wire.BrakeScope(run=CHILD))
    await obey("stop", scope=OPS)
    await obey("resume", scope=OPS)
    await obey("resume", scope=wire.BrakeScope(agent="nobody"))
    await store.brakes.tidy(await store.now())
    assert await names(store, asks.own(store).keys.brakes) == {f"!run:{RUN}", f"run:{CHILD}"}
    assert len(await names(store, asks.own(store).keys.brakes_lifted)) == 3
    await store.brakes.tidy(await store.now() + timedelta(days=32))
    assert await names(store, asks.own(store).keys.brakes) == {f"run:{CHILD}"}
    assert await names(store, asks.own(store).keys.brakes_lifted) == set()


async def names(store: Store, key: str) -> set[str]:
    found: Sequence[bytes] = await store._pipe.call("HKEYS", key)
    return {each.decode() for each in found}


async def test_the_newest_twenty_stops_are_remembered(store: Store) -> None:
    await asks.start_run(store)
    for _ in range(23):
        await pull(store, "stop")
        await pull(store, "resume")
    spans = (await store._pipe.call("HGET", asks.own(store).keys.brakes_lifted, f"run:{RUN}")).decode().split()
    assert len(spans) == 20
    assert when(spans[-1].partition("-")[2]) >= when(spans[0].partition("-")[2])


async def test_a_chain_of_runs_has_an_end(store: Store) -> None:
    """What holds a run is found without walking up to where it came from, so it must fit."""
    parent: str | None = None
    for number in range(1_000):
        run = f"run_{number:022d}{asks.MARK}"
        word, _ = await store.runs.start(run, AGENT, wire.RunStart(name="n", parent=parent), "f", NO_LIMITS)
        if word == "too_deep":
            assert number > 100
            return
        parent = run
    pytest.fail("it has none")
