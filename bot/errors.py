"""What can go wrong, by what the caller can do about it. `bot.api` turns each into a problem document."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from andon import wire


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a body: where (`action.args.to`) and what."""

    field: str
    detail: str


class BotError(Exception):
    """Root of the service's own errors; `str(error)` says what was wrong, with which value, and what to do."""

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, handoff: str | None = None) -> None:
        """Keep the sentence, and the handoff that it is about."""
        super().__init__(detail)
        self.detail = detail
        self.handoff = handoff


class ConfigError(BotError):
    """A setting is missing or wrong; every fault is in `faults`."""

    slug, title = "config", "A setting is wrong"

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep every fault, one sentence each."""
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class StateFolderBusy(BotError):
    """Another service runs on the same state folder."""

    slug, title = "state-folder-busy", "The state folder is in use"


class BadRequest(BotError):
    """The caller can fix the request; `faults` has every fault."""

    slug, title, status = "bad-request", "The request cannot be read", 400

    def __init__(self, detail: str, *, faults: Sequence[Fault] = (), handoff: str | None = None) -> None:
        """Keep the sentence and the single faults."""
        super().__init__(detail, handoff=handoff)
        self.faults = tuple(faults)


class InvalidBody(BadRequest):
    """JSON, but not what this call takes."""

    slug, title, status = "invalid-body", "The body is not what this call takes", 422


class InvalidAnswer(BadRequest):
    """The answer does not fit the ask: a wrong kind, or arguments that its schema refuses."""

    slug, title, status = "invalid-answer", "The answer does not fit the ask", 422


class Unauthenticated(BotError):
    """No key, or one that is not known. One error for every bad key."""

    slug, title, status = "unauthenticated", "A valid key is needed", 401


class Forbidden(BotError):
    """The key is known and may not do this."""

    slug, title, status = "forbidden", "This key may not do that", 403


class NotAnApprover(Forbidden):
    """This person may not answer this handoff."""

    slug, title = "not-an-approver", "You may not answer this"


class Gone(BotError):
    """Never existed, past its retention, or somebody else's."""

    slug, title, status = "not-found", "There is no such thing", 404


class Conflict(BotError):
    """The request was fine, the state has moved on."""

    slug, title, status = "conflict", "The state has moved on", 409


REUSED: Final = "this Idempotency-Key was used for another request; use a new key for a new request"


class IdempotencyKeyReused(Conflict):
    """The same Idempotency-Key came with another body."""

    slug, title = "idempotency-key-reused", "The Idempotency-Key was used for another request"


class CheckpointMoved(Conflict):
    """`if_version` is not the latest checkpoint's version."""

    slug, title = "checkpoint-moved", "The checkpoint has another version"


class AlreadyDecided(Conflict):
    """Another decision stands; this answer changed nothing."""

    slug, title = "already-decided", "A decision already stands"

    def __init__(self, detail: str, *, handoff: str, decision: "wire.Decision") -> None:
        """Keep the decision that stands."""
        super().__init__(detail, handoff=handoff)
        self.decision = decision


class StaleRevision(Conflict):
    """The card changed since it was read."""

    slug, title = "stale-revision", "The card has changed"


class AlreadyVoted(Conflict):
    """This person's vote on the revision stands; the error's `detail` is a sentence for them."""

    slug, title = "already-voted", "Your vote stands"


class HandoffHeld(Conflict):
    """The brake is on."""

    slug, title = "handoff-held", "The brake is on"


class RunStopped(Conflict):
    """Somebody pulled the cord; `brake` says who, why and since when."""

    slug, title = "stopped", "Somebody pulled the cord"

    def __init__(self, detail: str, *, brake: "wire.Braked") -> None:
        """Keep the brake that is on."""
        super().__init__(detail)
        self.brake = brake


class HandoffExpired(Conflict):
    """The time was up before the answer came."""

    slug, title, status = "handoff-expired", "The time is up", 410


class ClaimRefused(Conflict):
    """No permit; `slug` says why."""

    def __init__(self, slug: str, detail: str, *, handoff: str) -> None:
        """Name the reason, one of those that docs/wire-protocol.md lists for claims."""
        super().__init__(detail, handoff=handoff)
        self.slug = slug  # type: ignore[misc]  # one class for the six reasons, told apart by the problem's name
        self.title = "No permit to act"  # type: ignore[misc]  # likewise


class OutcomeConflict(Conflict):
    """This outcome does not fit what happened so far."""

    slug, title = "outcome-conflict", "The outcome does not fit"


class TooMany(BotError):
    """Over a limit; wait `retry_after_s`."""

    slug, title, status = "too-many-requests", "Too many at once", 429

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        """Say when to try again, in seconds."""
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class TooLarge(BotError):
    """A body or a part of it is over its limit."""

    slug, title, status = "too-large", "Too large", 413


class StoreUnavailable(BotError):
    """Redis did not confirm. The write may have happened; calling again is safe."""

    slug, title, status = "store-unavailable", "The store did not confirm", 503


class StoreFull(BotError):
    """Redis has little room left, and keeps it for stops and decisions; nothing new was written."""

    slug, title, status = "store-full", "The store is nearly full", 503


class NotConfirmed(StoreUnavailable):
    """It was written, perhaps, and no replica confirmed it, as `ANDON_DURABILITY=replicated` wants."""

    slug, title = "not-confirmed", "No replica confirmed it"


class DirectoryDown(BotError):
    """A surface cannot tell now who belongs to a group; whoever is not known to belong may not answer."""

    slug, title, status = "directory-down", "The directory does not answer", 503


class Undeliverable(BotError):
    """A card can never reach this place; raised by an adapter."""

    slug, title = "undeliverable", "The card cannot be delivered"


class SurfaceDown(BotError):
    """A platform lets nothing through, or does not answer; nothing is wrong with what it was to show."""

    slug, title, status = "surface-down", "The platform lets nothing through", 503


# --- in words --------------------------------------------------------------------------------------

ODD_NAME: Final = "is no name: it takes letters, digits and `_.:/@-`, a letter or digit first, 128 at the most"
_SHOWN_CHARS: Final = 60


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The nearest known word, as the end of a sentence; all of them when none is near."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}"


def faults_in(error: "ValidationError", known: Collection[str]) -> list[Fault]:
    """Every fault of a flat mapping with these keys: which key, and what is wrong with it."""
    return [Fault(".".join(map(str, each["loc"])), plainly(each, known=known)) for each in error.errors()]


def plainly(error: "ErrorDetails", *, known: Collection[str] = (), odd: Mapping[str, str] | None = None) -> str:
    """What is wrong with a value, for whoever wrote it.

    Args:
        error: As pydantic found it.
        known: The keys that may stand where this one does.
        odd: What to say of a text that is not written as its key wants, by the key.
    """
    context: Mapping[str, Any] = error.get("ctx", {})
    shown, keys = _shown(error["input"]), [each for each in error["loc"] if isinstance(each, str)]
    match error["type"]:
        case "extra_forbidden":
            return f"there is no such key{did_you_mean(keys[-1], known) if keys and known else ''}"
        case "missing":
            return "it is missing"
        case "literal_error":
            words = re.findall(r"'([^']*)'", str(context["expected"]))
            return f"{shown} is none of the words that it takes{did_you_mean(str(error['input']), words)}"
        case "string_pattern_mismatch" if odd and keys and keys[-1] in odd:
            return f"{shown} {odd[keys[-1]]}"
    for begins, says in _SAYS.items():
        if error["type"].startswith(begins):
            return says.format(shown=shown, **{name: _plain(value) for name, value in context.items()})
    return error["msg"].removeprefix("Value error, ")


_SAYS: Final = {
    "less_than_equal": "{shown} is too much: {le} at the most",
    "greater_than_equal": "{shown} is too little: {ge} at the least",
    "greater_than": "{shown} is too little: it must be more than {gt}",
    "int_": "{shown} is no whole number",
    "float_": "{shown} is no number",
    "bool_": "{shown} is neither true nor false",
    "string_type": "{shown} is no text; put it in quotes",
    "string_too_short": "it is empty",
    "string_too_long": "it is too long: at most {max_length} characters",
    "too_short": "it is empty; name at least one",
    "too_long": "there are too many: at most {max_length} items",
    "tuple_type": "{shown} is not a list; write [one, two]",
    "model_": "{shown} is not a mapping; write {{key: value}}",
    "dict_type": "{shown} is not a mapping; write {{key: value}}",
    "string_pattern_mismatch": "{shown} is not written as it must be: {pattern}",
}
"""By how pydantic calls what it found."""


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    said = repr(value)
    return said if len(said) <= _SHOWN_CHARS else f"{said[: _SHOWN_CHARS - 1]}…"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
