"""The audit and the learning export: figures that a person can check by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from andon import wire
from bot.audit import audit, correction
from bot.handoff import Handoff, Route, State, ask_payload, digest_of

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MIRA = wire.Actor(kind="person", id="mira@example.com", name="Mira", surface="web")
SILENCE = wire.Actor(kind="silence", id="silence", name="nobody")
POLICY = wire.Actor(kind="policy", id="abc/reads", name="policy abc/reads")
ASK = {
    "kind": "confirmation",
    "gate": "send_email",
    "run": "run_" + "r" * 22,
    "what": "Send it",
    "why": "She asked",
    "risks": ["It may be wrong"],
    "action": {"tool": "send_email", "args": {"to": "alice"}},
}


def ended(kind: type[Any], *, after_s: float = 60, by: wire.Actor = MIRA, **fields: Any) -> Handoff:
    ask = wire.parse_ask(ASK)
    payload = ask_payload(ask)
    at = NOON + timedelta(seconds=after_s)
    decision = kind(by=by, at=at, revision=1, message_for_agent="x", **fields)
    return Handoff(
        id="hf_1",
        agent="mailer",
        run=ask.run,
        run_name="r",
        requester=None,
        state=State.DECIDED,
        revision=1,
        digest=digest_of(payload),
        ask=ask,
        payload=payload,
        route=Route("none", 3600, "deny", ()),
        opened_at=NOON,
        expires_at=NOON + timedelta(hours=1),
        decision=decision,
    )


def approved(**given: Any) -> Handoff:
    return ended(wire.Approved, digest="0" * 64, args={"to": "alice"}, **given)


def report(handoffs: list[Handoff]) -> wire.GateAudit:
    (gate,) = audit(handoffs, since=NOON - timedelta(days=30), until=NOON + timedelta(days=1), complete=True).gates
    return gate


def test_shares_are_of_what_people_answered_and_silence_is_none_of_them() -> None:
    found = report(
        [
            approved(after_s=2),
            approved(after_s=10),
            ended(wire.Edited, digest="1" * 64, args={"to": "bob"}, after_s=30),
            ended(wire.Rejected, reason="Wrong Alice", after_s=40),
            ended(wire.Expired, by=SILENCE, after_s=3600),
            approved(by=POLICY, after_s=0),
        ]
    )
    assert (found.asks, found.by_people) == (6, 4)
    assert (found.approved, found.edited, found.rejected, found.under_5_s) == (0.5, 0.25, 0.25, 0.25)
    assert (found.expired, found.by_policy) == (0.1667, 0.1667)
    assert found.median_s == 20
    assert found.last_rejected_at == NOON + timedelta(seconds=40)
    assert found.findings == (), "few answers prove nothing"


def test_a_gate_where_everybody_says_yes_at_once_is_pointed_out() -> None:
    found = report([approved(after_s=2) for _ in range(30)])
    assert [finding.split()[0] for finding in found.findings] == ["People", "Most"]


def test_one_rejection_clears_a_gate_of_the_suspicion() -> None:
    found = report([*(approved(after_s=20) for _ in range(200)), ended(wire.Rejected, reason="no")])
    assert found.findings == ()


def test_a_gate_that_nobody_answers_is_pointed_out() -> None:
    found = report([*(approved() for _ in range(26)), *(ended(wire.Expired, by=SILENCE) for _ in range(4))])
    assert [finding.split(":")[0] for finding in found.findings] == ["Over a tenth expires unanswered"]


def test_open_handoffs_are_counted_as_read_and_nothing_else() -> None:
    found = audit([replace(approved(), decision=None)], since=NOON, until=NOON, complete=True)
    assert (found.handoffs, found.gates) == (1, ())


def test_a_correction_has_what_was_proposed_and_what_became_of_it() -> None:
    line = correction(ended(wire.Edited, digest="1" * 64, args={"to": "bob"}, reason="Bob asked"))
    assert line
    assert (line.tool, line.proposed, line.corrected) == ("send_email", {"to": "alice"}, {"to": "bob"})
    assert (line.kind, line.reason, line.by.id) == ("edited", "Bob asked", "mira@example.com")


def test_what_nobody_corrected_is_no_lesson() -> None:
    assert correction(approved()) is None
    assert correction(ended(wire.Rejected, reason="no", by=POLICY)) is None
