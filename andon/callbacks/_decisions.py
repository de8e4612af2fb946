"""Decisions as callbacks tell them: without what only the service has, such as the arguments. No I/O."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, JsonValue, SerializationInfo, ValidationError, model_serializer

from andon import wire
from andon._decisions import (
    Aborted,
    Answered,
    Approved,
    Chosen,
    Decision,
    Edited,
    Expired,
    Rejected,
    Undeliverable,
    Withdrawn,
)
from andon.wire._models import JsonObject

__all__ = ["read_decision"]

_NOTHING: Final[Any] = object()


class _Told(BaseModel):
    """Lets no default stand for what was not sent: nobody may run with it by mistake."""

    by: wire.Actor = _NOTHING
    message_for_agent: str = _NOTHING

    def model_post_init(self, _: Any) -> None:
        for name in [name for name, value in self.__dict__.items() if value is _NOTHING]:
            del self.__dict__[name]

    @model_serializer
    def _as_it_came(self, info: SerializationInfo) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if value is not None or not info.exclude_none}

    def __getattr__(self, name: str) -> Any:
        if name in type(self).model_fields:
            raise AttributeError(f"the callback does not carry `{name}`: read it with `await callback.resume(andon)`")
        return super().__getattr__(name)  # type: ignore[misc]  # pydantic's own, which it hides from type checkers


class ToldApproved(_Told, Approved):
    args: JsonObject = _NOTHING


class ToldEdited(_Told, Edited):
    args: JsonObject = _NOTHING


class ToldChosen(_Told, Chosen):
    candidate: wire.Candidate = _NOTHING


class ToldAnswered(_Told, Answered):
    answer: JsonValue = _NOTHING


class ToldRejected(_Told, Rejected):
    reason: str = _NOTHING


class ToldUndeliverable(_Told, Undeliverable):
    reason: str = _NOTHING


class ToldExpired(_Told, Expired):
    pass


class ToldWithdrawn(_Told, Withdrawn):
    pass


class ToldAborted(_Told, Aborted):
    pass


_KINDS: Final[Mapping[str, type[Decision | Aborted]]] = {
    "aborted": ToldAborted,
    "approved": ToldApproved,
    "edited": ToldEdited,
    "chosen": ToldChosen,
    "answered": ToldAnswered,
    "rejected": ToldRejected,
    "expired": ToldExpired,
    "withdrawn": ToldWithdrawn,
    "undeliverable": ToldUndeliverable,
}


def read_decision(told: object, *, handoff: object) -> Decision | Aborted | None:
    """Read a decision; None if there is none, or if it is of a kind that this version does not know."""
    if not isinstance(told, Mapping):
        return None
    kind = _KINDS.get(str(told.get("kind")))
    if kind is None:
        return None
    try:
        return kind.model_validate({**told, "handoff": handoff})
    except ValidationError:
        return None
