"""The service, put together from its parts."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from andon._local import AGENT_KEY_FILE, URL_FILE
from bot import failpoints, on_call
from bot.api import Api, Operations, counting, problems, set_headers
from bot.app.endpoints import endpoints_of
from bot.app.local import local_person, sign_in_url, write_private
from bot.app.observing import metrics_of, traces_of
from bot.app.store import Opened, open_store
from bot.app.surfaces import MakeAdapter, default_place, plain, reach_of, surfaces_of
from bot.app.version import VERSION
from bot.beats import Beats
from bot.config import Settings
from bot.delivery import Delivery
from bot.errors import ConfigError
from bot.flow import Flow
from bot.health import StoreHealth
from bot.hub import Hub
from bot.idle import IdleConnections
from bot.outbox import CallbackQueue, Callbacks, CardWork, Pace, Schedule, Sending
from bot.parts import readiness_of
from bot.policies import Policies
from bot.ports import Directory
from bot.readiness import Pulse
from bot.risk import Scoring
from bot.runs import Runs
from bot.shelf import SealedShelf
from bot.store import Limits
from bot.timers import Timers

log = logging.getLogger("andon")

LOCAL_AGENT: Final = "local"
LOCAL_LIMITS: Final = Limits(per_minute=600, burst=100, open=500)
"""For the key that the first start makes for agents of this machine's own user."""

SHUTDOWN_S: Final = 10.0
LINGER_S: Final = 1.0
"""How long the rest of a refused body is read, so that the sender sees the refusal."""


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
    queue = CallbackQueue(store, access)
    delivery = Delivery(store, queue)
    hub = Hub(store, on_revoked=access.forget_key, on_change=delivery.heard)
    port: int = listener.getsockname()[1]
    url = settings.url(port)
    egress, book = endpoints_of(settings, opened, url, listens=listener.getsockname()[:2], changed=queue.bell.set)
    surfaces = {**surfaces_of(settings, access, book, url), **more}
    pulse, traces = Pulse(), traces_of(settings, store)
    metrics = metrics_of(store, hub, policies, pulse, traces)
    place = default_place(settings)
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
            since=datetime.now(UTC),
            trouble=lambda: store.troubled_at,
            apart=lambda: store.apart,
            unsafe=settings.unsafe_store,
        ),
        default_place=place,
    )
    sending = Sending(
        *(store, book, flow, access, egress),
        queue=queue,
        url=url,
        alert=flow.alert,
        following=delivery,
        place=place,
        schedule=schedule,
        count=metrics.called_back,
        traces=traces,
    )
    callbacks = Callbacks(store, queue, sending, alert=flow.alert)
    beats = Beats(store, access, metrics, default_place=place)
    timers = Timers(flow, store, beats)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(scoring.close)
        stack.push_async_callback(traces.close)
        adapters = {
            name: await stack.enter_async_context(make(flow, SealedShelf(store, settings.key_material(), name)))
            for name, make in surfaces.items()
        }
        directories |= {name: adapter.directory for name, adapter in adapters.items() if adapter.directory}
        cards = [
            CardWork(shard.outbox, shard.digests, flow, adapters, pace=pace, counts=metrics) for shard in store.shards
        ]
        ready = readiness_of(store=store, hub=hub, timers=timers, policies=policies, cards=cards, adapters=adapters)
        token = plain(settings.metrics_token)
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
