"""Which surfaces the settings ask for, and with what."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from pydantic import SecretStr

from adapters.web import WebConsole
from andon import wire
from bot import on_call
from bot.access import Access
from bot.app.extras import packages_of
from bot.app.local import known_url
from bot.app.store import Opened
from bot.app.version import VERSION
from bot.config import Settings
from bot.policy import Reach
from bot.ports import Adapter, CallbackDesk, Desk, Shelf
from bot.runs import WEB
from bot.shelf import SealedShelf

if TYPE_CHECKING:
    from adapters.slack import SlackConfig
    from adapters.teams import TeamsConfig

MakeAdapter = Callable[[Desk, Shelf], AbstractAsyncContextManager[Adapter]]
"""Opens a surface for the desk, with a shelf of its own, and closes it when the service stops."""


def reach_of(settings: Settings | None = None) -> Reach:
    """What people are reached by under these settings; None: under any that could be."""
    wanted = {"slack": settings is None or settings.slack, "teams": settings is None or settings.teams}
    return Reach({"web": True, **wanted}, on_call.trouble())


def surfaces_of(settings: Settings, access: Access, book: CallbackDesk, url: str) -> Mapping[str, MakeAdapter]:
    """The adapters that the settings ask for."""

    def console(desk: Desk, shelf: Shelf) -> AbstractAsyncContextManager[Adapter]:
        templates, callbacks = settings.templates, (book, shelf)
        made = WebConsole(desk, access, public_url=url, templates=templates, clock=_clock, callbacks=callbacks)
        return nullcontext(made)

    surfaces: dict[str, MakeAdapter] = {"web": console}
    if settings.slack:
        with packages_of("slack"):
            from adapters.slack import slack

        surfaces["slack"] = partial(slack, slack_config(settings, url))
    if settings.teams:
        with packages_of("teams"):
            from adapters.teams import teams

        surfaces["teams"] = partial(teams, teams_config(settings, url))
    return surfaces


def slack_config(settings: Settings, url: str) -> "SlackConfig":
    """What the surface Slack needs of the settings; `url` is the service's own address."""
    from adapters.slack import SlackConfig

    return SlackConfig(
        bot_token=plain(settings.slack_bot_token),
        signing_secret=plain(settings.slack_signing_secret),
        app_token=plain(settings.slack_app_token),
        client_id=settings.slack_client_id or "",
        client_secret=plain(settings.slack_client_secret),
        teams=_listed(settings.slack_teams),
        channel=settings.slack_channel or "",
        api_url=settings.slack_api_url,
        public_url=url,
        templates=settings.templates,
    )


def teams_config(settings: Settings, url: str) -> "TeamsConfig":
    """What the surface Teams needs of the settings; `url` is the service's own address."""
    from adapters.teams import TeamsConfig

    return TeamsConfig(
        app_id=settings.teams_app_id or "",
        app_password=plain(settings.teams_app_password),
        tenant=settings.teams_tenant_id or "",
        allowed_tenants=_listed(settings.teams_allowed_tenants),
        channel=settings.teams_channel or "",
        metadata_url=settings.teams_openid_metadata_url,
        login_url=settings.teams_login_url,
        public_url=url,
        allow_anonymous=settings.teams_allow_anonymous,
        on_loopback=settings.on_loopback,
        templates=settings.templates,
    )


def _listed(text: str | None) -> tuple[str, ...]:
    """Names with commas or spaces between them."""
    return tuple(filter(None, re.split(r"[,\s]+", text or "")))


def plain(secret: SecretStr | None) -> str:
    """A secret in clear; empty where there is none."""
    return secret.get_secret_value() if secret else ""


def default_place(settings: Settings) -> wire.Place:
    """Where cards go that name no place."""
    if settings.slack_channel:
        return wire.Place(surface="slack", channel=settings.slack_channel)
    if settings.teams_channel:
        return wire.Place(surface="teams", channel=settings.teams_channel)
    return WEB


async def check_slack(settings: Settings, opened: Opened | None) -> tuple[list[str], list[str]]:
    """Try the Slack settings on Slack: faults, and notes; `opened` is None when the store cannot be opened."""
    with packages_of("slack"):
        from adapters.slack.check import check

    shelf = SealedShelf(opened.store, settings.key_material(), "slack") if opened else None
    channels = [settings.slack_channel] if settings.slack_channel else []
    return await check(slack_config(settings, known_url(settings)), shelf, channels=channels)


async def check_teams(settings: Settings, opened: Opened | None) -> tuple[list[str], list[str]]:
    """Try the Teams settings on Microsoft's cloud: faults, and notes; `opened` as for `check_slack`."""
    with packages_of("teams"):
        from adapters.teams.check import check

    shelf = SealedShelf(opened.store, settings.key_material(), "teams") if opened else None
    return await check(teams_config(settings, known_url(settings)), shelf)


def teams_package(
    settings: Settings,
    *,
    name: str | None = None,
    version: str | None = None,
    app_id: str | None = None,
    developer: str | None = None,
    mentions_only: bool = False,
) -> tuple[bytes, str]:
    """The app package for Teams, and the address that Teams is to call; what is None is left as it comes.

    Raises:
        ConfigError: Every fault, one sentence each.
    """
    with packages_of("teams"):
        from adapters.teams.package import MAKER, NAME, AppPackage, endpoint, zipped

    package = AppPackage(
        bot_id=settings.teams_app_id or "",
        url=settings.public_url or "",
        version=VERSION if version is None else version,
        name=NAME if name is None else name,
        app_id=app_id or "",
        developer=MAKER if developer is None else developer,
        mentions_only=mentions_only,
    )
    return zipped(package), endpoint(package.url)


def _clock() -> datetime:
    return datetime.now(UTC)
