"""Trust that grows and falls, counted by the scripts that decide and close: once each, whoever tells it how often."""

import asyncio
from dataclasses import replace

import pytest

from andon import wire
from bot.handoff import Handoff
from bot.reviews import follow_up
from bot.store import NewHandoff, Store, Verdict, ramp_id
from tests.store import asks

RAMP = "mail|agent=mailer|tool=send_email"
POLICY = wire.Actor(kind="policy", id="v1/mail", name="policy v1/mail")


def new(*, review: bool = False, ramp: str = RAMP, silence: str = "deny") -> NewHandoff:
    made = asks.new_handoff(asks.confirmation(silence=silence), silence=silence)
    route = replace(made.doc.route, ramp=ramp, review=review)
    made = replace(made, doc=made.doc.model_copy(update={"route": route}))
    if not review:
        return made
    decision = wire.Approved(
        by=POLICY, at=asks.now(), revision=1, digest=made.digest, args={}, message_for_agent="Go ahead."
    )
    return replace(made, decision=decision, allowed=made.digest)


async def opened(store: Store, made: NewHandoff | None = None) -> Handoff:
    await asks.start_run(store)
    made = made or new()
    assert (await store.handoffs.open(made, asks.NO_LIMITS)).word == "opened"
    return await asks.look(store, made.id)


async def good(store: Store) -> int:
    return (await store.trust.counts([RAMP])).get(RAMP, 0)


async def decide(store: Store, handoff: Handoff, verdict: Verdict, by: str = "a") -> None:
    assert (await store.handoffs.answer(handoff, verdict, answer_id=by)).word == "won"


async def close(store: Store, handoff: Handoff, status: str, *, review_id: str = "") -> str:
    """Claim it where that is possible, and report; as the flow does."""
    await store.handoffs.claim(
        handoff.id, handoff.agent, digest=handoff.digest, claimant="try", max_age=asks.DECISION_AGE
    )
    report = wire.OutcomeReport.model_validate({"status": status, "claimant": "try"})
    known = await asks.look(store, handoff.id)
    review = follow_up(known, report, review_id) if review_id else None
    said = await store.handoffs.outcome(handoff.id, handoff.agent, report, ramp=handoff.route.ramp, review=review)
    return said.word


async def well(store: Store) -> None:
    """One that a person let through and that went well."""
    asked = await opened(store)
    await decide(store, asked, asks.yes(asked))
    assert await close(store, asked, "executed") == "recorded"


async def test_it_grows_with_what_was_approved_and_done(store: Store) -> None:
    for number in range(3):
        assert await good(store) == number
        await well(store)
    assert await good(store) == 3


async def test_an_approval_alone_earns_nothing(store: Store) -> None:
    asked = await opened(store)
    await decide(store, asked, asks.yes(asked))
    assert await good(store) == 0


async def test_one_rejection_starts_over_and_is_told(store: Store) -> None:
    await well(store)
    last = await asks.own(store).feed.last_id()
    asked = await opened(store)
    await decide(store, asked, asks.no(asked))
    (ramp,) = await store.trust.all()
    assert (ramp.good, ramp.reset_why, ramp.reset_by, ramp.ramp) == (0, "rejected", asked.id, RAMP)
    told = [change for change in await asks.own(store).feed.since(asks.AGENT, last) if change.event == "trust_reset"]
    assert [(change.kind, change.handoff) for change in told] == [("rejected", "")]


async def test_one_failure_starts_over(store: Store) -> None:
    await well(store)
    asked = await opened(store)
    await decide(store, asked, asks.yes(asked))
    await close(store, asked, "failed")
    assert await good(store) == 0


async def test_an_edit_is_a_correction_which_neither_earns_nor_costs(store: Store) -> None:
    await well(store)
    asked = await opened(store)
    made = asks.read(asked, wire.Edit(revision=1, args={"to": "bob@example.com", "body": "x"}))
    assert made.verdict
    won = await store.handoffs.answer(asked, made.verdict, answer_id="e", digest=made.digest, revisions=made.revisions)
    assert won.word == "won"
    now = await asks.look(store, asked.id)
    await close(store, replace(asked, digest=now.digest), "executed")
    assert (await asks.look(store, asked.id)).outcome
    assert await good(store) == 1


async def test_an_edit_that_then_fails_costs(store: Store) -> None:
    await well(store)
    asked = await opened(store)
    made = asks.read(asked, wire.Edit(revision=1, args={"to": "bob@example.com", "body": "x"}))
    assert made.verdict
    await store.handoffs.answer(asked, made.verdict, answer_id="e", digest=made.digest, revisions=made.revisions)
    now = await asks.look(store, asked.id)
    await close(store, replace(asked, digest=now.digest), "failed")
    assert await good(store) == 0


async def test_silence_earns_nothing(store: Store) -> None:
    """Nobody looked, so an agent cannot gain trust by asking at night."""
    asked = await opened(store, new(silence="approve"))
    await asks.make_due(store, asked.id)
    assert (await store.handoffs.expire(asked, asks.silent(asked))).word == "won"
    await close(store, asked, "executed")
    assert (await asks.look(store, asked.id)).outcome
    assert await good(store) == 0


async def test_nobody_s_answer_costs_nothing(store: Store) -> None:
    await well(store)
    asked = await opened(store)
    await asks.make_due(store, asked.id)
    await store.handoffs.expire(asked, asks.silent(asked))
    taken = await opened(store)
    await store.handoffs.withdraw(taken, asks.withdrawn(taken))
    assert await good(store) == 1


@pytest.mark.parametrize("kept, count", [(True, 2), (False, 0)])
async def test_what_is_reviewed_counts_when_people_have_looked(store: Store, kept: bool, count: int) -> None:
    await well(store)
    first = await opened(store, new(review=True))
    review_id = asks.new_id()
    assert await close(store, first, "executed", review_id=review_id) == "recorded"
    assert await good(store) == 1, "not yet"
    review = await asks.look(store, review_id)
    assert (review.follows, (await asks.look(store, first.id)).review) == (first.id, review_id)
    await decide(store, review, asks.yes(review) if kept else asks.no(review))
    assert await good(store) == count
    await close(store, review, "executed" if kept else "undone")
    assert await good(store) == count, "once"


async def test_an_undo_costs_even_when_nobody_said_no(store: Store) -> None:
    await well(store)
    first = await opened(store, new(review=True))
    review_id = asks.new_id()
    await close(store, first, "executed", review_id=review_id)
    review = await asks.look(store, review_id)
    await asks.make_due(store, review_id)
    await store.handoffs.expire(review, asks.silent(review))
    assert await good(store) == 1
    await close(store, review, "undone")
    assert await good(store) == 0


async def test_a_late_undo_does_not_cost_twice(store: Store) -> None:
    """The rejection has sent it back; what was earned since then stays."""
    first = await opened(store, new(review=True))
    review_id = asks.new_id()
    await close(store, first, "executed", review_id=review_id)
    review = await asks.look(store, review_id)
    await decide(store, review, asks.no(review))
    await well(store)
    await close(store, review, "undone")
    assert await good(store) == 1


async def test_each_counts_once_however_often_it_is_told(store: Store) -> None:
    asked = await opened(store)
    await decide(store, asked, asks.yes(asked))
    assert set(await asyncio.gather(*(close(store, asked, "executed") for _ in range(50)))) == {"recorded"}
    assert await good(store) == 1


async def test_fifty_at_once_are_fifty(store: Store) -> None:
    await asyncio.gather(*(well(store) for _ in range(50)))
    assert await good(store) == 50


async def test_a_rejection_among_fifty_is_never_lost(store: Store) -> None:
    """Whatever the order, no more is left than what ended well after it."""
    bad = await opened(store)
    await asyncio.gather(*(well(store) for _ in range(25)), decide(store, bad, asks.no(bad)))
    (ramp,) = await store.trust.all()
    assert ramp.good <= 25
    assert ramp.reset_by == bad.id


async def test_what_has_no_ramp_leaves_no_trace(store: Store) -> None:
    asked = await opened(store, new(ramp=""))
    await decide(store, asked, asks.no(asked))
    assert await store.trust.all() == []


async def test_somebody_lets_it_start_over(store: Store) -> None:
    await well(store)
    assert await store.trust.reset(ramp_id(RAMP), "Mira") is True
    (ramp,) = await store.trust.all()
    assert (ramp.good, ramp.reset_why, ramp.reset_by) == (0, "person", "Mira")
    await well(store)
    assert await good(store) == 1
    assert await store.trust.reset("tr_none", "Mira") is False


async def test_it_is_kept_for_400_days_of_rest(store: Store) -> None:
    await well(store)
    left_ms = await store._pipe.call("PTTL", asks.own(store).keys.trust(ramp_id(RAMP)))
    assert 399 * 86_400_000 < left_ms <= 400 * 86_400_000


async def test_a_review_climbs_the_ladder_of_its_rule(store: Store) -> None:
    made = new(review=True)
    made = replace(made, doc=made.doc.model_copy(update={"route": replace(made.doc.route, remind_s=(60,))}))
    first = await opened(store, made)
    review_id = asks.new_id()
    await close(store, first, "executed", review_id=review_id)
    assert await store._pipe.call("ZSCORE", asks.own(store).keys.ladder, review_id) is not None
    assert await store._pipe.call("ZSCORE", asks.own(store).keys.ladder, first.id) is None


async def test_an_old_handoff_about_what_is_done_is_still_read(store: Store) -> None:
    """An `after` needed not be reversible once; such a one may be pending while the service is brought up to date."""
    made = asks.new_handoff(asks.confirmation(timing="after"))
    old = made.doc.ask.model_copy(update={"reversible": False})
    asked = await opened(store, replace(made, doc=made.doc.model_copy(update={"ask": old})))
    assert (asked.ask.reversible, asked.follows, asked.review) == (False, "", "")
