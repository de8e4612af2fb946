"""The composition root: the only module that names adapters and stores, and puts the service together."""

import asyncio
import getpass
import logging
import os
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import SecretStr

from adapters.web import WebConsole
from andon import wire
from andon._local import AGENT_KEY_FILE, URL_FILE
from bot import failpoints, on_call
from bot.access import Access, fingerprint
from bot.api import Api, Operations, counting, problems, set_headers
from bot.beats import Beats
from bot.config import Settings
from bot.delivery import Delivery
from bot.errors import ConfigError, StoreUnavailable
from bot.flow import Flow
from bot.health import StoreHealth
from bot.hub import Hub
from bot.idle import IdleConnections
from bot.metrics import Metrics
from bot.outbox import Allowed, Callbacks, CardWork, Egress, EndpointBook, Pace, Schedule, Sending
from bot.parts import readiness_of
from bot.policies import Policies
from bot.policy import Reach
from bot.ports import Adapter, Desk, Directory, Shelf
from bot.readiness import Pulse
from bot.risk import Scoring
from bot.runs import WEB, Runs
from bot.shelf import SealedShelf
from bot.store import EmbeddedStore, Limits, Store, topology
from bot.timers import Timers
from bot.tracing import Traces

if TYPE_CHECKING:
    from adapters.slack import SlackConfig
    from adapters.teams import TeamsConfig

log = logging.getLogger("andon")

LOCAL_AGENT: Final = "local"
LOCAL_LIMITS: Final = Limits(per_minute=600, burst=100, open=500)
"""For the key that the first start makes for agents of this machine's own user."""

_OTLP: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SHUTDOWN_S: Final = 10.0
LINGER_S: Final = 1.0
"""How long the rest of a refused body is read, so that the sender sees the refusal."""

VERSION: Final = version("andon")

MakeAdapter = Callable[[Desk, Shelf], AbstractAsyncContextManager[Adapter]]
"""Opens a surface for the desk, with a shelf of its own, and closes it when the service stops."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A store with its credentials checked."""

    store: Store
    access: Access
    embedded: bool


@asynccontextmanager
async def open_store(settings: Settings, *, start: bool = True) -> AsyncIterator[Opened]:
    """Open the store that the settings name; the embedded one is started, or shared when the service runs already.

    Args:
        settings: As read.
        start: The service itself: insist on starting the embedded store.

    Raises:
        ConfigError: The store is unsafe, or was set up with another secret.
        StateFolderBusy: Another service runs on the state folder (with `start`).
        StoreUnavailable: It does not answer.
    """
    embedded = EmbeddedStore(settings.state) if settings.redis_url is None else None
    mine = False
    if embedded and (start or not await embedded.is_running()):
        await embedded.start()
        mine = True
    url = embedded.url if embedded else settings.redis_url.get_secret_value() if settings.redis_url else ""
    servers = topology(url, replicated=settings.durability == "replicated")
    store = Store(servers, retention=settings.retention, shards=settings.shards)
    try:
        faults = await store.faults(embedded=embedded is not None)
        for fault in faults:
            if not fault.fatal or settings.unsafe_store:
                log.warning("store.fault detail=%s", fault.detail)
        fatal = [fault.detail for fault in faults if fault.fatal]
        if fatal and not settings.unsafe_store:
            raise ConfigError(fatal)
        secret = settings.key_material()
        try:
            stands = await store.access.claim_secret(fingerprint(secret))
        except StoreUnavailable as error:
            if fatal:  # they say better why it does not work
                raise ConfigError(fatal) from error
            raise
        if stands != fingerprint(secret):
            msg = (
                "this store was set up with another secret: its keys and links would not open; "
                "set ANDON_SECRET to that one, or copy the file `secret` from the first service's state folder"
            )
            raise ConfigError([msg])
        if wrong := await store.settle_shards(grow=start):
            raise ConfigError([wrong])
        yield Opened(store, Access(store, secret), embedded is not None)
    finally:
        await store.close()
        if embedded and mine:
            await embedded.stop()


@dataclass(frozen=True, slots=True)
class Running:
    """A service that listens."""

    url: str
    port: int
    sign_in: str | None
    """A one-time link to the console, with the embedded store."""
    agent_key: str | None
    """The local agent's key, when this start made it."""


@asynccontextmanager
async def service(
    settings: Settings,
    *,
    adapters: Mapping[str, MakeAdapter] | None = None,
    pace: Pace | None = None,
    schedule: Schedule | None = None,
) -> AsyncIterator[Running]:
    """Run the whole service; leaving finishes what it took and closes streams so that clients reconnect.

    Args:
        settings: As read.
        adapters: More surfaces, by name.
        pace: How patient the outbox is with surfaces.
        schedule: And with the receivers of callbacks.

    Raises:
        ConfigError, StateFolderBusy, StoreUnavailable: As `open_store`; nothing listens then.
        OSError: The port is taken.
    """
    if settings.failpoint:
        failpoints.arm(settings.failpoint)
        log.warning("failpoint.armed point=%s; this service will kill itself there", settings.failpoint)
    reach = reach_of(settings)
    policies = Policies(
        settings.policy, reach=replace(reach, surfaces={**reach.surfaces, **dict.fromkeys(adapters or (), True)})
    )
    with _listen(settings) as listener:
        async with (
            open_store(settings) as opened,
            _serving(
                *(settings, opened, policies, listener),
                more=adapters or {},
                pace=pace or Pace(),
                schedule=schedule or Schedule(),
            ) as running,
        ):
            yield running


def reach_of(settings: Settings | None = None) -> Reach:
    """What people are reached by under these settings; None: under any that could be."""
    wanted = {"slack": settings is None or settings.slack, "teams": settings is None or settings.teams}
    return Reach({"web": True, **wanted}, on_call.trouble())


@contextmanager
def _packages_of(extra: str, what: str = "the surface") -> Iterator[None]:
    """Around the import of what is optional: say what to install where its packages are missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        msg = f"{error.name} is not installed; {what} needs the extra `{extra}`, which `make install` brings"
        raise ConfigError([msg]) from error


def _surfaces(settings: Settings, access: Access, book: EndpointBook, url: str) -> Mapping[str, MakeAdapter]:
    """The adapters that the settings ask for."""

    def console(desk: Desk, shelf: Shelf) -> AbstractAsyncContextManager[Adapter]:
        templates, callbacks = settings.templates, (book, shelf)
        made = WebConsole(desk, access, public_url=url, templates=templates, clock=_clock, callbacks=callbacks)
        return nullcontext(made)

    surfaces: dict[str, MakeAdapter] = {"web": console}
    if settings.slack:
        with _packages_of("slack"):
            from adapters.slack import slack

        surfaces["slack"] = partial(slack, slack_config(settings, url))
    if settings.teams:
        with _packages_of("teams"):
            from adapters.teams import teams

        surfaces["teams"] = partial(teams, teams_config(settings, url))
    return surfaces


def slack_config(settings: Settings, url: str) -> "SlackConfig":
    """What the surface Slack needs of the settings; `url` is the service's own address."""
    from adapters.slack import SlackConfig

    return SlackConfig(
        bot_token=_plain(settings.slack_bot_token),
        signing_secret=_plain(settings.slack_signing_secret),
        app_token=_plain(settings.slack_app_token),
        client_id=settings.slack_client_id or "",
        client_secret=_plain(settings.slack_client_secret),
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
        app_password=_plain(settings.teams_app_password),
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


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


@asynccontextmanager
async def _serving(
    settings: Settings,
    opened: Opened,
    policies: Policies,
    listener: socket.socket,
    *,
    more: Mapping[str, MakeAdapter],
    pace: Pace,
    schedule: Schedule,
) -> AsyncIterator[Running]:
    store, access = opened.store, opened.access
    delivery = Delivery(
        store,
        send_again=lambda handoff_id: callbacks.send_again(handoff_id),  # noqa: PLW0108  # made below, with the flow
        has_endpoints=lambda agent: callbacks.has_endpoints(agent),  # noqa: PLW0108  # likewise
    )
    hub = Hub(store, on_revoked=access.forget_key, on_change=delivery.heard)
    port: int = listener.getsockname()[1]
    url = settings.url(port)
    egress, book = endpoints_of(settings, opened, url, listens=listener.getsockname()[:2])
    surfaces = {**_surfaces(settings, access, book, url), **more}
    pulse, traces = Pulse(), _traces(settings, store)
    metrics = _metrics(store, hub, policies, pulse, traces)
    place = _default_place(settings)
    runs = Runs(store, access, default_place=place)
    directories: dict[str, Directory] = {}  # filled when the adapters, which need the flow, are there
    scoring = Scoring()
    flow = Flow(
        *(store, hub, access, runs, policies),
        surfaces=surfaces,
        metrics=metrics,
        directories=directories,
        on_call=on_call.plugged_in(),
        delivery=delivery,
        scoring=scoring,
        health=StoreHealth(
            since=_clock(), trouble=lambda: store.troubled_at, apart=lambda: store.apart, unsafe=settings.unsafe_store
        ),
        default_place=place,
    )
    callbacks = _callbacks(
        opened, book, flow, egress, url, following=delivery, place=place, schedule=schedule, count=metrics.called_back
    )
    beats = Beats(store, access, metrics, default_place=place)
    timers = Timers(flow, store, beats)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(scoring.close)
        stack.push_async_callback(traces.close)
        adapters = {}
        for name, make in surfaces.items():
            shelf = SealedShelf(store, settings.key_material(), name)
            adapters[name] = adapter = await stack.enter_async_context(make(flow, shelf))
            if adapter.directory:
                directories[name] = adapter.directory
        cards = [
            CardWork(shard.outbox, shard.digests, flow, adapters, pace=pace, counts=metrics) for shard in store.shards
        ]
        ready = readiness_of(store=store, hub=hub, timers=timers, policies=policies, cards=cards, adapters=adapters)
        token = _plain(settings.metrics_token)
        api = Api(
            *(flow, runs, store),
            hub=hub,
            access=access,
            metrics=metrics,
            traces=traces,
            operations=Operations(metrics, store.vitals, ready, pulse, version=VERSION, token=token),
            endpoints=book,
            beats=beats,
            url=url,
            version=VERSION,
        )
        routes = [*api.routes(), *(route for adapter in adapters.values() for route in adapter.routes())]
        runner = _runner(routes, counting(metrics, timed=traces.records))
        await hub.start()
        policies.start(flow.alert, store.loaded)
        for start in (timers.start, pulse.start, *(each.start for each in cards), callbacks.start):
            start()
        idle = IdleConnections(lambda: runner.server.connections if runner.server else ())
        try:
            await runner.setup()
            await web.SockSite(runner, listener, backlog=1024).start()
            idle.start()
            yield await _introduce(settings, opened, url, port)
        finally:
            await idle.stop()
            await pulse.stop()
            await timers.stop()
            await policies.stop()
            await hub.stop()
            await asyncio.gather(runner.cleanup(), *(each.stop() for each in cards), callbacks.stop())
            await delivery.stop()
            await egress.close()


def _runner(routes: Sequence[web.AbstractRouteDef], count: Middleware) -> web.AppRunner:
    app = web.Application(client_max_size=2 * 1024 * 1024)
    app.add_routes(routes)
    app.middlewares.extend([count, problems])
    app.on_response_prepare.append(set_headers)
    return web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S, lingering_time=LINGER_S
    )


def _callbacks(
    opened: Opened,
    book: EndpointBook,
    flow: Flow,
    egress: Egress,
    url: str,
    *,
    following: Delivery,
    place: wire.Place,
    schedule: Schedule,
    count: Callable[[str], None],
) -> Callbacks:
    store, access = opened.store, opened.access
    sending = Sending(
        *(store, book, flow, access, egress),
        url=url,
        alert=flow.alert,
        following=following,
        place=place,
        schedule=schedule,
        count=count,
    )
    return Callbacks(store, flow, access, sending, alert=flow.alert)


def endpoints_of(
    settings: Settings, opened: Opened, url: str, *, listens: tuple[str, int] | None = None
) -> tuple[Egress, EndpointBook]:
    """The way out to the endpoints of callbacks, and the endpoints; `url` is the service's own address."""
    egress = Egress(Allowed.read(settings.callback_allow), listens=listens)
    return egress, EndpointBook(opened.store, settings.key_material(), egress, own=[url])


def _metrics(store: Store, hub: Hub, policies: Policies, pulse: Pulse, traces: Traces) -> Metrics:
    """Metrics that hear of what the store, the hub and the policy do; `traces` hear of the same facts."""
    metrics = Metrics(
        waiting=lambda: hub.waiting,
        streams=lambda: hub.streams,
        version=VERSION,
        late_s=lambda: pulse.late_s,
        traces=traces,
    )
    store.watch(tripped=metrics.tripped, troubled=metrics.troubled)
    metrics.watch_policy(loads=lambda: policies.loads, trouble=lambda: bool(policies.standing.trouble))
    return metrics


def _traces(settings: Settings, store: Store) -> Traces:
    """Traces are recorded where an address for them is set: by our own setting, or by OpenTelemetry's standard ones."""
    standard = any(os.environ.get(name) for name in _OTLP)
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    if off or not (settings.otel_endpoint or standard):
        return Traces()
    with _packages_of("otel", "tracing"):
        from bot.otel import OtelTraces

    return OtelTraces(endpoint=settings.otel_endpoint or "", version=VERSION, load=store.handoffs.load)


def _default_place(settings: Settings) -> wire.Place:
    """Where cards go that name no place."""
    if settings.slack_channel:
        return wire.Place(surface="slack", channel=settings.slack_channel)
    if settings.teams_channel:
        return wire.Place(surface="teams", channel=settings.teams_channel)
    return WEB


def _clock() -> datetime:
    return datetime.now(UTC)


def _listen(settings: Settings) -> socket.socket:
    """Bind before anything starts, so that a taken port costs nothing and port 0 has its number.

    Raises:
        ConfigError: The address cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError as error:
        msg = f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set ANDON_PORT (0 picks one)"
        raise ConfigError([msg]) from error
    listener.setblocking(False)  # noqa: FBT003  # the socket's own signature
    return listener


async def _introduce(settings: Settings, opened: Opened, url: str, port: int) -> Running:
    """Leave the address and, once, a key for local agents; make a sign-in link."""
    if not opened.embedded:
        return Running(url, port, None, None)
    key_file, agent_key = settings.state / AGENT_KEY_FILE, None
    if not key_file.exists():
        agent_key = await opened.access.create_key("agent", LOCAL_AGENT, LOCAL_LIMITS)
        write_private(key_file, agent_key)
    write_private(settings.state / URL_FILE, url)
    link = await opened.access.create_link(local_person())
    return Running(url, port, sign_in_url(url, link), agent_key)


def sign_in_url(url: str, link: str) -> str:
    """The page that spends a one-time link."""
    return f"{url}/sign-in?token={link}"


def known_url(settings: Settings) -> str:
    """The address of the running service: as it left it in the state folder, or as set."""
    try:
        return settings.public_url or (settings.state / URL_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        return settings.url(settings.port)


def local_person() -> wire.Actor:
    """The person who runs the service on their own machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "local"
    return wire.Actor(kind="person", id=f"local:{name}", name=name, surface="web")


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    part.replace(path)


async def check_slack(settings: Settings, opened: Opened | None) -> tuple[list[str], list[str]]:
    """Try the Slack settings on Slack: faults, and notes; `opened` is None when the store cannot be opened."""
    with _packages_of("slack"):
        from adapters.slack.check import check

    shelf = SealedShelf(opened.store, settings.key_material(), "slack") if opened else None
    channels = [settings.slack_channel] if settings.slack_channel else []
    return await check(slack_config(settings, known_url(settings)), shelf, channels=channels)


async def check_teams(settings: Settings, opened: Opened | None) -> tuple[list[str], list[str]]:
    """Try the Teams settings on Microsoft's cloud: faults, and notes; `opened` as for `check_slack`."""
    with _packages_of("teams"):
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
    with _packages_of("teams"):
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
