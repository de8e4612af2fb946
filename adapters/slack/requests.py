"""Is a request from Slack, and does it have Slack's shape? Pure. Nothing that comes in may be more than refused."""

import hmac
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.errors import BadRequest

WINDOW_S: Final = 300
_STAMP_DIGITS: Final = 12

Texts = dict[str, Any] | None


def is_signed(body: bytes, headers: Mapping[str, str], *, secret: str, now: float) -> bool:
    """Is it Slack's, and not older than five minutes? On the raw bytes: they may be no text at all.

    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack, read 2026-11.
    """
    stamp = headers.get("X-Slack-Request-Timestamp", "")
    signature = headers.get("X-Slack-Signature", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _STAMP_DIGITS and signature.isascii()):
        return False
    if abs(now - int(stamp)) > WINDOW_S:
        return False
    expected = hmac.digest(secret.encode(), b"v0:" + stamp.encode() + b":" + body, "sha256").hex()
    return hmac.compare_digest(f"v0={expected}", signature)


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Someone(_Part):
    id: str


class _Team(_Part):
    id: str


class _Action(_Part):
    type: str
    action_id: str
    block_id: str


class _State(_Part):
    values: dict[str, dict[str, dict[str, Any]]] = {}


class _View(_Part):
    id: str
    callback_id: str = ""
    private_metadata: str = ""
    state: _State | None = None


class _Request(_Part):
    """What every payload that we read is made of, as far as we read it."""

    type: str | None = None
    team: _Team | None = None
    channel: Texts = None
    container: Texts = None
    message: Texts = None
    trigger_id: str | None = None
    response_url: str | None = None


class _Interaction(_Request):
    user: _Someone


class _Press(_Interaction):
    actions: list[_Action] = Field(min_length=1)


class _Submission(_Interaction):
    view: _View


class _Search(_Interaction):
    action_id: str
    block_id: str


class _Event(_Part):
    type: str
    event_id: str | None = None
    team_id: str | None = None

    class Inner(_Part):
        type: str

    event: Inner


_SHAPES: Final[Mapping[str, type[BaseModel]]] = {
    "block_actions": _Press,
    "view_submission": _Submission,
    "view_closed": _Submission,
    "block_suggestion": _Search,
    "message_action": _Interaction,
    "shortcut": _Interaction,
    "event_callback": _Event,
}


def readable(text: str, *, query: str, headers: Mapping[str, str]) -> AsyncBoltRequest:
    """The request as Bolt takes it.

    Raises:
        BadRequest: It has no shape of Slack's.
    """
    try:
        request = AsyncBoltRequest(body=text, query=query, headers=dict(headers))
        kind = request.body.get("type")
        shape = _SHAPES.get(kind, _Request) if isinstance(kind, str) else _Request
        if "command" not in request.body:  # a form, of texts alone
            shape.model_validate(request.body)
    except (ValueError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise BadRequest("the body is nothing that Slack sends") from error
    return request
