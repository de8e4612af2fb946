"""Let software agents pause, ask a person, and go on with the answer."""

from andon._candidates import CandidateLike
from andon._client import Andon
from andon._decisions import (
    Answered,
    Approved,
    Chosen,
    Confirmed,
    Decision,
    Edited,
    Expired,
    Refusal,
    Rejected,
    Undeliverable,
    Withdrawn,
)
from andon._errors import (
    AlreadyDecided,
    AndonError,
    ClaimRefused,
    Conflict,
    InvalidAnswer,
    InvalidRequest,
    InvalidToken,
    KeyRefused,
    NotConfigured,
    NotFound,
    PermitMismatch,
    Refused,
    ServiceError,
    ServiceUnavailable,
    Stopped,
    UndoFailed,
)
from andon._gate import Gated
from andon._handoff import Handoff
from andon._permit import Permit
from andon._run import Run
from andon.wire import Action, Actor, Candidate, Checkpoint, Choice, Confirmation, Input, Place

__all__ = [
    "Action",
    "Actor",
    "AlreadyDecided",
    "Andon",
    "AndonError",
    "Answered",
    "Approved",
    "Candidate",
    "CandidateLike",
    "Checkpoint",
    "Choice",
    "Chosen",
    "ClaimRefused",
    "Confirmation",
    "Confirmed",
    "Conflict",
    "Decision",
    "Edited",
    "Expired",
    "Gated",
    "Handoff",
    "Input",
    "InvalidAnswer",
    "InvalidRequest",
    "InvalidToken",
    "KeyRefused",
    "NotConfigured",
    "NotFound",
    "Permit",
    "PermitMismatch",
    "Place",
    "Refusal",
    "Refused",
    "Rejected",
    "Run",
    "ServiceError",
    "ServiceUnavailable",
    "Stopped",
    "Undeliverable",
    "UndoFailed",
    "Withdrawn",
]
