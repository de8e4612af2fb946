"""Looks over the Teams settings before people depend on them: `python -m bot check`. It writes nothing to Teams."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from adapters.teams.bearer import Bearer
from adapters.teams.config import TeamsConfig
from adapters.teams.connector import Connector
from adapters.teams.errors import TeamsDown
from adapters.teams.package import GUID_RE, endpoint
from adapters.teams.people import People
from adapters.teams.places import Places
from adapters.teams.references import References
from andon import wire
from bot.cards import visible
from bot.errors import BotError
from bot.ports import Shelf

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)
_MOST_BYTES: Final = 1024 * 1024
_CHANNEL: Final = "msteams"
_MOST_TEAMS: Final = 10


@dataclass(slots=True)
class _Findings:
    """What is wrong, and what else there is to say."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def check(config: TeamsConfig, shelf: Shelf | None) -> tuple[list[str], list[str]]:
    """Try every setting on Microsoft's cloud, and on the service itself.

    Args:
        config: The settings.
        shelf: Where the conversations are; None when the store cannot be opened.

    Returns:
        Faults, which keep the surface from working, and notes, some of which are warnings. One sentence each.
    """
    found = _Findings()
    async with aiohttp.ClientSession() as http:
        bearer = Bearer(config, http)
        try:
            if config.allow_anonymous:
                found.notes.append(
                    "warning: Teams' requests need no token here; TEAMS_ALLOW_ANONYMOUS is for emulators alone"
                )
            else:
                _check_ids(config, found)
                await _check_token(config, bearer, found)
                await _check_keys(config, http, found)
                await _check_address(config, http, found)
            if shelf:
                references = References(shelf)
                await _check_places(references, found)
                if config.channel:
                    connector = Connector(config, bearer, references, shelf, _Silent(), http=http)
                    await _check_channel(config.channel, connector, references, found)
        finally:
            await bearer.close()
    if not config.channel:
        found.notes.append("teams: TEAMS_CHANNEL is not set, so cards that name no place go to the web console alone")
    return found.faults, found.notes


class _Silent:
    """Alerts nobody: whoever runs the check reads it."""

    async def alert(self, about: str, text: str) -> None:
        """The fault says it."""


# --- Microsoft's side ----------------------------------------------------------------------------


def _check_ids(config: TeamsConfig, found: _Findings) -> None:
    for name, value in (
        ("TEAMS_APP_ID", config.app_id),
        ("TEAMS_TENANT_ID", config.tenant),
        *(("TEAMS_ALLOWED_TENANTS", tenant) for tenant in config.allowed_tenants),
    ):
        if not GUID_RE.fullmatch(value):
            found.faults.append(
                f"{name} has {value!r}, which is no id: copy it from Microsoft Entra, 8-4-4-4-12 digits"
            )


async def _check_token(config: TeamsConfig, bearer: Bearer, found: _Findings) -> None:
    """Ask for the token of our own calls, which shows that app, secret and tenant belong together."""
    try:
        await bearer.get()
    except TeamsDown as error:
        found.faults.append(f"Teams: {error}; let the service reach it, or mend TEAMS_LOGIN_URL")
    except BotError as error:
        found.faults.append(f"Teams: {error}")
    else:
        found.notes.append(f"teams: Microsoft gives the app {config.app_id} a token")


async def _check_keys(config: TeamsConfig, http: aiohttp.ClientSession, found: _Findings) -> None:
    """Read Microsoft's signing keys, without which every request of Teams is refused."""
    remedy = "let the service reach it, or mend TEAMS_OPENID_METADATA_URL"
    try:
        told = await _json(http, config.metadata_url)
        address = told.get("jwks_uri")
        if not isinstance(address, str) or not isinstance(told.get("issuer"), str):
            found.faults.append(f"{config.metadata_url} tells of no signing keys; mend TEAMS_OPENID_METADATA_URL")
            return
        keys = (await _json(http, address)).get("keys")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        reason = str(error) or type(error).__name__
        found.faults.append(f"Microsoft's signing keys cannot be read at {config.metadata_url} ({reason}); {remedy}")
        return
    ours = [key for key in keys if _speaks_for_teams(key)] if isinstance(keys, list) else []
    if not ours:
        found.faults.append(f"{address} has no key that speaks for Teams; mend TEAMS_OPENID_METADATA_URL")
    else:
        found.notes.append(f"teams: {len(ours)} signing keys at {urlsplit(address).hostname}")


def _speaks_for_teams(key: object) -> bool:
    endorsements = key.get("endorsements") if isinstance(key, Mapping) else None
    return isinstance(endorsements, list) and _CHANNEL in endorsements


async def _json(http: aiohttp.ClientSession, url: str) -> Mapping[str, Any]:
    """Read an object.

    Raises:
        aiohttp.ClientError, OSError, TimeoutError: It cannot be had.
        ValueError: It is something else.
    """
    async with http.get(url, timeout=_TIMEOUT, allow_redirects=False) as answer:
        if answer.status != HTTPStatus.OK:
            raise ValueError(f"HTTP {answer.status}")
        told = json.loads(await answer.content.read(_MOST_BYTES))
    if not isinstance(told, Mapping):
        raise ValueError("not an object")  # noqa: TRY004  # one kind for whatever is no object
    return told


# --- the way in ----------------------------------------------------------------------------------


async def _check_address(config: TeamsConfig, http: aiohttp.ClientSession, found: _Findings) -> None:
    """Send the service what a stranger might send: it must be there, and refuse."""
    address = endpoint(config.public_url)
    parts = urlsplit(config.public_url)
    is_local = _is_local(parts.hostname or "")
    if is_local and not _is_local(urlsplit(config.metadata_url).hostname or ""):
        found.notes.append(
            f"warning: only this machine can reach {address}, and Teams cannot; set ANDON_PUBLIC_URL to https://…"
        )
    elif parts.scheme != "https" and not is_local:
        found.notes.append("warning: Teams sends requests to https addresses alone; set ANDON_PUBLIC_URL to https://…")
    probe = {"type": "message", "channelId": _CHANNEL, "serviceUrl": "https://smba.trafficmanager.net/teams/"}
    try:
        async with http.post(address, json=probe, timeout=_TIMEOUT, allow_redirects=False) as answer:
            status = answer.status
    except aiohttp.ClientSSLError as error:
        found.faults.append(f"{address} has no certificate that Microsoft trusts: {error}")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        found.notes.append(f"warning: nothing answers at {address} now ({reason}); start the service, then check again")
    else:
        if status == HTTPStatus.UNAUTHORIZED:
            found.notes.append(f"teams: {address} is there, and takes no request without a token")
            found.notes.append("teams: the Azure Bot's messaging endpoint must be that very address")
        elif HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            found.faults.append(
                f"{address} takes requests that nobody signed; start the service again with these settings, and mend "
                "what stands in front of it"
            )
        elif status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            found.faults.append(
                f"{address} answers HTTP {status}: what runs there has no Teams; start the service again with these "
                "settings, or mend ANDON_PUBLIC_URL"
            )
        else:
            found.faults.append(
                f"{address} answers HTTP {status}, not as this service does; mend ANDON_PUBLIC_URL, or what stands in "
                "front of the service"
            )


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- where it is ---------------------------------------------------------------------------------


async def _check_places(references: References, found: _Findings) -> None:
    """Say where the app is installed, as far as Teams has told: the service hears of each when it is added there."""
    teams, conversations = await references.teams(), await references.conversations()
    chats = sum(each.kind == "groupChat" for each in conversations)
    people = sum(each.kind == "personal" for each in conversations)
    for team in sorted(teams, key=lambda each: each.name)[:_MOST_TEAMS]:
        group = f" (its members as approvers: teams:{team.group})" if team.group else ""
        found.notes.append(f"teams: installed in the team {visible(team.name) or team.id}{group}")
    more = [
        *([f"{len(teams) - _MOST_TEAMS:,} more teams"] if len(teams) > _MOST_TEAMS else []),
        *([_counted(chats, "group chat")] if chats else []),
        *([_counted(people, "personal chat")] if people else []),
    ]
    if more:
        found.notes.append(f"teams: installed in {' and '.join(more)}")
    if not teams and not more:
        found.notes.append(
            "warning: Teams has told of no place that has the app; upload the package, and add it to a team or chat "
            "while the service runs"
        )


async def _check_channel(channel: str, connector: Connector, references: References, found: _Findings) -> None:
    """Find the default place as a card would, and ask who is there: Teams tells that only where the app is."""
    places = Places(connector, references, People(connector, references))
    try:
        at = await places.find(wire.Place(surface="teams", channel=channel))
        async for _ in connector.members(at):
            break
        found.notes.append(f"teams: cards go to {visible(await places.name(at))}")
    except BotError as error:
        found.faults.append(f"TEAMS_CHANNEL is {channel!r}: {error}")


def _counted(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"
