"""The workspaces that the app is installed in, and a valid token for each.

One workspace by the setting SLACK_BOT_TOKEN, or many by OAuth, whose installations are on the shelf. What is told to
Slack with the tokens is not this module's business.
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.calls import Caller, NoAccess, Refused, Unreachable, why
from adapters.slack.config import SlackConfig
from adapters.slack.memory import Memory
from adapters.slack.scopes import SCOPES
from adapters.slack.tokens import NAME, PREFIX, Bot, Record, Renewal, read
from bot.errors import BotError
from bot.ports import Shelf

__all__ = ["Bot", "Installs", "authorize_url"]

_REMEMBER_S: Final = 60.0
"""How long an uninstallation that another process was told of may be unknown here."""
_TEAMS_S: Final = 600.0
_STATE_LIFE: Final = timedelta(minutes=10)
_STATE_RE: Final = re.compile(r"[A-Za-z0-9_-]{43}")

log = logging.getLogger("andon")


class Installs:
    """Where the app is installed. Tokens leave it through `token` and `authorize` alone."""

    def __init__(
        self,
        config: SlackConfig,
        shelf: Shelf,
        http: aiohttp.ClientSession,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Ask Slack for nothing yet: it may be down while the service starts."""
        self._config = config
        self._shelf = shelf
        self._clock = clock
        self._caller = Caller(config.api_url, http)
        self._own: Record | None = None
        self._owning = asyncio.Lock()
        self._shelves: Memory[str, tuple[Record, ...]] = Memory(self._read_shelf, life_s=_REMEMBER_S)
        self._of_org: Memory[str, Mapping[str, str]] = Memory(self._ask_org, life_s=_TEAMS_S)
        self._met: dict[str, str] = {}
        """The organisation of each workspace that requests came from."""
        self._renewal = Renewal(config, shelf, self._caller, clock=clock, remedy=self._remedy())

    async def token(self, team: str) -> str:
        """A token that is valid in this workspace.

        Raises:
            NoAccess: The app is not installed there, or its token cannot be renewed.
            SlackFailed, TooMany: Slack does not tell now.
            StoreUnavailable: The installations cannot be read.
        """
        record = await self._fresh(await self._find(team))
        return record.token

    async def bot(self, team: str) -> Bot:
        """The app in this workspace; raises as `token`."""
        return (await self._find(team)).bot(team)

    async def teams(self) -> Sequence[str]:
        """The workspaces that the app is installed in, sorted; raises as `token`."""
        return sorted(await self._names())

    async def default_team(self) -> str:
        """The only workspace.

        Raises:
            Unreachable: There are several; the sentence names them.
            NoAccess: There is none.
        """
        names = await self._names()
        if not names:
            raise NoAccess(f"Andon is installed in no Slack workspace; {self._remedy()}", code="not_installed")
        if len(names) > 1:
            choices = ", ".join(f"{name or 'a workspace'} ({team})" for team, name in sorted(names.items()))
            detail = f"Andon is installed in {len(names)} Slack workspaces, so say which: T…/C…, one of {choices}"
            raise Unreachable(detail, code="team_unknown")
        return next(iter(names))

    async def forget(self, team: str) -> None:
        """The app was removed from this workspace, or from the organisation of this id (E…)."""
        for record in await self._read_shelf(""):
            if team and team == (record.team or record.enterprise):
                await self._shelf.drop_lasting(record.shelved)
                log.info("slack.uninstalled team=%s enterprise=%s", record.team or "all", record.enterprise or "none")
        self._shelves.forget(lambda _: True)
        self._of_org.forget(lambda _: True)
        self._met.pop(team, None)

    async def renew(self, team: str, stale: str) -> bool:
        """Slack called this token expired: is there another one now?"""
        self._shelves.forget(lambda _: True)
        return (await self._fresh(await self._find(team), stale=stale)).token != stale

    async def remedy(self, team: str) -> str:
        """How an operator gives the app a valid token for this workspace, as the end of a sentence."""
        return self._remedy(own=bool(self._config.bot_token) and (self._own is None or team in {"", self._own.team}))

    def client(self) -> AsyncWebClient:
        """For Bolt: it calls where we call, never tries a post twice, and logs no body, in which tokens are."""
        return self._caller.client

    def bolt(self) -> AsyncInstallationStore | None:
        """For Bolt's OAuth flow; None with one workspace."""
        return _BoltStore(self) if self._config.client_id else None

    def oauth(self) -> AsyncOAuthSettings | None:
        """Settings of Bolt's OAuth flow at /slack/install and /slack/oauth_redirect; None with one workspace."""
        if not self._config.client_id:
            return None
        return AsyncOAuthSettings(
            client_id=self._config.client_id,
            client_secret=self._config.client_secret,
            scopes=sorted(SCOPES),
            user_scopes=[],
            redirect_uri=f"{self._config.public_url}/slack/oauth_redirect",
            install_path="/slack/install",
            install_page_rendering_enabled=False,
            redirect_uri_path="/slack/oauth_redirect",
            authorization_url=authorize_url(self._config.api_url),
            installation_store=self.bolt(),
            installation_store_bot_only=True,
            state_store=_States(self._shelf),
            state_expiration_seconds=round(_STATE_LIFE.total_seconds()),
        )

    # --- finding one -----------------------------------------------------------------------------

    async def _find(self, team: str) -> Record:
        records = await self._records() if team else ()
        for record in records:
            if record.team == team:
                return record
        for record in records:
            if not record.team and (
                self._met.get(team) == record.enterprise or team in await self._of_org.get(record.enterprise)
            ):
                return record
        raise NoAccess(f"Andon is not installed in the Slack workspace {team}; {self._remedy()}", code="not_installed")

    async def _names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for record in await self._records():
            if record.team:
                names[record.team] = record.team_name
            else:
                names |= await self._of_org.get(record.enterprise)
        return names

    async def _records(self) -> tuple[Record, ...]:
        own = (await self._whose(),) if self._config.bot_token else ()
        shelved = await self._shelves.get("") if self._config.client_id else ()
        return own + shelved  # the setting goes first

    async def _whose(self) -> Record:
        """Whose token the setting is: asked once, and again as long as Slack does not tell."""
        if self._own is None:
            async with self._owning:
                if self._own is None:
                    self._own = await self._ask_whose(self._config.bot_token)
        return self._own

    async def _ask_whose(self, token: str) -> Record:
        try:
            reply = await self._caller("auth.test", token, {})
        except Refused as refused:
            remedy = self._remedy(own=token == self._config.bot_token)
            raise why(refused, app=NAME, channel="", user="", remedy=remedy) from refused
        told = reply.data
        return Record(
            team="" if told.get("is_enterprise_install") else str(told.get("team_id") or ""),
            enterprise=str(told.get("enterprise_id") or ""),
            user=str(told.get("user_id") or ""),
            bot_id=str(told.get("bot_id") or ""),
            app_id=str(told.get("app_id") or ""),
            name=str(told.get("user") or NAME),
            team_name=str(told.get("team") or ""),
            url=str(told.get("url") or ""),
            scopes=reply.scopes,
            token=token,
        )

    async def _read_shelf(self, _: str) -> tuple[Record, ...]:
        names = [name for name in await self._shelf.lasting() if name.startswith(PREFIX)]
        found = [read(await self._shelf.load_lasting(name)) for name in names]
        return tuple(record for record in found if record)

    async def _ask_org(self, enterprise: str) -> Mapping[str, str]:
        """The workspaces that an organisation-wide installation was given to."""
        found = [each for each in await self._records() if not each.team and each.enterprise == enterprise]
        if not found:
            return {}
        record = await self._fresh(found[0])
        cursor, names = "", dict[str, str]()
        while True:
            try:
                reply = await self._caller("auth.teams.list", record.token, {"limit": 200, "cursor": cursor or None})
            except Refused as refused:
                raise why(refused, app=record.name, channel="", user="", remedy=self._remedy()) from refused
            names |= {str(each["id"]): str(each.get("name") or "") for each in reply.data.get("teams") or ()}
            cursor = (reply.data.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return names

    async def _fresh(self, record: Record, *, stale: str = "") -> Record:
        fresh = await self._renewal.fresh(record, stale=stale)
        if fresh is not record:
            self._shelves.forget(lambda _: True)
        return fresh

    def _remedy(self, *, own: bool = False) -> str:
        if own or not self._config.client_id:
            return "mend SLACK_BOT_TOKEN: copy it from the app's OAuth & Permissions page, and start the service again"
        return f"install it there: {self._config.public_url}/slack/install"

    # --- for Bolt --------------------------------------------------------------------------------

    async def save(self, installation: Installation) -> None:
        """Keep what the OAuth flow brought; a workspace that installs again replaces its old one."""
        if not installation.bot_token or not (installation.team_id or installation.enterprise_id):
            raise NoAccess("Slack gave no bot token at the installation; install the app again", code="no_token")
        try:
            told = await self._ask_whose(installation.bot_token)
        except BotError as error:  # the name and the address are for people's eyes; the token counts
            log.warning("slack.install_unnamed detail=%s", error)
            told = Record(team="", user="", token="")
        record = Record(
            team="" if installation.is_enterprise_install else installation.team_id or "",
            enterprise=installation.enterprise_id or "",
            user=installation.bot_user_id or told.user,
            bot_id=installation.bot_id or told.bot_id,
            app_id=installation.app_id or told.app_id,
            name=told.name,
            team_name=installation.team_name or installation.enterprise_name or told.team_name,
            url=told.url,
            scopes=tuple(installation.bot_scopes or told.scopes),
            token=installation.bot_token,
            refresh_token=installation.bot_refresh_token or "",
            expires_at=installation.bot_token_expires_at,
            installed_at=installation.installed_at,
        )
        if not await self._is_welcome(record):
            log.warning("slack.not_welcome team=%s enterprise=%s", record.team or "all", record.enterprise or "none")
            raise NoAccess(
                "this Andon serves other workspaces; its operator lets more in with SLACK_TEAMS", code="not_welcome"
            )
        await self._shelf.save_lasting(record.shelved, record.model_dump_json())
        self._shelves.forget(lambda _: True)
        self._of_org.forget(lambda _: True)
        log.info("slack.installed team=%s enterprise=%s", record.team or "all", record.enterprise or "none")

    async def _is_welcome(self, record: Record) -> bool:
        """Anybody can open the page that installs; a stranger's workspace must not come to stand beside ours."""
        named = {each for each in ("any", record.team, record.enterprise) if each}
        if self._config.teams:
            return not named.isdisjoint(self._config.teams)
        return all(each.shelved == record.shelved for each in await self._read_shelf(""))

    async def authorize(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None
    ) -> AuthorizeResult | None:
        """Who the app is for one request, without a call to Slack for each; None where it is not installed.

        Raises:
            SlackFailed, TooMany, StoreUnavailable: It cannot be told now; Slack sends the request again.
        """
        if enterprise_id and team_id:
            self._met[team_id] = enterprise_id
        try:
            record = await self._fresh(await self._find(team_id or await self._a_team_of(enterprise_id)))
        except NoAccess as error:
            log.warning("slack.unauthorized team=%s enterprise=%s detail=%s", team_id, enterprise_id, error)
            return None
        return AuthorizeResult(
            enterprise_id=enterprise_id or record.enterprise or None,
            team_id=team_id or record.team or None,
            team=record.team_name,
            url=record.url,
            bot_user_id=record.user,
            bot_id=record.bot_id,
            bot_token=record.token,
            bot_scopes=list(record.scopes),
            user_id=user_id,
        )

    async def _a_team_of(self, enterprise: str | None) -> str:
        """Requests of an organisation-wide installation may name no workspace."""
        for record in await self._records():
            if enterprise and not record.team and record.enterprise == enterprise:
                self._met[enterprise] = enterprise
                return enterprise
        return ""


def authorize_url(api_url: str) -> str:
    """Where people are asked to install the app: on the host of the Web API, as in each of Slack's own clouds."""
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/api')}/oauth/v2/authorize"


class _BoltStore(AsyncInstallationStore):
    """What Bolt's OAuth flow writes to. It finds and deletes nothing here: `authorize` and `forget` do."""

    def __init__(self, installs: Installs) -> None:
        self._installs = installs

    async def async_save(self, installation: Installation) -> None:
        await self._installs.save(installation)


class _States(AsyncOAuthStateStore):
    """One-time marks of installations that were begun here."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def async_issue(self, *_: Any, **__: Any) -> str:
        state = secrets.token_urlsafe(32)
        await self._shelf.save(f"oauth:{state}", "begun", _STATE_LIFE)
        return state

    async def async_consume(self, state: str) -> bool:
        return bool(_STATE_RE.fullmatch(state)) and await self._shelf.take(f"oauth:{state}") is not None
