"""What came of an action that the policy let run, shown for review: the follow-up that the service asks. Pure."""

from dataclasses import replace
from typing import Final

from andon import wire
from bot.errors import Forbidden
from bot.handoff import Handoff, ask_payload, digest_of
from bot.store import Doc, NewHandoff

BECAUSE: Final = "The policy let it run, and wants somebody to look at what came of it."


def review_key(handoff_id: str) -> str:
    """What the follow-up's id is derived from. It has a space, so no agent's Idempotency-Key is ever the same."""
    return f"review of {handoff_id}"


def follow_up(first: Handoff, report: wire.OutcomeReport, review_id: str) -> NewHandoff | None:
    """The follow-up of what was done, or None where there is to be none.

    It asks about the same action, with the arguments that were run, at the same places and of the same people. A
    failure needs no review: nothing was done that could be kept.
    """
    ask = first.ask
    if not first.route.review or report.status != "executed" or not isinstance(ask, wire.Confirmation):
        return None
    action = first.action
    if action and isinstance(first.decision, wire.Approved | wire.Edited):
        action = action.model_copy(update={"args": first.decision.args})
    shown = ask.model_copy(update={"timing": "after", "reversible": True, "action": action, "result": report.result})
    payload = ask_payload(shown)
    route = replace(first.route, review=False, told=False, offers=(), because=(*first.route.because, BECAUSE))
    doc = Doc(
        ask=shown, payload=payload, route=route, run_name=first.run_name, requester=first.requester, owner=first.owner
    )
    return NewHandoff(review_id, first.agent, first.run, digest_of(payload), "review", doc)


def check_withdrawable(handoff: Handoff) -> None:
    """An agent takes back what it asked; it did not ask for a review of what it did.

    Raises:
        Forbidden: It is a review.
    """
    if handoff.follows:
        msg = f"{handoff.id} is a review of what you did ({handoff.follows}): the policy asks for it, so it stays"
        raise Forbidden(msg, handoff=handoff.id)
