"""A handoff in short: what a list shows of it, and what every card begins with."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final, Literal

from andon import wire
from bot.cards.brakes import brake_headline
from bot.cards.characters import visible
from bot.cards.rows import Prose, Row, prose, row
from bot.cards.sentences import HEADLINES, decided, lasting
from bot.cards.unknown import UNKNOWN, is_unknown
from bot.handoff import Handoff, State, Told

TITLE_CHARS = 300
_NAME_CHARS = 80

Lamp = Literal["waiting", "held", "go", "stop", "off", "alarm"]
"""The colour of a card, told by a word: amber, blue, green, red, grey, and red that wants somebody."""


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
    granted: str
    """The grant that went with it, as a sentence; empty: none did."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of a list, at one moment."""

    id: str
    kind: str
    timing: str
    """`before` or `after`; `unknown` where people are asked whether it was done at all."""
    state: str
    lamp: Lamp
    headline: str
    title: Prose
    gate: str
    agent: str
    run: str
    requester: str
    hazard: bool
    """Something would run that cannot be undone: it must look different."""
    opened_at: datetime
    expires_at: datetime
    left_s: int
    left: str
    verdict: Verdict | None
    called: str
    """How people were called about it last: `Reminded`, `Escalated`; empty: not at all, or it has ended."""


def summary(handoff: Handoff, *, now: datetime, limit: int | None = TITLE_CHARS) -> Summary:
    """The handoff in short; `now` decides what is left of the time, and the title is cut at `limit`."""
    ask = handoff.ask
    was_run = isinstance(ask, wire.Confirmation) and ask.timing == "after"
    left_s = max(0, ceil((handoff.expires_at - now).total_seconds() if handoff.left_s is None else handoff.left_s))
    return Summary(
        id=handoff.id,
        kind=ask.kind,
        timing="unknown" if handoff.settles else "after" if was_run else "before",
        state=handoff.state.value,
        lamp=_lamp(handoff, left_s),
        headline=_headline(handoff, left_s),
        title=prose(ask.what if isinstance(ask, wire.Confirmation) else ask.question, limit),
        gate=ask.gate,
        agent=handoff.agent,
        run=_name(handoff.run_name),
        requester=_name(handoff.requester or ""),
        hazard=not ask.reversible and not was_run and _runs_something(ask),
        opened_at=handoff.opened_at,
        expires_at=handoff.expires_at,
        left_s=left_s,
        left=lasting(left_s),
        verdict=_verdict(handoff),
        called=_called(handoff),
    )


_CALLED: Final = {"reminded": "Reminded", "escalated": "Escalated"}


def _called(handoff: Handoff) -> str:
    if handoff.decision:
        return ""
    return next((_CALLED[each.kind] for each in reversed(handoff.asides) if each.kind in _CALLED), "")


@dataclass(frozen=True, slots=True)
class Heard:
    """A notice as a list shows it."""

    at: datetime
    agent: str
    run: str
    text: Prose


def heard(told: Told) -> Heard:
    """A notice in short."""
    return Heard(told.at, told.agent, _name(told.run_name), prose(told.text, TITLE_CHARS))


def _runs_something(ask: wire.Confirmation | wire.Choice | wire.Input) -> bool:
    match ask:
        case wire.Confirmation():
            return ask.action is not None
        case wire.Choice():
            return any(each.action for each in ask.candidates)
        case wire.Input():
            return False


def _name(text: str) -> str:
    """A name that the agent gave, for the card's own frame: one short line."""
    line = " ".join(text.split())
    return visible(line if len(line) <= _NAME_CHARS else f"{line[: _NAME_CHARS - 1]}…")


def _lamp(handoff: Handoff, left_s: int) -> Lamp:
    if is_unknown(handoff) or (handoff.outcome and handoff.outcome.status in {"failed", "undo_failed"}):
        return "alarm"
    match handoff.decision:
        case None:
            return "held" if handoff.state is State.HELD else "waiting" if left_s else "off"
        case wire.Rejected():
            return "stop"
        case wire.Expired() | wire.Withdrawn() | wire.Aborted() | wire.Undeliverable():
            return "off"
        case _:
            return "go"


def _headline(handoff: Handoff, left_s: int) -> str:
    if handoff.outcome:
        return HEADLINES[handoff.outcome.status]
    if is_unknown(handoff):
        return UNKNOWN
    if handoff.decision:
        return _decided(handoff.decision)
    if handoff.state is State.HELD:
        return brake_headline(handoff)
    return "Waiting for a person" if left_s else "The time is up"


def _decided(decision: wire.Decision) -> str:
    """Approved is what people do; the policy lets things run."""
    alone = decision.kind == "approved" and decision.by.kind == "policy"
    return "Runs without asking" if alone else HEADLINES[decision.kind]


def _verdict(handoff: Handoff) -> Verdict | None:
    decision = handoff.decision
    if decision is None:
        return None
    return Verdict(
        kind=decision.kind,
        headline=_decided(decision),
        sentence=decided(decision, handoff.ask),
        by=visible(decision.by.name),
        surface=decision.by.surface or decision.by.kind,
        at=decision.at,
        took=lasting((decision.at - handoff.opened_at).total_seconds()),
        reason=visible(getattr(decision, "reason", None) or ""),
        answer=row("answer", decision.answer, None) if isinstance(decision, wire.Answered) else None,
        granted=_granted(decision),
    )


def _granted(decision: wire.Decision) -> str:
    if decision.by.kind != "person" or not isinstance(decision, wire.Approved | wire.Edited) or not decision.grant:
        return ""
    covers = f": {visible(decision.grant_covers)}" if decision.grant_covers else ""
    return f"A grant went with it{covers}."
