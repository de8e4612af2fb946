"""Grants on a real store: given with the decision, used by the clock, ended for good; and the guards of all that."""

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

import bot.store.grants
import bot.store.handoffs
from andon import wire
from bot.handoff import Handoff, State
from bot.scope import Given, grant_id
from bot.store import NewHandoff, Settled, Store
from bot.store.grants import MOST
from bot.store.pipe import Script
from tests.store import asks
from tests.store.test_races import Race, fifty, goes_wrong, turned


def grant(asked: Handoff, **changes: object) -> Given:
    made = Given(
        id=grant_id(asked.id),
        agent=asked.agent,
        tool="send_email",
        same={"to": "alice@example.com"},
        scope="run",
        run=asked.run,
        run_name=asked.run_name,
        requester="",
        life_s=3600,
        label="the same recipient",
        gate="send_email",
        policy="1/mail",
        handoff=asked.id,
        by=asks.MIRA,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # passed through


async def give(store: Store, asked: Handoff, **changes: object) -> tuple[Settled, Given]:
    """Mira approves, and gives a grant."""
    made = grant(asked, **changes)
    verdict = replace(asks.yes(asked), grant=made)
    return await store.handoffs.answer(asked, verdict, answer_id=f"press {asked.id}"), made


async def given(store: Store, **changes: object) -> Given:
    """A grant that stands."""
    settled, made = await give(store, await asks.opened(store), **changes)
    assert settled.word == "won"
    return made


def covered(made: Given) -> NewHandoff:
    """An ask that the grant decides."""
    new = asks.new_handoff()
    decision = wire.Approved(
        by=wire.Actor(kind="grant", id=made.id, name="grant by Mira"),
        at=asks.now(),
        revision=1,
        digest=new.digest,
        args={},
        grant=made.id,
        message_for_agent="Go on.",
    )
    return replace(new, decision=decision, allowed=new.digest, grant=made.id)


async def use(store: Store, made: Given) -> str:
    return (await store.handoffs.open(covered(made), asks.NO_LIMITS)).word


async def end(store: Store, made: Given) -> bool:
    return await store.grants.revoke(made.agent, made.id, why="revoked", told="Ana ended it.")


async def ids(store: Store) -> list[str]:
    return [each.given.id for each in await store.grants.all()]


async def test_what_is_kept_is_what_was_given(store: Store) -> None:
    made = await given(store, same={"n": 1, "f": 1.0, "s": "1", "x": None, "l": [1, {"a": True}]}, standing="guest")
    (found,) = await store.grants.all()
    assert found.given == made
    assert [type(found.given.same[name]) for name in "nf"] == [int, float]
    assert found.until - found.at == timedelta(hours=1)
    assert (found.uses, found.last_used) == (0, None)


async def test_the_decision_names_the_grant_and_neither_is_without_the_other(store: Store) -> None:
    asked = await asks.opened(store)
    settled, made = await give(store, asked)
    assert (settled.word, await ids(store)) == ("won", [made.id])
    again, _ = await give(store, asked)
    assert (again.word, again.again) == ("won", True)
    assert await ids(store) == [made.id]


async def lost(store: Store, asked: Handoff) -> None:
    await store.handoffs.answer(asked, asks.no(asked, asks.ANA), answer_id="first")


async def late(store: Store, asked: Handoff) -> None:
    await asks.make_due(store, asked.id)


async def held(store: Store, asked: Handoff) -> None:
    await asks.hold(store)


async def stale(store: Store, asked: Handoff) -> None:
    await asks.edit(store, asked, "other words", answer_id="e")


@pytest.mark.parametrize("first", [lost, late, held, stale])
async def test_a_yes_that_does_not_count_gives_nothing(
    store: Store, first: Callable[[Store, Handoff], Awaitable[None]]
) -> None:
    asked = await asks.opened(store)
    await first(store, asked)
    settled, _ = await give(store, asked)
    assert settled.word == first.__name__
    assert await ids(store) == []


async def test_a_use_is_counted_with_its_time(store: Store) -> None:
    made = await given(store)
    new = covered(made)
    assert (await store.handoffs.open(new, asks.NO_LIMITS)).word == "opened"
    assert (await store.handoffs.open(new, asks.NO_LIMITS)).word == "known"
    (found,) = await store.grants.all()
    assert found.uses == 1
    assert found.last_used
    assert found.at <= found.last_used < found.until


async def test_an_ask_that_comes_to_a_person_all_the_same_is_no_use(store: Store) -> None:
    made = await given(store)
    assert (await store.handoffs.open(replace(asks.new_handoff(), grant=made.id), asks.NO_LIMITS)).word == "opened"
    (found,) = await store.grants.all()
    assert found.uses == 0


async def test_a_grant_that_has_ended_decides_nothing_and_costs_nothing(store: Store) -> None:
    made = await given(store)
    assert await end(store, made)
    assert not await end(store, made)
    new = covered(made)
    assert (await store.handoffs.open(new, asks.NO_LIMITS)).word == "no_grant"
    assert await store.handoffs.load(new.id) is None
    assert (await store.handoffs.open(replace(new, decision=None, grant=""), asks.NO_LIMITS)).word == "opened"


async def test_who_ended_it_is_told_to_all_processes_and_in_the_console(store: Store) -> None:
    made = await given(store)
    await end(store, made)
    events = await store._pipe.call("XRANGE", asks.own(store).keys.events, "-", "+")
    last = dict(zip(events[-1][1][::2], events[-1][1][1::2], strict=True))
    assert (last[b"e"], last[b"a"], last[b"k"]) == (b"grant_ended", b"mailer", f"{made.id} revoked".encode())
    (notice,) = await store.runs.notices(5)
    assert notice.text == (
        "The grant that Mira gave mailer for send_email (the same recipient) has ended: Ana ended it."
    )


async def test_what_ends_badly_ends_its_grant(store: Store) -> None:
    made = await given(store)
    new = covered(made)
    await store.handoffs.open(new, asks.NO_LIMITS)
    claim = await store.handoffs.claim(new.id, new.agent, digest=new.digest, claimant="try", max_age=asks.DECISION_AGE)
    assert claim.word == "permit"
    report = wire.OutcomeReport(status="failed", claimant="try")
    assert (await store.handoffs.outcome(new.id, new.agent, report)).word == "recorded"
    assert await ids(store) == []
    assert await use(store, made) == "no_grant"


async def test_when_what_it_was_given_with_fails_it_ends_too(store: Store) -> None:
    asked = await asks.opened(store)
    _, made = await give(store, asked)
    claim = await store.handoffs.claim(
        asked.id, asked.agent, digest=asked.digest, claimant="try", max_age=asks.DECISION_AGE
    )
    assert claim.word == "permit"
    report = wire.OutcomeReport(status="failed", claimant="try")
    assert (await store.handoffs.outcome(asked.id, asked.agent, report)).word == "recorded"
    assert await use(store, made) == "no_grant"


async def test_a_no_to_what_a_grant_covers_ends_it_and_a_yes_does_not(store: Store) -> None:
    made = await given(store)
    for verdict in (asks.yes, asks.no):
        new = replace(asks.new_handoff(), grant=made.id)
        await store.handoffs.open(new, asks.NO_LIMITS)
        assert await ids(store) == [made.id]
        asked = await asks.look(store, new.id)
        assert (await store.handoffs.answer(asked, verdict(asked), answer_id=new.id)).word == "won"
    assert await ids(store) == []


async def test_an_agent_has_so_many_and_its_oldest_end(store: Store) -> None:
    made = []
    for number in range(MOST + 3):
        made.append(await given(store))
        if number < 4:  # of two in one millisecond, neither is the older one
            await asks.pass_time(store, 1)
    left = await ids(store)
    assert len(left) == MOST
    assert set(left) == {each.id for each in made[3:]}
    told = await store.runs.notices(5)
    assert len(told) == 3
    assert all(each.text.endswith("its agent has 200 newer ones.") for each in told)
    assert [await use(store, each) for each in (made[2], made[3])] == ["no_grant", "opened"]


async def test_no_grant_lives_longer_than_seven_days(store: Store) -> None:
    made = await given(store, life_s=400 * 86_400)
    (found,) = await store.grants.all()
    assert found.until - found.at == timedelta(days=7)
    for key in (asks.own(store).keys.agent_grants(made.agent), asks.own(store).keys.granting):
        assert 0 < await store._pipe.call("PTTL", key) <= 7 * 86_400_000


# --- the clock ---


def at(monkeypatch: pytest.MonkeyPatch, name: str, ms: int) -> None:
    """The script as it is, with this time on the store's clock."""
    whole: Script = getattr(bot.store.handoffs, f"_{name.upper()}")
    source, count = re.subn(
        r"(local function now_ms\(\)\n).*?\nend\n", rf"\g<1>  return {ms}\nend\n", whole.source, flags=re.DOTALL
    )
    assert count == 1
    sha = hashlib.sha1(source.encode()).hexdigest()  # noqa: S324  # as Redis names it
    monkeypatch.setattr(bot.store.handoffs, f"_{name.upper()}", Script(name, source, sha))


@pytest.mark.parametrize("offset, word", [(-1, "opened"), (0, "no_grant"), (1, "no_grant")])
async def test_its_time_is_up_to_the_millisecond(
    store: Store, monkeypatch: pytest.MonkeyPatch, offset: int, word: str
) -> None:
    made = await given(store)
    (found,) = await store.grants.all()
    at(monkeypatch, "open", round(found.until.timestamp() * 1000) + offset)
    assert await use(store, made) == word


async def test_one_whose_time_is_up_is_listed_no_more_and_makes_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await given(store)
    key = asks.own(store).keys.agent_grants(made.agent)
    await store._pipe.call("HSET", key, f"until:{made.id}", 1)
    assert await ids(store) == []
    assert not await end(store, made), "there is nothing to end"
    newer = await given(store)
    fields = [name.decode() for name in await store._pipe.call("HKEYS", key)]
    assert {name.rpartition(":")[2] for name in fields} == {newer.id}


async def test_a_grant_of_a_newer_version_is_left_alone(store: Store) -> None:
    """What this version cannot read says yes to nothing."""
    made = await given(store)
    key = asks.own(store).keys.agent_grants(made.agent)
    await store._pipe.call("HSET", key, made.id, json.dumps({"id": made.id, "by": asks.MIRA.model_dump()}))
    assert await ids(store) == []


# --- races, and the guards that win them ---


async def revoke_against_open(stores: Sequence[Store]) -> list[str]:
    """Who ends a grant and is told so never sees it used after that."""

    async def one(number: int) -> list[str]:
        made = await given(stores[0])
        ended: list[bool] = []

        async def revoke(store: Store) -> None:
            await asyncio.sleep(0.0005 * (number % 7))
            assert await end(store, made)
            ended.append(True)

        async def ask(store: Store) -> list[str]:
            faults = []
            for _ in range(8):
                was_over = bool(ended)
                if await use(store, made) == "opened" and was_over:
                    faults.append(f"{made.id} let something run after it had ended")
            return faults

        first, second, third, *_ = turned(stores, number)
        _, *said = await asyncio.gather(revoke(first), ask(second), ask(third))
        return [fault for some in said for fault in some or []]

    return await fifty(one)


async def revoke_against_claim(stores: Sequence[Store]) -> list[str]:
    """A decision of a grant that has ended since is no permit."""

    async def one(number: int) -> list[str]:
        made = await given(stores[0])
        news = [covered(made) for _ in range(6)]
        assert {(await stores[0].handoffs.open(new, asks.NO_LIMITS)).word for new in news} == {"opened"}
        ended: list[bool] = []

        async def revoke(store: Store) -> None:
            await asyncio.sleep(0.0005 * (number % 5))
            assert await end(store, made)
            ended.append(True)

        async def claim(store: Store) -> list[str]:
            faults = []
            for new in news:
                was_over = bool(ended)
                said = await store.handoffs.claim(
                    new.id, new.agent, digest=new.digest, claimant="try", max_age=asks.DECISION_AGE
                )
                if said.word == "permit" and was_over:
                    faults.append(f"{new.id} was claimed after its grant had ended")
            return faults

        first, second, *_ = turned(stores, number)
        _, faults = await asyncio.gather(revoke(first), claim(second))
        return faults or []

    return await fifty(one)


async def yes_against_no(stores: Sequence[Store]) -> list[str]:
    """There is a grant if and only if the yes that gave it stands."""

    async def one(number: int) -> list[str]:
        asked = await asks.opened(stores[0])

        async def approve(store: Store) -> str:
            return (await give(store, asked))[0].word

        async def reject(store: Store) -> str:
            return (await store.handoffs.answer(asked, asks.no(asked, asks.ANA), answer_id="no")).word

        first, second, *_ = turned(stores, number)
        calls = [approve(first), reject(second)]
        await asyncio.gather(*(calls if number % 2 else reversed(calls)))
        decision = (await asks.look(stores[0], asked.id)).decision
        assert decision
        stands = grant_id(asked.id) in await ids(stores[0])
        return [] if stands == (decision.kind == "approved") else [f"{asked.id}: {decision.kind}, grant: {stands}"]

    return await fifty(one)


@pytest.mark.parametrize("race", [revoke_against_open, revoke_against_claim, yes_against_no])
async def test_no_grant_is_used_that_has_ended_and_none_is_given_by_a_yes_that_lost(
    race: Race, stores: list[Store]
) -> None:
    assert await race(stores) == []


@pytest.mark.parametrize(
    "race, script, guard",
    [
        (revoke_against_open, "open", 'if ARGV[25] == "uses" and not stands(KEYS[11], ARGV[24], now) then'),
        (revoke_against_claim, "claim", "if h[10] and not stands(KEYS[4], h[10], now) then"),
        (yes_against_no, "answer", 'if h[1] ~= "pending" then'),
    ],
)
async def test_without_its_guard_the_race_is_lost(
    race: Race, script: str, guard: str, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"_{script.upper()}"
    whole: Script = getattr(bot.store.handoffs, name)
    assert whole.source.count(guard) == 1, f"{script}.lua has changed: where is {guard!r} now?"
    source = whole.source.replace(guard, "if false then")
    sha = hashlib.sha1(source.encode()).hexdigest()  # noqa: S324  # as Redis names it
    monkeypatch.setattr(bot.store.handoffs, name, Script(whole.name, source, sha))
    assert await goes_wrong(race, stores)


async def test_what_a_grant_decided_is_a_decision_like_any_other(store: Store) -> None:
    made = await given(store)
    new = covered(made)
    await store.handoffs.open(new, asks.NO_LIMITS)
    found = await asks.look(store, new.id)
    assert found.state is State.DECIDED
    assert found.decision
    assert (found.decision.by.kind, found.decision.by.id) == ("grant", made.id)
