"""What the surface needs to know before it opens."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bot.errors import ConfigError

METADATA_URL: Final = "https://login.botframework.com/v1/.well-known/openidconfiguration"
LOGIN_URL: Final = "https://login.microsoftonline.com"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class TeamsConfig:
    """The bot's registration and Microsoft's addresses; an empty text is a setting that is not there.

    Raises:
        ConfigError: It would take requests that nobody signed from elsewhere than this machine.
    """

    app_id: str
    """Of the app registration; the bot has the same."""
    app_password: str = field(repr=False)
    """A client secret of it."""
    tenant: str
    """The directory that it is registered in: the only one whose people may act, unless others are allowed."""
    allowed_tenants: tuple[str, ...] = ()
    """More directories whose people may act."""
    channel: str = ""
    """Where cards go that name no place, or whose own cannot be reached: as a place names a channel."""
    metadata_url: str = METADATA_URL
    """Where Microsoft's signing keys are found."""
    login_url: str = LOGIN_URL
    """Where tokens for our own calls are given out, without a slash at its end."""
    public_url: str = ""
    allow_anonymous: bool = False
    """Take requests without a token: for an emulator on this machine, and nothing else."""
    on_loopback: bool = False
    """Does the service listen where only this machine reaches it?"""
    templates: Path | None = None

    def __post_init__(self) -> None:
        """Refuse to be open to everybody."""
        if faults := self.faults():
            raise ConfigError(faults)

    def faults(self) -> list[str]:
        """What is wrong, a sentence each."""
        found = []
        if self.allow_anonymous:
            if self.app_id or self.app_password:
                found.append(
                    "TEAMS_ALLOW_ANONYMOUS and TEAMS_APP_ID exclude each other: with an app, every request carries a "
                    "token; unset one of them"
                )
            if not self.on_loopback:
                found.append(
                    "TEAMS_ALLOW_ANONYMOUS lets anybody act as anybody, so it works on this machine alone; "
                    "set ANDON_HOST to 127.0.0.1, or unset it"
                )
            return found
        for name, value, where in (
            ("TEAMS_APP_ID", self.app_id, "the Azure Bot's Configuration page (Microsoft App ID)"),
            ("TEAMS_APP_PASSWORD", self.app_password, "the app registration's Certificates & secrets page"),
            ("TEAMS_TENANT_ID", self.tenant, "the Azure Bot's Configuration page (App Tenant ID)"),
        ):
            if not value:
                found.append(f"{name} is empty; copy it from {where}")
        return found

    @property
    def tenants(self) -> frozenset[str]:
        """Every directory whose people may act."""
        return frozenset(each.casefold() for each in (self.tenant, *self.allowed_tenants) if each)

    @property
    def scope(self) -> str:
        """What our own token is for. Source: the Bot Framework's constants for its public and its government cloud."""
        host = urlsplit(self.login_url).hostname or ""
        cloud = "us" if host.endswith(".us") else "com"
        return f"https://api.botframework.{cloud}/.default"

    def may_be_served_from(self, service_url: str) -> bool:
        """May calls go to this address? Over TLS; without it only on this machine, where the keys come from too."""
        try:
            parts = urlsplit(service_url)
            port = parts.port
        except ValueError:
            return False
        if not parts.hostname or parts.username or parts.password or parts.query or parts.fragment or port == 0:
            return False
        if parts.scheme == "https":
            return not self.allow_anonymous
        is_local = self.allow_anonymous or self.metadata_url.startswith("http://")
        return parts.scheme == "http" and is_local and parts.hostname in _LOOPBACK
