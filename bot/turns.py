"""Turns to post, which every process keeps: a short wait is slept, a long one is told, and the turn stays."""

import math
import time
from asyncio import sleep
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from bot.errors import TooMany
from bot.ports import Shelf

_LONGEST: Final = timedelta(hours=1)
_SHORT_S: Final = 1.0
"""A wait that is slept; a longer one is told to whoever asks, who comes again."""
_LATE_S: Final = 30.0
"""How long a turn is kept for whoever does not come for it."""


class Turns:
    """The queues of one surface."""

    def __init__(self, shelf: Shelf, *, clock: Callable[[], float] = time.time) -> None:
        """Keep them on `shelf`, where every process finds them."""
        self._shelf = shelf
        self._clock = clock

    async def take(
        self, queue: str, ticket: str, *, every: timedelta, burst: int, where: str, rested_until: float = 0.0
    ) -> None:
        """Wait for a turn in a queue, in the order of asking.

        Args:
            queue: Turns in it come one `every` so often, after the first `burst`.
            ticket: Which message this is: the same one again finds its turn.
            every: As above.
            burst: As above.
            where: What the queue is for, in a sentence.
            rested_until: When the platform's own rest is over, in Unix seconds: turns before it do not count.

        Raises:
            TooMany: More than a second of others go first. The turn is kept for the same ticket, so a long queue
                blocks nobody, and who comes later gets a later turn.
        """
        ticket = f"turn:{ticket}"
        kept = await self._shelf.take(ticket)
        due = float(kept) if kept else 0.0
        if due <= rested_until:  # none, or one that the rest has swallowed: those would come all at once
            taken, wait = await self._shelf.turn(queue, every=every, burst=burst, longest=_LONGEST)
            if not taken:
                most = _LONGEST / every
                detail = f"more than {most:.0f} messages wait for {where}"
                raise TooMany(detail, retry_after_s=math.ceil((wait - _LONGEST).total_seconds()) or 1)
            due = self._clock() + wait.total_seconds()
        left_s = due - self._clock()
        if left_s > _SHORT_S:
            await self._shelf.save(ticket, str(due), timedelta(seconds=left_s + _LATE_S))
            raise TooMany(f"{left_s:.0f} s of messages wait for {where}", retry_after_s=math.ceil(left_s))
        if left_s > 0:
            await sleep(left_s)
