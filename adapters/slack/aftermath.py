"""What follows when a card was shown: nobody waits for it, and what fails here fails for no card.

It is kept in memory only. What a process that dies had still to do is lost; the card itself tells the same.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from adapters.slack.pace import background
from bot.errors import BotError
from bot.handoff import Handoff

log = logging.getLogger("andon.slack")

_AT_ONCE: Final = 8
_RESTS_S: Final = (1.0, 5.0, 30.0)
_STOP_S: Final = 2.0

Step = Callable[[Handoff], Awaitable[None]]
"""Something that follows; the same handoff again is safe."""


class Aftermath:
    """Takes every step for each handoff, as it stood last."""

    def __init__(self, *steps: Step) -> None:
        """The steps are independent: each is taken whatever became of the others."""
        self._steps = steps
        self._latest: dict[str, Handoff] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)

    def begin(self, handoff: Handoff) -> None:
        """Take the steps soon; it returns at once, and never raises."""
        self._latest[handoff.id] = handoff
        if handoff.id not in self._tasks:
            self._tasks[handoff.id] = asyncio.create_task(self._follow(handoff.id), name="slack aftermath")

    async def close(self) -> None:
        """Finish what takes a moment, and leave the rest."""
        tasks = set(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=_STOP_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _follow(self, id: str) -> None:
        try:
            with background():
                while handoff := self._latest.pop(id, None):
                    for step in self._steps:
                        await self._take(step, handoff)
        finally:
            self._tasks.pop(id, None)

    async def _take(self, step: Step, handoff: Handoff) -> None:
        for rest_s in (*_RESTS_S, 0.0):
            try:
                async with self._gate:
                    return await step(handoff)
            except BotError as error:
                log.warning("slack.aftermath_waits id=%s detail=%s", handoff.id, error)
            except Exception as error:
                log.exception("slack.aftermath_failed id=%s error=%s", handoff.id, type(error).__name__)
                return None
            await asyncio.sleep(rest_s)
        return None
