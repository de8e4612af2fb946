"""Races with real connections, fifty at once: exactly one wins, and all readers agree who.

Each race is a function that returns what went wrong. The same function then runs against a script whose guard was taken
out, and must find something: a test that cannot fail proves nothing.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

import bot.store.handoffs
from bot.handoff import Handoff, State, digest_of
from bot.store import Store
from bot.store.pipe import Script
from bot.store.records import ms_of, pack_decision
from tests.store import asks

TIMES = 50
Race = Callable[[Sequence[Store]], Awaitable[list[str]]]


async def fifty(one: Callable[[int], Awaitable[list[str]]]) -> list[str]:
    """Fifty races at once; the number turns round who starts."""
    return [fault for faults in await asyncio.gather(*(one(n) for n in range(TIMES))) for fault in faults]


async def compare_readers(stores: Sequence[Store], handoff_id: str) -> list[str]:
    """Every client reads the same decision, and it was told once."""
    seen = {
        (pack_decision(found.decision), found.decision.at) if found.decision else None
        for found in [await asks.look(store, handoff_id) for store in stores]
    }
    faults = [] if len(seen) == 1 else [f"{handoff_id}: readers disagree"]
    events = await stores[0]._pipe.call("XRANGE", asks.own(stores[0]).keys.events, "-", "+")
    told = [fields for _, fields in events if fields[3] == handoff_id.encode() and fields[1] == b"decided"]
    decided = 0 if seen == {None} else 1
    return faults if len(told) == decided else [*faults, f"{handoff_id}: told {len(told)} decisions"]


async def answer_word(store: Store, handoff: Handoff, who: int) -> str:
    """One of many people approves or rejects."""
    verdict = asks.yes(handoff, asks.MIRA) if who % 2 else asks.no(handoff, asks.ANA)
    return (await store.handoffs.answer(handoff, verdict, answer_id=f"press {who}")).word


def words(said: Sequence[str], **expected: int) -> list[str]:
    return [] if Counter(said) == Counter(expected) else [f"{Counter(said)}, expected {expected}"]


async def two_answers(stores: Sequence[Store]) -> list[str]:
    async def one(number: int) -> list[str]:
        asked = await asks.opened(stores[0])
        said = await asyncio.gather(
            *(answer_word(store, asked, number + i) for i, store in enumerate(turned(stores, number)))
        )
        return words(said, won=1, lost=len(stores) - 1) + await compare_readers(stores, asked.id)

    return await fifty(one)


async def answer_against_expiry(stores: Sequence[Store]) -> list[str]:
    """The deadline falls into the race: whoever wins must be on its own side of it."""

    async def one(number: int) -> list[str]:
        asked = await asks.opened(stores[0])
        deadline = await stores[0].now() + timedelta(milliseconds=2 + 2 * number)
        await asks.make_due(stores[0], asked.id, deadline)
        won: list[str] = []

        async def press(store: Store, who: int) -> None:
            if (word := await answer_word(store, asked, who)) == "won":
                won.append(f"answer {who}")
            else:
                assert word in {"lost", "late"}

        async def silence(store: Store) -> None:
            while (word := (await store.handoffs.expire(asked, asks.silent(asked))).word) == "early":
                pass
            if word == "won":
                won.append("expiry")

        first, second, third, *_ = turned(stores, number)
        if number % 3 == 0:  # nobody presses until it is over: an answer that is late by a hair
            await asyncio.gather(silence(first), silence(second), _after(silence(third), press(third, number)))
        else:
            await asyncio.gather(silence(first), press(second, number), silence(third))
        found = await asks.look(stores[0], asked.id)
        if len(won) != 1 or not found.decision:
            return [f"{asked.id}: won by {won}"]
        by_person = found.decision.by.kind == "person"
        in_time = ms_of(found.decision.at) < ms_of(deadline)
        faults = (
            [] if by_person == in_time else [f"{asked.id}: {found.decision.kind} on the wrong side of the deadline"]
        )
        return faults + await compare_readers(stores, asked.id)

    return await fifty(one)


async def answer_after_the_deadline(stores: Sequence[Store]) -> list[str]:
    """No timer has run yet; the answer is late all the same (I7)."""

    async def one(number: int) -> list[str]:
        asked = await asks.opened(stores[0])
        await asks.make_due(stores[0], asked.id)
        said = await asyncio.gather(*(answer_word(store, asked, i) for i, store in enumerate(stores)))
        return words(said, late=len(stores))

    return await fifty(one)


async def two_claims(stores: Sequence[Store]) -> list[str]:
    async def one(number: int) -> list[str]:
        asked = await asks.opened(stores[0])
        await stores[0].handoffs.answer(asked, asks.yes(asked), answer_id="a")

        async def claim(store: Store, claimant: str, named: str) -> str:
            said = await store.handoffs.claim(
                asked.id, asked.agent, digest=named, claimant=claimant, max_age=asks.DECISION_AGE
            )
            if said.word == "permit" and digest_of(said.payload) != asked.digest:
                return "other bytes"
            return said.word

        right = [claim(store, f"try {i}", asked.digest) for i, store in enumerate(turned(stores, number))]
        said = await asyncio.gather(claim(stores[0], "thief", "0" * 64), *right)
        return words(said, permit=1, taken=len(stores) - 1, digest=1)

    return await fifty(one)


async def answer_against_withdraw(stores: Sequence[Store]) -> list[str]:
    async def one(number: int) -> list[str]:
        asked = await asks.opened(stores[0])

        async def withdraw(store: Store) -> str:
            return (await store.handoffs.withdraw(asked, asks.withdrawn(asked))).word

        first, second, *_ = turned(stores, number)
        calls = [answer_word(first, asked, number), withdraw(second)]
        said = await asyncio.gather(*(calls if number % 2 else reversed(calls)))
        return words(said, won=1, lost=1) + await compare_readers(stores, asked.id)

    return await fifty(one)


async def two_opens_with_one_key(stores: Sequence[Store]) -> list[str]:
    async def one(number: int) -> list[str]:
        new = asks.new_handoff()
        other = asks.new_handoff(asks.confirmation("something else"), handoff_id=new.id, fingerprint="other")
        calls = [store.handoffs.open(new, asks.NO_LIMITS) for store in turned(stores, number)]
        said = [opened.word for opened in await asyncio.gather(*calls)]
        reused = (await stores[number % len(stores)].handoffs.open(other, asks.NO_LIMITS)).word
        return words([*said, reused], opened=1, known=len(stores) - 1, reused=1)

    before = len(await open_ones(stores[0]))
    faults = await fifty(one)
    counted = int(await stores[0]._pipe.call("HGET", asks.own(stores[0]).keys.agent_load(asks.AGENT), "open"))
    return faults if counted == before + TIMES else [*faults, f"{counted} are counted as open, not {before + TIMES}"]


async def edit_against_approval(stores: Sequence[Store]) -> list[str]:
    """Either the approval came first, or it was of a card that has changed (I10)."""

    async def one(number: int) -> list[str]:
        asked = await asks.opened(stores[0])
        first, second, *_ = turned(stores, number)

        async def approve() -> str:
            return (await first.handoffs.answer(asked, asks.yes(asked), answer_id="a")).word

        async def edit() -> str:
            return (await asks.edit(second, asked, "other words", answer_id="e")).word

        calls = [approve(), edit()] if number % 2 else [edit(), approve()]
        said = sorted(await asyncio.gather(*calls))
        found = await asks.look(stores[0], asked.id)
        if said == ["stale", "won"] and found.state is State.PENDING and found.revision == 2:
            return []
        if said == ["lost", "won"] and found.state is State.DECIDED and found.revision == 1:
            return await compare_readers(stores, asked.id)
        return [f"{asked.id}: {said}, {found.state}, revision {found.revision}"]

    return await fifty(one)


@pytest.mark.parametrize(
    "race",
    [
        two_answers,
        answer_against_expiry,
        answer_after_the_deadline,
        two_claims,
        answer_against_withdraw,
        two_opens_with_one_key,
        edit_against_approval,
    ],
)
async def test_exactly_one_wins(race: Race, stores: list[Store]) -> None:
    assert await race(stores) == []


@pytest.mark.parametrize(
    "race, script, guard",
    [
        (two_answers, "answer", 'if h[1] ~= "pending" then'),
        (answer_against_expiry, "expire", 'if h[1] ~= "pending" then'),
        (answer_against_expiry, "expire", "if now < tonumber(h[3]) then"),
        (answer_after_the_deadline, "answer", "if now >= tonumber(h[3]) then"),
        (two_claims, "claim", 'if h[1] == "claimed" then'),
        (two_claims, "claim", "if h[3] ~= ARGV[3] then"),
        (answer_against_withdraw, "withdraw", 'if h[1] ~= "pending" and h[1] ~= "held" then'),
        (answer_against_withdraw, "answer", 'if h[1] ~= "pending" then'),
        (two_opens_with_one_key, "open", "if found then"),
        (edit_against_approval, "answer", "if h[2] ~= ARGV[3] then"),
        (edit_against_approval, "revise", 'if h[1] ~= "pending" then'),
    ],
)
async def test_without_its_guard_the_race_is_lost(
    race: Race, script: str, guard: str, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The races above can fail: each guard is what keeps them."""
    name = f"_{script.upper()}"
    whole: Script = getattr(bot.store.handoffs, name)
    assert whole.source.count(guard) == 1, f"{script}.lua has changed: where is {guard!r} now?"
    source = whole.source.replace(guard, "if false then")
    without = Script(whole.name, source, hashlib.sha1(source.encode()).hexdigest())  # noqa: S324  # as Redis names it
    monkeypatch.setattr(bot.store.handoffs, name, without)
    assert await goes_wrong(race, stores)


async def goes_wrong(race: Race, stores: Sequence[Store]) -> bool:
    """Does the race go wrong? Its calls may happen to come one after the other, so it has a few tries."""
    for _ in range(5):
        if await race(stores):
            return True
    return False


def turned(stores: Sequence[Store], number: int) -> list[Store]:
    """The clients, another one first."""
    start = number % len(stores)
    return [*stores[start:], *stores[:start]]


async def open_ones(store: Store) -> list[Handoff]:
    return (await store.handoffs.urgent(None, 1_000))[0]


async def _after(first: Awaitable[None], second: Awaitable[None]) -> None:
    await first
    await second
