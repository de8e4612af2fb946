"""What Teams refuses, as sentences for whoever can help.

Source: Build conversational capability, status codes from bot conversational APIs,
https://learn.microsoft.com/microsoftteams/platform/bots/build-conversational-capability, read 2026-11.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from adapters.teams.errors import NoAccess, TeamsDown, TeamsFailed, Unreachable
from bot.errors import BotError

_DETAIL_CHARS: Final = 500

_REASONS: Final[Mapping[str, str]] = {
    "ActivityNotFoundInConversation": "the message in {where} is not there any more",
    "BotDisabledByAdmin": "an administrator of the tenant has blocked Andon for {where}; allow it in the Teams admin "
    "center, under Manage apps",
    "BotNotInConversationRoster": "Andon is not installed in {where}; add it there: Apps, Manage your apps, Andon, Add "
    "to a team or chat",
    "ConversationBlockedByUser": "somebody has blocked Andon in {where}; they unblock it in the chat's own menu",
    "ConversationNotFound": "Teams knows no such place as {where}; mend its id, or add Andon there once more",
    "ForbiddenOperationException": "{where} cannot be opened, because Andon is not installed for this person; they add "
    "it under Apps in Teams, or an administrator installs it for them with a setup policy",
    "MessageSizeTooBig": "the message for {where} is longer than Teams takes",
    "MessageWritesBlocked": "{where} takes no messages of Andon's: it was blocked or removed there; add it once more",
    "NotEnoughPermissions": "the message in {where} is not Andon's own, so it cannot be changed",
}
_FORBIDDEN: Final[Mapping[str, str]] = {
    "personal": "ForbiddenOperationException",
    "groupChat": "BotNotInConversationRoster",
    "channel": "BotNotInConversationRoster",
}
"""What a refusal without a word means, by the kind of conversation."""
_REGISTRATION: Final = frozenset({"BotNotRegistered", "Unauthorized"})


def code_of(told: Mapping[str, Any]) -> str:
    """Teams' word for what is wrong, wherever in the body it stands; empty: it gives none."""
    error = told.get("error")
    if isinstance(error, Mapping):
        inner = error.get("innerHttpError")
        return str(error.get("code") or (inner.get("code") if isinstance(inner, Mapping) else "") or "")
    try:
        further_back = json.loads(str(told.get("message") or ""))
    except ValueError:
        return ""
    return str(further_back.get("subCode") or "") if isinstance(further_back, Mapping) else ""


def why(code: str, status: int, told: Mapping[str, Any], *, call: str, where: str, kind: str) -> BotError:
    """The error that tells whoever can help what to do.

    Args:
        code: Teams' word, or nothing.
        status: Of HTTP.
        told: The body.
        call: The method of the call.
        where: The place as people know it.
        kind: Of the conversation.
    """
    if status == HTTPStatus.UNAUTHORIZED or code in _REGISTRATION:
        detail = (
            "Teams does not take the app's token; check TEAMS_APP_ID and TEAMS_TENANT_ID, and that the Azure Bot has "
            "the channel Microsoft Teams"
        )
        return NoAccess(detail, code=code or "http_401")
    if status == HTTPStatus.FORBIDDEN and code not in _REASONS:
        code = _FORBIDDEN.get(kind, code)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        code = "MessageSizeTooBig"
    if code in _REASONS:
        sentence = _REASONS[code].format(where=where)
        return Unreachable(sentence[0].upper() + sentence[1:], code=code)
    error = told.get("error")
    said = str(error.get("message") or "") if isinstance(error, Mapping) else ""
    detail = f"Teams answers {call} with {status} {code}".rstrip() + (f": {said[:_DETAIL_CHARS]}" if said else "")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.PRECONDITION_FAILED:
        return TeamsDown(detail, code=code or f"http_{status}", call=call)
    return TeamsFailed(detail, code=code or f"http_{status}", call=call)
