"""What can go wrong for an agent, by what it can do about it.

A refusal is here too: it is not a fault, yet it never looks like a result.
"""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, JsonValue

from andon import wire
from andon._decisions import Decision, Expired, Refusal, Rejected, Undeliverable, Withdrawn
from andon._scopes import in_words

if TYPE_CHECKING:
    from andon._handoff import Handoff

__all__ = [
    "AlreadyDecided",
    "AndonError",
    "ClaimRefused",
    "Conflict",
    "InvalidAnswer",
    "InvalidRequest",
    "InvalidToken",
    "KeyRefused",
    "NotConfigured",
    "NotFound",
    "PermitMismatch",
    "Refused",
    "RunHeld",
    "ServiceError",
    "ServiceUnavailable",
    "Steered",
    "Stopped",
    "UndoFailed",
    "error_from",
    "refused",
]


class AndonError(Exception):
    """The root of all that this package raises."""


class NotConfigured(AndonError):
    """No service or no key is known; the message says what to set."""


class ServiceUnavailable(AndonError):
    """The service did not answer for as long as the client is patient; try again later.

    The last write may have happened. Repeating it with the same idempotency key is safe.
    """


class Refused(AndonError):
    """The answer was no, or there was none. `str()` of it is a sentence for a language model to read.

    Attributes:
        decision: Rejected, Expired, Withdrawn or Undeliverable: they mean different things.
    """

    def __init__(self, decision: Refusal) -> None:
        super().__init__(decision.message_for_agent)
        self.decision = decision


def refused(decision: Decision) -> AndonError:
    """Return the error of a decision that does not allow what was asked."""
    if isinstance(decision, Rejected | Expired | Withdrawn | Undeliverable):
        return Refused(decision)
    return AndonError(f"{decision.handoff}: {decision.kind!r} is no decision on what was asked")


class PermitMismatch(AndonError):
    """The permit's bytes are not the ones that were decided. Nothing was run; do not run anything."""


class InvalidAnswer(AndonError):
    """A person's answer fits the question's schema, but not the type that was asked for."""

    def __init__(self, message: str, *, answer: JsonValue) -> None:
        super().__init__(message)
        self.answer = answer


class InvalidToken(AndonError):
    """What should bring a handoff back is not a handoff's token."""


class Stopped(AndonError):
    """Somebody pulled the cord. Do not act, and do not try again: `await run.resumed()`, or end the work.

    `str()` of it is a sentence or two for a language model to read.

    Attributes:
        brake: Who pulled it, why, since when, and what it holds. Its action is `stop`, or `abort`: the run has ended.
        handoff: The ask that was waited for, or was to be claimed, if there was one. It is on hold and waits again once
            the run is resumed, or the answer that it has stands; its `token` brings it back in another process.
    """

    def __init__(self, brake: wire.Braked, handoff: "Handoff | None" = None) -> None:
        super().__init__(_stopped(brake, waits=handoff is not None and handoff.decision is None))
        self.brake = brake
        self.handoff = handoff


class Steered(AndonError):
    """People told the run something: read it, then go on as it says.

    Attributes:
        steers: What they said, who and when; oldest first.
        version: Of the checkpoint that was just saved; unset when a call that waits was interrupted. The ask that it
            waited for was taken back then, unless it has an idempotency key of your own.
    """

    def __init__(self, steers: tuple[wire.Steer, ...], *, version: int | None = None) -> None:
        said = " ".join(f"{steer.by.name} says: {_sentence(steer.text)}" for steer in steers)
        super().__init__(f"{said} Take this into account before you go on.")
        self.steers = steers
        self.version = version


class UndoFailed(AndonError):
    """What a person rejected still stands, because undoing it failed. The service was told."""

    def __init__(self, message: str, *, decision: Refusal) -> None:
        super().__init__(message)
        self.decision = decision


class Fault(BaseModel):
    """One fault of a request: where, and what is wrong there."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    field: str
    detail: str


class _Details(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    errors: tuple[Fault, ...] = ()
    brake: wire.Braked | None = None


class ServiceError(AndonError):
    """The service refused a call.

    Attributes:
        problem: The problem document: `detail` says what was wrong and what to do next.
        faults: One entry per fault of the request, where the service named them.
    """

    def __init__(self, problem: wire.Problem, faults: tuple[Fault, ...] = ()) -> None:
        listed = "".join(f"\n  {fault.field}: {fault.detail}" for fault in faults)
        super().__init__(f"{problem.detail}{listed}")
        self.problem = problem
        self.faults = faults

    @property
    def name(self) -> str:
        """The problem's stable name, e.g. `digest-mismatch`."""
        return self.problem.type.rpartition("/")[2]


class InvalidRequest(ServiceError):
    """Fix the request; sending it again changes nothing."""


class KeyRefused(ServiceError):
    """The key is unknown, revoked, or not for this call."""


class NotFound(ServiceError):
    """There is no such thing, or it belongs to another agent."""


class Conflict(ServiceError):
    """The call does not fit the state that things are in."""


class AlreadyDecided(Conflict):
    """A decision stands, and this changed nothing."""


class ClaimRefused(Conflict):
    """No permit: `name` says why. Do not act."""


class RunHeld(Conflict):
    """Nothing was opened and no permit given, because a brake is on."""

    def __init__(self, problem: wire.Problem, brake: wire.Braked) -> None:
        super().__init__(problem)
        self.brake = brake


_CLAIM_PROBLEMS = frozenset(
    {
        "not-decided",
        "not-approved",
        "digest-mismatch",
        "already-claimed",
        "decision-too-old",
        "grant-ended",
    }
)
_BY_NAME: Mapping[str, type[ServiceError]] = {
    "already-decided": AlreadyDecided,
    "handoff-expired": AlreadyDecided,
    **dict.fromkeys(_CLAIM_PROBLEMS, ClaimRefused),
}
_BY_STATUS: Mapping[int, type[ServiceError]] = {401: KeyRefused, 403: KeyRefused, 404: NotFound, 409: Conflict}


def error_from(status: int, content: bytes) -> ServiceError:
    """Make the typed error of an answer whose status says that the call failed."""
    try:
        raw: Any = json.loads(content)
        problem = wire.Problem.model_validate(raw)
        details = _Details.model_validate(raw, context=wire.STORED)
    except ValueError:
        # Something between us and the service answered.
        problem = wire.Problem(
            type="about:blank",
            title="Not an answer of the service",
            status=min(max(status, 400), 599),
            detail=f"HTTP status {status} without a problem document; is ANDON_URL the service's own address?",
        )
        details = _Details()
    if details.brake is not None:
        return RunHeld(problem, details.brake)
    kind = _BY_NAME.get(problem.type.rpartition("/")[2]) or _BY_STATUS.get(status, InvalidRequest)
    return kind(problem, details.errors)


def _stopped(brake: wire.Braked, *, waits: bool) -> str:
    what = in_words(brake.scope)
    why = f": {_sentence(brake.text)}" if brake.text and brake.text.strip() else "."
    since = f"{brake.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if brake.action == "abort":
        return f"{brake.by.name} ended {what} at {since}{why} Do not act, do not ask again, and end your work."
    hold = "What you asked is on hold and loses nothing. " if waits else ""
    return (
        f"{brake.by.name} stopped {what} at {since}{why} Do not act, and do not reach the same end another way. "
        f"{hold}It may be resumed: wait for that, or end your work."
    )


_ENDS: Final = (".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f")  # the last three in Chinese and Japanese


def _sentence(text: str) -> str:
    """A person's words, closed with a full stop if they have no end of their own."""
    text = text.strip()
    return text if text.endswith(_ENDS) else f"{text}."
