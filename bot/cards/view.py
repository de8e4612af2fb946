"""The card: everything that a person sees of a handoff, as one typed value for the templates of any surface.

All text in it that came from an agent or a person is made `visible` here, so that a template cannot forget to. What
would run comes first and from the service; the agent's own words come after it, and are called that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Literal

from pydantic import JsonValue

from andon import wire
from bot.cards.characters import visible
from bot.cards.form import ABSENT, Field, fields
from bot.cards.rows import Difference, Prose, Row, differences, prose, row, rows
from bot.cards.sentences import HEADLINES, decided, lasting, progress, silence
from bot.handoff import Handoff, State

CARD_CHARS = 4_000
"""How much of one argument a card shows before it says how much is missing."""

_NAME_CHARS = 80

Lamp = Literal["waiting", "held", "go", "stop", "off", "alarm"]
"""The colour of a card, told by a word: amber, blue, green, red, grey, and red that wants somebody."""

AnswerKind = Literal["approve", "edit", "reject", "choose", "answer"]

NO_POLICY = "No policy is set: everything is asked, and any signed-in person may answer."


@dataclass(frozen=True, slots=True)
class Button:
    """One way to answer, in the words of this card."""

    kind: AnswerKind
    label: str


@dataclass(frozen=True, slots=True)
class Act:
    """What would run, exactly."""

    tool: str
    rows: tuple[Row, ...]
    cut: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the things to choose from; `id` is its own, `label` is for reading."""

    id: str
    label: str
    details: Prose
    act: Act | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision that stands."""

    kind: str
    headline: str
    sentence: str
    by: str
    surface: str
    at: datetime
    took: str
    reason: str
    answer: Row | None


@dataclass(frozen=True, slots=True)
class Step:
    """How far the agent is with it: delivered, done, failed, undone."""

    headline: str
    sentence: str
    at: datetime
    good: bool
    result: Row | None = None


@dataclass(frozen=True, slots=True)
class Edition:
    """An edit: its revision, whose, and when."""

    revision: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Card:
    """A handoff as people see it at one moment."""

    id: str
    kind: str
    timing: str
    state: str
    lamp: Lamp
    headline: str
    title: Prose
    gate: str
    agent: str
    run: str
    requester: str
    act: Act | None
    why: Prose
    risks: tuple[Prose, ...]
    result: Row | None
    reversible: bool
    hazard: bool
    """Something would run that cannot be undone: it must look different."""
    confidence: str
    opened_at: datetime
    expires_at: datetime
    left_s: int
    left: str
    silence: str
    digest: str
    digest_short: str
    revision: int
    policy: str
    edits: tuple[Edition, ...]
    diff: tuple[Difference, ...]
    candidates: tuple[Candidate, ...]
    form: tuple[Field, ...]
    buttons: tuple[Button, ...]
    needs_full: bool
    missing: int
    verdict: Verdict | None
    steps: tuple[Step, ...]

    def may(self, kind: AnswerKind) -> Button | None:
        """The button for this kind of answer, if it can be given now."""
        return next((button for button in self.buttons if button.kind == kind), None)


def card(handoff: Handoff, *, now: datetime, full: bool = False, limit: int = CARD_CHARS, since: int = 1) -> Card:
    """The card of a handoff.

    Args:
        handoff: As the store has it.
        now: Decides what is left of the time.
        full: Show arguments whole, whatever their length.
        limit: Characters of one argument, or of one text, that fit this surface.
        since: The revision that the diff starts from.
    """
    ask, most = handoff.ask, None if full else limit
    action = _action(handoff)
    act = _act(action, most) if action else None
    was_run = isinstance(ask, wire.Confirmation) and ask.timing == "after"
    title = prose(ask.what if isinstance(ask, wire.Confirmation) else ask.question, most)
    candidates = _candidates(handoff, most)
    missing = title.cut + (act.cut if act else 0) + sum(c.details.cut + (c.act.cut if c.act else 0) for c in candidates)
    left_s = max(0, ceil((handoff.expires_at - now).total_seconds()))
    verdict = _verdict(handoff)
    return Card(
        id=handoff.id,
        kind=ask.kind,
        timing="after" if was_run else "before",
        state=handoff.state.value,
        lamp=_lamp(handoff, left_s),
        headline=_headline(handoff, left_s),
        title=title,
        gate=ask.gate,
        agent=handoff.agent,
        run=_name(handoff.run_name),
        requester=_name(handoff.requester or ""),
        act=act,
        why=prose(ask.why, most),
        risks=tuple(prose(risk, most) for risk in ask.risks),
        result=row("result", ask.result, most) if isinstance(ask, wire.Confirmation) and was_run else None,
        reversible=ask.reversible,
        hazard=not ask.reversible and (bool(act and not was_run) or any(each.act for each in candidates)),
        confidence="" if ask.confidence is None else f"{round(ask.confidence * 100)} %",
        opened_at=handoff.opened_at,
        expires_at=handoff.expires_at,
        left_s=left_s,
        left=lasting(left_s),
        silence=silence(ask, handoff.expires_at, handoff.route.on_timeout),
        digest=handoff.digest,
        digest_short=handoff.digest[:12],
        revision=handoff.revision,
        policy=NO_POLICY if handoff.route.policy == "none" else f"Policy: {visible(handoff.route.policy)}",
        edits=tuple(Edition(edit.revision, visible(edit.by.name), edit.at) for edit in handoff.revisions),
        diff=differences(_args_of(handoff, since), action.args) if action else (),
        candidates=candidates,
        form=_form(handoff, action),
        buttons=_buttons(handoff, whole=not missing) if left_s else (),
        needs_full=bool(missing),
        missing=missing,
        verdict=verdict,
        steps=_steps(handoff, most),
    )


def _name(text: str) -> str:
    """A name that the agent gave, for the card's own frame: one short line."""
    line = " ".join(text.split())
    return visible(line if len(line) <= _NAME_CHARS else f"{line[: _NAME_CHARS - 1]}…")


def _action(handoff: Handoff) -> wire.Action | None:
    """What would run now, or what a decision made of it."""
    action = handoff.action
    if action and isinstance(handoff.decision, wire.Approved | wire.Edited):
        return action.model_copy(update={"args": handoff.decision.args})
    return action


def _args_of(handoff: Handoff, revision: int) -> Mapping[str, JsonValue]:
    edited = [edit.args for edit in handoff.revisions if edit.revision <= revision]
    if edited:
        return edited[-1]
    asked = handoff.ask.action if isinstance(handoff.ask, wire.Confirmation) else None
    return asked.args if asked else {}


def _act(action: wire.Action, limit: int | None) -> Act:
    shown = rows(action.args, limit)
    return Act(action.tool, shown, sum(each.cut for each in shown))


def _candidates(handoff: Handoff, limit: int | None) -> tuple[Candidate, ...]:
    if not isinstance(handoff.ask, wire.Choice):
        return ()
    taken = handoff.decision.choice if isinstance(handoff.decision, wire.Chosen) else None
    return tuple(
        Candidate(
            id=each.id,
            label=visible(each.label),
            details=prose(each.details, limit),
            act=_act(each.action, limit) if each.action else None,
            chosen=each.id == taken,
        )
        for each in handoff.ask.candidates
    )


def _form(handoff: Handoff, action: wire.Action | None) -> tuple[Field, ...]:
    match handoff.ask:
        case wire.Input(answer_schema=schema):
            return fields(schema, ABSENT)
        case wire.Confirmation(timing="before") if action:
            return fields(action.schema_, action.args)
        case _:
            return ()


def _buttons(handoff: Handoff, *, whole: bool) -> tuple[Button, ...]:
    """What can be pressed now; what is not shown in full cannot be agreed to."""
    if handoff.state is not State.PENDING:
        return ()
    match handoff.ask:
        case wire.Confirmation(timing="after"):
            yes, no = Button("approve", "Keep it"), Button("reject", "Undo it")
        case wire.Choice():
            yes, no = Button("choose", "Choose this one"), Button("reject", "None of these")
        case wire.Input():
            yes, no = Button("answer", "Answer"), Button("reject", "Do not answer")
        case _:
            yes, no = Button("approve", "Approve"), Button("reject", "Reject")
    action = handoff.action if yes.label == "Approve" else None
    edit = [Button("edit", "Edit")] if action and action.args else []
    return (*([yes] if whole else []), *edit, no)


def _lamp(handoff: Handoff, left_s: int) -> Lamp:
    if handoff.outcome and handoff.outcome.status in {"failed", "undo_failed"}:
        return "alarm"
    match handoff.decision:
        case None:
            return "held" if handoff.state is State.HELD else "waiting" if left_s else "off"
        case wire.Rejected():
            return "stop"
        case wire.Expired() | wire.Withdrawn() | wire.Undeliverable():
            return "off"
        case _:
            return "go"


def _headline(handoff: Handoff, left_s: int) -> str:
    if handoff.outcome:
        return HEADLINES[handoff.outcome.status]
    if handoff.decision:
        return HEADLINES[handoff.decision.kind]
    if handoff.state is State.HELD:
        return "On hold: the brake is on"
    return "Waiting for a person" if left_s else "The time is up"


def _verdict(handoff: Handoff) -> Verdict | None:
    decision = handoff.decision
    if decision is None:
        return None
    return Verdict(
        kind=decision.kind,
        headline=HEADLINES[decision.kind],
        sentence=decided(decision, handoff.ask),
        by=visible(decision.by.name),
        surface=decision.by.surface or decision.by.kind,
        at=decision.at,
        took=lasting((decision.at - handoff.opened_at).total_seconds()),
        reason=visible(getattr(decision, "reason", None) or ""),
        answer=row("answer", decision.answer, None) if isinstance(decision, wire.Answered) else None,
    )


def _steps(handoff: Handoff, limit: int | None) -> tuple[Step, ...]:
    steps: list[Step] = []
    if handoff.claim:
        steps.append(Step("Delivered", "The agent has the decision and acts on it.", handoff.claim.at, good=True))
    if handoff.outcome:
        outcome = handoff.outcome
        told = outcome.error if outcome.error is not None else outcome.result
        steps.append(
            Step(
                HEADLINES[outcome.status],
                progress(outcome.status),
                outcome.at,
                good=outcome.status in {"executed", "undone"},
                result=None if told is None else row("error" if outcome.error is not None else "result", told, limit),
            )
        )
    return tuple(steps)
