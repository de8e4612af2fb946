"""What came of an action that the policy let run, shown for review: the follow-up that the service asks. Pure."""

from dataclasses import replace
from typing import Final

from andon import wire
from bot.errors import Forbidden
from bot.handoff import Handoff, ask_payload, digest_of
from bot.store import Doc, NewHandoff

BECAUSE: Final = "The policy let it run, and wants somebody to look at what came of it."


FAILED: Final = "It failed, and something may have happened all the same."
UNTOLD: Final = "The agent did not say what came of it."


def review_key(handoff_id: str) -> str:
    """What the follow-up's id is derived from. It has a space, so no agent's Idempotency-Key is ever the same."""
    return f"review of {handoff_id}"


def follow_up(first: Handoff, report: wire.OutcomeReport | None, review_id: str) -> NewHandoff | None:
    """The follow-up of what was done or tried, or None where there is to be none; `report` None: none ever came.

    It asks about the same action, with the arguments that were run, at the same places and of the same people.
    What failed, or was never told of, is shown too: something may have happened.
    """
    ask = first.ask
    acted = report is None or report.status in {"executed", "failed"}
    if not first.route.review or not acted or not isinstance(ask, wire.Confirmation):
        return None
    result, because = report.result if report else UNTOLD, [BECAUSE]
    if report and report.status == "failed":
        result, because = report.error or UNTOLD, [BECAUSE, FAILED]
    action = first.action
    if action and isinstance(first.decision, wire.Approved | wire.Edited):
        action = action.model_copy(update={"args": first.decision.args})
    shown = ask.model_copy(update={"timing": "after", "reversible": True, "action": action, "result": result})
    payload = ask_payload(shown)
    route = replace(first.route, review=False, told=False, offers=(), because=(*first.route.because, *because))
    doc = Doc(
        ask=shown,
        payload=payload,
        route=route,
        run_name=first.run_name,
        requester=first.requester,
        owner=first.owner,
        trace=first.trace,
    )
    return NewHandoff(review_id, first.agent, first.run, digest_of(payload), "review", doc)


def check_withdrawable(handoff: Handoff) -> None:
    """An agent takes back what it asked; it did not ask for a review of what it did.

    Raises:
        Forbidden: It is a review, or asks what became of it.
    """
    if handoff.settles:
        msg = f"{handoff.id} asks people what became of {handoff.settles}; report that, and nobody is asked any more"
        raise Forbidden(msg, handoff=handoff.id)
    if handoff.follows:
        msg = f"{handoff.id} is a review of what you did ({handoff.follows}): the policy asks for it, so it stays"
        raise Forbidden(msg, handoff=handoff.id)
