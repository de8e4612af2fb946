"""Opening an ask and waiting for it, so that one ask is asked once and an abandoned one is taken back."""

import asyncio
import contextlib
import logging
import math
from datetime import timedelta
from uuid import uuid4

from andon import wire
from andon._decisions import Decision
from andon._errors import AndonError
from andon._handoff import Handoff, Line

__all__ = ["GOODBYE_S", "Timeout", "ask", "attend", "open_ask", "seconds"]

Timeout = timedelta | float | None
"""How long to wait for a person: a timedelta, seconds, or None for the policy's default."""

GOODBYE_S = 2.0
"""How long who is cancelled goes on to tell the service."""

_log = logging.getLogger("andon")


def seconds(timeout: Timeout) -> int | None:
    """Return whole seconds, rounded up: nobody gets less time than was said."""
    if timeout is None:
        return None
    return math.ceil(timeout.total_seconds() if isinstance(timeout, timedelta) else timeout)


async def open_ask(line: Line, ask: wire.Ask, idempotency_key: str | None = None) -> Handoff:
    """Open an ask; does not wait."""
    return Handoff(line, await line.api.open(ask, idempotency_key=idempotency_key or uuid4().hex))


async def ask(line: Line, asked: wire.Ask, idempotency_key: str | None = None) -> tuple[Handoff, Decision]:
    """Open an ask and wait for its decision.

    A caller that is cancelled while it waits takes the ask back, so that nobody answers a question that no one is
    asking any more; unless it named its own idempotency key, with which it can come back for the answer.
    """
    opening = asyncio.create_task(open_ask(line, asked, idempotency_key), name="andon-open")
    try:
        handoff = await asyncio.shield(opening)
        return handoff, await handoff.wait()
    except asyncio.CancelledError:
        if idempotency_key is None:
            await _take_back(opening)
        raise
    finally:
        if not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)


async def attend(handoff: Handoff) -> Decision:
    """Wait for the decision; a caller that is cancelled meanwhile takes the ask back."""
    try:
        return await handoff.wait()
    except asyncio.CancelledError:
        done: asyncio.Future[Handoff] = asyncio.get_running_loop().create_future()
        done.set_result(handoff)
        await _take_back(done)
        raise


async def _take_back(opening: asyncio.Future[Handoff]) -> None:
    """Withdraw what is or will be open, within two seconds; a service that is away will let it expire."""
    with contextlib.suppress(TimeoutError, AndonError):
        async with asyncio.timeout(GOODBYE_S):
            handoff = await opening
            if handoff.decision is None:
                await handoff.withdraw("The agent stopped waiting.")
                _log.info("handoff.withdrawn id=%s", handoff.id)
