"""A handoff's life, told at random: first by the model alone, then by the model and Redis side by side.

I-numbers name the invariants that hold after every step:
I1 one decision, for ever; I4 what was approved is what runs; I5 one permit; I7 nothing after its time;
I10 an edit is a new revision; I13 a repeated call changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from andon import wire
from bot.handoff import OPEN, Handoff, State, Vote, action_payload, digest_of
from bot.store import Limits, Store, connect
from bot.store.records import hashed, pack_decision
from tests.servers import Valkey, lasting_keys
from tests.store import asks
from tests.store.model import Entry, Model

T = TypeVar("T")
OPEN_LIMIT = 4
LIMITS = Limits(per_minute=0, burst=1_000, open=OPEN_LIMIT)
OTHER_AGENT = "other"
OTHER_RUN = f"run_{'o' * 22}{asks.MARK}"

_namespaces = count(1)
_answer_ids = st.sampled_from(["a1", "a2", "a3", "a4", "a5", "a6"])
_claimants = st.sampled_from(["try-1", "try-2"])
_agents = st.sampled_from([asks.AGENT] * 4 + [OTHER_AGENT])


@dataclass(frozen=True)
class Seen:
    """A card as somebody read it, perhaps long ago."""

    id: str
    revision: int
    digest: str
    body: str
    timing: wire.Timing
    handoff: Handoff | None = None
    votes: int = 0
    stops: int = 0


def digest(body: str) -> str:
    return digest_of(payload(body))


def payload(body: str) -> str:
    return action_payload("send_email", {"to": "alice@example.com", "body": body})


class Life(RuleBasedStateMachine):
    """The model by itself."""

    cards = Bundle("cards")
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(open_limit=OPEN_LIMIT)
        self.bodies: dict[str, list[str]] = {}
        self._count = 0

    # --- what Redis says; nothing here ---

    def said(self, expected: str, word: Awaitable[str] | None) -> None:
        """Compare what the store said with what the model expects."""
        assert word is None

    def redis_open(self, handoff_id: str, entry: Entry, body: str, run: str) -> Awaitable[str] | None:
        return None

    def redis_look(self, handoff_id: str) -> Handoff | None:
        return None

    def redis_answer(self, seen: Seen, answer: wire.Deciding, answer_id: str) -> Awaitable[str] | None:
        return None

    def redis_vote(self, seen: Seen, answer_id: str) -> Awaitable[str] | None:
        return None

    def redis_expire(self, seen: Seen) -> Awaitable[str] | None:
        return None

    def redis_withdraw(self, seen: Seen, agent: str) -> Awaitable[str] | None:
        return None

    def redis_claim(self, handoff_id: str, agent: str, named: str, claimant: str) -> Awaitable[str] | None:
        return None

    def redis_outcome(self, handoff_id: str, agent: str, report: wire.OutcomeReport) -> Awaitable[str] | None:
        return None

    def redis_put(self, handoff_id: str, what: str) -> None:
        """Change what no script can: the time."""

    def redis_brake(self, agent: str, *, on: bool) -> None:
        """Pull or lift the brake of an agent's run, and settle what follows."""

    # --- what people and agents do ---

    @initialize(target=cards, agent=_agents)
    def there_is_one(self, agent: str) -> object:
        return self._opened("before", "deny", agent)

    @rule(
        target=cards,
        timing=st.sampled_from(["before", "before", "after"]),
        silence=st.sampled_from(["deny", "approve"]),
        agent=_agents,
    )
    def open(self, timing: wire.Timing, silence: str, agent: str) -> object:
        return self._opened(timing, silence, agent)

    def _opened(self, timing: wire.Timing, silence: str, agent: str) -> object:
        self._count += 1
        handoff_id, body = f"hf_{self._count:022d}{asks.MARK}", f"body {self._count}"
        entry = Entry("f", agent, timing, silence, [digest(body)])
        run = asks.RUN if agent == asks.AGENT else OTHER_RUN
        expected = self.model.open(handoff_id, entry, run_of=agent)
        self.said(expected, self.redis_open(handoff_id, entry, body, run))
        if expected != "opened":
            return multiple()
        self.bodies[handoff_id] = [body]
        return self._seen(handoff_id)

    @rule(card=cards, same=st.booleans())
    def open_again(self, card: Seen, same: bool) -> None:
        """I13: the reply was lost, or the key was used for another ask."""
        entry = self.model.entries[card.id]
        again = Entry("f" if same else "g", entry.agent, entry.timing, entry.silence, entry.digests[:1])
        run = asks.RUN if entry.agent == asks.AGENT else OTHER_RUN
        expected = self.model.open(card.id, again, run_of=entry.agent)
        assert expected == ("known" if same else "reused")
        self.said(expected, self.redis_open(card.id, again, self.bodies[card.id][0], run))

    @rule()
    def open_in_somebody_elses_run(self) -> None:
        entry = Entry("f", OTHER_AGENT, "before", "deny", [digest("x")])
        expected = self.model.open("hf_stray", entry, run_of=asks.AGENT)
        assert expected == "no_run"
        self.said(expected, self.redis_open("hf_stray", entry, "x", asks.RUN))

    @rule(target=cards, card=cards)
    def look_again(self, card: Seen) -> Seen:
        return self._seen(card.id)

    @rule(card=cards, answer_id=_answer_ids)
    def approve(self, card: Seen, answer_id: str) -> None:
        kind = "edited" if card.revision > 1 else "approved"
        expected = self.model.answer(card.id, answer_id, card.revision, kind, card.digest, votes=card.votes)
        self.said(expected, self.redis_answer(card, wire.Approve(revision=card.revision), answer_id))

    @rule(card=cards, answer_id=_answer_ids)
    def reject(self, card: Seen, answer_id: str) -> None:
        expected = self.model.answer(card.id, answer_id, card.revision, "rejected", "", votes=card.votes)
        self.said(expected, self.redis_answer(card, wire.Reject(revision=card.revision, reason="no"), answer_id))

    @rule(target=cards, card=cards, answer_id=_answer_ids, fresh=st.booleans())
    def vote(self, card: Seen, answer_id: str, fresh: bool) -> Seen:
        """A yes that does not decide; of a card as it is now, or as somebody read it."""
        card = self._seen(card.id) if fresh else card
        expected = self.model.vote(card.id, answer_id, card.revision, votes=card.votes)
        self.said(expected, self.redis_vote(card, answer_id))
        return self._seen(card.id)

    @rule(card=cards, answer_id=_answer_ids, other=_answer_ids)
    def vote_while_somebody_edits(self, card: Seen, answer_id: str, other: str) -> None:
        """I10: what was read is not what stands any more."""
        read = self._seen(card.id)
        self.edit(read, other, approve=False)
        self.vote(read, answer_id, fresh=False)

    @rule(card=cards, answer_id=_answer_ids, other=_answer_ids)
    def approve_while_somebody_votes(self, card: Seen, answer_id: str, other: str) -> None:
        """Votes that were not counted before a decision are counted again."""
        read = self._seen(card.id)
        self.vote(read, other, fresh=False)
        self.approve(read, answer_id)

    @rule(card=cards, answer_id=_answer_ids, approve=st.booleans())
    def edit(self, card: Seen, answer_id: str, approve: bool) -> None:
        if card.timing == "after":
            return
        self._count += 1
        body = f"edited {self._count}"
        before = self.model.entries[card.id].revision
        if approve:
            expected = self.model.answer(
                card.id, answer_id, card.revision, "edited", digest(body), votes=card.votes, edited=digest(body)
            )
        else:
            expected = self.model.edit(card.id, answer_id, card.revision, digest(body))
        if self.model.entries[card.id].revision > before:
            assert card.revision == before, "I10: an edit of a stale revision was taken"
            self.bodies[card.id].append(body)
        answer = wire.Edit(revision=card.revision, args={"to": "alice@example.com", "body": body}, approve=approve)
        self.said(expected, self.redis_answer(card, answer, answer_id))

    @rule(card=cards)
    def expire(self, card: Seen) -> None:
        expected = self.model.expire(card.id, card.revision, votes=card.votes, stops=card.stops)
        self.said(expected, self.redis_expire(card))

    @rule(card=cards, agent=_agents)
    def withdraw(self, card: Seen, agent: str) -> None:
        expected = self.model.withdraw(card.id, agent)
        self.said(expected, self.redis_withdraw(card, agent))

    @rule(card=cards, claimant=_claimants, agent=_agents)
    def claim_with_the_digest_on_the_card(self, card: Seen, claimant: str, agent: str) -> None:
        """It is the wrong one when the arguments were edited since."""
        self._claim(card.id, agent, card.digest, claimant)

    @rule(card=cards, claimant=_claimants)
    def claim_as_decided(self, card: Seen, claimant: str) -> None:
        entry = self.model.entries[card.id]
        self._claim(card.id, entry.agent, entry.allowed or card.digest, claimant)

    def _claim(self, handoff_id: str, agent: str, named: str, claimant: str) -> None:
        entry = self.model.entries[handoff_id]
        was, old = entry.state, entry.old
        expected = self.model.claim(handoff_id, agent, named, claimant)
        if expected == "permit" and was is State.DECIDED:
            assert not old, "I7: a claim on a decision that is too old"
        self.said(expected, self.redis_claim(handoff_id, agent, named, claimant))

    @rule(
        card=cards,
        status=st.sampled_from(["executed", "failed", "undone", "undo_failed"]),
        claimant=_claimants,
        result=st.sampled_from(["r1", "r2"]),
        agent=_agents,
    )
    def outcome(self, card: Seen, status: str, claimant: str, result: str, agent: str) -> None:
        expected = self.model.outcome(card.id, agent, status, claimant, result)
        report = wire.OutcomeReport.model_validate({"status": status, "claimant": claimant, "result": result})
        self.said(expected, self.redis_outcome(card.id, agent, report))

    @rule(card=cards, answer_id=_answer_ids, claimant=_claimants, result=st.sampled_from(["r1", "r2"]))
    def go_on(self, card: Seen, answer_id: str, claimant: str, result: str) -> None:
        """The next thing that a person or the agent would do; chance alone seldom gets to the end."""
        entry = self.model.entries[card.id]
        match entry.state:
            case State.PENDING:
                self.approve(self._seen(card.id), answer_id)
            case State.DECIDED:
                self._claim(card.id, entry.agent, entry.allowed or card.digest, claimant)
            case State.CLAIMED:
                self.outcome(card, "executed", claimant, result, entry.agent)
            case State.CLOSED:
                self._claim(card.id, entry.agent, entry.allowed or card.digest, claimant)
                self.outcome(card, "executed", claimant, result, entry.agent)
            case State.HELD:
                self.hold_or_release(card)

    @rule(card=cards, answer_id=_answer_ids)
    def answer_too_late(self, card: Seen, answer_id: str) -> None:
        """The timer has not run yet."""
        if self.model.entries[card.id].state is State.PENDING:
            self.time_runs_out(card)
            self.approve(self._seen(card.id), answer_id)

    @rule(card=cards, claimant=_claimants)
    def claim_too_late(self, card: Seen, claimant: str) -> None:
        entry = self.model.entries[card.id]
        if entry.state is State.DECIDED and entry.allowed:
            self.the_decision_gets_old(card)
            self._claim(card.id, entry.agent, entry.allowed, claimant)

    @rule(card=cards)
    def time_runs_out(self, card: Seen) -> None:
        if self.model.entries[card.id].state is not State.HELD:  # its clock stands still
            self.model.entries[card.id].overdue = True
            self.redis_put(card.id, "overdue")

    @rule(card=cards)
    def the_decision_gets_old(self, card: Seen) -> None:
        if self.model.entries[card.id].state not in OPEN:
            self.model.entries[card.id].old = True
            self.redis_put(card.id, "old")

    @rule(card=cards)
    def hold_or_release(self, card: Seen) -> None:
        """Somebody types stop, or resume."""
        agent = self.model.entries[card.id].agent
        on = agent not in self.model.braked
        if on:
            self.model.pull(agent)
        else:
            self.model.lift(agent)
        self.redis_brake(agent, on=on)

    # --- what always holds ---

    @invariant()
    def one_decision_for_ever(self) -> None:
        for handoff_id, first in self.model.decisions.items():
            entry = self.model.entries[handoff_id]
            assert (entry.kind, entry.allowed) == first[:2], "I1: the decision changed"
            assert entry.revision == first[2], "I10: an edit after the decision"
            told = [event for event in self.model.events if event[:2] == ("decided", handoff_id)]
            assert len(told) == 1, "I1: decided twice"

    @invariant()
    def one_permit_for_what_was_approved(self) -> None:
        for handoff_id, entry in self.model.entries.items():
            assert len(entry.permits) <= 1, "I5: two permits"
            if entry.permits:
                assert entry.allowed == digest(self.bodies[handoff_id][entry.revision - 1]), "I4"

    @invariant()
    def open_ones_are_within_the_limit(self) -> None:
        assert all(self.model.open_count(agent) <= OPEN_LIMIT for agent in (asks.AGENT, OTHER_AGENT))

    def _seen(self, handoff_id: str) -> Seen:
        entry = self.model.entries[handoff_id]
        timing: wire.Timing = "after" if entry.timing == "after" else "before"
        body = self.bodies[handoff_id][entry.revision - 1]
        found = self.redis_look(handoff_id)
        return Seen(handoff_id, entry.revision, entry.digests[-1], body, timing, found, len(entry.votes), entry.stops)


class LifeInRedis(Life):
    """The model, and Redis beside it: every reply, every record and every event is compared."""

    runner: ClassVar[asyncio.Runner]
    url: ClassVar[str]
    heard: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self._client = connect(self.url)
        self.store = Store(self._client, ns=f"life{next(_namespaces)}")
        self._first: dict[str, bytes] = {}
        self.do(asks.start_run(self.store))
        self.do(asks.start_run(self.store, OTHER_RUN, OTHER_AGENT))

    def do(self, work: Awaitable[T]) -> T:
        async def wait() -> T:
            return await work

        return self.runner.run(wait())

    def said(self, expected: str, word: Awaitable[str] | None) -> None:
        assert word is not None
        assert self.do(word) == expected
        self.heard.add(expected)

    def redis_open(self, handoff_id: str, entry: Entry, body: str, run: str) -> Awaitable[str] | None:
        async def call() -> str:
            timing: wire.Timing = "after" if entry.timing == "after" else "before"
            ask = asks.confirmation(body, timing=timing, silence=entry.silence)
            new = asks.new_handoff(
                ask,
                handoff_id=handoff_id,
                agent=entry.agent,
                run=run,
                fingerprint=entry.fingerprint,
                silence=entry.silence,
            )
            return (await self.store.handoffs.open(new, LIMITS)).word

        return call()

    def redis_look(self, handoff_id: str) -> Handoff | None:
        return self.do(asks.look(self.store, handoff_id))

    def redis_answer(self, seen: Seen, answer: wire.Deciding, answer_id: str) -> Awaitable[str] | None:
        async def call() -> str:
            assert seen.handoff
            made = asks.read(seen.handoff, answer)
            if made.verdict is None:
                settled = await self.store.handoffs.revise(
                    seen.handoff, answer_id=answer_id, digest=made.digest, revisions=made.revisions
                )
            else:
                settled = await self.store.handoffs.answer(
                    seen.handoff, made.verdict, answer_id=answer_id, digest=made.digest, revisions=made.revisions
                )
            return settled.word

        return call()

    def redis_vote(self, seen: Seen, answer_id: str) -> Awaitable[str] | None:
        async def call() -> str:
            assert seen.handoff
            vote = Vote("p", asks.MIRA, asks.now(), seen.revision, 1, "yes", digest=seen.digest, id=hashed(answer_id))
            return (await self.store.handoffs.vote(seen.handoff, vote)).word

        return call()

    def redis_expire(self, seen: Seen) -> Awaitable[str] | None:
        async def call() -> str:
            assert seen.handoff
            return (await self.store.handoffs.expire(seen.handoff, asks.silent(seen.handoff))).word

        return call()

    def redis_withdraw(self, seen: Seen, agent: str) -> Awaitable[str] | None:
        async def call() -> str:
            assert seen.handoff
            as_agent = replace(seen.handoff, agent=agent)
            return (await self.store.handoffs.withdraw(as_agent, asks.withdrawn(as_agent))).word

        return call()

    def redis_claim(self, handoff_id: str, agent: str, named: str, claimant: str) -> Awaitable[str] | None:
        async def call() -> str:
            said = await self.store.handoffs.claim(
                handoff_id, agent, digest=named, claimant=claimant, max_age=asks.DECISION_AGE
            )
            if said.word == "permit":
                revision = self.model.entries[handoff_id].revision
                assert said.payload == payload(self.bodies[handoff_id][revision - 1]), "I4: other bytes than approved"
                assert digest_of(said.payload) == named
            return said.word

        return call()

    def redis_outcome(self, handoff_id: str, agent: str, report: wire.OutcomeReport) -> Awaitable[str] | None:
        async def call() -> str:
            return (await self.store.handoffs.outcome(handoff_id, agent, report)).word

        return call()

    def redis_put(self, handoff_id: str, what: str) -> None:
        async def put() -> None:
            if what == "overdue":
                if self.model.entries[handoff_id].state in OPEN:
                    await asks.make_due(self.store, handoff_id)
            else:
                await asks.make_old(self.store, handoff_id)

        self.do(put())

    def redis_brake(self, agent: str, *, on: bool) -> None:
        async def brake() -> None:
            run = wire.BrakeScope(run=asks.RUN if agent == asks.AGENT else OTHER_RUN)
            said = await asks.pull(self.store, "stop" if on else "resume", scope=run)
            assert said.word == ("pulled" if on else "lifted")
            async for _ in self.store.brakes.settle(run):
                pass

        self.do(brake())

    @invariant()
    def the_record_is_as_the_model_says(self) -> None:
        for handoff_id, entry in self.model.entries.items():
            found = self.do(asks.look(self.store, handoff_id))
            assert (found.state, found.revision, found.digest) == (entry.state, entry.revision, entry.digests[-1])
            assert [vote.id for vote in found.votes] == [hashed(each) for each in entry.votes], (
                "I10: votes of an older one"
            )
            assert (found.claim.claimant if found.claim else "") == entry.claimant
            assert (found.outcome.status if found.outcome else "") == entry.outcome[0]
            if found.decision is None:
                assert entry.kind == ""
                continue
            packed = pack_decision(found.decision)
            assert self._first.setdefault(handoff_id, packed) == packed, "I1: a reader saw another decision before"
            assert found.decision.kind == entry.kind

    @invariant()
    def every_change_is_told_once(self) -> None:
        """I13: repeating a call tells nothing; and the open count follows."""
        self.do(self._compare_events())

    async def _compare_events(self) -> None:
        keys, call = asks.own(self.store).keys, self.store._pipe.call
        told = [_event(fields) for _, fields in await call("XRANGE", keys.events, "-", "+")]
        for handoff_id, entry in self.model.entries.items():
            assert [name for name, about, *_ in told if about == handoff_id and name in _HOLDS] == entry.holds
        told = [event for event in told if event[0] not in _BRAKING]
        assert told == self.model.events
        for agent in (asks.AGENT, OTHER_AGENT):
            mine = [e for e in told if e[0] not in {"opened", "voted"} and self.model.entries[e[1]].agent == agent]
            heard = [_event(fields) for _, fields in await call("XRANGE", keys.agent_events(agent), "-", "+")]
            assert [event for event in heard if event[0] not in _BRAKING] == mine
            count = await call("HGET", keys.agent_load(agent), "open")
            assert int(count or 0) == self.model.open_count(agent)

    def teardown(self) -> None:
        async def clean() -> None:
            pattern = f"{{{asks.own(self.store).keys.ns}}}:*"
            left = await lasting_keys(self._client, pattern)
            names = [name async for name in self._client.scan_iter(match=pattern, count=1000)]
            await self._client.unlink(*names)
            await self.store.close()
            assert not left, f"keys without a lifetime: {left}"

        self.do(clean())


_HOLDS = ("held", "released")
_BRAKING = {*_HOLDS, "stopped", "freed", "braked", "lifted"}
"""Of the brake: in which order its sweep meets the handoffs is all one."""


def _event(fields: list[bytes]) -> tuple[str, str, int, str]:
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    return pairs[b"e"].decode(), pairs[b"h"].decode(), int(pairs[b"v"]), pairs[b"k"].decode()


def test_the_model_keeps_its_own_rules() -> None:
    run_state_machine_as_test(Life, settings=settings(max_examples=300, stateful_step_count=50))


@pytest.fixture
def redis_life(valkey: Valkey) -> Iterator[type[LifeInRedis]]:
    """The machine, with a loop and a server."""
    with asyncio.Runner() as runner:
        LifeInRedis.runner, LifeInRedis.url = runner, valkey.url()
        yield LifeInRedis


def test_redis_does_what_the_model_says(redis_life: type[LifeInRedis]) -> None:
    run_state_machine_as_test(redis_life, settings=settings(max_examples=120, stateful_step_count=30))


def _reject_what_was_edited(life: LifeInRedis, card: Seen) -> None:
    life.edit(card, "a1", approve=False)
    life.vote(card, "v1", fresh=False)
    life.approve(card, "a2")
    life.reject(life._seen(card.id), "a2")
    life.claim_as_decided(card, "try-1")
    life.outcome(card, "executed", "try-1", "r1", OTHER_AGENT)
    life.outcome(card, "executed", "try-1", "r1", asks.AGENT)


def test_every_reply_of_every_script_is_met(redis_life: type[LifeInRedis]) -> None:
    """Chance may miss a corner; this walks through each of them with the same comparison."""
    life = redis_life()
    redis_life.heard.clear()

    def card(timing: wire.Timing = "before") -> Seen:
        seen = life._opened(timing, "deny", asks.AGENT)
        assert isinstance(seen, Seen)
        return seen

    approved, edited, late, old = card(), card(), card(), card()
    assert not isinstance(life._opened("before", "deny", asks.AGENT), Seen), "too many"
    life.open_again(approved, same=True)
    life.open_again(approved, same=False)
    life.open_in_somebody_elses_run()
    life.expire(approved)
    life.claim_as_decided(approved, "try-1")
    life.hold_or_release(approved)
    life.approve(approved, "a1")
    life.vote(approved, "v1", fresh=True)
    life.hold_or_release(approved)
    approved = life._seen(approved.id)
    life.vote(approved, "v1", fresh=False)
    life.vote(approved, "v1", fresh=False)
    life.vote(approved, "v2", fresh=False)
    life.approve(approved, "a1")
    life.vote(approved, "v2", fresh=True)
    approved = life._seen(approved.id)
    life.approve(approved, "a1")
    life.approve(approved, "a2")
    life.hold_or_release(approved)
    life.claim_as_decided(approved, "try-1")
    life._opened("before", "deny", asks.AGENT)
    life.hold_or_release(approved)
    life.claim_as_decided(approved, "try-1")
    life.claim_as_decided(approved, "try-2")
    life.outcome(approved, "executed", "try-2", "r1", asks.AGENT)
    for result in ("r1", "r2"):
        life.outcome(approved, "executed", "try-1", result, asks.AGENT)
    life.claim_as_decided(approved, "try-1")
    _reject_what_was_edited(life, edited)
    life.answer_too_late(late, "a1")
    life.expire(late)
    done = card("after")
    life.approve(done, "a1")
    life.claim_as_decided(done, "try-1")
    life.edit(old, "a1", approve=True)
    life.claim_with_the_digest_on_the_card(old, "try-1", asks.AGENT)
    life.claim_too_late(old, "try-1")
    life.the_record_is_as_the_model_says()
    life.every_change_is_told_once()
    life.teardown()

    words = "opened known reused no_run too_many won moved lost stale held late early gone open refused digest taken"
    more = "closed old permit recorded other claimant braked done"
    assert redis_life.heard == {*words.split(), *more.split()}
