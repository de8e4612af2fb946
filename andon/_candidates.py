"""The short ways to write candidates. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from andon.wire import Candidate

__all__ = ["CandidateLike", "candidates_from"]

CandidateLike = Candidate | str | tuple[str, str] | Mapping[str, Any]
"""A candidate; its label, with its number from 1 on as the id; an `(id, label)` pair; or a mapping of its fields."""


def candidates_from(given: Sequence[CandidateLike]) -> tuple[Candidate, ...]:
    """Return candidates in the order given."""
    return tuple(_candidate(number, each) for number, each in enumerate(given, start=1))


def _candidate(number: int, given: CandidateLike) -> Candidate:
    match given:
        case Candidate():
            return given
        case str():
            return Candidate(id=str(number), label=given)
        case Mapping():
            return Candidate.model_validate(given)
        case (id_, label):
            return Candidate(id=id_, label=label)
