"""Signs of life of one run: given in the background as long as this process has it, never in the way of its work."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from andon import wire
from andon._brake import GOODBYE_S
from andon._errors import AndonError, NotFound
from andon._line import Line

__all__ = ["beating"]

rest = asyncio.sleep
MOST_ACTING = 1_000
"""Handoffs that one sign of life names."""

_log = logging.getLogger("andon")


@asynccontextmanager
async def beating(line: Line, run: wire.Run, *, at_once: bool = False) -> AsyncIterator[None]:
    """Give signs of life as long as the block runs, if the run promised them; then say that it is over.

    Args:
        line: The run's line to the service.
        run: As the service told it.
        at_once: Give the first one now; else the start of the run was one.
    """
    if run.heartbeat_s is None:
        yield
        return
    beats = asyncio.create_task(_beat(line, run.id, run.heartbeat_s, at_once=at_once), name=f"andon-heartbeat {run.id}")
    try:
        yield
    finally:
        beats.cancel()
        await asyncio.gather(beats, return_exceptions=True)
        with contextlib.suppress(TimeoutError, AndonError):
            async with asyncio.timeout(GOODBYE_S):
                await line.api.heartbeat(run.id, _sign(line, last=True))


async def _beat(line: Line, run_id: str, every_s: float, *, at_once: bool) -> None:
    """Give one after another, through any outage of the service."""
    if not at_once:
        await rest(every_s)
    while True:
        try:
            async with asyncio.timeout(every_s):  # its retries slow down; each sign of life begins with quick ones
                receipt = await line.api.heartbeat(run_id, _sign(line))
        except TimeoutError:
            continue
        except NotFound as error:
            _log.warning("run.heartless id=%s detail=%s", run_id, error)
            return
        except AndonError as error:
            _log.warning("run.unheard id=%s cause=%s", run_id, type(error).__name__)
        else:
            if receipt.was_lost_since is not None:
                _log.warning("run.was_lost id=%s since=%s", run_id, receipt.was_lost_since.isoformat())
        await rest(every_s)


def _sign(line: Line, *, last: bool = False) -> wire.Heartbeat:
    return wire.Heartbeat(last=last, acting=tuple(sorted(line.acting))[:MOST_ACTING])
