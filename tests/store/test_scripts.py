"""The scripts against what they say of themselves: their headers, their callers, and the table of moves."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest

from andon import wire
from bot.handoff import MOVES, Aside, Handoff, State, Vote
from bot.store import Due, NewHandoff, Store, ramp_id
from bot.store.pipe import Pipe, Script
from tests.store import asks, callbacks

LUA = files("bot.store") / "lua"
SHARED = "\n".join((LUA / f"{part}.lua").read_text() for part in ("_settle", "_brake", "_grants"))
SOURCES = {
    file.name.removesuffix(".lua"): file.read_text()
    for file in LUA.iterdir()
    if file.name.endswith(".lua") and not file.name.startswith("_")
}
SHARED_KEYS = {
    *("events_key", "agent_key", "load_key", "handoff_key", "due_key", "index_key", "trust_key", "trusts_key"),
    *("grants_key", "agents_key", "notices_key", "kept_key", "asks_key", "root_key", "run_key"),
    *("review_key", "ladder_key", "brakes_key", "lifted_key", "acting_key", "undelivered_key", "watch_key"),
}
"""What the shared functions call the keys that they are given."""
Verb = Callable[[Store, Handoff], Awaitable[object]]


@dataclass(frozen=True)
class Header:
    keys: tuple[str, ...]
    args: tuple[str, ...]
    words: frozenset[str]


def header(source: str) -> Header:
    lines = [line.removeprefix("--").strip() for line in source.splitlines() if line.startswith("--")]
    keys = [match for line in lines if (match := re.match(r"KEYS\[(\d+)\]\s+(\S+)", line))]
    args = [match for line in lines if (match := re.match(r"ARGV\[(\d+)\]\s+(.+)", line))]
    for found in (keys, args):
        assert [int(match[1]) for match in found] == list(range(1, len(found) + 1)), "numbered from 1, without a gap"
    returns = " ".join(lines[next(i for i, line in enumerate(lines) if line.startswith("Returns")) :])
    words = frozenset(re.findall(r'\{\s*"(\w+)"', returns))
    return Header(tuple(m[2] for m in keys), tuple(m[2] for m in args), words)


def code(source: str) -> str:
    return "\n".join(line for line in source.splitlines() if not line.startswith("--"))


def numbers(what: str, source: str) -> set[int]:
    return {int(number) for number in re.findall(rf"{what}\[(\d+)\]", source)}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_script_uses_what_its_header_names_and_no_more(name: str) -> None:
    says, does = header(SOURCES[name]), code(SOURCES[name])
    keys = numbers("KEYS", does)
    if "#KEYS" in does:
        keys |= {1}  # as many of one kind as the caller has
    if "settle(" in does:
        keys |= numbers("KEYS", code(SHARED))
    args = numbers("ARGV", does)
    if "#ARGV" in does:  # the last argument, and the keys that go with it, once for each of the caller's
        keys |= set(range(max(keys) + 1, len(says.keys) + 1))
        args |= {len(says.args)}
    assert keys == set(range(1, len(says.keys) + 1))
    assert args == set(range(1, len(says.args) + 1))
    assert set(re.findall(r'return \{ "(\w+)"', does)) == says.words
    assert all(key.startswith("{ns}:") for key in says.keys), "one namespace, one Cluster slot"


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_script_names_no_state_but_the_table_s(name: str) -> None:
    source = code(SHARED) + code(SOURCES[name])
    found = set(re.findall(r'"state",\s*"(\w+)"', source)) - {"agent", "rev"}
    if re.search(r'HMGET", KEYS\[1\], "state"', source):
        found |= set(re.findall(r'h\[1\]\s*[=~]=\s*"(\w+)"', source))
    assert found <= {state.value for state in State}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_script_never_scans_and_takes_every_key_from_its_caller(name: str) -> None:
    source = code(SHARED) + code(SOURCES[name])
    assert not re.search(r'"(KEYS|SCAN|HSCAN|ZSCAN|SSCAN|FLUSHDB|FLUSHALL)"', source)
    for first in re.findall(r'redis\.call\("(?!TIME)\w+", ([\w\[\]]+)', source):
        assert first.startswith("KEYS[") or first in SHARED_KEYS


# --- the callers ---


async def approve(store: Store, handoff: Handoff) -> object:
    return await store.handoffs.answer(handoff, asks.yes(handoff), answer_id="a")


async def revise(store: Store, handoff: Handoff) -> object:
    return await asks.edit(store, handoff, "other words", answer_id="e")


async def expire(store: Store, handoff: Handoff) -> object:
    await asks.make_due(store, handoff.id)
    return await store.handoffs.expire(handoff, asks.silent(handoff))


async def withdraw(store: Store, handoff: Handoff) -> object:
    return await store.handoffs.withdraw(handoff, asks.withdrawn(handoff))


async def claim(store: Store, handoff: Handoff) -> object:
    return await store.handoffs.claim(
        handoff.id, handoff.agent, digest=handoff.digest, claimant="try", max_age=asks.DECISION_AGE
    )


async def executed(store: Store, handoff: Handoff) -> object:
    return await store.handoffs.outcome(
        handoff.id, handoff.agent, wire.OutcomeReport(status="executed", claimant="try")
    )


async def undone(store: Store, handoff: Handoff) -> object:
    return await store.handoffs.outcome(handoff.id, handoff.agent, wire.OutcomeReport(status="undone"))


async def vote(store: Store, handoff: Handoff) -> object:
    said = Vote("email:a@x.com", asks.MIRA, asks.now(), 1, 1, "yes", digest=handoff.digest, id="0" * 32)
    return await store.handoffs.vote(handoff, said)


async def try_code(store: Store, handoff: Handoff) -> object:
    return await store.handoffs.try_code(handoff, "email:a@x.com", right=False)


async def doubt(store: Store, handoff: Handoff) -> object:
    await store.handoffs.doubt(handoff, "slack:S1")
    return None


async def hold(store: Store, handoff: Handoff) -> object:
    await asks.pull(store, "stop")
    found = [each async for each in store.brakes.settle()]
    await asks.pull(store, "resume")
    return found


async def release(store: Store, handoff: Handoff) -> object:
    return [each async for each in store.brakes.settle()]


async def delivered(store: Store, handoff: Handoff) -> object:
    return await store.arrivals.delivered(handoff.id, "poll")


async def unreached(store: Store, handoff: Handoff) -> object:
    return await store.arrivals.unreached(handoff, "It is away.", again=False)


VERBS: Mapping[str, Verb] = {
    "answer": approve,
    "revise": revise,
    "expire": expire,
    "withdraw": withdraw,
    "claim": claim,
    "executed": executed,
    "undone": undone,
    "vote": vote,
    "try_code": try_code,
    "doubt": doubt,
    "hold": hold,
    "release": release,
    "delivered": delivered,
    "unreached": unreached,
}


async def spread_over_two(store: Store) -> None:
    """What is only called where there are several shards."""
    spread = Store(store._client, ns=store.keys.ns, shards=max(2, len(store.shards)))
    for action in ("stop", "resume"):
        await asks.pull(spread, action, scope=wire.BrakeScope(everything=True))
    for shard in spread.shards:
        key, reset = shard.keys.trust(ramp_id("send")), 1 if shard.number else 2
        about = {"ramp": "send", "good": 1, "at": 1, "reset_at": reset}
        await store._pipe.call("HSET", key, *(part for pair in about.items() for part in pair))
        await store._pipe.call("PEXPIRE", key, 60_000)
    assert await spread.trust.counts(["send"]) == {"send": 1}
    for shard in spread.shards[len(store.shards) :]:
        await store._client.delete(*[key async for key in store._client.scan_iter(match=f"{{{shard.keys.ns}}}:*")])
    await spread._pipe.close()


async def everything_of_endpoints(store: Store) -> None:
    """Each script that callbacks need."""
    endpoint = await callbacks.endpoint(store)
    await store.endpoints.rotate(endpoint, b"new", timedelta(hours=1))
    await store.endpoints.switch(endpoint.id, "")
    sent = callbacks.callback(endpoint)
    await store.endpoints.queue(sent)
    taken = await callbacks.take(store, sent)
    await store.endpoints.keep(taken, lease=timedelta(seconds=1))
    await callbacks.fail(store, taken, "it hung up", timedelta())
    await store.endpoints.end(await callbacks.take(store, sent), "delivered")
    await store.endpoints.announce("key 1", "Look", [wire.Place(surface="paper")], timedelta(seconds=1))
    await store.endpoints.remove(endpoint.id)


async def fall_silent(store: Store, run_now: wire.Run, asked: Handoff, shown: NewHandoff) -> None:
    """Signs of life, and what is asked when there are none."""
    told, due = wire.Notice(text="Silent"), Due(asks.RUN, 1)
    assert (await store.beats.beat(run_now, [asked.id], found=told)).word == "unpromised"
    assert await store.beats.watch() == ([], [])
    assert await store.beats.lose(run_now, due, told) == "over"
    assert await store.unknown.ask(asked, Due(asked.id, 1), shown, "Mira") == "over"
    withdrawn = asks.withdrawn(asked)
    question = replace(asked, settles=asked.id)
    assert (await store.unknown.rule(question, withdrawn, None, withdrawn, answer_id="b")).word == "lost"


async def restore(store: Store) -> None:
    """As after a backup, with one approval that nobody has acted on."""
    approved = await asks.opened(store)
    await store.handoffs.answer(approved, asks.yes(approved), answer_id="key 2")
    assert await store.restored.outdate() == 1


async def test_callers_pass_the_keys_and_arguments_that_the_headers_name(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = {}
    run = Pipe.run

    def note(self: Pipe, script: Script, keys: tuple[str, ...], *args: Any) -> Any:
        called[script.name] = (keys, args)
        return run(self, script, keys, *args)

    monkeypatch.setattr(Pipe, "run", note)
    await spread_over_two(store)
    asked = await asks.opened(store)
    for verb in VERBS.values():
        await verb(store, asked)
    run_now = await store.runs.load(asks.RUN)
    assert run_now
    await store.runs.steer(run_now, "key 1", "Why him?", asks.MIRA)
    await store.brakes.heard(asks.RUN, asks.AGENT, ["key 1"])
    await hold(store, await asks.opened(store))
    await store.runs.save_checkpoint(asks.RUN, asks.AGENT, wire.CheckpointSave(name="half way"), "save 1")
    shown = asks.new_handoff(asks.confirmation())
    assert await store.unreported.presume(asked, shown) == "over"
    await store.trust.reset("tr_1", "mira@example.com")
    await store.shelf.turn("paper", "letters", every=timedelta(seconds=1), burst=1, longest=timedelta(seconds=1))
    await restore(store)
    run_now = await store.runs.load(asks.RUN)
    assert run_now
    await store.runs.notice(run_now, wire.Notice(text="Done"), "key 1")
    assert not await store.grants.revoke(asks.AGENT, "gr_1", why="revoked", told="Mira ended it.")
    await asks.own(store).outbox.join("paper")
    assert not await asks.own(store).outbox.skip("paper", asks.now() - timedelta(days=1))
    for delivery in await asks.own(store).outbox.read("paper", "reader", limit=1, wait=timedelta(seconds=1)):
        await asks.own(store).outbox.bury("paper", delivery, deliveries=5, reason="it never worked")
    await store.ladder.climb(asked.id)
    await store.ladder.put(asked, Aside("0" * 32, "questioned", asks.now(), asks.MIRA, text="Why?"))
    await store.digests.admit(asked.id, ["ana@example.com"], 1)
    assert await asks.own(store).digests.gather(asked, "paper", "ops")
    assert await asks.own(store).digests.fill("paper", "ops", "", ended=False)
    assert await asks.own(store).outbox.begin_card(asked.id, "{}", "reader", lease=timedelta(seconds=1)) == "first"
    await asks.own(store).outbox.save_card(asked.id, '{"surface":"paper"}', "1")
    place = wire.Place(surface="paper", channel="ops")
    await everything_of_endpoints(store)
    child = wire.RunStart(name="child", parent=asks.RUN, conversation=place)
    assert await store.runs.start(f"run_{'c' * 22}{asks.MARK}", asks.AGENT, child, "f")
    await fall_silent(store, run_now, asked, shown)
    assert set(called) == set(SOURCES)
    filled = {
        "{ns}": f"{{{store.keys.ns}}}",
        "<agent>": asks.AGENT,
        "<parent>": asks.RUN,
        "<key>": "key 1",
        "<surface>": "paper",
        "<channel>": "ops",
        "<queue>": "letters",
    }
    for name, (keys, args) in called.items():
        says = header(SOURCES[name])
        if "#ARGV" in SOURCES[name]:
            keys, args = keys[: len(says.keys)], args[: len(says.args)]  # noqa: PLW2901  # the first handoff's
        assert len(keys) == len(says.keys), name
        assert len(args) == len(says.args), name
        for pattern, key in zip(says.keys, (re.sub(r":\d}", "}", key) for key in keys), strict=True):
            for mark, value in filled.items():
                pattern = pattern.replace(mark, value)  # noqa: PLW2901  # filled in step by step
            assert re.fullmatch(
                re.sub("<(id|who|place|new|person|revision|digest)>", "[^:]+", re.escape(pattern)), key
            ), (
                name,
                pattern,
                key,
            )


# --- the table ---


async def bring(store: Store, state: State, timing: wire.Timing) -> Handoff:
    """A handoff in this state, by the verbs alone."""
    asked = await asks.opened(store, asks.confirmation(timing=timing))
    if state is State.HELD:
        await hold(store, asked)
    if state in {State.DECIDED, State.CLAIMED, State.CLOSED}:
        await approve(store, asked)
    if state in {State.CLAIMED, State.CLOSED} and timing == "before":
        await claim(store, asked)
    if state is State.CLOSED:
        await executed(store, asked)
    found = await asks.look(store, asked.id)
    assert found.state is state
    return found


BROUGHT: list[tuple[State, wire.Timing]] = [
    *((state, "before") for state in State),
    *((state, "after") for state in State if state is not State.CLAIMED),  # what is done already is not claimed
]


@pytest.mark.parametrize("state, timing", BROUGHT)
async def test_no_verb_makes_a_move_that_is_not_in_the_table(store: Store, state: State, timing: wire.Timing) -> None:
    for name, verb in VERBS.items():
        if name == "revise" and timing == "after":
            continue  # what is done already is not edited
        handoff = await bring(store, state, timing)
        await verb(store, handoff)
        after = (await asks.look(store, handoff.id)).state
        assert after is state or after in MOVES[state], (name, state, after)


async def test_every_move_of_the_table_has_its_verb(store: Store) -> None:
    made: set[tuple[State, State]] = set()
    for state, timing in BROUGHT:
        for name, verb in VERBS.items():
            if name != "revise":
                handoff = await bring(store, state, timing)
                await verb(store, handoff)
                made.add((state, (await asks.look(store, handoff.id)).state))
    table = {(state, to) for state, moves in MOVES.items() for to in moves}
    assert {move for move in made if move[0] is not move[1]} == table


# --- the clock ---


def at(monkeypatch: pytest.MonkeyPatch, name: str, ms: int) -> None:
    """The script as it is, with this time on the store's clock."""
    import hashlib

    import bot.store.handoffs as module

    whole: Script = getattr(module, f"_{name.upper()}")
    source, count = re.subn(
        r"(local function now_ms\(\)\n).*?\nend\n", rf"\g<1>  return {ms}\nend\n", whole.source, flags=re.DOTALL
    )
    assert count == 1, "the store's clock is read in one place"
    sha = hashlib.sha1(source.encode()).hexdigest()  # noqa: S324  # as Redis names it
    monkeypatch.setattr(module, f"_{name.upper()}", Script(name, source, sha))


@pytest.mark.parametrize("offset, answer, silence", [(-1, "won", "early"), (0, "late", "won"), (1, "late", "won")])
async def test_the_deadline_is_exact_to_the_millisecond(
    store: Store, monkeypatch: pytest.MonkeyPatch, offset: int, answer: str, silence: str
) -> None:
    """I7: up to the last millisecond an answer counts; from the deadline on, only silence does."""
    first, second, third = [await asks.opened(store) for _ in range(3)]
    with monkeypatch.context() as patch:
        at(patch, "answer", ms(first) + offset)
        assert (await store.handoffs.answer(first, asks.yes(first), answer_id="a")).word == answer
        at(patch, "revise", ms(second) + offset)
        assert (await asks.edit(store, second, "other", answer_id="e")).word == answer
        at(patch, "expire", ms(third) + offset)
        assert (await store.handoffs.expire(third, asks.silent(third))).word == silence


@pytest.mark.parametrize("offset, word", [(-1, "permit"), (0, "permit"), (1, "old")])
async def test_a_decision_ages_to_the_millisecond(
    store: Store, monkeypatch: pytest.MonkeyPatch, offset: int, word: str
) -> None:
    asked = await asks.opened(store)
    await store.handoffs.answer(asked, asks.yes(asked), answer_id="a")
    decision = (await asks.look(store, asked.id)).decision
    assert decision
    age = round(asks.DECISION_AGE.total_seconds() * 1000)
    at(monkeypatch, "claim", round(decision.at.timestamp() * 1000) + age + offset)
    said = await store.handoffs.claim(
        asked.id, asked.agent, digest=asked.digest, claimant="try", max_age=asks.DECISION_AGE
    )
    assert said.word == word


def ms(handoff: Handoff) -> int:
    return round(handoff.expires_at.timestamp() * 1000)
