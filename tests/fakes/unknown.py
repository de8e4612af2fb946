"""Handoffs of which nobody knows what became, and the questions about them: for tests of what people see."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from andon import wire
from bot.handoff import Handoff, Route, State
from bot.unknown import question_about
from tests.fakes.desk import MIRA, NOON, RUN, a_run, handoff

SILENT_AT = NOON + timedelta(minutes=2)
ROUTE = Route("v3/mail", 1_800, "deny", (wire.Place(surface="slack", channel="#ops"),), ("dba@example.com",))


def unknown(ask: dict[str, Any], *, claimant: str = "worker-7", **more: Any) -> Handoff:
    """Approved and claimed, and nothing was heard since."""
    asked = handoff(ask, route=ROUTE)
    action = asked.action
    assert action
    approved = wire.Approved(by=MIRA, at=NOON, revision=1, message_for_agent="…", digest=asked.digest, args=action.args)
    claim = wire.Claimed(claimant=claimant, at=NOON + timedelta(minutes=1))
    return replace(
        asked,
        state=State.CLAIMED,
        decision=approved,
        claim=claim,
        unknown_since=SILENT_AT,
        question="hf_" + "q" * 22,
        **more,
    )


def said(ask: dict[str, Any]) -> Handoff:
    """Mira has said that it was not done, and then its agent came back and said that it was."""
    told = "said by Mira: it was not done. I looked at the outbox."
    outcome = wire.Outcome(status="failed", at=SILENT_AT + timedelta(minutes=5), error=told, by=MIRA)
    late = wire.Outcome(status="executed", at=SILENT_AT + timedelta(minutes=9), result={"id": "m-1"})
    return replace(unknown(ask), state=State.CLOSED, outcome=outcome, late_report=late)


def question(first: Handoff, **more: Any) -> Handoff:
    """The question that people are asked about it."""
    run = a_run(heartbeat_s=30)
    made = question_about(first, "hf_" + "q" * 22, run, silent_since=SILENT_AT)
    assert made
    return Handoff(
        id=made.id,
        agent=made.agent,
        run=RUN,
        run_name=made.doc.run_name,
        requester=made.doc.requester,
        state=State.PENDING,
        revision=1,
        digest=made.digest,
        ask=made.doc.ask,
        payload=made.doc.payload,
        route=made.doc.route,
        opened_at=NOON,
        expires_at=NOON + timedelta(seconds=made.doc.route.timeout_s),
        settles=first.id,
        about=made.doc.about,
        **more,
    )


def answered(first: Handoff, choice: str = "not-done") -> Handoff:
    """Mira has said what became of it."""
    asked = question(first)
    decision = wire.Chosen(
        by=MIRA, at=NOON + timedelta(minutes=5), revision=1, message_for_agent="…", digest="0" * 64, choice=choice
    )
    return replace(asked, state=State.DECIDED, decision=decision)
