"""One call to Slack's Web API, and its refusals sorted by what can be done about them."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import BotError, SurfaceDown, TooMany, Undeliverable

TIMEOUT_S: Final = 10.0
_REST_S: Final = 30
"""How long to rest when Slack says that it was too much and not for how long."""
_DETAIL_CHARS: Final = 500

_NO_ACCESS: Final = frozenset(
    {
        "access_denied",
        "account_inactive",
        "enterprise_is_restricted",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
_LIMITED: Final = frozenset({"ratelimited", "rate_limited"})

_REASONS: Final[Mapping[str, str]] = {
    "cannot_dm_bot": "{user} is a bot, and bots cannot write to each other; name a person",
    "cant_update_message": "the message in {channel} is not {app}'s own, so it cannot be changed",
    "channel_not_found": "{app} knows no channel {channel}; mend its id, or, if it is private, invite the app there: "
    "/invite @{app}",
    "edit_window_closed": "the message in {channel} is too old to be changed in this workspace",
    "invalid_user_combination": "{user} is nobody that {app} can write to; name one person",
    "is_archived": "{channel} is archived; open it again in Slack, or name another channel",
    "is_inactive": "{channel} is closed; name another channel",
    "message_not_found": "the message in {channel} is not there any more",
    "messages_tab_disabled": "{app} may not write to people: turn on the Messages Tab under App Home in the app's "
    "settings",
    "method_not_supported_for_channel_type": "{channel} is of a kind that {app} cannot use; name another channel",
    "not_in_channel": "{app} is not in {channel}; invite it there: /invite @{app}",
    "restricted_action": "an admin of the workspace keeps {app} from posting in {channel}; ask them, or name another "
    "channel",
    "restricted_action_non_threadable_channel": "{channel} takes no threads; name the channel alone",
    "restricted_action_read_only_channel": "{channel} is read-only; let {app} post there, or name another channel",
    "restricted_action_thread_locked": "the thread in {channel} is locked; name another thread, or the channel alone",
    "restricted_action_thread_only_channel": "{channel} takes only replies in threads; name a thread in it",
    "team_not_found": "Slack knows no such workspace; mend the T… in the address",
    "thread_not_found": "the thread in {channel} is not there any more; name another one, or the channel alone",
    "user_disabled": "{user} is deactivated in Slack; name another person",
    "user_not_found": "Slack knows no person {user}; mend the id",
    "user_not_in_channel": "{user} is not in {channel}",
    "user_not_visible": "{app} cannot see {user}; name a person of this workspace",
    "users_not_found": "nobody in the Slack workspace has the e-mail address {user}; mend it, or name the person's id",
}

_JSON_METHODS: Final = ("chat.", "views.", "conversations.open", "files.completeUploadExternal")
"""Writing methods take JSON; of the reading ones only some do, and all take a form.

Source: Slack Web API, POST bodies, https://docs.slack.dev/apis/web-api, read 2026-05.
"""

log = logging.getLogger("andon")
_quiet = logging.getLogger("andon.slack.calls")
_quiet.setLevel(logging.WARNING)  # slack_sdk logs whole bodies at its debug level, an ask's arguments among them


class SlackFailed(BotError):
    """Slack did not do it, for a reason that may pass: a fault of its own, a lost connection, another refusal."""

    slug, title, status = "slack-failed", "Slack did not do it", 502

    def __init__(self, detail: str, *, method: str, code: str) -> None:
        """Keep the method, and Slack's word for what is wrong; `timeout`, `connection` and `http_503` are ours."""
        super().__init__(detail)
        self.method = method
        self.code = code


class SlackDown(SlackFailed, SurfaceDown):
    """It did not answer, or failed by itself: perhaps for everybody, as when only posting is out of order."""


class Unreachable(Undeliverable):
    """It can never arrive there; `code` is Slack's word for why, and the sentence says what to do."""

    def __init__(self, detail: str, *, code: str) -> None:
        """Keep the sentence and the word."""
        super().__init__(detail)
        self.code = code


class NoAccess(SurfaceDown):
    """The app has no valid token, or lacks a scope; the sentence says which setting to mend."""

    slug, title, status = "slack-no-access", "Slack does not let the app in", 502

    def __init__(self, detail: str, *, code: str) -> None:
        """Keep the sentence, and Slack's word."""
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """What Slack answered."""

    data: Mapping[str, Any]
    scopes: tuple[str, ...]
    """What the token may do."""


class Refused(Exception):
    """Slack said no, in one word; `why` makes a sentence of it."""

    def __init__(self, method: str, code: str, data: Mapping[str, Any]) -> None:
        super().__init__(f"{method}: {code}")
        self.method = method
        self.code = code
        self.data = data


class Caller:
    """Calls methods at one address. It tries once: a post that is tried again can show twice."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        """Call at `url`, such as `https://slack.com/api`."""
        self.client = AsyncWebClient(base_url=f"{url}/", session=http, retry_handlers=[], logger=_quiet)
        if url.startswith("http://"):
            self.client.proxy = None  # a proxy of the environment is for what is outside

    async def __call__(self, method: str, token: str, arguments: Mapping[str, Any]) -> Reply:
        """Call one method; arguments that are None are left out.

        Raises:
            Refused: Slack's own no.
            TooMany: Not before `retry_after_s`.
            SlackFailed: No answer within ten seconds, or none of Slack's kind. It may have been done all the same.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        given = {name: value for name, value in arguments.items() if value is not None}
        body: dict[str, Any] = {"json": given} if method.startswith(_JSON_METHODS) else {"data": _form(given)}
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self.client.api_call(method, headers=headers, **body)
        except TimeoutError as error:
            raise SlackDown(
                f"Slack did not answer {method} within {TIMEOUT_S:.0f} s", method=method, code="timeout"
            ) from error
        except SlackApiError as error:
            raise _refusal(method, error) from error
        except (aiohttp.ClientError, OSError) as error:
            detail = f"Slack cannot be reached for {method}: {type(error).__name__}: {error}"
            raise SlackDown(detail, method=method, code="connection") from error
        except (SlackClientError, ValueError, AttributeError) as error:  # a body that is not what the client reads
            detail = f"what came back for {method} is not from Slack's Web API; mend SLACK_API_URL"
            raise SlackFailed(detail, method=method, code="unreadable") from error
        granted = str(answer.headers.get("x-oauth-scopes") or answer.headers.get("X-OAuth-Scopes") or "")
        data = answer.data
        return Reply(
            data if isinstance(data, dict) else {}, tuple(each.strip() for each in granted.split(",") if each.strip())
        )


def why(refused: Refused, *, app: str, channel: str, user: str, remedy: str) -> BotError:
    """The error that tells whoever can help what to do.

    Args:
        refused: What Slack said.
        app: The bot's name, as it is invited.
        channel: As people know it; empty when the call named none.
        user: Whom it was about; empty likewise.
        remedy: How to give the app a valid token.
    """
    method, code = refused.method, refused.code
    if code in _REASONS:
        named = {"app": app, "channel": channel or "that channel", "user": user or "that person"}
        sentence = _REASONS[code].format(**named)
        return Unreachable(sentence[0].upper() + sentence[1:], code=code)
    if code == "missing_scope":
        needed = str(refused.data.get("needed") or "a scope that is not named")
        detail = (
            f"Slack refused {method}: the app lacks {needed}; add it under OAuth & Permissions in the app's settings, "
            "then install the app again"
        )
        return NoAccess(detail, code=code)
    if code in _NO_ACCESS:
        return NoAccess(f"Slack refused {method}: {code}; {remedy}", code=code)
    told = (refused.data.get("response_metadata") or {}).get("messages") or refused.data.get("errors") or ()
    more = f" ({'; '.join(str(each) for each in told)})"[:_DETAIL_CHARS] if told else ""
    return SlackFailed(f"Slack refused {method}: {code}{more}", method=method, code=code)


def _refusal(method: str, error: SlackApiError) -> BotError | Refused:
    response = error.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if status == HTTPStatus.TOO_MANY_REQUESTS or code in _LIMITED:
        wait = str(getattr(response, "headers", {}).get("Retry-After", ""))
        seconds = max(1, int(wait)) if wait.isascii() and wait.isdecimal() else _REST_S
        return TooMany(f"Slack wants {seconds} s of rest before the next {method}", retry_after_s=seconds)
    if not isinstance(code, str) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SlackDown(f"Slack answered {method} with HTTP {status}", method=method, code=f"http_{status}")
    return Refused(method, code, data if isinstance(data, dict) else {})


def _form(arguments: Mapping[str, Any]) -> dict[str, str]:
    told = {}
    for name, value in arguments.items():
        told[name] = value if isinstance(value, str) else json.dumps(value)  # true, 200, ["a"]
    return told
