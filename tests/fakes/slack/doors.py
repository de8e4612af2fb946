"""The other addresses of the host: response addresses, file uploads, the authorize page."""

import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import web

from tests.fakes.slack.grants import RESPONSE_URL_USES, ResponseUrl
from tests.fakes.slack.kit import check_message
from tests.fakes.slack.posting import change, delete, post, whisper
from tests.fakes.slack.refusals import Refused

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]
_TAKES = {
    "text",
    "blocks",
    "attachments",
    "response_type",
    "replace_original",
    "delete_original",
    "thread_ts",
    "mrkdwn",
    "unfurl_links",
    "unfurl_media",
    "link_names",
    "parse",
    "metadata",
}


async def respond(cloud: "SlackCloud", request: web.Request) -> web.Response:
    """Take an answer at a response address. The statuses of refusals are observed, not documented."""
    cloud.calls["response_url"] += 1
    try:
        url = cloud.response_urls.get(request.match_info["secret"])
        if url is None or cloud.clock.now() > url.expires_at:
            raise Refused("expired_url")  # noqa: TRY301 - all refusals end alike
        if url.uses >= RESPONSE_URL_USES:
            raise Refused("used_url")  # noqa: TRY301 - as above
        said = await _said(request)
        url.uses += 1
        _show(cloud, url, said)
    except Refused as refused:
        cloud.errors.append(f"response_url: {refused}")
        status = 404 if refused.error.endswith("_url") else 400
        return web.json_response(refused.body(), status=status)
    return web.json_response({"ok": True})


async def _said(request: web.Request) -> Json:
    try:
        said = json.loads(await request.read())
    except ValueError:
        raise Refused("invalid_payload") from None
    if not isinstance(said, dict):
        raise Refused("invalid_payload")
    if unknown := sorted(set(said) - _TAKES):
        raise Refused("invalid_payload", messages=[f"[ERROR] unsupported argument: {name}" for name in unknown])
    return said


def _show(cloud: "SlackCloud", url: ResponseUrl, said: Json) -> None:
    original = url.message
    if said.get("delete_original"):
        if original is None:
            raise Refused("message_not_found")
        delete(cloud, original)
        return
    text, blocks = said.get("text") or "", said.get("blocks") or []
    check_message(blocks)
    if not text and not blocks:
        raise Refused("no_text")
    if said.get("replace_original"):
        if original is None or original.is_deleted:
            raise Refused("message_not_found")
        change(cloud, original, text, blocks)
    elif said.get("response_type") == "in_channel":
        post(cloud, url.channel, url.installation, text, blocks, thread_ts=said.get("thread_ts"))
    else:
        whisper(cloud, url.channel, url.installation, text, blocks, to=url.user, thread_ts=said.get("thread_ts"))


async def upload(cloud: "SlackCloud", request: web.Request) -> web.Response:
    """Take a file's bytes, raw or as a form's first file."""
    file = next((item for item in cloud.files.values() if item.secret == request.match_info["secret"]), None)
    if file is None:
        raise web.HTTPNotFound
    if request.content_type == "multipart/form-data":
        parts = [part for part in (await request.post()).values() if isinstance(part, web.FileField)]
        content = parts[0].file.read() if parts else b""
    else:
        content = await request.read()
    if len(content) != file.length:
        raise web.HTTPBadRequest(text="the length is not the announced one")
    file.content = content
    return web.Response(text=f"OK - {len(content)}")


async def download(cloud: "SlackCloud", request: web.Request) -> web.Response:
    """Give a file's bytes to whoever holds a bot token."""
    file = cloud.files.get(request.match_info["id"])
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if file is None or file.content is None:
        raise web.HTTPNotFound
    if token not in cloud.tokens:
        raise web.HTTPForbidden
    return web.Response(body=file.content, content_type="application/octet-stream")


async def authorize(cloud: "SlackCloud", request: web.Request) -> web.Response:
    """The page on which somebody installs the app: here they agree at once.

    The workspace is `team` of the address, or `cloud.installs_to`; `cloud.installer` is who agrees. With
    `cloud.declines` they do not agree, and are sent back with `error=access_denied`.
    """
    asked = request.query
    back = asked.get("redirect_uri") or (cloud.app.redirect_urls or [""])[0]
    allowed = not cloud.app.redirect_urls or any(back.startswith(url) for url in cloud.app.redirect_urls)
    if asked.get("client_id") != cloud.app.client_id:
        raise web.HTTPBadRequest(text="invalid client_id parameter")
    if not back or not allowed:
        raise web.HTTPBadRequest(text="redirect_uri did not match any configured URIs")
    told = {"state": asked.get("state", "")}
    if cloud.declines:
        told["error"] = "access_denied"
    else:
        team = cloud.teams[asked["team"]] if "team" in asked else cloud.installs_to
        scopes = [scope for scope in asked.get("scope", "").split(",") if scope]
        installation = cloud.installed(team, scopes=scopes or None)
        told["code"] = f"{team.id}.{secrets.token_hex(16)}"
        cloud.codes[told["code"]] = (installation, back)
    raise web.HTTPFound(f"{back}{'&' if '?' in back else '?'}{urlencode(told)}")
