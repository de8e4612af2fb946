"""What Andon itself says of an action, beside what the agent says: how risky it reads, and why a person is asked."""

from dataclasses import dataclass
from typing import Final, Literal

from bot.cards.characters import visible
from bot.handoff import Handoff, Risk

_MEDIUM: Final = 0.4
_HIGH: Final = 0.7


@dataclass(frozen=True, slots=True)
class Bearings:
    """Andon's own reading, and no word of it the agent's; quotes of the action's arguments are made visible."""

    level: Literal["", "low", "medium", "high"]
    """Of the risk; empty when no risk was told."""
    headline: str
    """`High risk: 90 %`; empty with the level."""
    reasons: tuple[str, ...]
    because: tuple[str, ...]
    """Why a person is asked although the policy would let it run, or does not yet."""


def bearings(handoff: Handoff) -> Bearings | None:
    """What there is to say; None when there is nothing."""
    route = handoff.route
    if route.risk is None and not route.because:
        return None
    level = level_of(route.risk)
    stale = " (of the first revision; it was edited since)" if handoff.scored != handoff.revision else ""
    return Bearings(
        level=level,
        headline=f"{level.capitalize()} risk: {round(route.risk.score * 100)} %{stale}" if route.risk else "",
        reasons=tuple(visible(reason) for reason in route.risk.reasons) if route.risk else (),
        because=tuple(visible(sentence) for sentence in route.because),
    )


def level_of(risk: Risk | None) -> Literal["", "low", "medium", "high"]:
    """A score as a word: under 0.4 is low, from 0.7 it is high."""
    if risk is None:
        return ""
    return "high" if risk.score >= _HIGH else "medium" if risk.score >= _MEDIUM else "low"
