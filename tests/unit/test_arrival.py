"""What a card says of a decision's way to its agent, whatever else happens to the handoff."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from andon import wire
from bot.cards import card, moment, sent_again
from bot.cards.reading import times
from bot.handoff import Handoff, State
from tests.fakes.desk import ANA, BUDGET, DRAFT, EMAIL, FLIGHT, MIRA, NOON, handoff, stopped

AT = NOON + timedelta(minutes=2)
SILENCE = wire.Actor(kind="silence", id="silence", name="nobody")
AGENT = wire.Actor(kind="agent", id="assistant", name="assistant")
POLICY = wire.Actor(kind="policy", id="p1", name="policy p1")
SERVICE = wire.Actor(kind="service", id="andon", name="Andon")
RECEIVED = wire.Delivered(at=AT, how="poll")
MISSED = wire.Unreached(since=AT, why="It did not ask.", again=True)
CLAIM = wire.Claimed(claimant="c", at=AT)


def decided(ask: dict[str, Any], kind: type[Any], **more: Any) -> Handoff:
    asked = handoff(ask)
    by = more.pop("by", MIRA)
    return replace(asked, state=State.DECIDED, decision=kind(by=by, at=AT, revision=1, message_for_agent="…", **more))


def approved(ask: dict[str, Any] = EMAIL, **more: Any) -> Handoff:
    asked = handoff(ask)
    assert asked.action
    return decided(ask, wire.Approved, digest=asked.digest, args=asked.action.args, **more)


def closed(shown: Handoff, status: Any) -> Handoff:
    return replace(shown, state=State.CLOSED, outcome=wire.Outcome(status=status, at=AT))


REJECTED = decided(EMAIL, wire.Rejected, reason="no")
WAITED_FOR = {
    "approved": approved(),
    "approved by silence": approved(by=SILENCE),
    "rejected": REJECTED,
    "chosen": decided(FLIGHT, wire.Chosen, choice="tp571", digest="0" * 64),
    "answered": decided(BUDGET, wire.Answered, digest="0" * 64, answer={"amount": 1, "currency": "EUR"}),
    "expired": decided(EMAIL, wire.Expired, by=SILENCE),
    "undeliverable": decided(EMAIL, wire.Undeliverable, by=SERVICE, reason="No such channel"),
    "to be undone": decided(DRAFT, wire.Rejected, reason="no"),
    "a review to be undone": replace(decided(DRAFT, wire.Rejected, reason="no"), follows="hf_1"),
    "kept": approved(DRAFT),
    "stopped after the decision": replace(approved(), brake=stopped().brake),
}


@pytest.mark.parametrize("name", WAITED_FOR)
def test_a_decision_is_delivered_or_not_reached_or_neither_is_known(name: str) -> None:
    shown = WAITED_FOR[name]
    assert shown.awaits_delivery
    assert (card(shown, now=AT).steps, card(shown, now=AT).again) == ((), "")
    arrived = card(replace(shown, received=RECEIVED), now=AT)
    assert [(step.headline, step.good) for step in arrived.steps] == [("Delivered to the agent", True)]
    away = card(replace(shown, missed=MISSED), now=AT)
    assert [(step.headline, step.good) for step in away.steps] == [("Agent not reached", False)]
    assert (arrived.again, away.again) == ("", "Try again")
    assert times(away)[1][0] == "Agent not reached since 22 Nov 2026, 12:02 UTC"
    assert times(arrived)[1][0] == "Delivered to the agent 22 Nov 2026, 12:02 UTC"


@pytest.mark.parametrize(
    "shown, awaits, headlines",
    [
        (handoff(EMAIL), False, []),
        (stopped(), False, []),
        (replace(approved(), received=RECEIVED), False, ["Delivered to the agent"]),
        (approved(by=POLICY), False, []),
        (decided(EMAIL, wire.Withdrawn, by=AGENT), False, []),
        (decided(EMAIL, wire.Aborted, by=ANA), True, []),
        (replace(approved(), state=State.CLAIMED, claim=CLAIM), False, ["Delivered"]),
        (replace(approved(), state=State.CLAIMED, claim=CLAIM, received=RECEIVED), False, ["Delivered"]),
        (replace(approved(), state=State.CLAIMED, claim=CLAIM, missed=MISSED), False, ["Delivered"]),
        (closed(replace(approved(), claim=CLAIM, missed=MISSED), "executed"), False, ["Delivered", "Done"]),
        (closed(replace(approved(), claim=CLAIM), "failed"), False, ["Delivered", "Failed"]),
        (closed(replace(WAITED_FOR["to be undone"], missed=MISSED), "undone"), False, ["Undone"]),
        (
            closed(replace(WAITED_FOR["to be undone"], received=RECEIVED), "undo_failed"),
            False,
            ["Delivered to the agent", "The undo failed"],
        ),
        (closed(replace(approved(DRAFT), missed=MISSED), "executed"), False, ["Done"]),
    ],
)
def test_nothing_is_said_that_does_not_matter_any_more(shown: Handoff, awaits: bool, headlines: list[str]) -> None:
    view = card(shown, now=AT)
    assert shown.awaits_delivery is awaits
    assert [step.headline for step in view.steps] == headlines
    assert view.again == ""


def test_an_agent_without_endpoints_gets_no_button() -> None:
    """A press could do nothing."""
    view = card(replace(REJECTED, missed=MISSED.model_copy(update={"again": False})), now=AT)
    assert [step.headline for step in view.steps] == ["Agent not reached"]
    assert view.again == ""


def test_why_it_was_not_reached_is_untrusted_text() -> None:
    why = "a\u202eb\n\n\u200b" + "x" * 1_000
    (step,) = card(replace(REJECTED, missed=MISSED.model_copy(update={"why": why})), now=AT).steps
    assert step.sentence.startswith("a⟦U+202E⟧b")
    assert len(step.sentence) == 300
    assert step.sentence.endswith("…")
    assert "\n" not in step.sentence


@pytest.mark.parametrize(
    "shown, count, told",
    [
        (REJECTED, 1, "Sent again to 1 endpoint."),
        (REJECTED, 3, "Sent again to 3 endpoints."),
        (REJECTED, 0, "The agent asks for its answers itself. Nothing to send."),
        (
            replace(REJECTED, missed=MISSED),
            0,
            f"The agent asks for its answers itself; it has not come back since {moment(AT)}. Nothing to send.",
        ),
        (
            replace(REJECTED, received=RECEIVED),
            0,
            "The agent has had the decision since 22 Nov 2026, 12:02 UTC. Nothing to send.",
        ),
        (
            replace(approved(), state=State.CLAIMED, claim=CLAIM),
            0,
            "The agent has had the decision since 22 Nov 2026, 12:02 UTC. Nothing to send.",
        ),
        (
            closed(WAITED_FOR["to be undone"], "undone"),
            0,
            "The agent told at 22 Nov 2026, 12:02 UTC what came of it. Nothing to send.",
        ),
        (handoff(EMAIL), 0, "Nobody has decided this yet, so there is nothing to send."),
    ],
)
def test_who_tries_again_is_told_what_came_of_it(shown: Handoff, count: int, told: str) -> None:
    assert sent_again(shown, count) == told
