"""Serves applications of other frameworks over real HTTP, as far as the tests need it.

ASGI comes without a server of its own; WSGI is served by Werkzeug's, with a thread for each request.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from wsgiref.types import WSGIApplication

from aiohttp import web
from aiohttp.test_utils import TestServer
from werkzeug.serving import make_server

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


def _scope(request: web.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.raw_path.encode(),
        "query_string": request.query_string.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }


@asynccontextmanager
async def serving_aiohttp(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Serve it, on a free port unless one is given, and return its address."""
    async with TestServer(app, port=port or None) as server:
        yield str(server.make_url("/")).rstrip("/")


@asynccontextmanager
async def serving_asgi(app: Application, port: int = 0) -> AsyncIterator[str]:
    """As `serving_aiohttp`."""

    async def serve(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()

        async def receive() -> Message:
            try:
                chunk = await request.content.readany()
            except Exception:  # noqa: BLE001 - whatever broke the request off, its client is gone
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": not request.content.at_eof()}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.set_status(message["status"])
                for name, value in message.get("headers", ()):
                    response.headers.add(name.decode(), value.decode())
                await response.prepare(request)
            else:
                await response.write(message.get("body", b""))

        await app(_scope(request), receive, send)
        return response

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", serve)
    async with serving_aiohttp(application, port) as url:
        yield url


@asynccontextmanager
async def serving_wsgi(app: WSGIApplication, port: int = 0) -> AsyncIterator[str]:
    """As `serving_aiohttp`."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await asyncio.to_thread(server.shutdown)
        await asyncio.to_thread(thread.join)
        server.server_close()
