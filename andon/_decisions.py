"""Decisions as an agent gets them: the wire's, and the handoff they belong to. No I/O."""

from collections.abc import Mapping
from typing import Any

from andon import wire

__all__ = [
    "Aborted",
    "Answered",
    "Approved",
    "Chosen",
    "Confirmed",
    "Decision",
    "Edited",
    "Expired",
    "Refusal",
    "Rejected",
    "Undeliverable",
    "Withdrawn",
    "decision_of",
]


class Approved(wire.Approved):
    """Go ahead with exactly these arguments, after a claim."""

    handoff: str


class Edited(wire.Edited):
    """Go ahead, after a claim, with the arguments as a person changed them."""

    handoff: str


class Chosen(wire.Chosen):
    """This candidate."""

    handoff: str
    candidate: wire.Candidate


class Answered(wire.Answered):
    """This answer."""

    handoff: str


class Rejected(wire.Rejected):
    """A person, or the policy, said no."""

    handoff: str


class Expired(wire.Expired):
    """Nobody answered in time. This is not a person's no."""

    handoff: str


class Withdrawn(wire.Withdrawn):
    """The agent took the ask back."""

    handoff: str


class Aborted(wire.Aborted):
    """Somebody ended the run before this was decided. Whoever waits for it gets `Stopped` instead."""

    handoff: str


class Undeliverable(wire.Undeliverable):
    """The question never reached anybody."""

    handoff: str


Refusal = Rejected | Expired | Withdrawn | Undeliverable
"""Every way of not going ahead."""

Confirmed = Approved | Edited | Refusal
"""What a confirmation can come to."""

Decision = Confirmed | Chosen | Answered

_KINDS: Mapping[str, type[Decision | Aborted]] = {
    "aborted": Aborted,
    "approved": Approved,
    "edited": Edited,
    "chosen": Chosen,
    "answered": Answered,
    "rejected": Rejected,
    "expired": Expired,
    "withdrawn": Withdrawn,
    "undeliverable": Undeliverable,
}


def decision_of(handoff: wire.Handoff) -> Decision | Aborted | None:
    """Return the decision that stands, or None while there is none."""
    decision = handoff.decision
    if decision is None:
        return None
    fields: dict[str, Any] = {**dict(decision), "handoff": handoff.id}
    if isinstance(decision, wire.Chosen) and isinstance(handoff.ask, wire.Choice):
        fields["candidate"] = next(c for c in handoff.ask.candidates if c.id == decision.choice)
    return _KINDS[decision.kind].model_validate(fields)
