"""Handoffs that people vote on, as the store has them: for tests of what people see."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from andon import wire
from bot.handoff import Handoff, Route, Stage, Vote, choice_payload, digest_of
from tests.fakes.desk import ANA, EMAIL, FLIGHT, MIRA, NOON, handoff

BOB = wire.Actor(kind="person", id="T1/U2", name="Bob", surface="slack")
TERMS: dict[str, Any] = {"policy": "0123456789ab/mail", "timeout_s": 1800, "on_timeout": "deny", "to": ()}
STAGED = Route(
    **TERMS,
    stages=(
        Stage(("mira@example.com", "ana@example.com"), 2),
        Stage(("on_call:payments", "slack:S0614TZR7", "slack:U2"), 2),
    ),
    not_requester=True,
    reject_quorum=True,
    step_up="critical",
)


def vote(by: wire.Actor, digest: str, *, stage: int = 1, kind: str = "yes", minute: int = 1) -> Vote:
    at = NOON + timedelta(minutes=minute)
    return Vote(f"email:{by.id}", by, at, 1, stage, kind, digest=digest, id=f"{minute:032d}")


def staged(*, name: str = "Bob") -> Handoff:
    """The second of two stages, for what is critical; somebody said no, and a group cannot be read."""
    asked = handoff(EMAIL, route=STAGED, owner="owner@example.com", unread="slack:S0614TZR7")
    bob = BOB.model_copy(update={"name": name})
    votes = (
        vote(MIRA, asked.digest),
        vote(ANA, asked.digest, minute=2),
        vote(bob, asked.digest, stage=2, minute=3),
        vote(bob.model_copy(update={"id": "T1/U3", "name": f"{name} the other"}), "", stage=2, kind="no", minute=4),
    )
    return replace(asked, votes=votes)


def split() -> Handoff:
    """Two people want two different flights."""
    asked = handoff(FLIGHT, route=Route(**TERMS, quorum=2))
    assert isinstance(asked.ask, wire.Choice)
    first, second = (digest_of(choice_payload(each)) for each in asked.ask.candidates[:2])
    return replace(asked, votes=(vote(MIRA, first), vote(ANA, second, minute=2)))


def agreed() -> Handoff:
    """Decided by two."""
    asked = handoff(EMAIL, route=Route(**TERMS, quorum=2))
    assert asked.action
    at = NOON + timedelta(minutes=2)
    decision = wire.Approved(
        by=ANA,
        at=at,
        revision=1,
        digest=asked.digest,
        args=asked.action.args,
        message_for_agent="Go.",
        votes=(wire.Vote(by=MIRA, at=NOON + timedelta(minutes=1), stage=1), wire.Vote(by=ANA, at=at, stage=1)),
    )
    return replace(asked, state=asked.state.DECIDED, decision=decision)
