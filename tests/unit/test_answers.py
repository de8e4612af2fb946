"""Every kind of answer against every kind of ask, and the sentence that the agent reads."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andon import wire
from bot import coaching
from bot.answers import NO_REASON, read_answer, yes_verdict
from bot.cards import too_late
from bot.errors import InvalidAnswer, NotAnApprover, StaleRevision
from bot.handoff import Handoff, Route, State, ask_payload, digest_of
from bot.silence import silence_verdict

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RUN = f"run_{'r' * 22}"
MIRA = wire.Actor(kind="person", id="mira@example.com", name="Mira", surface="web")
ANA = wire.Actor(kind="person", id="ana@example.com", name="Ana", surface="web")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}

BEFORE = wire.Confirmation(
    gate="mail",
    run=RUN,
    what="w",
    why="y",
    risks=("r",),
    action=wire.Action.model_validate({"tool": "mail", "args": {"to": "alice"}, "schema": SCHEMA}),
)
AFTER = wire.Confirmation(gate="mail", run=RUN, timing="after", reversible=True, what="w", why="y", result=7)
CHOICE = wire.Choice(gate="g", run=RUN, question="q", candidates=(wire.Candidate(id="a", label="A"),))
INPUT = wire.Input(gate="g", run=RUN, question="q")

APPROVE, REJECT = wire.Approve(revision=1), wire.Reject(revision=1, reason="No.")
EDIT = wire.Edit(revision=1, args={"to": "bob"})
CHOOSE, REPLY = wire.Choose(revision=1, choice="a"), wire.Reply(revision=1, answer="42")


def handoff(ask: wire.Confirmation | wire.Choice | wire.Input, *, silence: str = "deny") -> Handoff:
    payload = ask_payload(ask)
    return Handoff(
        id="hf_1",
        agent="mailer",
        run=RUN,
        run_name="weekly",
        requester=None,
        state=State.PENDING,
        revision=1,
        digest=digest_of(payload),
        ask=ask,
        payload=payload,
        route=Route("v/rule", 600, silence, (wire.Place(surface="web"),)),
        opened_at=NOW,
        expires_at=NOW + timedelta(seconds=600),
    )


def read(ask: wire.Confirmation | wire.Choice | wire.Input, answer: wire.Deciding) -> wire.Decision:
    verdict = read_answer(handoff(ask), answer, MIRA, at=NOW).verdict
    assert verdict
    return verdict.decision


ASKS: dict[str, wire.Confirmation | wire.Choice | wire.Input] = {
    "before": BEFORE,
    "after": AFTER,
    "choice": CHOICE,
    "input": INPUT,
}
ANSWERS: dict[str, wire.Deciding] = {
    "approve": APPROVE,
    "edit": EDIT,
    "reject": REJECT,
    "choose": CHOOSE,
    "answer": REPLY,
}
FITS = {
    ("before", "approve"): "approved",
    ("before", "edit"): "edited",
    ("before", "reject"): "rejected",
    ("after", "approve"): "approved",
    ("after", "reject"): "rejected",
    ("choice", "choose"): "chosen",
    ("choice", "reject"): "rejected",
    ("input", "answer"): "answered",
    ("input", "reject"): "rejected",
}


@pytest.mark.parametrize("asked", ASKS)
@pytest.mark.parametrize("answered", ANSWERS)
def test_each_ask_takes_its_own_answers(asked: str, answered: str) -> None:
    expected = FITS.get((asked, answered))
    if expected:
        decision = read(ASKS[asked], ANSWERS[answered])
        assert (decision.kind, decision.by, decision.policy) == (expected, MIRA, "v/rule")
        return
    with pytest.raises(InvalidAnswer) as caught:
        read(ASKS[asked], ANSWERS[answered])
    assert caught.value.faults[0].field == "kind"
    assert f"not with {answered}" in str(caught.value)


@pytest.mark.parametrize("kind", ["agent", "policy", "silence", "service"])
def test_only_a_person_answers(kind: Any) -> None:
    with pytest.raises(NotAnApprover, match="comes from a person"):
        read_answer(handoff(BEFORE), APPROVE, MIRA.model_copy(update={"kind": kind}), at=NOW)


@pytest.mark.parametrize(
    "answer", [wire.Approve(revision=2), wire.Approve(revision=1, digest="0" * 64), wire.Reject(revision=7)]
)
def test_an_answer_to_another_revision_is_stale(answer: wire.Deciding) -> None:
    with pytest.raises(StaleRevision, match="look at it again"):
        read_answer(handoff(BEFORE), answer, MIRA, at=NOW)


def test_a_late_answer_is_read_so_that_it_can_be_told_what_stands() -> None:
    decided = replace(handoff(BEFORE), state=State.DECIDED, revision=2)
    assert read_answer(decided, APPROVE, MIRA, at=NOW).verdict


def test_an_edit_that_the_schema_refuses_names_every_field() -> None:
    ask = BEFORE.model_copy(
        update={
            "action": wire.Action.model_validate(
                {"tool": "mail", "args": {"to": "a", "n": 1}, "schema": {**SCHEMA, "additionalProperties": False}}
            )
        }
    )
    with pytest.raises(InvalidAnswer) as caught:
        read(ask, wire.Edit(revision=1, args={"to": 7, "cc": "x"}))
    assert "args.to" in {fault.field for fault in caught.value.faults}
    assert len(caught.value.faults) == 2


def test_an_edit_makes_the_next_revision_with_a_digest_of_its_own() -> None:
    made = read_answer(handoff(BEFORE), EDIT, MIRA, at=NOW)
    assert made.verdict
    assert made.verdict.decision.revision == 2
    assert json.loads(made.verdict.payload) == {"tool": "mail", "args": {"to": "bob"}}
    assert made.verdict.allowed == made.digest == digest_of(made.verdict.payload) != handoff(BEFORE).digest
    assert [(r.revision, r.by, r.args) for r in made.revisions] == [(2, MIRA, {"to": "bob"})]


def test_an_edit_without_approval_decides_nothing() -> None:
    made = read_answer(handoff(BEFORE), EDIT.model_copy(update={"approve": False}), MIRA, at=NOW)
    assert made.verdict is None
    assert made.digest
    assert len(made.revisions) == 1


def test_an_edit_that_changes_nothing_is_an_approval_or_a_mistake() -> None:
    same = wire.Edit(revision=1, args={"to": "alice"}, reason="fine")
    assert read(BEFORE, same).kind == "approved"
    with pytest.raises(InvalidAnswer, match="nothing was changed"):
        read(BEFORE, same.model_copy(update={"approve": False}))


def test_approving_what_somebody_edited_names_both() -> None:
    made = read_answer(handoff(BEFORE), EDIT.model_copy(update={"approve": False}), ANA, at=NOW)
    edited = replace(
        handoff(BEFORE),
        revision=2,
        digest=made.digest,
        payload='{"args":{"to":"bob"},"tool":"mail"}',
        revisions=made.revisions,
    )
    verdict = read_answer(edited, wire.Approve(revision=2), MIRA, at=NOW).verdict
    assert verdict
    assert verdict.decision.kind == "edited"
    assert "Ana" in verdict.decision.message_for_agent
    assert "Mira" in verdict.decision.message_for_agent
    assert verdict.payload == edited.payload


@pytest.mark.parametrize("args", [{"to": "x" * 70_000}, {"to": "a", "n": 2**60}])
def test_an_edit_without_usable_canonical_json_is_refused(args: dict[str, Any]) -> None:
    ask = BEFORE.model_copy(update={"action": wire.Action(tool="mail", args={"to": "a"})})
    with pytest.raises(InvalidAnswer) as caught:
        read(ask, wire.Edit(revision=1, args=args))
    assert caught.value.faults[0].field == "args"


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_rejection_always_has_a_reason(reason: str | None) -> None:
    decision = read(BEFORE, wire.Reject(revision=1, reason=reason))
    assert isinstance(decision, wire.Rejected)
    assert decision.reason == NO_REASON


def test_a_candidate_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidAnswer, match="none of the candidates"):
        read(CHOICE, wire.Choose(revision=1, choice="b"))


@pytest.mark.parametrize("answer", ["", 7, None])
def test_an_answer_must_fit_its_schema(answer: Any) -> None:
    with pytest.raises(InvalidAnswer) as caught:
        read(INPUT, wire.Reply(revision=1, answer=answer))
    assert caught.value.faults[0].field == "answer"


def test_nothing_but_a_yes_allows_anything() -> None:
    """I8: an ending that is no yes has no digest to claim."""
    for (asked, answered), kind in FITS.items():
        verdict = read_answer(handoff(ASKS[asked]), ANSWERS[answered], MIRA, at=NOW).verdict
        assert verdict
        assert bool(verdict.allowed) == (kind != "rejected"), (asked, answered)
    silent = silence_verdict(handoff(BEFORE), at=NOW)
    assert (silent.decision.kind, silent.allowed) == ("expired", "")


def test_silence_approves_only_by_the_route() -> None:
    verdict = silence_verdict(handoff(BEFORE, silence="approve"), at=NOW)
    assert (verdict.decision.kind, verdict.decision.by.kind) == ("approved", "silence")
    assert verdict.allowed == handoff(BEFORE).digest
    assert verdict.decision.message_for_agent == coaching.approved_by_silence()


# --- sentences ---


def test_every_ending_has_its_own_sentence() -> None:
    """A model that reads a bare "denied" tries again; each sentence says what happened and what to do."""
    sentences = [
        coaching.approved("Mira", after=False, reason=None),
        coaching.approved("Mira", after=True, reason=None),
        coaching.approved_by_silence(),
        coaching.edited("Mira", reason=None),
        coaching.rejected("Mira", "No.", after=False),
        coaching.rejected("Mira", "No.", after=True),
        coaching.chosen("Mira", "A"),
        coaching.answered("Mira"),
        coaching.expired(BEFORE),
        coaching.expired(AFTER),
        coaching.withdrawn(),
        coaching.undeliverable("no such place."),
        coaching.allowed("v/rule"),
        coaching.denied("v/rule", "Never."),
    ]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence.endswith(".") for sentence in sentences)


@pytest.mark.parametrize(
    "sentence", [coaching.expired(BEFORE), coaching.undeliverable("gone."), coaching.expired(AFTER)]
)
def test_what_no_person_refused_is_not_told_as_a_no(sentence: str) -> None:
    assert "Nobody said no" in sentence or "not a no" in sentence


@pytest.mark.parametrize("sentence", [coaching.rejected("Mira", "No.", after=False), coaching.denied("r", "No.")])
def test_a_no_closes_the_detours_too(sentence: str) -> None:
    assert "do not reach the same end another way" in sentence


def test_a_remark_reaches_the_agent() -> None:
    for decision in (
        read(BEFORE, wire.Approve(revision=1, reason="only today")),
        read(BEFORE, wire.Edit(revision=1, args={"to": "bob"}, reason="only today")),
    ):
        assert "only today" in decision.message_for_agent


def test_a_late_press_is_told_what_stands() -> None:
    decisions = [read(ASKS[asked], ANSWERS[answered]) for asked, answered in FITS]
    decisions.append(silence_verdict(handoff(BEFORE), at=NOW).decision)
    agent = wire.Actor(kind="agent", id="mailer", name="mailer")
    decisions.append(wire.Withdrawn(by=agent, at=NOW, revision=1, message_for_agent="x"))
    decisions.append(wire.Undeliverable(by=agent, at=NOW, revision=1, reason="r", message_for_agent="x"))
    told = {decision.kind: too_late(decision) for decision in decisions}
    assert len(set(told.values())) == len(told) == 8
    assert all(sentence.endswith("so your press changed nothing.") for sentence in told.values())
    assert told["approved"].startswith("Mira approved this at")


def test_a_yes_to_what_is_done_allows_no_new_bytes() -> None:
    verdict = yes_verdict(handoff(AFTER), MIRA, "fine", at=NOW)
    assert verdict.payload == ""
