"""From a person's answer to the decision it makes. Pure: it reads a handoff and changes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from andon import wire
from bot import coaching, tally
from bot.cards import given, offers
from bot.cards.schema import check
from bot.errors import Fault, InvalidAnswer, NotAnApprover, StaleRevision
from bot.handoff import (
    OPEN,
    PAYLOAD_BYTES,
    Handoff,
    Risk,
    Vote,
    action_payload,
    answer_payload,
    choice_payload,
    digest_of,
)
from bot.store import Verdict

_FITS = {
    "confirmation": ("approve", "edit", "reject"),
    "choice": ("choose", "reject"),
    "input": ("answer", "reject"),
}
NO_REASON = "No reason was given."


@dataclass(frozen=True, slots=True)
class Answering:
    """What an answer makes: a verdict, or (none) a revision that waits for another person; with an edit, its digest."""

    verdict: Verdict | None
    digest: str = ""
    revisions: tuple[wire.Revision, ...] = ()
    risk: Risk | None = None
    """Of that revision."""


def read_answer(
    handoff: Handoff, answer: wire.Deciding, by: wire.Actor, *, at: datetime, beside: Sequence[Vote] = ()
) -> Answering:
    """Turn an answer into what it makes of the handoff, if it decides; `beside` are the votes there are already.

    Raises:
        NotAnApprover: Not a person.
        StaleRevision: It was made for another revision.
        InvalidAnswer: It does not fit the ask; one fault per field.
    """
    if by.kind != "person":
        msg = f"{by.kind} {by.id!r} cannot answer: an answer comes from a person (`keys create --person EMAIL`)"
        raise NotAnApprover(msg, handoff=handoff.id)
    _fits(handoff, answer)
    if handoff.state in OPEN and (
        answer.revision != handoff.revision or (answer.digest is not None and answer.digest != handoff.digest)
    ):
        msg = (
            f"you read revision {answer.revision}, and the card is at revision {handoff.revision} now "
            f"(digest {handoff.digest[:12]}); look at it again, then answer"
        )
        raise StaleRevision(msg, handoff=handoff.id)
    match answer:
        case wire.Approve(reason=reason):
            after = isinstance(handoff.ask, wire.Confirmation) and handoff.ask.timing == "after"
            sentence = coaching.approved(_who(by, beside, "yes", handoff.digest), after=after, reason=reason)
            return Answering(_granting(handoff, answer, yes_verdict(handoff, by, sentence, at=at, reason=reason)))
        case wire.Edit():
            return _edit(handoff, answer, by, at=at, beside=beside)
        case wire.Reject(reason=reason):
            return Answering(_reject(handoff, by, (reason or "").strip() or NO_REASON, at=at, beside=beside))
        case wire.Choose():
            return Answering(_choose(handoff, answer, by, at=at, beside=beside))
        case wire.Reply():
            return Answering(_reply(handoff, answer, by, at=at, beside=beside))


def yes_verdict(handoff: Handoff, by: wire.Actor, sentence: str, *, at: datetime, reason: str | None = None) -> Verdict:
    """Yes to a confirmation as it stands: approved, or edited when an earlier revision changed it."""
    action = handoff.action
    kind = wire.Edited if handoff.revisions else wire.Approved
    if handoff.revisions and by.kind == "person":
        editor = handoff.revisions[-1].by
        sentence = coaching.edited(by.name, reason=reason, editor="" if editor.id == by.id else editor.name)
    decision = kind(
        by=by,
        at=at,
        revision=handoff.revision,
        digest=handoff.digest,
        args=action.args if action else {},
        reason=reason,
        policy=handoff.route.policy,
        message_for_agent=sentence,
    )
    return Verdict(decision, handoff.digest, handoff.payload if handoff.revisions else "")


def _granting(handoff: Handoff, answer: wire.Approve, verdict: Verdict) -> Verdict:
    """The yes with the grant that was taken beside it.

    Raises:
        InvalidAnswer: The card does not offer that.
    """
    if answer.grant is None:
        return verdict
    offer = next((each for each in offers(handoff) if each.index == answer.grant), None)
    if offer is None:
        msg = "this card does not offer that grant; approve without it, or look at the card again"
        raise InvalidAnswer(msg, faults=[Fault("grant", msg)], handoff=handoff.id)
    decision = verdict.decision
    grant = given(handoff, offer, decision.by)
    sentence = coaching.granted(decision.message_for_agent, offer.covers, offer.life)
    covers = f"{offer.covers}, for {offer.life}"
    decision = decision.model_copy(update={"grant": grant.id, "grant_covers": covers, "message_for_agent": sentence})
    return replace(verdict, decision=decision, grant=grant)


def _who(by: wire.Actor, beside: Sequence[Vote], kind: str, digest: str = "") -> str:
    """All who agree on it, the one who answers now last."""
    others = [vote.by.name for vote in beside if vote.kind == kind and (not digest or vote.digest == digest)]
    return f"{', '.join(others)} and {by.name}" if others else by.name


def with_votes(handoff: Handoff, verdict: Verdict, vote: Vote) -> Verdict:
    """The decision with all who agreed on it, the last of them last; as it is where one person was enough."""
    after = tally.count(handoff, vote)
    agreed = after.no if vote.kind == "no" else after.agreed
    if len(agreed) < 2:  # noqa: PLR2004  # several
        return verdict
    ordered = [*(each for each in agreed if each.id != vote.id), vote]
    votes = tuple(
        wire.Vote(by=each.by, at=each.at, stage=each.stage, kind="no" if each.kind == "no" else "yes")
        for each in ordered
    )
    return replace(verdict, decision=verdict.decision.model_copy(update={"votes": votes}))


def _fits(handoff: Handoff, answer: wire.Deciding) -> None:
    kinds = _FITS[handoff.ask.kind]
    if isinstance(handoff.ask, wire.Confirmation) and handoff.ask.timing == "after":
        kinds = ("approve", "reject")
    if answer.kind not in kinds:
        msg = f"a {handoff.ask.kind} is answered with {', '.join(kinds)}, not with {answer.kind}"
        raise InvalidAnswer(msg, faults=[Fault("kind", msg)], handoff=handoff.id)


def _edit(handoff: Handoff, answer: wire.Edit, by: wire.Actor, *, at: datetime, beside: Sequence[Vote]) -> Answering:
    action = handoff.action
    assert action  # noqa: S101  # `before` confirmations have one, and others do not come here
    if action.schema_ and (faults := check(action.schema_, answer.args)):
        raise _invalid(handoff, "args", faults)
    payload = _canonical(handoff, "args", lambda: action_payload(action.tool, answer.args))
    digest = digest_of(payload)
    if digest == handoff.digest:
        if answer.approve:
            who = _who(by, beside, "yes", digest)
            sentence = coaching.approved(who, after=False, reason=answer.reason)
            return Answering(yes_verdict(handoff, by, sentence, at=at, reason=answer.reason))
        msg = "nothing was changed, so there is no new revision; change an argument, or approve"
        raise InvalidAnswer(msg, faults=[Fault("args", msg)], handoff=handoff.id)
    revision = wire.Revision(revision=handoff.revision + 1, by=by, at=at, args=answer.args, digest=digest)
    revisions = (*handoff.revisions, revision)
    if not answer.approve:
        return Answering(None, digest, revisions)
    decision = wire.Edited(
        by=by,
        at=at,
        revision=revision.revision,
        digest=digest,
        args=answer.args,
        reason=answer.reason,
        policy=handoff.route.policy,
        message_for_agent=coaching.edited(by.name, reason=answer.reason),
    )
    return Answering(Verdict(decision, digest, payload), digest, revisions)


def _reject(handoff: Handoff, by: wire.Actor, reason: str, *, at: datetime, beside: Sequence[Vote]) -> Verdict:
    return Verdict(
        wire.Rejected(
            by=by,
            at=at,
            revision=handoff.revision,
            reason=reason,
            policy=handoff.route.policy,
            message_for_agent=_no(handoff, _who(by, beside, "no"), reason),
        )
    )


def _no(handoff: Handoff, name: str, reason: str) -> str:
    match handoff.ask:
        case wire.Input():
            return coaching.unanswered(name, reason)
        case wire.Choice() if handoff.settles:
            return coaching.settled(name, reason)
        case wire.Choice():
            return coaching.none_chosen(name, reason)
        case ask:
            return coaching.rejected(name, reason, after=ask.timing == "after")


def _choose(handoff: Handoff, answer: wire.Choose, by: wire.Actor, *, at: datetime, beside: Sequence[Vote]) -> Verdict:
    assert isinstance(handoff.ask, wire.Choice)  # noqa: S101  # `_fits` checked
    candidate = next((c for c in handoff.ask.candidates if c.id == answer.choice), None)
    if candidate is None:
        msg = f"{answer.choice!r} is none of the candidates; send the `id` of one"
        raise InvalidAnswer(msg, faults=[Fault("choice", msg)], handoff=handoff.id)
    payload = choice_payload(candidate)
    decision = wire.Chosen(
        by=by,
        at=at,
        revision=handoff.revision,
        digest=digest_of(payload),
        choice=candidate.id,
        reason=answer.reason,
        policy=handoff.route.policy,
        message_for_agent=coaching.settled(by.name, candidate.label)
        if handoff.settles
        else coaching.chosen(_who(by, beside, "yes", digest_of(payload)), candidate.label),
    )
    return Verdict(decision, decision.digest, payload)


def _reply(handoff: Handoff, answer: wire.Reply, by: wire.Actor, *, at: datetime, beside: Sequence[Vote]) -> Verdict:
    assert isinstance(handoff.ask, wire.Input)  # noqa: S101  # `_fits` checked
    if faults := check(handoff.ask.answer_schema, answer.answer):
        raise _invalid(handoff, "answer", faults)
    payload = _canonical(handoff, "answer", lambda: answer_payload(answer.answer))
    decision = wire.Answered(
        by=by,
        at=at,
        revision=handoff.revision,
        digest=digest_of(payload),
        answer=answer.answer,
        policy=handoff.route.policy,
        message_for_agent=coaching.answered(_who(by, beside, "yes", digest_of(payload))),
    )
    return Verdict(decision, decision.digest, payload)


def _canonical(handoff: Handoff, field: str, make: Callable[[], str]) -> str:
    try:
        payload = make()
    except ValueError as error:
        msg = f"it has no canonical JSON: {error}"
        raise InvalidAnswer(msg, faults=[Fault(field, msg)], handoff=handoff.id) from error
    if len(payload.encode()) > PAYLOAD_BYTES:
        msg = f"it takes {len(payload.encode())} bytes of canonical JSON, over {PAYLOAD_BYTES}; make it shorter"
        raise InvalidAnswer(msg, faults=[Fault(field, msg)], handoff=handoff.id)
    return payload


def _invalid(handoff: Handoff, field: str, faults: tuple[Fault, ...]) -> InvalidAnswer:
    placed = [replace(fault, field=f"{field}.{fault.field}".rstrip(".")) for fault in faults]
    return InvalidAnswer(
        f"it does not fit the ask's schema: {placed[0].field}: {placed[0].detail}", faults=placed, handoff=handoff.id
    )
