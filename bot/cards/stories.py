"""What a card is too small for: that the agent heard somebody, how an action failed, or a long result. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from andon import wire
from bot.cards.characters import visible
from bot.cards.rich import clip
from bot.cards.sentences import HEADLINES
from bot.handoff import Handoff

SHORT: Final = 300
"""A result up to this length is on the card itself."""

_LOUD: Final = frozenset({"failed", "undo_failed"})


@dataclass(frozen=True, slots=True)
class Story:
    """Something to tell once, below a card: whoever answered follows it there."""

    name: str
    """The same for every try."""
    at: datetime
    headline: str
    text: str
    """All of it, as it came; empty: the headline says everything."""
    is_alarm: bool = False
    """Must somebody look at it?"""
    calls: wire.Actor | None = None
    """The person who must."""


def stories_of(handoff: Handoff) -> tuple[Story, ...]:
    """What is to be told of a handoff as it stands, the oldest first."""
    return tuple(each for each in (_heard(handoff), _ended(handoff)) if each)


def _heard(handoff: Handoff) -> Story | None:
    heard = handoff.heard
    if heard is None:
        return None
    said = f"{visible(handoff.agent)} has heard {visible(heard.by.name)}: “{clip(visible(heard.text), SHORT)}”"
    return Story(f"heard:{handoff.run}:{heard.at.isoformat()}", heard.at, said, "")


def _ended(handoff: Handoff) -> Story | None:
    outcome = handoff.outcome
    if outcome is None:
        return None
    told = outcome.error if outcome.error is not None else outcome.result
    text = told if isinstance(told, str) else "" if told is None else json.dumps(told, ensure_ascii=False, indent=2)
    if outcome.status not in _LOUD and len(text) <= SHORT:
        return None
    named = visible(handoff.action.tool if handoff.action else handoff.ask.gate)
    is_alarm = outcome.status == "undo_failed"
    by = handoff.decision.by if handoff.decision else None
    calls = by if is_alarm and by and by.kind == "person" else None
    return Story(f"story:{handoff.id}", outcome.at, f"{HEADLINES[outcome.status]}: {named}", text, is_alarm, calls)
