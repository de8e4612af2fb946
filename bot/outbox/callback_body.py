"""What a callback says, pure: what happened, to what, and how it stands now. Arguments are never in it.

Whoever needs them reads the handoff with the token, and gets the bytes to run with from the claim.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from andon import wire
from bot.handoff import Handoff, State

MOST_BYTES: Final = 20_480

_DECISION: Final = (
    "kind",
    "by",
    "at",
    "revision",
    "digest",
    "reason",
    "message_for_agent",
    "choice",
    "answer",
    "policy",
)
_LEAVES: Final = (
    ("decision", "answer"),
    ("decision", "reason"),
    ("decision", "message_for_agent"),
    ("brake", "text"),
    ("outcome", "error"),
    ("decision", "by"),
    ("brake", "by"),
)
"""What is left out where it does not fit, one after the other."""


def handoff_data(handoff: Handoff, *, token: str, url: str) -> dict[str, Any]:
    """A handoff as it stands."""
    data: dict[str, Any] = {
        "handoff": handoff.id,
        "agent": handoff.agent,
        "run": handoff.run,
        "gate": handoff.ask.gate,
        "kind": handoff.ask.kind,
        "state": handoff.state.value,
        "revision": handoff.revision,
        "digest": handoff.digest,
        "token": token,
        "url": url,
    }
    if handoff.follows:
        data["follows"] = handoff.follows
    if handoff.decision:
        said = handoff.decision.model_dump(mode="json", exclude_none=True)
        data["decision"] = {name: said[name] for name in _DECISION if name in said}
        if "answer" in data["decision"] and _is_secret(handoff):
            del data["decision"]["answer"]
            data["left_out"] = ["decision.answer"]
    if handoff.outcome:
        data["outcome"] = {"status": handoff.outcome.status, "at": _time(handoff.outcome.at)}
        if handoff.outcome.error:
            data["outcome"]["error"] = handoff.outcome.error
    if handoff.brake and handoff.state in {State.HELD, State.DECIDED}:
        data["brake"] = handoff.brake.model_dump(mode="json", exclude_none=True)
    return data


def body_of(event: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """The whole body, at most 20 KiB; what does not fit is left out, and named in `data.left_out`."""
    left, body = dict(data), b""
    for part, name in (("", ""), *_LEAVES):
        if name and name in left.get(part, {}):
            left[part] = {key: value for key, value in left[part].items() if key != name}
            left["left_out"] = [*left.get("left_out", ()), f"{part}.{name}"]
        document = {"type": event, "timestamp": _time(at), "data": left}
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if len(body) <= MOST_BYTES:
            return body
    raise ValueError(f"a callback of {len(body)} bytes cannot be made shorter")


def _is_secret(handoff: Handoff) -> bool:
    """Does the answer's schema say of it, or of a part of it, that it is not to be shown?"""
    return isinstance(handoff.ask, wire.Input) and _hides(handoff.ask.answer_schema)


def _hides(schema: object) -> bool:
    match schema:
        case dict():
            marked = schema.get("writeOnly") is True or schema.get("format") == "password"
            return marked or any(_hides(part) for part in schema.values())
        case list():
            return any(_hides(part) for part in schema)
    return False


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
