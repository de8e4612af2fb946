"""Decisions as callbacks tell them: without what only the service has, such as the arguments. No I/O."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, JsonValue, ValidationError

from andon import _decisions, wire
from andon._decisions import Aborted, Decision, Expired, Rejected, Undeliverable, Withdrawn
from andon.wire._models import JsonObject

__all__ = ["read_decision"]


class _Told(BaseModel):
    """Lets no default stand for what was not sent: nobody may run with it by mistake."""

    def model_post_init(self, _: Any) -> None:
        for name in _UNSENT & (type(self).model_fields.keys() - self.model_fields_set):
            del self.__dict__[name]

    def __getattr__(self, name: str) -> Any:
        if name in _UNSENT:
            raise AttributeError(f"a callback does not carry `{name}`: read it with `await callback.resume(andon)`")
        return super().__getattr__(name)  # type: ignore[misc]  # pydantic's own, which it hides from type checkers


_UNSENT: Final = frozenset({"args", "candidate", "answer"})
_NOTHING: Any = None


class Approved(_Told, _decisions.Approved):
    args: JsonObject = _NOTHING


class Edited(_Told, _decisions.Edited):
    args: JsonObject = _NOTHING


class Chosen(_Told, _decisions.Chosen):
    candidate: wire.Candidate = _NOTHING


class Answered(_Told, _decisions.Answered):
    answer: JsonValue = _NOTHING


_KINDS: Final[Mapping[str, type[Decision | Aborted]]] = {
    "aborted": Aborted,
    "approved": Approved,
    "edited": Edited,
    "chosen": Chosen,
    "answered": Answered,
    "rejected": Rejected,
    "expired": Expired,
    "withdrawn": Withdrawn,
    "undeliverable": Undeliverable,
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
