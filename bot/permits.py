"""What the store said of a claim or an outcome, as the permit or the refusal that it means."""

import logging
from datetime import timedelta

from andon import wire
from bot import coaching
from bot.errors import ClaimRefused, Gone, OutcomeConflict, RunStopped
from bot.handoff import no_handoff
from bot.store import ClaimReply, OutcomeReply

log = logging.getLogger("andon")


def permit(  # noqa: C901  # one line a refusal, read as a table
    handoff_id: str, request: wire.ClaimRequest, said: ClaimReply, age: timedelta
) -> wire.Permit:
    """The permit; `age` is how old a decision may be.

    Raises:
        ClaimRefused: Its `slug` says why.
        RunStopped: Somebody pulled the cord.
        Gone: There is no such handoff of this agent's.
    """
    match said.word:
        case "permit":
            assert said.at  # noqa: S101  # a permit always has its time
            return wire.Permit(
                handoff=handoff_id,
                revision=said.revision,
                digest=request.digest,
                payload=said.payload,
                claimant=request.claimant,
                claimed_at=said.at,
            )
        case "gone":
            raise Gone(no_handoff(handoff_id), handoff=handoff_id)
        case "braked":
            assert said.brake  # noqa: S101  # the script always tells it
            raise RunStopped(coaching.stopped(said.brake), brake=said.brake)
        case "open":
            slug, detail = "not-decided", "nobody has decided this yet; wait for the decision, then claim"
        case "refused":
            slug, detail = "not-approved", f"the decision is {said.text!r}, which allows nothing; do not act"
        case "done":
            slug = "not-approved"
            detail = "this shows what is done already; a yes lets it stand, and is no permit to do it again"
        case "digest":
            slug = "digest-mismatch"
            detail = f"the decision covers digest {said.text}, not {request.digest}; do not act"
        case "taken":
            slug, detail = "already-claimed", f"{said.text!r} claimed this at {said.at}; one claim, one action"
        case "unknown":
            question, whom = said.asked
            slug = "already-claimed"
            detail = (
                f"{said.text!r} claimed this at {said.at} and fell silent: nobody knows whether it was done. Asked "
                f"what became of it: {whom} ({question}). Do not do it again, nor ask anew, before somebody has said"
            )
        case "no_grant":
            slug, detail = (
                "grant-ended",
                "the grant that allowed this has ended since; ask again, so that a person decides",
            )
        case "closed":
            slug, detail = "already-claimed", "the outcome is recorded already; one claim, one action"
        case _:
            slug, detail = "decision-too-old", f"decided at {said.at}, over {age} ago; ask again"
    raise ClaimRefused(slug, detail, handoff=handoff_id)


def check_outcome(handoff_id: str, report: wire.OutcomeReport, said: OutcomeReply) -> None:
    """Was the outcome recorded?

    Raises:
        OutcomeConflict: Another outcome stands, or this one does not fit the decision.
        Gone: There is no such handoff of this agent's.
    """
    match said.word:
        case "recorded":
            return
        case "gone":
            raise Gone(no_handoff(handoff_id), handoff=handoff_id)
        case "other":
            log.warning("outcome.conflict id=%s status=%s", handoff_id, report.status)
            detail = "another outcome is recorded already, and it stands"
        case "claimant":
            detail = f"this was claimed by {said.text!r}; an outcome comes from whoever claimed, named in `claimant`"
        case _:
            detail = (
                f"{report.status!r} does not fit a handoff that is {said.text}: `executed` and `failed` follow a "
                "claim (or an approved `after`), `undone` and `undo_failed` follow an `after` that was not approved"
            )
    raise OutcomeConflict(detail, handoff=handoff_id)
