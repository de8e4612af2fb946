"""A handler for aiohttp's server.

app.router.add_post("/andon", receiver(decided))
"""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from andon.callbacks._receiving import BODY_BYTES, TOO_LARGE, Answer, Handler, Receiving
from andon.callbacks._seen import Seen

__all__ = ["receiver"]


def receiver(
    handler: Handler, *, secret: str | Sequence[str] | None = None, seen: Seen | None = None
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Make a request handler that calls `handler` with each callback that is the service's, and new.

    It answers 204 when `handler` returned, 500 when it raised, and then the callback comes again; 200 for one
    that was handled before, 503 for one that is being handled, 401 for whatever is not the service's.

    Args:
        handler: Async; it has 15 s, after which the service tries again.
        secret: As for `verify`.
        seen: Which were handled; unset: remembered in memory, for one process.

    Raises:
        NotConfigured: There is no secret, or it is none.
    """
    receiving = Receiving(handler, secret=secret, seen=seen)

    async def receive(request: web.Request) -> web.Response:
        body = await _body(request)
        answer = TOO_LARGE if body is None else await receiving.receive(request.headers, body)
        return _response(answer)

    return receive


async def _body(request: web.Request) -> bytes | None:
    """Read it as it was sent; None if it is too large."""
    if request.content.at_eof():
        return await request.read()  # there is none, or a middleware has read it
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES:
            return None
    return bytes(body)


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, headers=answer.headers)
