"""What a card says of an action whose agent fell silent, of the question about it, and of what was said of it. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from andon import wire
from bot.cards.characters import visible
from bot.cards.sentences import HEADLINES, moment, progress, silence
from bot.handoff import Handoff, State

UNKNOWN: Final = "Unknown: the agent fell silent while doing this"


def is_unknown(handoff: Handoff) -> bool:
    """Does nobody know what became of it?"""
    return handoff.unknown_since is not None and handoff.outcome is None and handoff.state is State.CLAIMED


def silence_of(handoff: Handoff, on_timeout: str) -> str:
    """What happens if nobody answers."""
    if handoff.settles:
        return f"If nobody answers by {moment(handoff.expires_at)}, it stays unknown. Silence decides nothing."
    return silence(handoff.ask, handoff.expires_at, on_timeout)


def fell_silent(handoff: Handoff) -> Iterator[tuple[str, str, datetime]]:
    """That nobody vouches for it any more: a headline, a sentence and when; nothing where somebody does."""
    if handoff.unknown_since is None:
        return
    yield (
        "Unknown",
        "The agent fell silent while doing this: it may have been done or not. Nothing is done again by itself.",
        handoff.unknown_since,
    )


def came_of_it(outcome: wire.Outcome) -> str:
    """What an outcome means, and whose word it is."""
    if outcome.by is None:
        return progress(outcome.status)
    did = "this was done" if outcome.status == "executed" else "this was not done"
    return f"{visible(outcome.by.name)} said that {did}, after the agent fell silent."


def reported_late(handoff: Handoff) -> Iterator[tuple[str, str, wire.Outcome]]:
    """What the agent reported after a person had said what became of it: a headline, a sentence and the report."""
    late = handoff.late_report
    if late is None:
        return
    said = HEADLINES[late.status].lower()
    yield (
        f"Reported later: {said}",
        "The agent came back and says so. What was said before stands, and so does this.",
        late,
    )
