"""What a scorer is asked, what it finds, and how findings become one score. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import JsonValue

from bot.handoff import Risk, canonical, digest_of

LOW: Final = 0.1
"""It reads, and what it reads is not sensitive."""
MODEST: Final = 0.3
"""It changes something small, or something that is easily put back."""
MEDIUM: Final = 0.5
"""It changes something, or nothing is known of it."""
SERIOUS: Final = 0.7
"""It may do harm that is hard to undo, or hides what it does."""
HIGH: Final = 0.9
"""It destroys, takes over, or gives away."""
MOST: Final = 1.0

MOST_REASONS: Final = 8
_QUOTED: Final = 60


@dataclass(frozen=True, slots=True)
class RiskQuestion:
    """One action, and who wants it for whom."""

    tool: str
    args: Mapping[str, JsonValue]
    gate: str
    agent: str
    reversible: bool
    requester: str = ""

    @property
    def digest(self) -> str:
        """Of everything in it: the same question has the same answer for a while."""
        return digest_of(
            canonical(
                {
                    "tool": self.tool,
                    "args": dict(self.args),
                    "gate": self.gate,
                    "agent": self.agent,
                    "reversible": self.reversible,
                    "requester": self.requester,
                }
            )
        )


class CannotScore(Exception):  # a sentence for the card, and no fault of ours
    """Why an action has no score."""


class Scorer(Protocol):
    """Tells how risky an action is."""

    async def score(self, action: RiskQuestion) -> Risk:
        """A score from 0 to 1, and a sentence for each reason.

        It must not block the loop. Whatever it raises is 1.0.
        """
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that makes an action risky, or that shows that it is not."""

    score: float
    reason: str


def quoted(text: str) -> str:
    """A piece of the input as a reason names it: one line, cut."""
    line = " ".join(text.split())
    return f"`{line[:_QUOTED]}…`" if len(line) > _QUOTED else f"`{line}`"


def risk_of(findings: Iterable[Finding]) -> Risk:
    """The highest finding is the score; the reasons are told from the highest down, each once."""
    ranked = sorted(findings, key=lambda each: -each.score)
    reasons = tuple(dict.fromkeys(each.reason for each in ranked))
    more = len(reasons) - MOST_REASONS
    told = (*reasons[:MOST_REASONS], f"And {more} more reasons.") if more > 0 else reasons
    return Risk(ranked[0].score if ranked else MEDIUM, told)


def highest(risks: Iterable[Risk]) -> Risk | None:
    """The riskiest; None when there is none."""
    return max(risks, key=lambda each: each.score, default=None)
