"""The card: everything that a person sees of a handoff, as one typed value for the templates of any surface.

All text in it that came from an agent or a person is made `visible` here, so that a template cannot forget to. What
would run comes first and from the service; the agent's own words come after it, and are called that.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from andon import wire
from bot import consent, tally
from bot.cards.arrival import AGAIN, can_send_again, why_unreached
from bot.cards.asides import Said, asides
from bot.cards.bearings import Bearings, bearings
from bot.cards.brakes import brake_lines
from bot.cards.characters import look_alikes, visible
from bot.cards.form import ABSENT, Field, fields
from bot.cards.offered import Offered, offers
from bot.cards.rows import Difference, Prose, Row, differences, prose, row, rows
from bot.cards.sentences import HEADLINES
from bot.cards.summaries import Summary, summary
from bot.cards.unknown import came_of_it, fell_silent, reported_late, silence_of
from bot.cards.votes import vote_lines
from bot.handoff import Handoff, Reason, State

CARD_CHARS = 4_000
"""How much of one argument a card shows before it says how much is missing."""

AnswerKind = Literal["approve", "edit", "reject", "choose", "answer"]

NO_POLICY = (
    "No policy is set: everything is asked, and any full member of the conversation or signed-in person may answer."
)


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
    warning: str
    """About letters in the label that may deceive."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far the agent is with it: delivered or not reached, at work, done, failed, undone."""

    headline: str
    sentence: str
    at: datetime
    good: bool
    result: Row | None = None
    lasts: bool = False
    """Is it so since then, rather than something that happened then?"""


@dataclass(frozen=True, slots=True)
class Edition:
    """An edit: its revision, whose, and when."""

    revision: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Card(Summary):
    """A handoff as people see it at one moment."""

    act: Act | None
    bearings: Bearings | None
    """Andon's own reading of it, shown before the agent's words."""
    why: Prose
    risks: tuple[Prose, ...]
    result: Row | None
    reversible: bool
    confidence: str
    silence: str
    digest: str
    digest_short: str
    revision: int
    policy: str
    approvers: str
    """Who alone may answer now; empty when any full member may."""
    is_staged: bool
    """Is that one stage of several?"""
    conflict: str
    """Why whoever looks at it may say no and not yes, as a sentence for them; empty where they may, or nobody knows."""
    besides: str
    """Who may be asked besides, and what that gives them: short words beside a field."""
    votes: tuple[str, ...]
    """Sentences about who said yes or no so far, and who is still needed; none where one press decides."""
    brake: tuple[str, ...]
    """Sentences about who stopped it and what that means; none where nobody did."""
    code: str
    """Two digits that a yes must repeat; empty when it need not."""
    one_tap: bool
    """Is one press enough for a yes?"""
    editor_agrees: bool
    """Does an edit count as its editor's yes? Else it is for others to approve."""
    must_open: bool
    """It is critical and not shown in full here: nobody can agree to it before they opened all of it."""
    edits: tuple[Edition, ...]
    diff: tuple[Difference, ...]
    candidates: tuple[Candidate, ...]
    form: tuple[Field, ...]
    buttons: tuple[Button, ...]
    reasons: tuple[Reason, ...]
    """Reject reasons that take one tap; none where nothing can be rejected now."""
    offers: tuple[Offered, ...]
    """Grants that go with a yes; none where it is not one press away."""
    missing: int
    """Characters that are not shown of what would be agreed to, and of what is said for and against it."""
    is_cut: bool
    """Something is not shown, if only of what came of it."""
    steps: tuple[Step, ...]
    again: str
    """The button that has the decision sent to the agent again; empty where a press could do nothing."""
    asides: tuple[Said, ...]
    """What happened around it while it waited: reminders, escalations, who was asked besides, questions and replies."""

    def may(self, kind: AnswerKind) -> Button | None:
        """The button for this kind of answer, if it can be given now."""
        return next((button for button in self.buttons if button.kind == kind), None)


def card(
    handoff: Handoff,
    *,
    now: datetime,
    full: bool = False,
    limit: int = CARD_CHARS,
    since: int = 1,
    conflict: str = "",
) -> Card:
    """The card of a handoff.

    Args:
        handoff: As the store has it.
        now: Decides what is left of the time.
        full: Show arguments whole, whatever their length.
        limit: Characters of one argument, or of one text, that fit this surface.
        since: The revision that the diff starts from.
        conflict: Why whoever looks at it may not say yes (`bot.ports.Desk.conflict`); empty: they may, or it is for
            several to see.
    """
    ask, most = handoff.ask, None if full else limit
    short = summary(handoff, now=now, limit=most)
    action = _action(handoff)
    act = _act(action, most) if action else None
    candidates = _candidates(handoff, most)
    why, risks = prose(ask.why, most), tuple(prose(risk, most) for risk in ask.risks)
    result = row("result", ask.result, most) if isinstance(ask, wire.Confirmation) and ask.timing == "after" else None
    steps = _steps(handoff, most)
    read_first = (short.title, act, why, *risks, result)
    chosen_from = (part for each in candidates for part in (each.act, each.details))
    missing = sum(part.cut for part in (*read_first, *chosen_from) if part)
    must_open = handoff.route.step_up == "critical" and not full
    agreeable = not missing and not must_open and not conflict
    buttons = _buttons(handoff, agreeable=agreeable) if short.left_s else ()
    return Card(
        **{field.name: getattr(short, field.name) for field in dataclasses.fields(short)},
        act=act,
        bearings=bearings(handoff),
        why=why,
        risks=risks,
        result=result,
        reversible=ask.reversible,
        confidence="" if ask.confidence is None else f"{round(ask.confidence * 100)} %",
        silence=silence_of(handoff, consent.on_timeout(handoff)),
        digest=handoff.digest,
        digest_short=handoff.digest[:12],
        revision=handoff.revision,
        policy=NO_POLICY if handoff.route.policy == "none" else f"Policy: {visible(handoff.route.policy)}",
        approvers=visible(tally.shown(handoff).listed),
        is_staged=len(handoff.route.steps) > 1,
        conflict=f"{conflict[:1].upper()}{conflict[1:]}, so another person must say yes. You may say no."
        if conflict and buttons
        else "",
        besides=_besides(handoff),
        votes=vote_lines(handoff),
        brake=brake_lines(handoff),
        code=tally.number(handoff) if buttons and not conflict else "",
        one_tap=not handoff.route.step_up,
        editor_agrees=not handoff.route.not_requester,
        must_open=must_open and bool(buttons),
        edits=tuple(Edition(edit.revision, visible(edit.by.name), edit.at) for edit in handoff.revisions),
        diff=differences(_args_of(handoff, since), action.args) if action and not handoff.about else (),
        candidates=candidates,
        form=_form(handoff, action),
        buttons=buttons,
        reasons=tuple(Reason(visible(each.label), each.text) for each in handoff.route.reasons) if buttons else (),
        offers=offers(handoff) if any(each.kind == "approve" for each in buttons) else (),
        missing=missing,
        is_cut=bool(missing) or any(step.result and step.result.cut for step in steps),
        steps=steps,
        again=AGAIN if can_send_again(handoff) else "",
        asides=asides(handoff, limit=most),
    )


def _besides(handoff: Handoff) -> str:
    """What `bot.handing_on` makes of asking somebody else."""
    if not tally.terms(handoff).approvers:
        return "any full member may answer; they are called by name"
    if handoff.route.reassign == "anyone":
        return "they answer in your place"
    return "one of those who may answer anyway; they are called by name"


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
            warning=look_alikes(each.label),
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


def _buttons(handoff: Handoff, *, agreeable: bool) -> tuple[Button, ...]:
    """What can be pressed now; what is not shown in full cannot be agreed to, nor by whom it is not for."""
    if handoff.state is not State.PENDING:
        return ()
    match handoff.ask:
        case wire.Confirmation(timing="after"):
            yes, no = Button("approve", "Keep it"), Button("reject", "Undo it")
        case wire.Choice() if handoff.settles:  # that nobody can tell is one of its candidates
            return (Button("choose", "Say so"),)
        case wire.Choice():
            yes, no = Button("choose", "Choose this one"), Button("reject", "None of these")
        case wire.Input():
            yes, no = Button("answer", "Answer"), Button("reject", "Do not answer")
        case _:
            yes, no = Button("approve", "Approve"), Button("reject", "Reject")
    action = handoff.action if yes.label == "Approve" else None
    edit = [Button("edit", "Edit")] if action and action.args else []
    return (*([yes] if agreeable else []), *edit, no)


def _steps(handoff: Handoff, limit: int | None) -> tuple[Step, ...]:
    steps: list[Step] = []
    if handoff.claim:
        steps.append(Step("Delivered", "The agent has the decision and acts on it.", handoff.claim.at, good=True))
    elif handoff.received:
        steps.append(Step("Delivered to the agent", "It has the decision.", handoff.received.at, good=True))
    elif away := handoff.unreached:
        steps.append(Step("Agent not reached", why_unreached(away), away.since, good=False, lasts=True))
    steps += [Step(headline, sentence, at, good=False) for headline, sentence, at in fell_silent(handoff)]
    if handoff.outcome:
        steps.append(_end(HEADLINES[handoff.outcome.status], came_of_it(handoff.outcome), handoff.outcome, limit))
    steps += [_end(headline, sentence, outcome, limit) for headline, sentence, outcome in reported_late(handoff)]
    return tuple(steps)


def _end(headline: str, sentence: str, outcome: wire.Outcome, limit: int | None) -> Step:
    told = outcome.error if outcome.error is not None else outcome.result
    result = None if told is None else row("error" if outcome.error is not None else "result", told, limit)
    return Step(headline, sentence, outcome.at, good=outcome.status in {"executed", "undone"}, result=result)
