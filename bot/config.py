"""Settings: environment variables or a `.env` file, read once into one frozen model."""

import os
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from andon._local import state_dir
from bot import failpoints
from bot.errors import ConfigError

_SCHEMES: Final = (
    *("redis://", "rediss://", "unix://"),
    *("redis+sentinel://", "rediss+sentinel://", "redis+cluster://", "rediss+cluster://"),
)
_AGENT_SIDE: Final = frozenset({"ANDON_URL", "ANDON_KEY", "ANDON_CALLBACK_SECRET"})
_SECRET_BYTES: Final = 32
_PLATFORMS: Final = ("SLACK_", "TEAMS_")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[1-9][0-9]{0,4})?")
_OURS: Final = ("ANDON_", *_PLATFORMS)


def _redis_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(_SCHEMES):
        msg = f"must begin with one of {', '.join(_SCHEMES)}"
        raise ValueError(msg)
    return url


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        msg = "must be an address that people can open, e.g. https://andon.example.com"
        raise ValueError(msg)
    return url.rstrip("/")


def _no_folder(path: Path) -> Path:
    if path.is_dir():
        msg = f"{path} is a folder; name the file in it"
        raise ValueError(msg)
    return path


def _folder(path: Path) -> Path:
    if not path.is_dir():
        msg = f"there is no folder {path}"
        raise ValueError(msg)
    return path


def _failpoint(text: str) -> str:
    failpoints.parse(text)
    return text


def _hosts(text: str) -> str:
    for each in filter(None, (part.strip() for part in text.split(","))):
        if not _HOST.fullmatch(each):
            msg = f"{each!r} is no host; write `host` or `host:port`, with commas between"
            raise ValueError(msg)
        if each.startswith("["):
            ip_address(each[1:].partition("]")[0])
    return text


class Settings(BaseSettings):
    """Everything that can be set; every field is `ANDON_` and its name in capitals, unless it has a name of its own."""

    model_config = SettingsConfigDict(
        env_prefix="ANDON_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = Field(default="127.0.0.1", description="Listen on this address.")
    port: int = Field(default=8080, ge=0, le=65_535, description="Listen on this port; 0 picks one and prints it.")
    public_url: Annotated[str, AfterValidator(_http_url)] | None = Field(
        default=None, description="The address that people and agents reach (default: built from host and port)."
    )
    state: Path = Field(default_factory=state_dir, description="State folder: embedded store, local key, secret.")
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] | None = Field(
        default=None,
        description="redis://, unix://, redis+sentinel:// or redis+cluster://, with TLS rediss… "
        "(default: an embedded Valkey in the state folder).",
    )
    durability: Literal["local", "replicated"] = Field(
        default="local",
        description="Whether a replica must confirm what people decide before anybody is told: local or replicated.",
    )
    shards: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Spread runs over so many shards, for a Cluster; may be raised, not lowered.",
    )
    policy: Annotated[Path, AfterValidator(_no_folder)] | None = Field(
        default=None, description="Policy file (default: ask about everything, and say so)."
    )
    templates: Annotated[Path, AfterValidator(_folder)] | None = Field(
        default=None, description="A folder whose templates replace ours, file by file."
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Keys every hash and token; all services on one store need the same, at least 32 characters "
        "(default: the file `secret` in the state folder, made at the first start).",
    )
    callback_allow: Annotated[str, AfterValidator(_hosts)] | None = Field(
        default=None,
        description="Hosts that callbacks may go to although they are private, or not https: `host` or `host:port`.",
    )
    log: Literal["text", "json"] = Field(default="text", description="Log lines for people, or JSON objects.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged: debug, info, warning or error."
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="Whoever reads /metrics sends it as a bearer token (default: anybody may)."
    )
    otel_endpoint: Annotated[str, AfterValidator(_http_url)] | None = Field(
        default=None, description="Traces go to this OTLP/HTTP collector, e.g. http://localhost:4318 (default: none)."
    )
    retention_days: int = Field(default=30, ge=1, le=400, description="Days that an ended handoff is kept.")
    slack_bot_token: SecretStr | None = Field(
        default=None, alias="SLACK_BOT_TOKEN", description="Slack: the app's bot token, xoxb-…, for one workspace."
    )
    slack_signing_secret: SecretStr | None = Field(
        default=None, alias="SLACK_SIGNING_SECRET", description="Slack: the app's signing secret; without Socket Mode."
    )
    slack_app_token: SecretStr | None = Field(
        default=None, alias="SLACK_APP_TOKEN", description="Slack: an app-level token, xapp-…; switches to Socket Mode."
    )
    slack_channel: str | None = Field(
        default=None,
        alias="SLACK_CHANNEL",
        description="Slack: cards that name no place go here, and those whose own channel cannot be reached.",
    )
    slack_client_id: str | None = Field(
        default=None, alias="SLACK_CLIENT_ID", description="Slack: for installation in several workspaces by OAuth."
    )
    slack_client_secret: SecretStr | None = Field(
        default=None, alias="SLACK_CLIENT_SECRET", description="Slack: goes with the client id."
    )
    slack_teams: str | None = Field(
        default=None,
        alias="SLACK_TEAMS",
        description="Slack: workspaces or organisations that may install, `T…,E…`, or `any` (default: the first).",
    )
    slack_api_url: Annotated[str, AfterValidator(_http_url)] = Field(
        default="https://slack.com/api",
        alias="SLACK_API_URL",
        description="Slack: another address of its Web API, for gateways and tests.",
    )
    teams_app_id: str | None = Field(
        default=None, alias="TEAMS_APP_ID", description="Teams: the app's (client) id, from its app registration."
    )
    teams_app_password: SecretStr | None = Field(
        default=None,
        alias="TEAMS_APP_PASSWORD",
        description="Teams: a client secret of the app registration, its value.",
    )
    teams_tenant_id: str | None = Field(
        default=None, alias="TEAMS_TENANT_ID", description="Teams: the directory (tenant) id that the app is of."
    )
    teams_allowed_tenants: str | None = Field(
        default=None,
        alias="TEAMS_ALLOWED_TENANTS",
        description="Teams: more tenants whose people may act, by id, with commas between (default: its own alone).",
    )
    teams_channel: str | None = Field(
        default=None,
        alias="TEAMS_CHANNEL",
        description="Teams: cards that name no place go here, and those whose own channel cannot be reached.",
    )
    teams_openid_metadata_url: Annotated[str, AfterValidator(_http_url)] = Field(
        default="https://login.botframework.com/v1/.well-known/openidconfiguration",
        alias="TEAMS_OPENID_METADATA_URL",
        description="Teams: where the keys are told that sign its requests; another for other clouds and tests.",
    )
    teams_login_url: Annotated[str, AfterValidator(_http_url)] = Field(
        default="https://login.microsoftonline.com",
        alias="TEAMS_LOGIN_URL",
        description="Teams: where the app's own token comes from; another for other clouds and tests.",
    )
    teams_allow_anonymous: bool = Field(
        default=False,
        alias="TEAMS_ALLOW_ANONYMOUS",
        description="Teams: take requests without a token, on loopback and without an app id: for local emulators.",
    )
    unsafe_store: bool = Field(
        default=False, description="Start although the store may lose or drop decisions; every fault is logged."
    )

    failpoint: Annotated[str, AfterValidator(_failpoint)] | None = Field(
        default=None, description="For tests: the service kills itself at this point, `<name>` or `<name>:<nth>`."
    )

    @model_validator(mode="after")
    def _secrets_are_long(self) -> Self:
        if self.secret and len(self.secret.get_secret_value()) < _SECRET_BYTES:
            make = "python -c 'import secrets; print(secrets.token_urlsafe())'"
            msg = f"ANDON_SECRET is shorter than 32 characters; make one: {make}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _replicas_are_elsewhere(self) -> Self:
        if self.durability == "replicated" and self.redis_url is None:
            msg = "ANDON_DURABILITY=replicated needs ANDON_REDIS_URL: the embedded store has no replica"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _slack_is_whole(self) -> Self:
        if faults := list(self._slack_faults()):
            raise ValueError("; ".join(faults))
        return self

    def _slack_faults(self) -> Iterator[str]:
        for name, token, begins in (
            ("SLACK_BOT_TOKEN", self.slack_bot_token, ("xoxb-", "xoxe.xoxb-")),
            ("SLACK_APP_TOKEN", self.slack_app_token, ("xapp-",)),
        ):
            if token and not token.get_secret_value().startswith(begins):
                yield f"{name} begins with {' or '.join(begins)}; this is another kind of token"
        if self.slack_client_id and not self.slack_client_secret:
            yield "SLACK_CLIENT_SECRET is empty; copy it from the app's Basic Information page"
        if self.slack_client_secret and not self.slack_client_id:
            yield "SLACK_CLIENT_ID is empty; copy it from the app's Basic Information page"
        if self.slack_client_id and not self.public_url:
            yield "SLACK_CLIENT_ID needs ANDON_PUBLIC_URL: Slack sends people back there after an installation"
        if self.slack and not self.slack_app_token and not self.slack_signing_secret:
            yield (
                "SLACK_SIGNING_SECRET is empty; copy it from the app's Basic Information page, "
                "or set SLACK_APP_TOKEN to use Socket Mode"
            )
        if not self.slack and (self.slack_app_token or self.slack_signing_secret or self.slack_channel):
            yield "SLACK_BOT_TOKEN is empty; copy it from the app's OAuth & Permissions page"

    @model_validator(mode="after")
    def _teams_is_whole(self) -> Self:
        if faults := list(self._teams_faults()):
            raise ValueError("; ".join(faults))
        return self

    def _teams_faults(self) -> Iterator[str]:
        if self.teams_allow_anonymous:
            if self.teams_app_id:
                yield "TEAMS_ALLOW_ANONYMOUS is for emulators; with TEAMS_APP_ID each request needs its token"
            if not self.on_loopback:
                yield f"TEAMS_ALLOW_ANONYMOUS needs ANDON_HOST to be loopback, and it is {self.host}"
            return
        if self.teams_app_id and not self.teams_app_password:
            yield "TEAMS_APP_PASSWORD is empty; copy the value of a client secret from the app registration"
        if self.teams_app_id and not self.teams_tenant_id:
            yield "TEAMS_TENANT_ID is empty; copy the directory (tenant) id from the app registration's overview"
        if not self.teams_app_id and (self.teams_app_password or self.teams_tenant_id or self.teams_channel):
            yield "TEAMS_APP_ID is empty; copy the application (client) id from the app registration's overview"

    @property
    def teams(self) -> bool:
        """Is the surface Teams wanted?"""
        return bool(self.teams_app_id) or self.teams_allow_anonymous

    @property
    def slack(self) -> bool:
        """Is the surface Slack wanted?"""
        return bool(self.slack_bot_token or self.slack_client_id)

    @property
    def secrets(self) -> list[str]:
        """Every secret that was set, in clear: for taking them out of what is logged."""
        found = [getattr(self, name) for name in type(self).model_fields]
        plain = [each.get_secret_value() for each in found if isinstance(each, SecretStr)]
        return [*plain, *filter(None, [urlsplit(each).password for each in plain if "://" in each])]

    @cached_property
    def retention(self) -> timedelta:
        """How long an ended handoff is kept."""
        return timedelta(days=self.retention_days)

    @property
    def on_loopback(self) -> bool:
        """Can only this machine reach the listener?"""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def url(self, port: int) -> str:
        """The address to give out, when listening on `port`."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104  # compared, not bound
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def key_material(self) -> bytes:
        """The secret; made and kept in the state folder when none is set.

        Raises:
            ConfigError: The file cannot be read or made.
        """
        if self.secret:
            return self.secret.get_secret_value().encode()
        path = self.state / "secret"
        try:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(secrets.token_urlsafe(_SECRET_BYTES))
            except FileExistsError:
                pass
            return path.read_text(encoding="ascii").strip().encode()
        except OSError as error:
            raise ConfigError([f"ANDON_STATE: cannot keep the secret in {path}: {error}"]) from error


def load_settings(**given: object) -> Settings:
    """Read the settings; `given` ones (from the command line) win.

    Raises:
        ConfigError: Every fault, one sentence each.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            name = setting_name("_".join(str(part) for part in fault["loc"] if isinstance(part, str)))
            faults.append(f"{name}: {fault['msg'].removeprefix('Value error, ')}" if fault["loc"] else fault["msg"])
        raise ConfigError(faults) from error


def unknown_settings() -> list[str]:
    """Variables that look like ours and are none: most likely typing errors."""
    known = {setting_name(name) for name in Settings.model_fields} | _AGENT_SIDE
    return sorted(name for name in os.environ if name.startswith(_OURS) and name not in known)


def setting_name(field: str) -> str:
    """The environment variable of a field: `SLACK_CHANNEL` of `slack_channel`, `ANDON_PORT` of `port`."""
    name = field.upper()
    return name if name.startswith(_PLATFORMS) else f"ANDON_{name}"
