"""The checker that the fault tests rest on: it finds nothing in what is right, and every promise that is broken."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from bot.handoff import digest_of
from tests.faults.history import CHECKS, Entry, History, violations
from tests.people import Json

PAYLOAD = '{"args":{"to":"alice"},"tool":"send_email"}'
MIRA = {"kind": "person", "id": "mira@example.com", "name": "mira"}
DECISION: Json = {
    "kind": "approved",
    "by": MIRA,
    "at": "2026-01-01T12:00:05Z",
    "revision": 1,
    "digest": digest_of(PAYLOAD),
}
CLAIM = {"claimant": "try-1", "at": "2026-01-01T12:00:06Z"}
OUTCOME = {"status": "executed", "at": "2026-01-01T12:00:07Z"}


def entry(op: str, node: str, start: float, body: Json | None = None, *, code: int | None = 200, **args: Any) -> Entry:
    return Entry(op, node, args, start, None if code is None else start + 0.5, code, body or {})


def record(**changes: Any) -> Json:
    """A handoff as it is read."""
    base = {"id": "h", "run": "r", "state": "pending", "expires_at": "2026-01-01T12:10:00Z", "decision": None}
    return {**base, **changes}


DECIDED = record(state="decided", decision=DECISION)
CLOSED = record(state="closed", decision=DECISION, claim=CLAIM, outcome=OUTCOME)


def right() -> History:
    """One handoff's life, a reply that was lost, and a stop of its run once all was done."""
    return History(
        [
            entry("open", "agent", 0, record(), code=201, run="r", key="k"),
            entry(
                "card",
                "slack",
                1,
                {"headline": "Waiting for a person", "buttons": ["Approve"]},
                handoff="h",
                address="a",
            ),
            entry("answer", "mira@example.com", 2, code=None, handoff="h", kind="approve", revision=1, key="p"),
            entry("answer", "mira@example.com", 3, DECIDED, handoff="h", kind="approve", revision=1, key="p"),
            entry("look", "agent", 4, DECIDED, handoff="h"),
            entry("claim", "agent", 5, {"handoff": "h", "payload": PAYLOAD}, handoff="h", claimant="try-1"),
            entry("execute", "agent", 6, handoff="h", payload=PAYLOAD),
            entry("outcome", "agent", 7, CLOSED, handoff="h", status="executed"),
            entry("brake", "mira@example.com", 8, {"did": "pulled"}, run="r", action="stop", key="s"),
            entry("claim", "agent", 9, handoff="h", claimant="try-2", code=409),
            entry("card", "slack", 10, {"headline": "Done", "buttons": []}, handoff="h", address="a"),
            entry("final", "store", 11, CLOSED, handoff="h"),
            entry("final_run", "store", 11, {"brake": {"action": "stop"}}, run="r"),
            *(
                entry("event", "store", 12, handoff="h", event=each)
                for each in ("opened", "decided", "claimed", "closed")
            ),
        ]
    )


def find(history: History, op: str, number: int = 0) -> Entry:
    return [each for each in history.entries if each.op == op][number]


def another_decision(h: History) -> None:
    find(h, "look").body = record(state="decided", decision={**DECISION, "kind": "rejected"})


def lost_decision(h: History) -> None:
    find(h, "final").body = record()


def lost_handoff(h: History) -> None:
    find(h, "final").status = 404


def lost_stop(h: History) -> None:
    find(h, "final_run").body = {"brake": None}


def deaf_agent(h: History) -> None:
    h.entries = [each for each in h.entries if each.node != "agent" or each.op == "open"]


def other_bytes(h: History) -> None:
    find(h, "execute").args["payload"] = PAYLOAD.replace("alice", "mallory")


def two_permits(h: History) -> None:
    find(h, "claim", 1).status = 200


def done_twice(h: History) -> None:
    h.entries.append(deepcopy(find(h, "execute")))


def claimed_after_the_stop(h: History) -> None:
    find(h, "brake").start, find(h, "brake").end = 4, 4.5


def too_late(h: History) -> None:
    for each in h.entries:
        if each.decision:
            each.body = {**each.body, "expires_at": DECISION["at"]}


def too_old(h: History) -> None:
    find(h, "final").body = {**CLOSED, "claim": {**CLAIM, "at": "2026-01-01T12:30:00Z"}}
    h.entries = [each for each in h.entries if each.op not in {"brake", "final_run"}]


def done_before_the_permit(h: History) -> None:
    find(h, "execute").start = 5.2


def permit_for_a_no(h: History) -> None:
    for each in h.entries:
        if each.decision:
            each.body = {**each.body, "decision": {**DECISION, "kind": "rejected"}}


def nobody_said_so(h: History) -> None:
    for each in h.entries:
        if each.op == "answer":
            each.node = "ana@example.com"


def other_revision(h: History) -> None:
    for each in h.entries:
        if each.op == "answer":
            each.args["revision"] = 2


def two_events(h: History) -> None:
    h.entries.append(deepcopy(find(h, "event", 1)))


def no_event(h: History) -> None:
    h.entries.remove(find(h, "event", 2))


def card_that_lies(h: History) -> None:
    find(h, "card").body = {"headline": "Rejected", "buttons": []}


def card_that_asks_on(h: History) -> None:
    find(h, "card", 1).body = {"headline": "Waiting for a person", "buttons": ["Approve"]}


def another_handoff(h: History) -> None:
    h.entries.append(entry("open", "agent", 1, record(id="other"), run="r", key="k"))


def another_receipt(h: History) -> None:
    h.entries.append(entry("brake", "mira@example.com", 9, {"did": "off"}, run="r", action="stop", key="s"))


def fell_over(h: History) -> None:
    find(h, "claim", 1).status = 500


BREACHES: list[tuple[str, Callable[[History], None]]] = [
    ("I1", another_decision),
    ("I2", lost_decision),
    ("I2", lost_handoff),
    ("I2", lost_stop),
    ("I3", deaf_agent),
    ("I4", other_bytes),
    ("I5", two_permits),
    ("I5", done_twice),
    ("I6", claimed_after_the_stop),
    ("I7", too_late),
    ("I7", too_old),
    ("I8", done_before_the_permit),
    ("I8", permit_for_a_no),
    ("I9", nobody_said_so),
    ("I10", other_revision),
    ("I11", two_events),
    ("I11", no_event),
    ("I12", card_that_lies),
    ("I12", card_that_asks_on),
    ("I13", another_handoff),
    ("I13", another_receipt),
    ("I15", fell_over),
]


def test_a_history_that_is_right_has_nothing_to_find() -> None:
    assert violations(right()) == []
    right().check()


@pytest.mark.parametrize("invariant, breach", BREACHES, ids=lambda each: getattr(each, "__name__", each))
def test_every_broken_promise_is_found(invariant: str, breach: Callable[[History], None]) -> None:
    history = right()
    breach(history)
    assert invariant in {each.invariant for each in violations(history)}
    with pytest.raises(AssertionError, match=invariant):
        history.check()


def test_every_check_has_a_breach_that_it_finds() -> None:
    """A check that finds nothing would be worth nothing."""
    named = {each.__doc__.partition(":")[0] for each in CHECKS if each.__doc__}
    assert named == {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9 and I10", "I11", "I12", "I13", "I15"}
    assert {invariant for invariant, _ in BREACHES} == {part for name in named for part in name.split(" and ")}


def test_a_call_whose_end_nobody_knows_may_have_happened_or_not() -> None:
    """Its reply was lost: the permit may be there, but nothing more may rest on it."""
    history = right()
    find(history, "claim").status = None
    assert {each.invariant for each in violations(history)} == {"I8"}, "it acted without knowing"
    history.entries = [each for each in history.entries if each.op != "execute"]
    assert violations(history) == []


def test_a_history_is_kept_and_read_back(tmp_path: Path) -> None:
    right().save(tmp_path / "history.jsonl")
    assert History.load(tmp_path / "history.jsonl").entries == right().entries
