"""The ladder on the store's clock: once, whoever runs it, and never for what nobody need answer any more."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from andon import wire
from bot.handoff import Aside, Handoff, Rung, Vote
from bot.ladder import CALLS_APART_S
from bot.store import Store
from tests.store import asks
from tests.store.asks import MIRA, NO_LIMITS, look, make_due, new_handoff, start_run, yes

ONCALL = wire.Place(surface="slack", channel="#oncall")
MINUTE = timedelta(minutes=1)


async def opened(
    store: Store, *, remind: Sequence[int] = (), rungs: Sequence[Rung] = (), timeout_s: int = 3600
) -> Handoff:
    await start_run(store)
    new = new_handoff(timeout_s=timeout_s)
    route = replace(new.doc.route, remind_s=tuple(remind), escalate=tuple(rungs))
    new = replace(new, doc=new.doc.model_copy(update={"route": route}))
    assert (await store.handoffs.open(new, NO_LIMITS)).word == "opened"
    return await look(store, new.id)


async def let_pass(store: Store, handoff: Handoff, time: timedelta) -> None:
    """As if so much more time had gone by since the opening."""
    key, ms = asks.own(store).keys.handoff(handoff.id), round(time / timedelta(milliseconds=1))
    for field in ("opened_at", "due_at", "called_at"):
        if at := await store._pipe.call("HGET", key, field):
            await store._pipe.call("HSET", key, field, int(at) - ms)
    for name in (asks.own(store).keys.due, asks.own(store).keys.ladder):
        if await store._pipe.call("ZSCORE", name, handoff.id):
            await store._pipe.call("ZINCRBY", name, -ms, handoff.id)


async def events(store: Store) -> list[str]:
    return [fields[1].decode() for _, fields in await store._pipe.call("XRANGE", asks.own(store).keys.events, "-", "+")]


async def test_a_reminder_comes_when_it_is_due_and_not_a_moment_before(store: Store) -> None:
    handoff = await opened(store, remind=[600])
    assert (await store.ladder.climb(handoff.id)).word == "early"
    assert await store.ladder.due(await store.now()) == []
    due = await store.ladder.next_due()
    assert due == handoff.opened_at + timedelta(seconds=600)

    await let_pass(store, handoff, timedelta(seconds=600) - (await store.now() - handoff.opened_at) + MINUTE)

    assert await store.ladder.due(await store.now()) == [handoff.id]
    assert (await store.ladder.climb(handoff.id)).reminded
    assert [aside.kind for aside in (await look(store, handoff.id)).asides] == ["reminded"]
    assert await events(store) == ["opened", "reminded"]
    assert await store.ladder.next_due() is None


async def test_a_rung_is_climbed_in_the_stage_that_was_counted_or_not_at_all(store: Store) -> None:
    """A vote that came since may have brought it to the next stage."""
    handoff = await opened(store, rungs=[Rung(600, (ONCALL,))])
    await let_pass(store, handoff, 10 * MINUTE)
    vote = Vote("email:mira@example.com", MIRA, await store.now(), 1, 1, "yes", digest=handoff.digest, id="0" * 32)
    assert (await store.handoffs.vote(handoff, vote)).word == "won"
    assert (await store.ladder.climb(handoff.id, stage=1, seen=handoff)).word == "moved"
    seen = await look(store, handoff.id)
    assert (seen.rungs, seen.asides) == (0, ())
    assert (await store.ladder.climb(handoff.id, stage=2, seen=seen)).rungs == 1
    assert [(each.rung, each.stage) for each in (await look(store, handoff.id)).asides] == [(1, 2)]


@pytest.mark.parametrize("off_ms, fires", [(-1, False), (0, True), (1, True)])
async def test_to_the_millisecond(store: Store, off_ms: int, fires: bool) -> None:
    """The timer asks for what is due at a time of the store's clock, and gets it from that very millisecond on."""
    handoff = await opened(store, remind=[600])
    at = await store.ladder.next_due()
    assert at
    assert (await store.ladder.due(at + timedelta(milliseconds=off_ms)) == [handoff.id]) is fires


async def test_an_escalation_climbs_one_rung_after_the_other(store: Store) -> None:
    rungs = [Rung(600, (ONCALL,)), Rung(1200, (), ("boss@example.com",))]
    handoff = await opened(store, rungs=rungs)
    await let_pass(store, handoff, 10 * MINUTE)
    assert (await store.ladder.climb(handoff.id)).rungs == 1
    now = await look(store, handoff.id)
    assert (now.rungs, now.places[-1]) == (1, ONCALL)
    assert (await store.ladder.climb(handoff.id)).word == "early"

    await let_pass(store, handoff, 10 * MINUTE)
    assert (await store.ladder.climb(handoff.id)).rungs == 2
    assert [aside.rung for aside in (await look(store, handoff.id)).asides] == [1, 2]
    assert (await store.ladder.climb(handoff.id)).word == "early"


async def test_after_a_long_pause_people_are_called_once(store: Store) -> None:
    """Nothing ran for an hour: every rung is climbed, and nobody gets six reminders at once."""
    handoff = await opened(store, remind=[600, 1200, 1800], rungs=[Rung(900, (ONCALL,))], timeout_s=7200)
    await let_pass(store, handoff, 60 * MINUTE)
    await store.ladder.climb(handoff.id)
    assert [aside.kind for aside in (await look(store, handoff.id)).asides] == ["escalated"]


async def test_two_calls_are_never_close_together(store: Store) -> None:
    """The first reminder came late; the second, which is due soon after, is let go."""
    handoff = await opened(store, remind=[600, 1200])
    await let_pass(store, handoff, timedelta(seconds=1200 - CALLS_APART_S + 10))
    assert (await store.ladder.climb(handoff.id)).reminded
    await let_pass(store, handoff, timedelta(seconds=CALLS_APART_S - 10))
    assert not (await store.ladder.climb(handoff.id)).reminded
    assert [aside.kind for aside in (await look(store, handoff.id)).asides] == ["reminded"]


async def test_nobody_is_called_once_it_is_decided(store: Store) -> None:
    handoff = await opened(store, remind=[600], rungs=[Rung(900, (ONCALL,))])
    await store.handoffs.answer(handoff, yes(handoff), answer_id="a")
    await let_pass(store, handoff, 20 * MINUTE)
    assert (await store.ladder.climb(handoff.id)).word == "over"
    after = await look(store, handoff.id)
    assert (after.asides, after.rungs) == ((), 0)
    assert await store.ladder.next_due() is None
    assert "reminded" not in await events(store)


async def test_nobody_is_called_while_it_is_held(store: Store) -> None:
    handoff = await opened(store, remind=[600])
    await asks.hold(store)
    await let_pass(store, handoff, 20 * MINUTE)
    assert (await store.ladder.climb(handoff.id)).word == "held"
    assert (await look(store, handoff.id)).asides == ()
    again = await store.ladder.next_due()
    assert again
    assert again > await store.now()


async def test_a_hold_moves_the_steps_with_the_deadline(store: Store) -> None:
    """Ten minutes on hold move the deadline by ten minutes; the reminder waits as much longer."""
    handoff = await opened(store, remind=[600])
    await let_pass(store, handoff, 11 * MINUTE)
    key = asks.own(store).keys.handoff(handoff.id)
    await store._pipe.call("HINCRBY", key, "due_at", 600_000)
    assert (await store.ladder.climb(handoff.id)).word == "early"
    await let_pass(store, handoff, 10 * MINUTE)
    assert (await store.ladder.climb(handoff.id)).reminded


async def test_nobody_is_called_in_the_last_seconds(store: Store) -> None:
    handoff = await opened(store, remind=[600], timeout_s=700)
    await let_pass(store, handoff, timedelta(seconds=690))
    assert not (await store.ladder.climb(handoff.id)).reminded
    assert (await look(store, handoff.id)).asides == ()


async def test_nothing_happens_once_the_time_is_up(store: Store) -> None:
    handoff = await opened(store, rungs=[Rung(600, (ONCALL,))], timeout_s=700)
    await make_due(store, handoff.id)
    assert (await store.ladder.climb(handoff.id)).word == "over"
    assert (await look(store, handoff.id)).rungs == 0


async def test_fifty_at_once_call_people_once(store: Store, stores: list[Store]) -> None:
    """Every replica runs what is due; one of them does it."""
    handoff = await opened(store, remind=[600], rungs=[Rung(1800, (ONCALL,))])
    await let_pass(store, handoff, 10 * MINUTE)
    said = await asyncio.gather(*(each.ladder.climb(handoff.id) for each in stores * 10))
    assert sum(each.reminded for each in said) == 1
    assert (await events(store)).count("reminded") == 1

    await let_pass(store, handoff, 20 * MINUTE)
    await asyncio.gather(*(each.ladder.climb(handoff.id) for each in stores * 10))
    assert (await look(store, handoff.id)).rungs == 1
    assert (await events(store)).count("escalated") == 1


async def test_a_decision_and_a_reminder_at_once(store: Store, stores: list[Store]) -> None:
    """Whichever is first: after the decision nobody is called."""
    for number in range(25):
        handoff = await opened(store, remind=[600])
        await let_pass(store, handoff, 10 * MINUTE)
        others = stores[1:]
        await asyncio.gather(
            stores[0].handoffs.answer(handoff, yes(handoff), answer_id=f"a{number}"),
            *(each.ladder.climb(handoff.id) for each in others),
        )
        told = [
            fields[1].decode()
            for _, fields in await store._pipe.call("XRANGE", asks.own(store).keys.events, "-", "+")
            if fields[3].decode() == handoff.id
        ]
        assert told in (["opened", "decided"], ["opened", "reminded", "decided"])


async def test_a_step_that_nobody_finished_is_run_again(store: Store) -> None:
    """The script is the step: a process that dies around it loses none and doubles none."""
    handoff = await opened(store, remind=[600])
    await let_pass(store, handoff, 10 * MINUTE)
    for _ in range(3):  # a reply that is lost is asked for again
        await store.ladder.climb(handoff.id)
    assert len((await look(store, handoff.id)).asides) == 1


# --- lines below the card --------------------------------------------------------------------------


def line(kind: Any, number: int = 1, **more: Any) -> Aside:
    return Aside(id=f"{number:032x}", kind=kind, at=asks.now(), by=MIRA, **more)


async def test_handing_on_adds_somebody_and_decides_nothing(store: Store) -> None:
    handoff = await asks.opened(store)
    assert await store.ladder.put(handoff, line("reassigned", to="bob@example.com", text="You know this")) == "put"
    after = await look(store, handoff.id)
    assert after.added == ("bob@example.com",)
    assert (after.state, after.revision, after.digest, after.expires_at) == (
        handoff.state, handoff.revision, handoff.digest, handoff.expires_at,
    )  # fmt: skip
    (told,) = after.asides
    assert (told.by, told.to, told.text) == (MIRA, "bob@example.com", "You know this")
    assert await events(store) == ["opened", "reassigned"]


async def test_the_same_line_twice_is_one(store: Store, stores: list[Store]) -> None:
    handoff = await asks.opened(store)
    aside = line("reassigned", to="bob@example.com")
    said = await asyncio.gather(*(each.ladder.put(handoff, aside) for each in stores * 10))
    assert sorted(said) == ["again"] * 49 + ["put"]
    assert len((await look(store, handoff.id)).asides) == 1
    assert await store.ladder.put(handoff, line("reassigned", 2, to="bob@example.com")) == "twice"


async def test_at_most_ten_are_asked_besides(store: Store) -> None:
    handoff = await asks.opened(store)
    said = [await store.ladder.put(handoff, line("reassigned", n, to=f"p{n}@example.com")) for n in range(1, 13)]
    assert said == ["put"] * 10 + ["many"] * 2
    assert len((await look(store, handoff.id)).added) == 10


@pytest.mark.parametrize("kind", ["reassigned", "questioned"])
async def test_nothing_is_put_below_a_card_that_is_held_late_decided_or_gone(store: Store, kind: str) -> None:
    to: dict[str, Any] = {"to": "bob@example.com"} if kind == "reassigned" else {}
    held = await asks.opened(store)
    await asks.hold(store)
    assert await store.ladder.put(held, line(kind, **to)) == "held"
    await asks.pull(store, "resume")
    late = await asks.opened(store)
    await make_due(store, late.id)
    assert await store.ladder.put(late, line(kind, **to)) == "late"
    decided = await asks.opened(store)
    await store.handoffs.answer(decided, yes(decided), answer_id="a")
    assert await store.ladder.put(decided, line(kind, **to)) == "lost"
    assert await store.ladder.put(replace(decided, id="hf_nothing"), line(kind, **to)) == "gone"
    for handoff in (held, late, decided):
        assert (await look(store, handoff.id)).asides == ()


async def test_only_a_question_is_told_to_the_agent(store: Store) -> None:
    handoff = await asks.opened(store)
    await store.ladder.put(handoff, line("reassigned", 1, to="bob@example.com"))
    await store.ladder.put(handoff, line("questioned", 2, text="Which budget?"))
    await store.ladder.put(handoff, line("replied", 3, text="The travel one"), by_agent=True)
    told = await asks.own(store).feed.since(handoff.agent, "0-0")
    assert [(change.event, change.kind) for change in told] == [("questioned", f"{2:032x}")]


async def test_no_agent_replies_below_another_ones_card(store: Store) -> None:
    handoff = await asks.opened(store)
    other = replace(handoff, agent="somebody-else")
    assert await store.ladder.put(other, line("replied"), by_agent=True) == "gone"


async def test_a_line_may_hold_anything(store: Store) -> None:
    """Line breaks, quotes and something that looks like another line's id."""
    handoff = await asks.opened(store)
    text = f'first\nsecond "id":"{7:032x}" \u2028 \\n'
    await store.ladder.put(handoff, line("questioned", 1, text=text))
    assert await store.ladder.put(handoff, line("questioned", 7, text="b")) == "put"
    assert [aside.text for aside in (await look(store, handoff.id)).asides] == [text, "b"]


async def test_a_handoff_of_an_older_version_has_no_ladder(store: Store) -> None:
    """Nothing of it is in the hash, and nothing breaks."""
    handoff = await asks.opened(store)
    assert (await store.ladder.climb(handoff.id)).word == "over"
    assert (handoff.asides, handoff.rungs, handoff.added, handoff.crowd) == ((), 0, (), "")


async def test_a_place_shows_a_card_or_a_digest_and_never_both(store: Store, stores: list[Store]) -> None:
    """One process gathers while another begins to post: one of them is too late, and knows it."""
    lease = timedelta(seconds=30)
    for number in range(25):
        handoff = await asks.opened(store)
        place = f'{{"surface":"paper","channel":"{number}"}}'
        gathered, begun = await asyncio.gather(
            asks.own(stores[0]).digests.gather(handoff, "paper", place),
            asks.own(stores[1]).outbox.begin_card(handoff.id, place, "reader", lease=lease),
        )
        assert (gathered, begun) in {(True, "gathered"), (False, "first")}
        placed = await asks.own(store).outbox.placed(handoff.id, place)
        assert placed.gathered is gathered
        assert placed.begun is not gathered
    other = await asks.opened(store)
    assert await asks.own(stores[0]).digests.gather(other, "paper", "elsewhere")
    assert await asks.own(stores[1]).outbox.begin_card(other.id, "elsewhere", "reader", lease=lease) == "gathered"
