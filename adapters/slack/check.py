"""Looks over the Slack settings before people depend on them: `python -m bot check`. It changes nothing on Slack."""

import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.signature import SignatureVerifier

from adapters.slack.calls import Caller, Refused, Reply, why
from adapters.slack.config import SlackConfig
from adapters.slack.installs import Installs
from adapters.slack.scopes import APP_SCOPE, SCOPES
from adapters.slack.tokens import NAME
from bot.errors import BotError
from bot.ports import Shelf

_SECRET_RE: Final = re.compile(r"[0-9a-f]{32}")
_CHANNEL_RE: Final = re.compile(
    r"(?:(?P<team>[TE][A-Z0-9]{2,20})/)?(?:(?P<id>[CG][A-Z0-9]{4,20})|#?(?P<name>[^\s#/]+))"
)
_PAGE: Final = 999
_MOST_PAGES: Final = 100
_REACH_S: Final = 10.0
_ROTATED: Final = "xoxe."

_OWN: Final = "mend SLACK_BOT_TOKEN: copy it from the app's OAuth & Permissions page"
_APP: Final = f"mend SLACK_APP_TOKEN: make one with {APP_SCOPE} under App-Level Tokens on the Basic Information page"


@dataclass(frozen=True, slots=True)
class _Workspace:
    """A token that works."""

    token: str
    team: str
    name: str
    bot: str
    is_org: bool


@dataclass(slots=True)
class _Findings:
    """What is wrong, and what else there is to say."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def check(config: SlackConfig, shelf: Shelf | None, *, channels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Try every setting on Slack itself.

    Args:
        config: The settings.
        shelf: Where the installations are; None when the store cannot be opened.
        channels: Where cards go by default: ids or names.

    Returns:
        Faults, which keep the surface from working, and notes, some of which are warnings. One sentence each.
    """
    found = _Findings()
    async with aiohttp.ClientSession() as http:
        caller = Caller(config.api_url, http)
        workspaces = [each async for each in _workspaces(config, shelf, caller, http, found)]
        if config.app_token:
            await _check_app_token(config, caller, found)
        else:
            await _check_address(config, http, found)
        for channel in channels:
            if workspaces:
                await _check_channel(channel, workspaces, caller, found)
    if not channels:
        found.notes.append("slack: SLACK_CHANNEL is not set, so cards that name no place go to the web console alone")
    return found.faults, found.notes


# --- tokens --------------------------------------------------------------------------------------


async def _workspaces(
    config: SlackConfig, shelf: Shelf | None, caller: Caller, http: aiohttp.ClientSession, found: _Findings
) -> AsyncIterator[_Workspace]:
    tokens = [(config.bot_token, "", _OWN)] if config.bot_token else []
    if config.bot_token.startswith(_ROTATED) and not config.client_id:
        found.notes.append(
            "warning: SLACK_BOT_TOKEN ends after twelve hours; turn token rotation off in the app's settings, or "
            "install by SLACK_CLIENT_ID, which renews tokens"
        )
    if config.client_id and shelf:
        installs, again = Installs(replace(config, bot_token=""), shelf, http), f"{config.public_url}/slack/install"
        try:
            teams = await installs.teams()
            tokens += [(await installs.token(team), team, f"install it again: {again}") for team in teams]
        except BotError as error:
            found.faults.append(f"Slack: {error}")
        else:
            if not tokens:
                found.notes.append(f"slack: installed in no workspace yet; open {again}")
    for token, team, remedy in tokens:
        reply = await _tried(caller, "auth.test", token, remedy, found)
        if reply:
            yield _welcome(token, team, reply, found)


def _welcome(token: str, team: str, reply: Reply, found: _Findings) -> _Workspace:
    told = reply.data
    team, bot = team or str(told.get("team_id") or ""), str(told.get("user") or NAME)
    found.notes.append(f"slack: {bot} in {told.get('team') or 'a workspace'} ({team})")
    if reply.scopes:
        for scope in sorted(set(SCOPES) - set(reply.scopes)):
            found.faults.append(
                f"Slack: the app lacks {scope} in {team} (to {SCOPES[scope]}); add it under OAuth & Permissions in "
                "the app's settings, then install the app again"
            )
        if more := sorted(set(reply.scopes) - set(SCOPES)):
            found.notes.append(
                f"warning: the Slack app may also {', '.join(more)}, which Andon never needs; take it out"
            )
    return _Workspace(token, team, str(told.get("team") or team), bot, is_org=bool(told.get("is_enterprise_install")))


async def _check_app_token(config: SlackConfig, caller: Caller, found: _Findings) -> None:
    if await _tried(caller, "apps.connections.open", config.app_token, _APP, found):
        found.notes.append("slack: Socket Mode, no public address needed")


# --- the way in ----------------------------------------------------------------------------------


async def _check_address(config: SlackConfig, http: aiohttp.ClientSession, found: _Findings) -> None:
    """Send the service what Slack sends when an address is entered: signed, and to be answered with its challenge."""
    if not _SECRET_RE.fullmatch(config.signing_secret):
        found.faults.append(
            "SLACK_SIGNING_SECRET does not look like one: it has 32 characters, 0 to 9 and a to f; copy it from the "
            "app's Basic Information page"
        )
        return
    address = f"{config.public_url}/slack/events"
    if _is_local(config.public_url) and not _is_local(config.api_url):
        found.notes.append(
            f"warning: only this machine can reach {address}, and Slack cannot; set ANDON_PUBLIC_URL to https://…, or "
            "SLACK_APP_TOKEN to use Socket Mode"
        )
    elif config.public_url.startswith("http://") and not _is_local(config.public_url):
        found.notes.append("warning: Slack sends requests to https addresses alone; set ANDON_PUBLIC_URL to https://…")
    challenge, timestamp = secrets.token_urlsafe(16), str(int(time.time()))
    body = json.dumps({"type": "url_verification", "challenge": challenge, "token": ""})
    signature = SignatureVerifier(config.signing_secret).generate_signature(timestamp=timestamp, body=body)
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature or "",
    }
    limit = aiohttp.ClientTimeout(total=_REACH_S)
    try:
        async with http.post(address, data=body, headers=headers, timeout=limit, allow_redirects=False) as answer:
            status, text = answer.status, (await answer.content.read(4096)).decode(errors="replace")
    except aiohttp.ClientSSLError as error:
        found.faults.append(f"{address} has no certificate that Slack trusts: {error}")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        found.notes.append(f"warning: nothing answers at {address} now ({reason}); start the service, then check again")
    else:
        if status == HTTPStatus.OK and challenge in text:
            found.notes.append(f"slack: {address} takes Slack's signed requests")
        elif status == HTTPStatus.UNAUTHORIZED:
            found.faults.append(
                f"{address} refuses requests that are signed with SLACK_SIGNING_SECRET: it runs with another one; "
                "copy it from the app's Basic Information page, and start the service again"
            )
        else:
            found.faults.append(
                f"{address} answers HTTP {status}, not as this service does; mend ANDON_PUBLIC_URL, or what stands in "
                "front of the service"
            )


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- channels ------------------------------------------------------------------------------------


async def _check_channel(channel: str, workspaces: Sequence[_Workspace], caller: Caller, found: _Findings) -> None:
    said = _CHANNEL_RE.fullmatch(channel)
    if not said:
        found.faults.append(f"SLACK_CHANNEL is {channel!r}, which is no channel; set its id, C…, or its name, #ops")
        return
    there = [each for each in workspaces if said["team"] in {None, each.team}]
    if len(there) != 1:
        choices = ", ".join(f"{each.name} ({each.team})" for each in workspaces)
        found.faults.append(f"SLACK_CHANNEL is {channel!r}: set T…/C…, for one of the workspaces {choices}")
        return
    workspace = there[0]
    try:
        info = await _look(said, workspace, caller)
    except Refused as refused:
        error = why(refused, app=workspace.bot, channel=channel, user="", remedy=_OWN)
        found.faults.append(f"SLACK_CHANNEL: {error}")
        return
    except BotError as error:
        found.faults.append(f"SLACK_CHANNEL: {error}")
        return
    bot, called = workspace.bot, f"#{info['name']}" if info.get("name") else channel
    if info.get("is_archived"):
        found.faults.append(f"SLACK_CHANNEL: {called} is archived; open it again in Slack, or set another channel")
    elif not info.get("is_member"):
        found.faults.append(f"SLACK_CHANNEL: {bot} is not in {called}; invite it there: /invite @{bot}")
    else:
        found.notes.append(f"slack: cards go to {called}")
    if info.get("is_ext_shared") or info.get("is_pending_ext_shared"):
        found.notes.append(
            f"warning: {called} is shared with another organisation: its people see the cards, and may not answer"
        )


async def _look(said: re.Match[str], workspace: _Workspace, caller: Caller) -> Mapping[str, Any]:
    """The channel, by its id, or by its name among those that the bot is in.

    Raises:
        Refused: It is not there.
        BotError: Slack does not tell.
    """
    id = said["id"]
    if not id:
        name = said["name"].casefold()
        id = await _by_name(name, workspace, caller)
        if not id:
            raise Refused("users.conversations", "not_in_channel", {})
    info = (await caller("conversations.info", workspace.token, {"channel": id})).data.get("channel")
    return info if isinstance(info, Mapping) else {}


async def _by_name(name: str, workspace: _Workspace, caller: Caller) -> str:
    cursor = None
    for _ in range(_MOST_PAGES):
        asked = {"types": "public_channel,private_channel", "limit": _PAGE, "cursor": cursor}
        asked |= {"team_id": workspace.team} if workspace.is_org else {}
        told = (await caller("users.conversations", workspace.token, asked)).data
        for channel in told.get("channels") or ():
            if str(channel.get("name")).casefold() == name:
                return str(channel["id"])
        cursor = (told.get("response_metadata") or {}).get("next_cursor") or None
        if not cursor:
            break
    return ""


async def _tried(caller: Caller, method: str, token: str, remedy: str, found: _Findings) -> Reply | None:
    try:
        return await caller(method, token, {})
    except Refused as refused:
        error: BotError = why(refused, app=NAME, channel="", user="", remedy=remedy)
    except BotError as failed:
        error = failed
    found.faults.append(f"Slack: {error}")
    return None
