"""Votes at once, on real connections: nobody's is lost, nobody counts twice, and exactly one decision stands.

As in `test_races`, each race runs again with a guard of its script taken out, and must find something then.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

import bot.store.handoffs
from andon import wire
from bot import tally
from bot.handoff import Handoff, Route, Vote
from bot.store import Store
from bot.store.pipe import Script
from bot.store.records import hashed, ms_of
from tests.store import asks
from tests.store.test_races import compare_readers, fifty, goes_wrong, turned

Race = Callable[[Sequence[Store]], Awaitable[list[str]]]


def person(number: int) -> wire.Actor:
    return wire.Actor(kind="person", id=f"p{number}@example.com", name=f"P{number}", surface="web")


async def asked(store: Store, *, quorum: int = 2, run: str = asks.RUN) -> Handoff:
    """A handoff that takes several to approve."""
    route = Route(policy="v1/two", timeout_s=600, on_timeout="deny", to=(), quorum=quorum)
    await asks.start_run(store)
    new = asks.new_handoff(run=run)
    new = replace(new, doc=new.doc.model_copy(update={"route": route}))
    assert (await store.handoffs.open(new, asks.NO_LIMITS)).word == "opened"
    return await asks.look(store, new.id)


def vote_of(handoff: Handoff, by: wire.Actor, answer_id: str) -> Vote:
    return Vote(by.id, by, asks.now(), handoff.revision, 1, "yes", digest=handoff.digest, id=hashed(answer_id))


async def say_yes(store: Store, seen: Handoff, by: wire.Actor, *, answer_id: str = "") -> str:
    """As the service does it: count what was seen, add to it or decide, and count again if that has moved."""
    answer_id, handoff = answer_id or f"press of {by.id}", seen
    for number in range(100):
        handoff = handoff if number == 0 else await asks.look(store, handoff.id)
        if any(vote.id == hashed(answer_id) for vote in handoff.votes):
            return "known"
        if any(vote.person == by.id for vote in tally.latest(handoff.votes)):
            return "twice"
        vote = vote_of(handoff, by, answer_id)
        if handoff.decision is None and tally.decides(handoff, vote):
            settled = await store.handoffs.answer(handoff, asks.yes(handoff, by), answer_id=answer_id)
            word = "decided"
        else:
            settled = await store.handoffs.vote(handoff, vote)
            word = "voted"
        if settled.word != "moved":
            return ("again" if settled.again else word) if settled.word == "won" else settled.word
    return "moved for ever"


async def history(store: Store, handoff_id: str) -> list[str]:
    """What was told of it, in order: each vote with its number."""
    events = await store._pipe.call("XRANGE", asks.own(store).keys.events, "-", "+")
    pairs = [dict(zip(fields[::2], fields[1::2], strict=True)) for _, fields in events]
    return [
        f"{each[b'e'].decode()} {each[b'k'].decode()}".strip() for each in pairs if each[b"h"] == handoff_id.encode()
    ]


async def check(stores: Sequence[Store], handoff_id: str, *, quorum: int) -> list[str]:
    """Votes of different people, one fewer than needed before the decision, each told once."""
    found = await asks.look(stores[0], handoff_id)
    voters = [vote.person for vote in found.votes]
    faults = await compare_readers(stores, handoff_id)
    if len(set(voters)) != len(voters):
        faults.append(f"{handoff_id}: {voters} voted")
    if found.decision and found.decision.kind == "approved" and len(voters) != quorum - 1:
        faults.append(f"{handoff_id}: decided after {len(voters)} other votes")
    if found.decision and found.decision.by.id in voters:
        faults.append(f"{handoff_id}: {found.decision.by.id} voted and decided")
    told = await history(stores[0], handoff_id)
    numbers = [f"voted {n}" for n in range(1, len(voters) + 1)]
    if [each for each in told if each.startswith("voted")] != numbers:
        faults.append(f"{handoff_id}: told {told}")
    return faults


async def two_last_votes(stores: Sequence[Store]) -> list[str]:
    """One yes is there, and all others come at once: one of them decides."""

    async def one(number: int) -> list[str]:
        handoff = await asked(stores[0])
        await say_yes(stores[0], handoff, person(99))
        handoff = await asks.look(stores[0], handoff.id)
        said = await asyncio.gather(
            *(say_yes(store, handoff, person(i)) for i, store in enumerate(turned(stores, number)))
        )
        faults = [] if said.count("decided") == 1 and said.count("lost") == len(stores) - 1 else [f"{said}"]
        return faults + await check(stores, handoff.id, quorum=2)

    return await fifty(one)


async def all_votes_at_once(stores: Sequence[Store]) -> list[str]:
    """Five people, four are needed: each counts the votes before theirs."""

    async def one(number: int) -> list[str]:
        handoff = await asked(stores[0], quorum=4)
        said = await asyncio.gather(
            *(say_yes(store, handoff, person(i)) for i, store in enumerate(turned(stores, number)))
        )
        faults = [] if sorted(said) == ["decided", "lost", "voted", "voted", "voted"] else [f"{said}"]
        return faults + await check(stores, handoff.id, quorum=4)

    return await fifty(one)


async def one_person_from_two_surfaces(stores: Sequence[Store]) -> list[str]:
    """The same person presses everywhere at once: they have one vote, and another person is still needed."""

    async def one(number: int) -> list[str]:
        handoff = await asked(stores[0])
        said = await asyncio.gather(
            *(
                say_yes(store, handoff, person(1), answer_id=f"press {i}")
                for i, store in enumerate(turned(stores, number))
            )
        )
        faults = [] if sorted(said) == [*["twice"] * (len(stores) - 1), "voted"] else [f"{said}"]
        if (await asks.look(stores[0], handoff.id)).decision:
            faults.append(f"{handoff.id}: one person decided what takes two")
        return faults + await check(stores, handoff.id, quorum=2)

    return await fifty(one)


async def a_change_of_mind_against_the_last_vote(stores: Sequence[Store]) -> list[str]:
    """Whoever takes their yes back in time has not agreed: it is either too late for them, or for the last vote."""

    async def one(number: int) -> list[str]:
        handoff = await asked(stores[0])
        await say_yes(stores[0], handoff, person(1))
        handoff = await asks.look(stores[0], handoff.id)
        first, second, *_ = turned(stores, number)

        async def last() -> str:
            return (await first.handoffs.answer(handoff, asks.yes(handoff, person(2)), answer_id="last")).word

        async def back() -> str:
            no = replace(vote_of(handoff, person(1), "no"), kind="no")
            return (await second.handoffs.vote(handoff, no)).word

        said = await asyncio.gather(*([last(), back()] if number % 2 else [back(), last()]))
        found = await asks.look(stores[0], handoff.id)
        took_back = tally.latest(found.votes)[0].kind == "no"
        return [f"{handoff.id}: {said}: decided by one"] if found.decision and took_back else []

    return await fifty(one)


async def one_press_sent_again(stores: Sequence[Store]) -> list[str]:
    """Its reply was lost, so it comes again, in the form in which it first came."""

    async def one(number: int) -> list[str]:
        handoff = await asked(stores[0], quorum=3)
        vote = vote_of(handoff, person(1), "press")
        said = [await store.handoffs.vote(handoff, replace(vote, at=asks.now())) for store in turned(stores, number)]
        faults = [] if [each.again for each in said] == [False, *[True] * (len(stores) - 1)] else [f"{said}"]
        return faults + await check(stores, handoff.id, quorum=3)

    return await fifty(one)


async def vote_against_edit(stores: Sequence[Store]) -> list[str]:
    """Either the vote came first and the edit voided it, or it was of a card that has changed."""

    async def one(number: int) -> list[str]:
        handoff = await asked(stores[0])
        first, second, *_ = turned(stores, number)

        async def vote() -> str:
            return (await first.handoffs.vote(handoff, vote_of(handoff, person(1), "v"))).word

        async def edit() -> str:
            return (await asks.edit(second, handoff, "other words", answer_id="e")).word

        calls = [vote(), edit()] if number % 2 else [edit(), vote()]
        await asyncio.gather(*calls)
        found = await asks.look(stores[0], handoff.id)
        if found.revision != 2:
            return [f"{handoff.id}: revision {found.revision}"]
        return [f"{handoff.id}: {len(found.votes)} votes on what nobody has read"] if found.votes else []

    return await fifty(one)


async def vote_against_expiry(stores: Sequence[Store]) -> list[str]:
    """The deadline falls into the race: a vote is on its own side of it."""

    async def one(number: int) -> list[str]:
        handoff = await asked(stores[0], quorum=9)
        deadline = await stores[0].now() + timedelta(milliseconds=2 + number)
        await asks.make_due(stores[0], handoff.id, deadline)

        async def silence(store: Store) -> None:
            while (await store.handoffs.expire(handoff, asks.silent(handoff))).word == "early":
                pass

        async def votes(store: Store) -> None:
            for who in range(8):
                await say_yes(store, handoff, person(who))

        first, second, third, *_ = turned(stores, number)
        await asyncio.gather(silence(first), votes(second), silence(third))
        late = await say_yes(first, handoff, person(8))
        found = await asks.look(stores[0], handoff.id)
        faults = [] if late == "lost" else [f"{handoff.id}: a vote after the end: {late}"]
        faults += [f"{handoff.id}: a vote at {vote.at}" for vote in found.votes if ms_of(vote.at) >= ms_of(deadline)]
        if not found.decision or found.decision.kind != "expired":
            faults.append(f"{handoff.id}: {found.decision}")
        return faults + await compare_readers(stores, handoff.id)

    return await fifty(one)


async def vote_after_the_deadline(stores: Sequence[Store]) -> list[str]:
    """No timer has run yet; the vote is late all the same."""

    async def one(number: int) -> list[str]:
        handoff = await asked(stores[0])
        await asks.make_due(stores[0], handoff.id)
        said = await asyncio.gather(*(say_yes(store, handoff, person(i)) for i, store in enumerate(stores)))
        return [] if set(said) == {"late"} else [f"{said}"]

    return await fifty(one)


async def vote_on_what_is_held(stores: Sequence[Store]) -> list[str]:
    async def one(number: int) -> list[str]:
        run = f"run_{number:022d}{asks.MARK}"
        await asks.start_run(stores[0], run)
        handoff = await asked(stores[0], run=run)
        await asks.pull(stores[0], "stop", scope=wire.BrakeScope(run=run))
        said = await asyncio.gather(*(say_yes(store, handoff, person(i)) for i, store in enumerate(stores)))
        return [] if set(said) == {"held"} else [f"{said}"]

    return await fifty(one)


async def guesses_at_the_number(stores: Sequence[Store]) -> list[str]:
    """Ninety guesses at once are three, and then they wait; another person does not."""

    async def one(number: int) -> list[str]:
        handoff = await asked(stores[0])
        said = await asyncio.gather(
            *(stores[i % len(stores)].handoffs.try_code(handoff, "email:p@x.com", right=False) for i in range(20))
        )
        found = [word for word, _ in said]
        waits = await stores[0].handoffs.try_code(handoff, "email:p@x.com", right=True)
        other = await stores[0].handoffs.try_code(handoff, "email:q@x.com", right=True)
        right = found.count("wrong") == 3 and waits[0] == "wait" and 0 < waits[1] <= 60_000 and other[0] == "right"
        return [] if right else [f"{handoff.id}: {found}, then {waits}, the other {other}"]

    return await fifty(one)


RACES: list[Race] = [
    two_last_votes,
    all_votes_at_once,
    one_person_from_two_surfaces,
    a_change_of_mind_against_the_last_vote,
    one_press_sent_again,
    vote_against_edit,
    vote_against_expiry,
    vote_after_the_deadline,
    vote_on_what_is_held,
    guesses_at_the_number,
]


@pytest.mark.parametrize("race", RACES)
async def test_every_vote_counts_once(race: Race, stores: list[Store]) -> None:
    assert await race(stores) == []


MOVED = 'if (h[4] or "0") ~= ARGV[4] then'


@pytest.mark.parametrize(
    "race, script, guard",
    [
        (two_last_votes, "answer", 'if h[1] ~= "pending" then'),
        (all_votes_at_once, "vote", MOVED),
        (a_change_of_mind_against_the_last_vote, "answer", 'if (h[6] or "0") ~= ARGV[12] then'),
        (one_person_from_two_surfaces, "vote", MOVED),
        (one_press_sent_again, "vote", 'if h[5] and string.find(h[5], "\\n" .. ARGV[2] .. " ", 1, true) then'),
        (vote_against_edit, "vote", "if h[2] ~= ARGV[3] then"),
        (vote_against_edit, "revise", 'redis.call("HDEL", KEYS[1], "votes", "vote_n")'),
        (vote_against_expiry, "vote", 'if h[1] ~= "pending" then'),
        (vote_after_the_deadline, "vote", "if now >= tonumber(h[3]) then"),
        (vote_on_what_is_held, "vote", "if held then"),
        (guesses_at_the_number, "try_code", "if wrong >= tonumber(ARGV[2]) then"),
    ],
)
async def test_without_its_guard_a_vote_counts_wrongly(
    race: Race, script: str, guard: str, stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The races above can fail: each guard is what keeps them."""
    name = f"_{script.upper()}"
    whole: Script = getattr(bot.store.handoffs, name)
    assert whole.source.count(guard) == 1, f"{script}.lua has changed: where is {guard!r} now?"
    source = whole.source.replace(guard, "if false then" if guard.startswith("if ") else "")
    without = Script(whole.name, source, hashlib.sha1(source.encode()).hexdigest())  # noqa: S324  # as Redis names it
    monkeypatch.setattr(bot.store.handoffs, name, without)
    assert await goes_wrong(race, stores)
