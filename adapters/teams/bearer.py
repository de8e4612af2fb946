"""The token of our own calls: one for all of them, fetched beside the work and well before the last one ends."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import aiohttp

from adapters.teams.config import TeamsConfig
from adapters.teams.errors import NoAccess, TeamsDown

log = logging.getLogger("andon.teams")

_EARLY: Final = 0.5
"""Which part of its life a token is used for before the next one is fetched beside the work."""
_SPARE_S: Final = 60.0
"""A token that ends sooner is as good as ended: a call takes its time, and clocks differ."""
_REST_S: Final = 10.0
_DOWN_REST_S: Final = 2.0
"""How long to leave the directory alone after it gave none, or did not answer."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)
_DEFAULT_LIFE_S: Final = 300.0

_REMEDIES: Final[Mapping[str, str]] = {
    "AADSTS700016": "the tenant knows no such app; mend TEAMS_APP_ID, or TEAMS_TENANT_ID",
    "AADSTS7000215": "the secret is wrong; set TEAMS_APP_PASSWORD to the value of a client secret, not to its id",
    "AADSTS7000222": "the secret has expired; make a new one and set TEAMS_APP_PASSWORD",
    "AADSTS7000112": "the app registration is disabled; enable it",
    "AADSTS7000229": "the app has no service principal in the tenant; let an administrator consent to it there",
    "AADSTS90002": "there is no such tenant; mend TEAMS_TENANT_ID",
    "AADSTS900023": "TEAMS_TENANT_ID is no id of a tenant; mend it",
}
"""Source: Microsoft Entra error codes, https://learn.microsoft.com/entra/identity-platform/reference-error-codes,
read 2026-11.
"""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float
    until: float


class Bearer:
    """The bot's access token."""

    def __init__(
        self, config: TeamsConfig, http: aiohttp.ClientSession, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is fetched before the first call."""
        self._config = config
        self._http = http
        self._clock = clock
        self._token: _Token | None = None
        self._failure: NoAccess | TeamsDown | None = None
        self._rest_until = 0.0
        self._fetching: asyncio.Task[None] | None = None

    async def get(self) -> str:
        """A token that is good for a while; empty where none is used.

        Raises:
            NoAccess: The directory gives none, for a reason that an operator can mend.
            TeamsDown: The directory does not answer.
        """
        if self._config.allow_anonymous:
            return ""
        token, now = self._token, self._clock()
        if token and now < token.until:
            if now >= token.renew_at and now >= self._rest_until:
                self._begin()
            return token.value
        if self._fetching is None and now < self._rest_until and self._failure:
            raise self._failure.with_traceback(None)
        self._begin()
        if self._fetching:
            await asyncio.shield(self._fetching)  # who gives up must not end it for the others
        if self._token and self._clock() < self._token.until:
            return self._token.value
        raise (self._failure or _down("no token came")).with_traceback(None)

    def refused(self, value: str) -> None:
        """Teams does not take this token any more, whatever its life."""
        if self._token and self._token.value == value:
            self._token = None

    async def close(self) -> None:
        """Fetch no more."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _begin(self) -> None:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(), name="teams token")

    async def _fetch(self) -> None:
        """Keep a new token, or why there is none."""
        begun = self._clock()
        try:
            told = await self._ask()
            value, life_s = str(told["access_token"]), _life_s(told.get("expires_in"))
            self._token = _Token(value, begun + life_s * _EARLY, begun + max(life_s - _SPARE_S, life_s / 2))
            self._failure = None
            log.info("teams.token_fetched seconds=%.0f", life_s)
        except (NoAccess, TeamsDown) as error:
            rest_s = _REST_S if isinstance(error, NoAccess) else _DOWN_REST_S
            self._failure, self._rest_until = error, self._clock() + rest_s
            log.warning("teams.token_failed code=%s detail=%s", error.code, error)
        finally:
            self._fetching = None

    async def _ask(self) -> Mapping[str, Any]:
        config = self._config
        form = {
            "grant_type": "client_credentials",
            "client_id": config.app_id,
            "client_secret": config.app_password,
            "scope": config.scope,
        }
        url = f"{config.login_url}/{config.tenant}/oauth2/v2.0/token"
        try:
            async with self._http.post(url, data=form, timeout=_TIMEOUT, allow_redirects=False) as answer:
                status = answer.status
                told = await answer.json(content_type=None)
        except TimeoutError as error:
            raise _down(f"{config.login_url} did not answer within {_TIMEOUT.total:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _down(f"{config.login_url} cannot be reached: {type(error).__name__}") from error
        except ValueError as error:
            raise _down(f"what came back from {config.login_url} is no token; mend TEAMS_LOGIN_URL") from error
        if not isinstance(told, Mapping) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _down(f"{config.login_url} answers with {status}")
        if status != HTTPStatus.OK:
            raise _refusal(told)
        if not isinstance(told.get("access_token"), str) or not told["access_token"]:
            raise _down(f"what came back from {config.login_url} is no token; mend TEAMS_LOGIN_URL")
        return told


def _life_s(told: object) -> float:
    return float(told) if isinstance(told, int) and told > 0 else _DEFAULT_LIFE_S


def _refusal(told: Mapping[str, Any]) -> NoAccess:
    said = str(told.get("error_description") or told.get("error") or "")
    code = said.partition(":")[0].strip()
    remedy = _REMEDIES.get(code, "check TEAMS_APP_ID, TEAMS_APP_PASSWORD and TEAMS_TENANT_ID")
    return NoAccess(f"Microsoft gives the app no token ({code or 'no reason given'}): {remedy}", code=code)


def _down(detail: str) -> TeamsDown:
    return TeamsDown(f"no token can be had for Teams: {detail}", code="no_token")
