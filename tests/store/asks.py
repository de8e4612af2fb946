"""Asks, runs and answers as the store's tests use them: real models, made in one line."""

import hashlib
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal

from pydantic import JsonValue

from andon import wire
from bot.answers import Answering, read_answer
from bot.brake.order import BrakeOrder
from bot.handoff import Handoff, Route, ask_payload, digest_of
from bot.silence import silence_verdict
from bot.store import Doc, Limits, NewHandoff, Obeyed, Settled, Shard, Store, Verdict, mark
from bot.store.marks import shard_in
from tests.servers import SHARDS, until

AGENT = "mailer"
MARK = mark(int.from_bytes(hashlib.sha256(AGENT.encode()).digest()[:8]) % SHARDS)
"""What ids of this agent's end with, in the shard that it is given."""
RUN = f"run_{'r' * 22}{MARK}"
NO_LIMITS = Limits(per_minute=0, burst=1_000, open=10_000)
DECISION_AGE = timedelta(minutes=15)
MIRA = wire.Actor(kind="person", id="mira@example.com", name="Mira", surface="web")
ANA = wire.Actor(kind="person", id="ana@example.com", name="Ana", surface="web")

_numbers = count(1)


def own(store: Store) -> Shard:
    """The shard that this agent's runs are in."""
    return store.shards[shard_in(RUN)]


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return f"hf_{next(_numbers):022d}{MARK}"


def confirmation(
    body: str = "Here it is.", *, timing: wire.Timing = "before", silence: str = "deny"
) -> wire.Confirmation:
    args: dict[str, JsonValue] = {"to": "alice@example.com", "body": body}
    return wire.Confirmation(
        kind="confirmation",
        gate="send_email",
        run=RUN,
        timing=timing,
        reversible=silence == "approve" or timing == "after",
        what="Send this e-mail",
        why="She asked",
        risks=("It cannot be unsent",),
        action=wire.Action(tool="send_email", args=args),
    )


def new_handoff(
    ask: wire.Confirmation | None = None,
    *,
    handoff_id: str | None = None,
    agent: str = AGENT,
    run: str = RUN,
    fingerprint: str = "f",
    timeout_s: int = 600,
    silence: str = "deny",
) -> NewHandoff:
    """What `open` writes."""
    ask = ask or confirmation(silence=silence)
    payload = ask_payload(ask)
    route = Route(policy="none", timeout_s=timeout_s, on_timeout=silence, to=(wire.Place(surface="web"),))
    doc = Doc(ask=ask, payload=payload, route=route, run_name="weekly", requester=None)
    return NewHandoff(handoff_id or new_id(), agent, run, digest_of(payload), fingerprint, doc)


async def start_run(store: Store, run: str = RUN, agent: str = AGENT) -> None:
    await store.shard_of(agent)
    word, _ = await store.runs.start(run, agent, wire.RunStart(name="weekly"), "f", NO_LIMITS)
    assert word in {"started", "known"}


def order(action: Literal["stop", "pause", "steer", "abort", "resume"], **given: object) -> BrakeOrder:
    """What Mira wants of the run's brake, or of another one."""
    made: dict[str, object] = {"id": f"o{next(_numbers)}", "scope": wire.BrakeScope(run=RUN), "by": MIRA}
    made["text"] = "Not like this." if action == "steer" else None
    return BrakeOrder(action=action, **{**made, **given})  # type: ignore[arg-type]  # passed through


async def pull(store: Store, action: Literal["stop", "pause", "steer", "abort", "resume"], **given: object) -> Obeyed:
    """Pull or lift a brake."""
    return await store.brakes.obey(order(action, **given), {AGENT})


async def pass_time(store: Store, ms: int) -> None:
    """Wait by the store's clock."""
    end = await store.now() + timedelta(milliseconds=ms)

    async def is_past() -> bool:
        return await store.now() > end

    await until(is_past)


async def opened(store: Store, ask: wire.Confirmation | None = None, **more: object) -> Handoff:
    """A handoff that waits, in a run that stands."""
    await start_run(store)
    new = new_handoff(ask, **more)  # type: ignore[arg-type]  # passed through
    assert (await store.handoffs.open(new, NO_LIMITS)).word == "opened"
    return await look(store, new.id)


async def look(store: Store, handoff_id: str) -> Handoff:
    found = await store.handoffs.load(handoff_id)
    assert found
    return found


def read(handoff: Handoff, answer: wire.Deciding, by: wire.Actor = MIRA) -> Answering:
    return read_answer(handoff, answer, by, at=now())


def yes(handoff: Handoff, by: wire.Actor = MIRA) -> Verdict:
    verdict = read(handoff, wire.Approve(revision=handoff.revision), by).verdict
    assert verdict
    return verdict


def no(handoff: Handoff, by: wire.Actor = MIRA) -> Verdict:
    verdict = read(handoff, wire.Reject(revision=handoff.revision, reason="no"), by).verdict
    assert verdict
    return verdict


async def edit(store: Store, handoff: Handoff, body: str, *, answer_id: str, by: wire.Actor = MIRA) -> Settled:
    """Change the arguments without deciding."""
    args: dict[str, JsonValue] = {"to": "alice@example.com", "body": body}
    made = read(handoff, wire.Edit(revision=handoff.revision, args=args, approve=False), by)
    return await store.handoffs.revise(handoff, answer_id=answer_id, digest=made.digest, revisions=made.revisions)


def silent(handoff: Handoff) -> Verdict:
    return silence_verdict(handoff, at=now())


def withdrawn(handoff: Handoff) -> wire.Withdrawn:
    agent = wire.Actor(kind="agent", id=handoff.agent, name=handoff.agent)
    return wire.Withdrawn(by=agent, at=now(), revision=handoff.revision, message_for_agent="You took it back.")


async def make_due(store: Store, handoff_id: str, at: datetime | None = None) -> None:
    """Let the deadline be in the past, as if that much time had gone by."""
    ms = round((at or now() - timedelta(seconds=5)).timestamp() * 1000)
    keys = store.keys_of(handoff_id)
    await store._pipe.call("HSET", keys.handoff(handoff_id), "due_at", ms)
    await store._pipe.call("ZADD", keys.due, ms, handoff_id)


async def make_overdue(store: Store, handoff_id: str) -> datetime:
    """Let its agent have stayed away for a minute; returns when that minute began."""
    at = await store.now() - timedelta(seconds=1)
    ms = round(at.timestamp() * 1000)
    assert await store._pipe.call("ZADD", store.keys_of(handoff_id).undelivered, "XX", "CH", ms, handoff_id) == 1
    return at - timedelta(minutes=1)


async def make_old(store: Store, handoff_id: str) -> None:
    """Let the decision be older than a claim may use."""
    ms = round((now() - DECISION_AGE - timedelta(seconds=5)).timestamp() * 1000)
    await store._pipe.call("HSET", store.keys_of(handoff_id).handoff(handoff_id), "decided_at", ms)


async def hold(store: Store, scope: wire.BrakeScope | None = None) -> None:
    """Stop the run, and put its handoffs on hold."""
    await pull(store, "stop", scope=scope or wire.BrakeScope(run=RUN))
    async for _ in store.brakes.settle():
        pass


def sha_of(source: str) -> str:
    """What Redis calls a script."""
    return hashlib.sha1(source.encode()).hexdigest()  # noqa: S324  # Redis names scripts by SHA-1
