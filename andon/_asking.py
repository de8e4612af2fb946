"""Opening an ask and waiting for it, so that one ask is asked once and an abandoned one is taken back."""

import asyncio
import contextlib
import hashlib
import math
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple
from uuid import uuid4

from andon import wire
from andon._brake import GOODBYE_S
from andon._decisions import Decision
from andon._errors import AndonError, Steered, Stopped
from andon._handoff import Handoff
from andon._line import Line
from andon._permit import Permit

__all__ = ["Asked", "Timeout", "ask", "open_ask", "seconds"]

Timeout = timedelta | float | None
"""How long to wait for a person: a timedelta, seconds, or None for the policy's default."""


class Asked(NamedTuple):
    """What came of an ask; the permit, if it was claimed as well."""

    handoff: Handoff
    decision: Decision
    permit: Permit | None


def seconds(timeout: Timeout) -> int | None:
    """Return whole seconds, rounded up: nobody gets less time than was said."""
    if timeout is None:
        return None
    return math.ceil(timeout.total_seconds() if isinstance(timeout, timedelta) else timeout)


async def open_ask(line: Line, ask: wire.Ask, idempotency_key: str | None = None) -> Handoff:
    """Open an ask, once no pause is on; does not wait for its decision."""
    key = idempotency_key or uuid4().hex
    return await line.brake.when_off(lambda: _open(line, ask, key))


async def ask(
    line: Line, asked: wire.Ask, idempotency_key: str | None = None, *, claims: Callable[[Decision], bool] | None = None
) -> Asked:
    """Open an ask and wait for its decision; claim one that `claims` wants.

    A caller that is cancelled while it waits takes the ask back, so that nobody answers a question that no one is
    asking any more; unless it named its own idempotency key, with which it can come back for the answer. A stop takes
    nothing back: to ask the very same again in this run is to come back to the same ask, and to the answer it has.
    """
    key = idempotency_key or line.take_up(asked) or uuid4().hex
    opening: asyncio.Task[Handoff] | None = None

    async def opened() -> Handoff:
        nonlocal opening
        opening = asyncio.create_task(_open(line, asked, key), name="andon-open")
        return await asyncio.shield(opening)

    try:
        handoff = await line.brake.when_off(opened)
        decision = await handoff.decided()
        # Named after the ask, so that asking again with the same key gets the same permit.
        claimant = hashlib.sha256(key.encode()).hexdigest()
        permit = await handoff.claim(claimant=claimant) if claims and claims(decision) else None
        return Asked(handoff, decision, permit)
    except (asyncio.CancelledError, Stopped, Steered) as end:
        if idempotency_key is None:
            if line.brake.ends(end):
                line.leave(asked, key)
            elif opening is not None:
                await _take_back(opening)
        if isinstance(end, Steered):
            await line.brake.acknowledge(end)
        raise
    finally:
        if opening is not None and not opening.done():
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)


async def _open(line: Line, ask: wire.Ask, key: str) -> Handoff:
    return Handoff(line, await line.api.open(ask, idempotency_key=key))


async def _take_back(opening: asyncio.Future[Handoff]) -> None:
    """Withdraw what is or will be open, within two seconds."""
    with contextlib.suppress(TimeoutError, AndonError):
        async with asyncio.timeout(GOODBYE_S):
            handoff = await opening
            await handoff.take_back()
