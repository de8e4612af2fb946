"""What nobody knows: the question that people are asked when an agent falls silent while it acts, and their word.

Only a person, or the agent that comes back, says what became of it. Nothing is done again because of silence.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from andon import wire
from bot import coaching
from bot.cards import lasting, moment, place_in_words
from bot.handoff import Handoff, ask_payload, digest_of
from bot.policy import CHECKPOINT
from bot.store import Doc, NewHandoff, Settled, Store

DONE: Final = "done"
NOT_DONE: Final = "not-done"
LEAVE: Final = "leave"

CANDIDATES: Final = (
    wire.Candidate(id=DONE, label="It was done", details="You have seen that it happened. It is recorded as done."),
    wire.Candidate(
        id=NOT_DONE,
        label="It was not done",
        details="You have seen that it did not happen. It is recorded as failed, and nothing is done again by itself.",
    ),
    wire.Candidate(
        id=LEAVE,
        label="Stop asking: leave it unknown",
        details="Nobody can tell. It stays unknown, until the agent comes back and reports it.",
    ),
)

TIMEOUT_S: Final = 7 * 24 * 3600
_WHAT_CHARS: Final = 2_000


def question_key(handoff_id: str) -> str:
    """What the question's id is derived from. It has a space, so no agent's Idempotency-Key is ever the same."""
    return f"question about {handoff_id}"


def question_about(first: Handoff, question_id: str, run: wire.Run, *, silent_since: datetime) -> NewHandoff | None:
    """The question what became of an action that was claimed; None where nothing was to be done outside the service.

    It goes to the same places and people. One of them is enough, whatever it took to approve it: this allows nothing.
    """
    claim, action = first.claim, _claimed_action(first)
    if claim is None or action is None or first.ask.gate == CHECKPOINT:
        return None
    what = first.ask.what if isinstance(first.ask, wire.Confirmation) else first.ask.question
    what = what if len(what) <= _WHAT_CHARS else f"{what[:_WHAT_CHARS]}…"
    ask = wire.Choice(
        kind="choice",
        gate=first.ask.gate,
        run=first.run,
        question=f"Did this happen? {what}",
        candidates=CANDIDATES,
        reversible=first.ask.reversible,
        timeout_s=TIMEOUT_S,
    )
    promised = f": it promised a sign of life every {lasting(run.heartbeat_s)}" if run.heartbeat_s else ""
    because = (
        f"{claim.claimant} claimed this at {moment(claim.at)}, and nothing was reported since.",
        f"Nothing was heard of that process since {moment(silent_since)}{promised}.",
        "It may have been done, wholly or in part, or not at all.",
        "Look where it would show. Nothing is done again by itself, and if nobody answers, it stays unknown.",
    )
    route = replace(
        first.route,
        timeout_s=TIMEOUT_S,
        on_timeout="deny",
        approvers=_approvers(first),
        quorum=1,
        stages=(),
        not_requester=False,
        reject_quorum=False,
        step_up="",
        draw="",
        offers=(),
        reasons=(),
        risk=None,
        because=because,
        told=False,
        review=False,
        ramp="",
    )
    payload = ask_payload(ask)
    doc = Doc(
        ask=ask,
        payload=payload,
        route=route,
        run_name=first.run_name,
        requester=first.requester,
        owner=first.owner,
        about=action,
    )
    return NewHandoff(question_id, first.agent, first.run, digest_of(payload), "question", doc)


def who_is_asked(question: NewHandoff) -> str:
    """Whom it asks, in words: those who are listed, or the conversations that it goes to."""
    route = question.doc.route
    return route.listed or " and ".join(dict.fromkeys(f"whoever is in {place_in_words(each)}" for each in route.to))


def outcome_by(decision: wire.Decision) -> wire.Outcome | None:
    """What the decision says became of it; None leaves it unknown."""
    if not isinstance(decision, wire.Chosen) or decision.choice not in {DONE, NOT_DONE}:
        return None
    remark = f" {decision.reason}" if decision.reason else ""
    if decision.choice == DONE:
        said = f"said by {decision.by.name}: it was done.{remark}"
        return wire.Outcome(status="executed", at=decision.at, result=said, by=decision.by)
    said = f"said by {decision.by.name}: it was not done.{remark}"
    return wire.Outcome(status="failed", at=decision.at, error=said, by=decision.by)


def reported(question: Handoff, *, at: datetime) -> wire.Withdrawn:
    """Nobody needs to answer any more: the agent came back and said what became of it."""
    return wire.Withdrawn(
        by=wire.Actor(kind="agent", id=question.agent, name=question.agent),
        at=at,
        revision=question.revision,
        reason="The agent has reported what became of it.",
        policy=question.route.policy,
        message_for_agent=coaching.withdrawn(),
    )


async def rule(store: Store, question: Handoff, decision: wire.Decision, answer_id: str) -> Settled:
    """Record a person's word: it decides the question, and is the outcome of what it is about, in one step."""
    outcome, late = outcome_by(decision), reported(question, at=decision.at)
    return await store.unknown.rule(question, decision, outcome, late, answer_id=answer_id)


def _claimed_action(first: Handoff) -> wire.Action | None:
    """Exactly what was claimed: with a person's edits, or as the candidate that they chose has it."""
    decision = first.decision
    if isinstance(first.ask, wire.Choice):
        chosen = decision.choice if isinstance(decision, wire.Chosen) else ""
        return next((each.action for each in first.ask.candidates if each.id == chosen), None)
    action = first.action
    if action and isinstance(decision, wire.Approved | wire.Edited):
        return action.model_copy(update={"args": decision.args})
    return action


def _approvers(first: Handoff) -> tuple[str, ...]:
    """Those of all stages that list anybody; where none does, any full member."""
    return tuple(dict.fromkeys(entry for stage in first.route.steps for entry in stage.approvers))
