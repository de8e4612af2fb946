"""A view for Flask 3.1 or newer.

app.post("/andon")(receiver(decided))
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from andon.callbacks._models import Callback
from andon.callbacks._receiving import BODY_BYTES, TOO_LARGE, Answer, Receiving
from andon.callbacks._seen import Seen

__all__ = ["receiver"]


def receiver(
    handler: Callable[[Callback], Awaitable[None] | None],
    *,
    secret: str | Sequence[str] | None = None,
    seen: Seen | None = None,
) -> Callable[[], Response]:
    """Make a view that calls `handler` with each callback that is the service's, and new.

    Arguments, answers and errors are those of `andon.callbacks.aiohttp.receiver`, with two differences. `handler` may
    be a plain function. An async one gets an event loop for the one request, so what belongs to a loop must be made
    inside of it; for `SeenInRedis`, give it a `redis.Redis`, whose calls wait.
    """
    receiving = Receiving(_as_async(handler), secret=secret, seen=seen)

    def receive() -> Response:
        request.max_content_length = BODY_BYTES + 1  # a body in chunks is cut there, without a word
        try:
            body = request.get_data()
        except RequestEntityTooLarge:
            return _response(TOO_LARGE)
        if len(body) > BODY_BYTES:
            return _response(TOO_LARGE)
        pairs = list(request.headers.items())
        return _response(_run(lambda: receiving.receive(pairs, body)))

    return receive


def _as_async(handler: Callable[[Callback], Awaitable[None] | None]) -> Callable[[Callback], Awaitable[None]]:
    if inspect.iscoroutinefunction(handler):
        return handler

    async def call(callback: Callback) -> None:
        # A thread of its own, so that a plain function may run a loop of its own.
        returned = await asyncio.to_thread(handler, callback)
        if inspect.isawaitable(returned):
            await returned

    return call


def _run(work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run it on a loop that ends with it; in a thread of its own where this one's loop is running, as in tests."""

    async def main() -> Answer:
        return await work()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(copy_context().run, asyncio.run, main()).result()


def _response(answer: Answer) -> Response:
    response = Response(status=answer.status, headers=answer.headers)
    del response.headers["Content-Type"]
    return response
