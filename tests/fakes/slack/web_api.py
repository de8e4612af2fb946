"""The Web API over HTTP: reads a call, checks token, scopes and rates, and answers as Slack does."""

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tests.fakes.slack.app import Installation
from tests.fakes.slack.methods import METHODS, Call, Method, checked
from tests.fakes.slack.refusals import Refused

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]
_EVERYWHERE: Final = {"token", "pretty", "charset", "team_id"}
"""Every method takes these. Bolt adds team_id to each call."""
_LARGEST: Final = 4 * 1024 * 1024


async def answer(cloud: "SlackCloud", request: web.Request) -> web.StreamResponse:
    """Answer one call."""
    name = request.match_info["method"]
    cloud.calls[name] += 1
    headers: dict[str, str] = {}
    try:
        method = METHODS.get(name)
        if method is None:
            raise Refused("unknown_method", req_method=name)  # noqa: TRY301 - all refusals end alike
        raw = await _arguments(request)
        token = _token(request, raw)
        installation = _authorized(cloud, method, token)
        granted = installation.scopes if installation else cloud.app.app_token_scopes
        if method.token != "none":
            headers["x-oauth-scopes"] = ",".join(granted)
        if method.scope:
            headers["x-accepted-oauth-scopes"] = method.scope
            if method.scope not in granted:
                raise Refused("missing_scope", needed=method.scope, provided=",".join(granted))  # noqa: TRY301 - as above
        cloud.rate_limits.spend(method.tier, name, installation.team.id if installation else "")
        if wanted := cloud.refuses.get(name):
            raise Refused(wanted)  # noqa: TRY301 - as above
        ignored = _EVERYWHERE - set(method.takes)
        args = checked(method, {key: value for key, value in raw.items() if key not in ignored})
        told = {"ok": True, **method.run(Call(cloud, installation, args))}
    except Refused as refused:
        return _refusal(cloud, name, refused, headers)
    if method.writes and cloud.loses_replies and name.startswith(cloud.loses_replies_of):
        cloud.loses_replies -= 1
        assert request.transport
        request.transport.close()
    return web.json_response(told, headers=headers)


def _refusal(cloud: "SlackCloud", name: str, refused: Refused, headers: dict[str, str]) -> web.Response:
    cloud.errors.append(f"{name}: {refused.error}" + "".join(f" {message}" for message in refused.messages))
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(refused.retry_after_s)
        return web.json_response(refused.body(), status=429, headers=headers)
    status = 500 if refused.error in {"internal_error", "fatal_error"} else 200
    return web.json_response(refused.body(), status=status, headers=headers)


async def _arguments(request: web.Request) -> Json:
    raw: Json = dict(request.query)
    body = await request.read()
    if len(body) > _LARGEST:
        raise Refused("request_timeout")
    if not body:
        return raw
    if request.content_type == "application/json":
        try:
            said = json.loads(body)
        except ValueError:
            raise Refused("invalid_json") from None
        if not isinstance(said, dict):
            raise Refused("json_not_object")
        return raw | said
    if request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return raw | {name: str(value) for name, value in (await request.post()).items()}
    raise Refused("invalid_post_type")


def _token(request: web.Request, raw: Json) -> str:
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer "):
        return header.removeprefix("Bearer ").strip()
    if header.startswith("Basic "):
        # OAuth only: client id and secret.
        try:
            id, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refused("invalid_auth") from None
        raw.setdefault("client_id", id)
        raw.setdefault("client_secret", secret)
    return str(raw.get("token") or "")


def _authorized(cloud: "SlackCloud", method: Method, token: str) -> Installation | None:
    if method.token == "none":
        return None
    if not token:
        raise Refused("not_authed")
    if method.token == "app":
        if token != cloud.app.app_token:
            raise Refused("not_allowed_token_type" if token in cloud.tokens else "invalid_auth")
        return None
    if token == cloud.app.app_token:
        raise Refused("not_allowed_token_type")
    known = cloud.tokens.get(token)
    if known is None:
        raise Refused("invalid_auth")
    if known.is_revoked:
        raise Refused("token_revoked")
    if known.installation.is_removed or known.installation.bot.deleted:
        raise Refused("account_inactive")
    if known.expires_at is not None and cloud.clock.now() >= known.expires_at:
        raise Refused("token_expired")
    return known.installation
