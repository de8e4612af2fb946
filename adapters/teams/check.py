"""Looks over the Teams settings before people depend on them: `python -m bot check`. It writes nothing to Teams."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from adapters.teams.bearer import Bearer
from adapters.teams.config import TeamsConfig
from adapters.teams.errors import TeamsDown
from adapters.teams.package import GUID_RE, endpoint
from adapters.teams.references import References
from bot.cards import visible
from bot.errors import BotError
from bot.ports import Shelf

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)
_MOST_BYTES: Final = 1024 * 1024
_CHANNEL: Final = "msteams"
_MOST_NAMES: Final = 10


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
    if config.allow_anonymous:
        found.notes.append("warning: Teams' requests need no token here; TEAMS_ALLOW_ANONYMOUS is for emulators alone")
    else:
        _check_ids(config, found)
        async with aiohttp.ClientSession() as http:
            await _check_token(config, http, found)
            await _check_keys(config, http, found)
            await _check_address(config, http, found)
    if shelf:
        await _check_places(References(shelf), found)
    if not config.channel:
        found.notes.append("teams: TEAMS_CHANNEL is not set, so cards that name no place go to the web console alone")
    return found.faults, found.notes


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


async def _check_token(config: TeamsConfig, http: aiohttp.ClientSession, found: _Findings) -> None:
    """Ask for the token of our own calls, which shows that app, secret and tenant belong together."""
    bearer = Bearer(config, http)
    try:
        await bearer.get()
    except TeamsDown as error:
        found.faults.append(f"Teams: {error}; let the service reach it, or mend TEAMS_LOGIN_URL")
    except BotError as error:
        found.faults.append(f"Teams: {error}")
    else:
        found.notes.append(f"teams: Microsoft gives the app {config.app_id} a token")
    finally:
        await bearer.close()


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
    chats = [each for each in conversations if each.kind == "groupChat"]
    people = [each for each in conversations if each.kind == "personal"]
    said = [
        *([f"in {_counted(len(teams), 'team')} ({_named([team.name for team in teams])})"] if teams else []),
        *([f"in {_counted(len(chats), 'group chat')}"] if chats else []),
        *([f"for {_counted(len(people), 'person', 'people')}"] if people else []),
    ]
    if said:
        found.notes.append(f"teams: installed {', '.join(said)}")
    else:
        found.notes.append(
            "warning: Teams has told of no place that has the app; upload the package, and add it to a team or chat "
            "while the service runs"
        )


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(visible(name) for name in names if name)[:_MOST_NAMES]) or "of unknown names"
    return f"{shown}, …" if len(names) > _MOST_NAMES else shown
