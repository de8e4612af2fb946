"""For whoever runs the service: is it alive, is it ready, and what has it seen."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from bot import tracing
from bot.errors import StoreUnavailable, Unauthenticated
from bot.metrics import CONTENT_TYPE, Metrics
from bot.readiness import Pulse, Readiness
from bot.store import Numbers, SpreadVitals, Vitals

KEPT_S: Final = 3.0
"""Numbers that are read from the store are shared by all scrapes within this time."""
PATIENCE_S: Final = 2.0


class Operations:
    """Answers `/healthz`, `/readyz` and `/metrics`."""

    def __init__(
        self,
        metrics: Metrics,
        vitals: Vitals | SpreadVitals,
        readiness: Readiness,
        pulse: Pulse,
        *,
        version: str,
        token: str = "",
    ) -> None:
        """`token` is what a scrape has to send; empty: nothing."""
        self._metrics = metrics
        self._vitals = vitals
        self._readiness = readiness
        self._pulse = pulse
        self._version = version
        self._token = token.encode()
        self._counting = asyncio.Lock()
        self._numbers: Numbers | None = None
        self._counted_at = -KEPT_S

    async def healthz(self, _: web.Request) -> web.Response:
        """Should this process live on? The store has no part in it: a new process would find it as it is."""
        fault = self._pulse.fault
        told = {"status": "stuck" if fault else "ok", "version": self._version, "late_s": round(self._pulse.late_s, 3)}
        return web.json_response({**told, "detail": fault} if fault else told, status=503 if fault else 200)

    async def readyz(self, _: web.Request) -> web.Response:
        """Should requests come here?"""
        report = await self._readiness.report()
        parts = {
            name: {
                "state": part.state,
                "since": part.since.isoformat(timespec="seconds").replace("+00:00", "Z"),
                **({"detail": part.detail} if part.detail else {}),
            }
            for name, part in report.parts.items()
        }
        return web.json_response({"status": report.status, "parts": parts}, status=200 if report.is_ready else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """For Prometheus.

        Raises:
            Unauthenticated: A token is wanted, and did not come.
        """
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        if self._token and not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token):
            raise Unauthenticated("send ANDON_METRICS_TOKEN as `Authorization: Bearer …`")
        return web.Response(body=self._metrics.text(await self._counted()), headers={"Content-Type": CONTENT_TYPE})

    async def _counted(self) -> Numbers | None:
        """None while the store is away; that is kept as well, so that scrapes do not pile up on it."""
        async with self._counting:
            if time.monotonic() - self._counted_at >= KEPT_S:
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        self._numbers = await self._vitals.count()
                except (StoreUnavailable, TimeoutError):
                    self._numbers = None
                self._counted_at = time.monotonic()
            return self._numbers


def counting(metrics: Metrics, *, timed: bool) -> Middleware:
    """Count every request, by the template of its address (addresses themselves are anybody's), and take its trace.

    `timed`: note when each came in, for spans.
    """

    @web.middleware
    async def count(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        began, status = time.perf_counter(), 499  # the client left
        try:
            context = tracing.read(request.headers)
            if context or timed:
                with tracing.working(context):
                    response = await handler(request)
            else:
                response = await handler(request)
            status = response.status
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            resource = request.match_info.route.resource
            route = resource.canonical if resource else "none"
            metrics.answered(request.method, route, status, time.perf_counter() - began)
        return response

    return count
