"""A stand-in for an OpenTelemetry collector: takes OTLP over HTTP, and is slow or gone as it is told to."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A span as it came."""

    name: str
    trace: str
    id: str
    parent: str
    began_ns: int
    ended_ns: int
    attributes: dict[str, str]
    service: str
    failed: bool


class Collector:
    """The server."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.requests = 0
        self.status = 200
        self.hangs: asyncio.Event | None = None
        """Nothing is answered before it is set."""
        self.url = ""
        self.raw = b""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Collector"]:
        """Listen on a free port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/traces", self._take)
        server = TestServer(app)
        await server.start_server()
        self.url = str(server.make_url("")).rstrip("/")
        try:
            yield self
        finally:
            if self.hangs:
                self.hangs.set()
            await server.close()

    async def _take(self, request: web.Request) -> web.Response:
        self.requests += 1
        if self.hangs:
            await self.hangs.wait()
        body = await request.read()
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        self.raw += body
        if self.status != 200:
            return web.Response(status=self.status)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _attributes(resource.resource.attributes).get("service.name", "")
            self.spans += [_span(each, service) for scope in resource.scope_spans for each in scope.spans]
        return web.Response(body=b"", content_type="application/x-protobuf")

    def named(self, name: str) -> list[Span]:
        """The spans of this name, in the order in which they came."""
        return [span for span in self.spans if span.name == name]

    def trace(self, handoff: str) -> dict[str, Span]:
        """The spans of one handoff, by name."""
        (trace,) = {span.trace for span in self.spans if span.attributes.get("andon.handoff") == handoff}
        return {span.name: span for span in self.spans if span.trace == trace}


def _span(span: Any, service: str) -> Span:
    return Span(
        *(span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()),
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        service=service,
        failed=span.status.code == 2,
    )


def _attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in pairs}
