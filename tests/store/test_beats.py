"""Signs of life, leases and what nobody knows, in a real store: scripts and races, each without its guard too.

Time passes by moving what the store has into the past, never by waiting for it.
"""

import asyncio
import hashlib
import importlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from andon import wire
from bot.handoff import Handoff, State
from bot.store import ClaimReply, Due, NewHandoff, Store
from bot.store.beats import GAP_MS, MISSED
from bot.store.pipe import Script
from bot.unknown import CANDIDATES, DONE, LEAVE, NOT_DONE, question_about, reported, rule, who_is_asked
from tests.store import asks
from tests.store.asks import AGENT, NO_LIMITS
from tests.store.test_races import fifty, goes_wrong, words

HEARTBEAT_S = 10
PATIENCE_MS = MISSED * HEARTBEAT_S * 1_000
TOLD = wire.Notice(text="It fell silent.", to=(wire.Place(surface="web"),))
FOUND = wire.Notice(text="It is back.", to=(wire.Place(surface="web"),))
Race = Callable[[Sequence[Store]], Awaitable[list[str]]]


def run_id(number: int) -> str:
    return f"run_{number:022d}{asks.MARK}"


async def promised(store: Store, number: int = 0) -> wire.Run:
    """A run that promised signs of life, while somebody is there to hear them."""
    start = wire.RunStart(name="weekly", heartbeat_s=HEARTBEAT_S)
    assert (await store.runs.start(run_id(number), AGENT, start, "f", NO_LIMITS))[0] == "started"
    await listen(store)
    return await look(store, number)


async def look(store: Store, number: int = 0) -> wire.Run:
    run = await store.runs.load(run_id(number))
    assert run
    return run


async def listen(store: Store, *, for_ms: int = 10 * PATIENCE_MS) -> None:
    """As if some process had been there to hear for so long, up to now."""
    now = round((await store.now()).timestamp() * 1000)
    await asks.own(store).pipe.call("HSET", asks.own(store).keys.beats_watch, "at", now, "since", now - for_ms)
    await asks.own(store).pipe.call("PEXPIRE", asks.own(store).keys.beats_watch, 60_000)


async def let_pass(store: Store, run: wire.Run, ms: int = PATIENCE_MS) -> None:
    """As if so much time had gone by in which nothing was heard of a run."""
    pipe, keys = asks.own(store).pipe, asks.own(store).keys
    await pipe.call("ZINCRBY", keys.beats, -ms, run.id)
    await pipe.call("HINCRBY", keys.run(run.id), "beat_at", -ms)
    for handoff_id in await store.beats.claimed(run.id):
        await pipe.call("ZINCRBY", keys.leases, -ms, handoff_id)
        await pipe.call("HINCRBY", keys.handoff(handoff_id), "claimed_at", -ms)


async def overdue(store: Store, name: str) -> Due:
    key = asks.own(store).keys.beats if name.startswith("run_") else asks.own(store).keys.leases
    score = await asks.own(store).pipe.call("ZSCORE", key, name)
    assert score is not None
    return Due(name, int(float(score)))


async def lose(store: Store, run: wire.Run, due: Due | None = None) -> str:
    return await store.beats.lose(run, due or await overdue(store, run.id), TOLD)


async def beat(store: Store, run: wire.Run, *acting: str, last: bool = False) -> str:
    return (await store.beats.beat(run, acting, found=FOUND, last=last)).word


async def claimed(store: Store, run: wire.Run) -> Handoff:
    """Asked, approved and claimed in this run."""
    new = asks.new_handoff(run=run.id)
    assert (await store.handoffs.open(new, NO_LIMITS)).word == "opened"
    handoff = await asks.look(store, new.id)
    assert (await store.handoffs.answer(handoff, asks.yes(handoff), answer_id="a")).word == "won"
    assert (await claim(store, handoff)).word == "permit"
    return await asks.look(store, new.id)


async def claim(store: Store, handoff: Handoff, claimant: str = "try") -> ClaimReply:
    return await store.handoffs.claim(
        handoff.id, AGENT, digest=handoff.digest, claimant=claimant, max_age=asks.DECISION_AGE, run=handoff.run
    )


def question_id(first: Handoff) -> str:
    return f"hf_q{first.id.removeprefix('hf_')[1:]}"


def question_of(first: Handoff, run: wire.Run) -> NewHandoff:
    assert first.claim
    made = question_about(first, question_id(first), run, silent_since=first.claim.at)
    assert made
    return made


async def ask(store: Store, first: Handoff, run: wire.Run, due: Due | None = None) -> str:
    made = question_of(first, run)
    return await store.unknown.ask(first, due or await overdue(store, first.id), made, who_is_asked(made))


async def unknown(store: Store, run: wire.Run) -> tuple[Handoff, Handoff]:
    """One of which nobody knows what became, and the question about it."""
    first = await claimed(store, run)
    await let_pass(store, run)
    assert await ask(store, first, run) == "asked"
    return await asks.look(store, first.id), await asks.look(store, question_id(first))


def said(question: Handoff, choice: str, by: wire.Actor = asks.MIRA) -> wire.Decision:
    verdict = asks.read(question, wire.Choose(revision=question.revision, choice=choice), by).verdict
    assert verdict
    return verdict.decision


async def report(store: Store, first: Handoff, status: str = "executed", claimant: str = "try") -> str:
    told = wire.OutcomeReport.model_validate({"status": status, "claimant": claimant})
    return (await store.handoffs.outcome(first.id, AGENT, told)).word


async def events(store: Store, event: str) -> list[dict[bytes, bytes]]:
    entries = await asks.own(store).pipe.call("XRANGE", asks.own(store).keys.events, "-", "+")
    found = [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in entries]
    return [each for each in found if each[b"e"] == event.encode()]


# --- one at a time ---


async def test_a_run_that_misses_three_is_lost_once_and_people_are_told(store: Store) -> None:
    run = await promised(store)
    assert (run.heartbeat_s, run.lost_since, run.state) == (HEARTBEAT_S, None, "running")
    heard = await store.beats.beat(run, (), found=FOUND)
    assert heard.lost_after
    assert abs(heard.lost_after - await store.now() - timedelta(milliseconds=PATIENCE_MS)) < timedelta(seconds=1)
    await let_pass(store, run, PATIENCE_MS - 5_000)
    assert await lose(store, run) == "early"
    await let_pass(store, run, 5_001)
    silent = await store.now() - timedelta(milliseconds=PATIENCE_MS)
    assert await lose(store, run) == "lost"
    lost = await look(store)
    assert lost.lost_since
    assert abs(lost.lost_since - silent) < timedelta(seconds=1)
    assert lost.state == "running", "an old client reads what it always did"
    assert [each.text for each in await store.runs.notices(9)] == ["It fell silent."]
    assert len(await events(store, "lost")) == 1
    assert await store.beats.lose(run, Due(run.id, 1), TOLD) == "over"


async def test_a_beat_finds_it_again_and_says_since_when(store: Store) -> None:
    run = await promised(store)
    await let_pass(store, run)
    await lose(store, run)
    heard = await store.beats.beat(run, (), found=FOUND)
    assert (heard.word, heard.silent_since is not None) == ("beating", True)
    assert (await look(store)).lost_since is None
    assert [each.text for each in await store.runs.notices(9)] == ["It is back.", "It fell silent."]
    assert (await store.beats.beat(run, (), found=FOUND)).silent_since is None
    assert len(await events(store, "found")) == 1


async def test_its_last_ends_the_promise_and_the_next_one_renews_it(store: Store) -> None:
    run = await promised(store)
    assert await beat(store, run, last=True) == "over"
    assert not await store.beats.expected()
    await claimed(store, run)
    assert not await store.beats.expected(), "nothing is expected of what it claims either"
    assert await beat(store, run) == "beating"
    assert await store.beats.expected()


async def test_a_run_that_promised_nothing_or_is_another_s_is_not_heard(store: Store) -> None:
    await asks.start_run(store)
    run = await store.runs.load(asks.RUN)
    assert run
    assert await beat(store, run) == "unpromised"
    assert await beat(store, run.model_copy(update={"agent": "other"})) == "gone"
    assert not await store.beats.expected()


async def test_a_run_lives_as_long_as_it_is_heard_of(store: Store) -> None:
    run = await promised(store)
    await asks.own(store).pipe.call("PEXPIRE", asks.own(store).keys.run(run.id), 1_000)
    await beat(store, run)
    assert await asks.own(store).pipe.call("PTTL", asks.own(store).keys.run(run.id)) > 29 * 24 * 3600 * 1000
    await asks.own(store).pipe.call("PEXPIRE", asks.own(store).keys.run(run.id), 400 * 24 * 3600 * 1000)
    await beat(store, run)
    assert await asks.own(store).pipe.call("PTTL", asks.own(store).keys.run(run.id)) > 399 * 24 * 3600 * 1000, (
        "held for longer"
    )


async def test_a_claim_that_nobody_vouches_for_becomes_unknown_and_is_asked_about_once(store: Store) -> None:
    run = await promised(store)
    first = await claimed(store, run)
    due = await overdue(store, first.id)
    assert await ask(store, first, run) == "early"
    await let_pass(store, run)
    assert await ask(store, first, run, due) == "early", "read before it was due"
    assert await ask(store, first, run) == "asked"
    assert await ask(store, first, run, due) == "over"
    found, question = await asks.look(store, first.id), await asks.look(store, question_id(first))
    assert (found.state, found.question) == (State.CLAIMED, question.id)
    assert found.claim
    assert found.unknown_since == found.claim.at, "nothing vouched for it after the claim itself"
    assert (question.state, question.settles, question.action) == (State.PENDING, first.id, first.action)
    assert isinstance(question.ask, wire.Choice)
    assert question.ask.candidates == CANDIDATES
    assert len(await events(store, "unknown")) == 1


async def test_what_a_process_names_is_its_own_and_what_it_does_not_is_left_to_its_lease(store: Store) -> None:
    """A new process that goes on with the run of a dead one must not vouch for what that one was doing."""
    run = await promised(store)
    mine, its = await claimed(store, run), await claimed(store, run)
    await let_pass(store, run)
    assert await beat(store, run, mine.id) == "beating"
    assert await ask(store, mine, run) == "early"
    assert await ask(store, its, run) == "asked"
    assert await lose(store, run) == "early"


async def test_nobody_vouches_for_what_is_not_of_the_run(store: Store) -> None:
    run, other = await promised(store), await promised(store, 1)
    first = await claimed(store, other)
    before = await overdue(store, first.id)
    await asks.own(store).pipe.call("ZINCRBY", asks.own(store).keys.leases, -5_000, first.id)
    await beat(store, run, first.id, asks.new_id())
    assert (await overdue(store, first.id)).at_ms == before.at_ms - 5_000
    assert await asks.own(store).pipe.call("ZCARD", asks.own(store).keys.leases) == 1


async def test_silence_while_nobody_listened_is_not_held_against_anybody(store: Store) -> None:
    """All services were down for an hour: each run, and each claim, gets all of its time again."""
    runs = [await promised(store, number) for number in range(3)]
    firsts = [await claimed(store, run) for run in runs]
    for run in runs:
        await let_pass(store, run, 3_600_000)
    ago = round((await store.now()).timestamp() * 1000) - 3_600_000
    await asks.own(store).pipe.call("HSET", asks.own(store).keys.beats_watch, "at", ago, "since", ago - 3_600_000)
    due, leases = await store.beats.watch()
    assert (len(due), len(leases)) == (3, 3), "they are looked at"
    assert [await lose(store, run, each) for run, each in zip(runs, due, strict=True)] == ["early"] * 3
    assert [await ask(store, first, run) for first, run in zip(firsts, runs, strict=True)] == ["early"] * 3
    assert await store.beats.watch() == ([], [])
    until_then = (await overdue(store, runs[0].id)).at - await store.now()
    assert timedelta(milliseconds=PATIENCE_MS - 2_000) < until_then <= timedelta(milliseconds=PATIENCE_MS)


async def test_a_process_that_was_away_says_so_and_all_have_their_time_again(store: Store) -> None:
    run = await promised(store)
    await let_pass(store, run)
    ((due,), _) = await store.beats.watch(away=True)
    assert await lose(store, run, due) == "early"
    await listen(store)
    await let_pass(store, run)
    ((due,), _) = await store.beats.watch()
    assert await lose(store, run, due) == "lost"


@pytest.mark.parametrize("jump_ms", [-3_600_000, 3_600_000])
async def test_a_clock_that_jumps_loses_nothing(store: Store, jump_ms: int) -> None:
    run = await promised(store)
    await let_pass(store, run)
    then = round((await store.now()).timestamp() * 1000) + jump_ms
    await asks.own(store).pipe.call(
        "HSET", asks.own(store).keys.beats_watch, "at", then, "since", then - 10 * PATIENCE_MS
    )
    assert await lose(store, run) == "early"


async def test_an_unknown_action_is_claimed_by_nobody_not_even_by_whoever_claimed_it(store: Store) -> None:
    first, question = await unknown(store, await promised(store))
    for claimant in ("try", "another"):
        reply = await claim(store, first, claimant)
        assert (reply.word, reply.text, reply.payload) == ("unknown", "try", "")
        assert reply.asked == (question.id, "whoever is in the inbox of web")


async def test_it_counts_as_a_failure_does_and_earns_no_trust(store: Store) -> None:
    run = await promised(store)
    first, question = await unknown(store, run)
    assert await asks.own(store).pipe.call("HGET", asks.own(store).keys.run(run.id), "failures") == b"1"
    assert (await rule(store, question, said(question, DONE), "press")).word == "won"
    assert await asks.own(store).pipe.call("HGET", asks.own(store).keys.run(run.id), "failures") == b"1"
    assert (await asks.look(store, first.id)).state is State.CLOSED


@pytest.mark.parametrize("choice, status", [(DONE, "executed"), (NOT_DONE, "failed")])
async def test_a_person_s_word_is_the_outcome_and_a_later_report_is_kept_beside_it(
    store: Store, choice: str, status: str
) -> None:
    first, question = await unknown(store, await promised(store))
    decision = said(question, choice)
    assert (await rule(store, question, decision, "press")).word == "won"
    assert (await rule(store, question, decision, "press")).again
    assert (await rule(store, question, said(question, LEAVE, asks.ANA), "other")).word == "lost"
    found = await asks.look(store, first.id)
    assert found.state is State.CLOSED
    assert found.outcome
    assert (found.outcome.status, found.outcome.by) == (status, asks.MIRA)
    assert await report(store, first) == "other"
    assert await report(store, first, "failed") == "other"
    late = await asks.look(store, first.id)
    assert late.outcome == found.outcome
    assert late.late_report
    assert late.late_report.status == "executed", "the first report is kept"
    assert len(await events(store, "late")) == 1
    assert await store.unknown.due(await store.now() + timedelta(days=1)) == []


async def test_to_leave_it_unknown_records_nothing_and_the_agent_may_still_report(store: Store) -> None:
    first, question = await unknown(store, await promised(store))
    assert (await rule(store, question, said(question, LEAVE), "press")).word == "won"
    found = await asks.look(store, first.id)
    assert (found.state, found.outcome, found.unknown_since is not None) == (State.CLAIMED, None, True)
    assert await report(store, first) == "recorded"


async def test_the_agent_that_reports_first_closes_it_and_the_question_is_taken_back(store: Store) -> None:
    first, question = await unknown(store, await promised(store))
    assert await report(store, first) == "recorded"
    assert first.id in await store.unknown.due(await store.now())
    assert (await rule(store, question, said(question, NOT_DONE), "press")).word == "lost"
    asked = await asks.look(store, question.id)
    assert isinstance(asked.decision, wire.Withdrawn)
    outcome = (await asks.look(store, first.id)).outcome
    assert outcome
    assert (outcome.status, outcome.by) == ("executed", None)


async def test_the_agent_has_no_outcome_and_no_claim_to_make_on_the_question(store: Store) -> None:
    _, question = await unknown(store, await promised(store))
    assert (await rule(store, question, said(question, DONE), "press")).word == "won"
    assert await report(store, question, claimant="") == "refused"
    assert (await claim(store, question)).word == "done"


async def test_what_was_reported_needs_nobody_to_vouch_for_it(store: Store) -> None:
    run = await promised(store)
    first = await claimed(store, run)
    assert await report(store, first) == "recorded"
    assert await store.beats.claimed(run.id) == []


# --- races, fifty at once ---


async def beat_against_lose(stores: Sequence[Store]) -> list[str]:
    """A sign of life that was heard before the run was lost is never overlooked; one after it finds the run again."""

    async def one(number: int) -> list[str]:
        store, *others = stores
        run = await promised(store, number)
        await let_pass(store, run)
        due = await overdue(store, run.id)
        said_, *lost = await asyncio.gather(
            beat(others[number % len(others)], run), *(lose(each, run, due) for each in others)
        )
        found = (await look(store, number)).lost_since is None
        told = sum(each[b"r"] == run.id.encode() for each in await events(store, "lost"))
        faults = [] if said_ == "beating" and found else [f"{run.id}: heard, and lost all the same"]
        if told != lost.count("lost") or told > 1:
            faults.append(f"{run.id}: told {told} times, lost by {lost}")
        return faults

    return await fifty(one)


async def lose_after_a_beat(stores: Sequence[Store]) -> list[str]:
    """Whoever read that it was due before the beat must not lose it after."""

    async def one(number: int) -> list[str]:
        run = await promised(stores[0], number)
        await let_pass(stores[0], run)
        due = await overdue(stores[0], run.id)
        await beat(stores[1], run)
        await asyncio.gather(*(lose(each, run, due) for each in stores))
        return [] if (await look(stores[0], number)).lost_since is None else [f"{run.id}: lost after its beat"]

    return await fifty(one)


async def one_question(stores: Sequence[Store]) -> list[str]:
    """Two replicas, and more, find the same claim overdue: people are asked once."""

    async def one(number: int) -> list[str]:
        run = await promised(stores[0], number)
        first = await claimed(stores[0], run)
        await let_pass(stores[0], run)
        due = await overdue(stores[0], first.id)
        asked = await asyncio.gather(*(ask(each, first, run, due) for each in stores))
        told = sum(each[b"h"] == question_id(first).encode() for each in await events(stores[0], "opened"))
        faults = [] if told == 1 else [f"{first.id}: asked {told} times"]
        return [*words(asked, asked=1, over=len(stores) - 1), *faults]

    return await fifty(one)


async def report_against_question(stores: Sequence[Store]) -> list[str]:
    """The agent's report and the discovery that nobody vouches for it: the report is taken, and no question stays."""

    async def one(number: int) -> list[str]:
        run = await promised(stores[0], number)
        first = await claimed(stores[0], run)
        await let_pass(stores[0], run)
        due = await overdue(stores[0], first.id)
        calls = [ask(stores[0], first, run, due), report(stores[1], first), ask(stores[2], first, run, due)]
        if number % 2:
            calls.reverse()
        said_ = await asyncio.gather(*calls)
        found = await asks.look(stores[0], first.id)
        faults = [] if found.outcome and "recorded" in said_ else [f"{first.id}: the report is lost, {said_}"]
        if found.question and found.id not in await stores[0].unknown.due(await stores[0].now()):
            faults.append(f"{first.id}: nobody takes its question back")
        return faults

    return await fifty(one)


async def word_against_report(stores: Sequence[Store]) -> list[str]:
    """A person's word and the agent's report: one is the outcome, for ever, and the other is told so."""

    async def one(number: int) -> list[str]:
        first, question = await unknown(stores[0], await promised(stores[0], number))
        calls = [
            report(stores[0], first),
            _word(rule(stores[1], question, said(question, NOT_DONE), "mira")),
            _word(rule(stores[2], question, said(question, DONE, asks.ANA), "ana")),
        ]
        turned = [*calls[number % 3 :], *calls[: number % 3]]
        answers = await asyncio.gather(*turned)
        won = answers.count("won") + answers.count("recorded")
        found = await asks.look(stores[0], first.id)
        closed = [each for each in await events(stores[0], "closed") if each[b"h"] == first.id.encode()]
        faults = [] if won == len(closed) == 1 else [f"{first.id}: {answers}, closed {len(closed)} times"]
        by_person = found.outcome is not None and found.outcome.by is not None
        if by_person != ("won" in answers):
            faults.append(f"{first.id}: {answers}, and the outcome is {found.outcome}")
        return faults

    return await fifty(one)


async def _word(settling: Awaitable[object]) -> str:
    settled = await settling
    return str(settled.word)  # type: ignore[attr-defined]  # it is a `Settled`


async def claims_of_the_unknown(stores: Sequence[Store]) -> list[str]:
    """Whoever tries to act on it once nobody knows, under the same name or another, gets no permit."""

    async def one(number: int) -> list[str]:
        first, _ = await unknown(stores[0], await promised(stores[0], number))
        got = await asyncio.gather(*(claim(each, first, name) for each in stores for name in ("try", "other")))
        return [f"{first.id}: a permit" for each in got if each.word == "permit"]

    return await fifty(one)


RACES: dict[str, Race] = {
    each.__name__: each
    for each in (
        beat_against_lose,
        lose_after_a_beat,
        one_question,
        report_against_question,
        word_against_report,
        claims_of_the_unknown,
    )
}


@pytest.mark.parametrize("race", RACES)
async def test_fifty_at_once(stores: list[Store], race: str) -> None:
    assert await RACES[race](stores) == []


@dataclass(frozen=True)
class Guard:
    """A line that keeps something, and what goes wrong without it."""

    module: str
    script: str
    line: str
    instead: str
    race: Race


GUARDS = [
    Guard("beats", "lose", "due ~= tonumber(ARGV[3]) or now < due", "false", lose_after_a_beat),
    Guard("beats", "lose", 'redis.call("ZREM", KEYS[2], ARGV[1])\ntell', "tell", beat_against_lose),
    Guard("unknown", "question", 'h[1] ~= "claimed" or h[6] or not due', "false", one_question),
    Guard("unknown", "rule", 'first[1] ~= "claimed" then\n  settle', "false then\n  settle", word_against_report),
    Guard("handoffs", "claim", 'h[1] == "claimed" and h[14]', "false", claims_of_the_unknown),
]


def without(monkeypatch: pytest.MonkeyPatch, guard: Guard) -> None:
    """The script without this line, for as long as the test runs."""
    module = importlib.import_module(f"bot.store.{guard.module}")
    whole: Script = getattr(module, f"_{guard.script.upper()}")
    assert whole.source.count(guard.line) == 1, "the guard is there"
    source = whole.source.replace(guard.line, guard.instead)
    sha = hashlib.sha1(source.encode()).hexdigest()  # noqa: S324  # as Redis names it
    monkeypatch.setattr(module, f"_{guard.script.upper()}", Script(guard.script, source, sha))


@pytest.mark.parametrize("guard", GUARDS, ids=lambda each: f"{each.script}: {each.line[:30]}")
async def test_a_race_fails_without_its_guard(
    stores: list[Store], monkeypatch: pytest.MonkeyPatch, guard: Guard
) -> None:
    without(monkeypatch, guard)
    assert await goes_wrong(_fresh(guard.race), stores)


def _fresh(race: Race) -> Race:
    """The race on an empty namespace each time."""

    async def again(stores: Sequence[Store]) -> list[str]:
        names = [each async for each in stores[0]._client.scan_iter(match=f"{{{stores[0].keys.ns}*", count=1000)]
        if names:
            await stores[0]._client.unlink(*names)
        return await race(stores)

    return again


@pytest.mark.parametrize("script, module", [("lose", "beats"), ("question", "unknown")])
async def test_without_the_watch_an_hour_without_services_loses_everything(
    store: Store, monkeypatch: pytest.MonkeyPatch, script: str, module: str
) -> None:
    """The guard against a mass of false losses, taken out."""
    without(monkeypatch, Guard(module, script, "now < fair", "false", beat_against_lose))
    run = await promised(store)
    first = await claimed(store, run)
    await let_pass(store, run, 3_600_000)
    await asks.own(store).pipe.call("DEL", asks.own(store).keys.beats_watch)
    assert (await lose(store, run) if script == "lose" else await ask(store, first, run)) in {"lost", "asked"}
    assert GAP_MS < PATIENCE_MS


async def test_reported_names_the_agent(store: Store) -> None:
    _, question = await unknown(store, await promised(store))
    decision = reported(question, at=await store.now())
    assert (decision.by.kind, decision.by.id) == ("agent", AGENT)
