"""Tells an open page that a handoff or a brake changed; the page then fetches itself anew. No content travels here."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

from bot.ports import Change, Desk

_HEARTBEAT_S = 15
_LIFE_S = 300
"""A stream ends after this long and the browser comes back, so that an ended session ends its streams too."""


async def stream(request: web.Request, desk: Desk, headers: Mapping[str, str]) -> web.StreamResponse:
    """Send every change until the browser leaves, the service shuts down, or `_LIFE_S` is over."""
    response = web.StreamResponse(headers={**headers, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    # A browser that leaves is not an error.
    with contextlib.suppress(ConnectionError):
        async with desk.watch() as changes:
            await response.prepare(request)
            await response.write(b"retry: 1000\nevent: hello\ndata: {}\n\n")
            await _pass_on(response, changes)
    return response


async def _pass_on(response: web.StreamResponse, changes: AsyncIterator[Change]) -> None:
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + _LIFE_S
    upcoming = asyncio.ensure_future(_after(changes))
    try:
        while loop.time() < ends_at:
            done, _ = await asyncio.wait({upcoming}, timeout=_HEARTBEAT_S)
            if not done:
                await response.write(b": still here\n\n")
                continue
            change = upcoming.result()
            if change is None:
                return
            upcoming = asyncio.ensure_future(_after(changes))
            told = {"handoff": change.handoff, "run": change.run, "event": change.event, "revision": change.revision}
            await response.write(f"event: change\ndata: {json.dumps(told)}\n\n".encode())
    finally:
        upcoming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await upcoming


async def _after(changes: AsyncIterator[Change]) -> Change | None:
    return await anext(changes, None)
