"""What happens when time passes: expiries, and the sweep of what is past its retention.

Any number of processes may run it.
"""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from bot.errors import StoreUnavailable
from bot.flow import Flow
from bot.store import Store

log = logging.getLogger("andon.timers")

_TICK_S: Final = 0.5
_SWEEP: Final = timedelta(minutes=10)


class Timers:
    """Runs what is due. Correctness does not depend on it: an answer after the deadline is refused anyway."""

    def __init__(self, flow: Flow, store: Store) -> None:
        """Run `flow`'s expiries by the store's clock."""
        self._flow = flow
        self._store = store
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="timers")

    async def stop(self) -> None:
        """End."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        swept = datetime.min.replace(tzinfo=UTC)
        while True:
            try:
                if await self._flow.expire_due():
                    continue
                now = await self._store.now()
                if now - swept > _SWEEP:
                    await self._store.handoffs.sweep(now)
                    swept = now
                following = await self._store.handoffs.next_due()
                pause = (following - now).total_seconds() if following else _TICK_S
            except StoreUnavailable as error:
                log.warning("timers.waiting detail=%s", error)
                pause = _TICK_S
            await asyncio.sleep(min(_TICK_S, max(0.005, pause)))
