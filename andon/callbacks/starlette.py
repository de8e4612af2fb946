"""A handler for Starlette and for FastAPI.

Route("/andon", receiver(decided), methods=["POST"])    # Starlette
app.post("/andon")(receiver(decided))                   # FastAPI
"""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from andon.callbacks._receiving import BODY_BYTES, TOO_LARGE, Handler, Receiving
from andon.callbacks._seen import Seen

__all__ = ["receiver"]


def receiver(
    handler: Handler, *, secret: str | Sequence[str] | None = None, seen: Seen | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint that calls `handler` with each callback that is the service's, and new.

    Arguments, answers and errors are those of `andon.callbacks.aiohttp.receiver`.
    """
    receiving = Receiving(handler, secret=secret, seen=seen)

    async def receive(request: Request) -> Response:
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        answer = TOO_LARGE if body is None else await receiving.receive(request.headers, body)
        return Response(status_code=answer.status, headers=answer.headers)

    return receive


async def _body(request: Request) -> bytes | None:
    """Read it as it was sent; None if it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            return None
    return bytes(body)
