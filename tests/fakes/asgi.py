"""Serves an ASGI application over real HTTP, as far as the tests need it."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

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
async def serving(app: Application) -> AsyncIterator[str]:
    """Serve it on a free port, and return its address."""

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
    async with TestServer(application) as server:
        yield str(server.make_url("/")).rstrip("/")
