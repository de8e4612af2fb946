"""A bot token and whose it is, as it lies on the shelf, and how it is renewed before it ends."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.slack.calls import Caller, NoAccess, Refused, SlackFailed
from adapters.slack.config import SlackConfig
from bot.errors import BotError, TooMany
from bot.ports import Shelf

NAME: Final = "andon"
"""What the bot is called until Slack has told."""

PREFIX: Final = "install:"
"""Begins the names of installations on the shelf."""

_EARLY_S: Final = 2 * 60 * 60
"""A token that ends sooner than this is renewed; they are given for twelve hours."""
_RENEWING: Final = timedelta(seconds=30)
_PASSING: Final = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})

log = logging.getLogger("andon")


@dataclass(frozen=True, slots=True)
class Bot:
    """The app as one installation knows it."""

    team: str
    """The workspace; of an organisation-wide installation, the one that was asked about."""
    enterprise: str
    user: str
    bot_id: str
    app_id: str
    name: str
    team_name: str
    url: str
    scopes: tuple[str, ...]
    is_enterprise_install: bool


class Record(BaseModel):
    """An installation, as it is on the shelf."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    team: str
    """Empty: the whole organisation."""
    enterprise: str = ""
    user: str
    bot_id: str = ""
    app_id: str = ""
    name: str = NAME
    team_name: str = ""
    url: str = ""
    scopes: tuple[str, ...] = ()
    token: str = Field(repr=False)
    refresh_token: str = Field(default="", repr=False)
    expires_at: float | None = None
    installed_at: float = 0.0

    @property
    def shelved(self) -> str:
        """Its name on the shelf."""
        return f"{PREFIX}{self.enterprise or 'none'}:{self.team or 'none'}"

    def bot(self, team: str) -> Bot:
        """As others see it; the token stays here."""
        return Bot(
            team=team,
            enterprise=self.enterprise,
            user=self.user,
            bot_id=self.bot_id,
            app_id=self.app_id,
            name=self.name,
            team_name=self.team_name,
            url=self.url,
            scopes=self.scopes,
            is_enterprise_install=not self.team,
        )


class Renewal:
    """Exchanges refresh tokens, each of which works once."""

    def __init__(
        self, config: SlackConfig, shelf: Shelf, caller: Caller, *, clock: Callable[[], float], remedy: str
    ) -> None:
        """Say `remedy` when Slack does not renew a token."""
        self._config = config
        self._shelf = shelf
        self._caller = caller
        self._clock = clock
        self._remedy = remedy
        self._renewing: dict[str, asyncio.Lock] = {}

    async def fresh(self, record: Record, *, stale: str = "") -> Record:
        """The installation with a token that lasts, renewed well before it ends, or because it is `stale`.

        Raises:
            NoAccess: Slack does not renew it any more.
            SlackFailed: It has ended, and is not renewed yet.
            StoreUnavailable: The shelf does not answer.
        """
        if not _is_due(record, self._clock(), stale=stale):
            return record
        async with self._renewing.setdefault(record.shelved, asyncio.Lock()):
            record = read(await self._shelf.load_lasting(record.shelved)) or record
            if not _is_due(record, self._clock(), stale=stale):
                return record  # another task, or another process, was quicker
            return await self._rotate(record)

    async def _rotate(self, record: Record) -> Record:
        """Exchange the refresh token, which works once: so only one process may, and the others keep the old token."""
        this = f"rotate:{sha256(record.refresh_token.encode()).hexdigest()}"
        ended = record.expires_at is not None and record.expires_at <= self._clock()
        if not await self._shelf.once(this, _RENEWING):
            if not ended:
                return record
            raise SlackFailed("another process is renewing the token", method="oauth.v2.access", code="renewing")
        asked = {
            "client_id": self._config.client_id,
            "client_secret": self._config.client_secret,
            "grant_type": "refresh_token",
            "refresh_token": record.refresh_token,
        }
        try:
            told = (await self._caller("oauth.v2.access", "", asked)).data
        except (Refused, SlackFailed, TooMany) as error:
            await self._shelf.forget(this)
            if ended:
                raise self._sentence(record, error) from error
            log.warning("slack.not_renewed team=%s detail=%s", record.team or record.enterprise, error)
            return record
        renewed = record.model_copy(
            update={
                "token": str(told["access_token"]),
                "refresh_token": str(told.get("refresh_token") or ""),
                "expires_at": self._clock() + float(told["expires_in"]) if told.get("expires_in") else None,
            }
        )
        await self._shelf.save_lasting(renewed.shelved, renewed.model_dump_json())
        log.info("slack.token_renewed team=%s", record.team or record.enterprise)
        return renewed

    def _sentence(self, record: Record, error: BotError | Refused) -> BotError:
        if not isinstance(error, Refused):
            return error
        where = record.team_name or record.team or record.enterprise
        detail = f"Slack does not renew the token of {where}: {error.code}"
        if error.code in _PASSING:
            return SlackFailed(detail, method=error.method, code=error.code)
        return NoAccess(f"{detail}; {self._remedy}", code=error.code)


def read(text: str | None) -> Record | None:
    """An installation from the shelf; what cannot be read is as good as not there."""
    if text is None:
        return None
    try:
        return Record.model_validate_json(text)
    except ValidationError:
        log.warning("slack.install_unreadable")
        return None


def _is_due(record: Record, now: float, *, stale: str) -> bool:
    if not record.refresh_token:
        return False
    return record.token == stale or (record.expires_at is not None and record.expires_at - now < _EARLY_S)
