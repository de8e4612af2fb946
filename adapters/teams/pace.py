"""How fast Teams lets a bot write into one conversation. Every process takes its turns from the same queues.

Teams counts 7 messages in a second, 8 in two, 60 in half a minute and 1800 in an hour, for each bot and conversation.
Two queues keep to all four: six at once and then one a second are 7, 8 and 36 in the short windows; nine hundred at
once and then one every four seconds are 1800 in an hour.

Source: Optimize your bot with rate limiting in Teams,
https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit, read 2026-11.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from bot.errors import TooMany
from bot.ports import Shelf
from bot.turns import Turns

_QUEUES: Final = ((timedelta(seconds=1), 6), (timedelta(seconds=4), 900))
_REMEMBERED_S: Final = 30.0


class Pace:
    """Turns to write, and the rests that Teams has asked for."""

    def __init__(self, shelf: Shelf, *, clock: Callable[[], float] = time.time) -> None:
        """Keep turns on `shelf`."""
        self._turns = Turns(shelf, clock=clock)
        self._clock = clock
        self._rests: dict[tuple[str, str], float] = {}

    async def take(self, kind: str, conversation: str, activity: Mapping[str, Any], *, where: str) -> None:
        """Wait for a turn; the same activity again finds the turn that was kept for it.

        Raises:
            TooMany: Others go first, or Teams wants its rest.
        """
        rest = self._rests.get((kind, conversation), 0.0)
        left_s = rest - self._clock()
        if left_s > 0:
            raise TooMany(f"Teams wants {left_s:.0f} s more rest before {where}", retry_after_s=math.ceil(left_s))
        ticket = _ticket(kind, conversation, activity)
        for number, (every, burst) in enumerate(_QUEUES):
            await self._turns.take(
                f"{kind}:{number}:{conversation}",
                f"{number}:{ticket}",
                every=every,
                burst=burst,
                where=where,
                rested_until=rest,
            )

    def rest(self, kind: str, conversation: str, seconds: float) -> None:
        """Teams wants to be let be for so long."""
        now = self._clock()
        self._rests = {each: until for each, until in self._rests.items() if until > now - _REMEMBERED_S}
        self._rests[kind, conversation] = now + seconds


def _ticket(kind: str, conversation: str, activity: Mapping[str, Any]) -> str:
    """Which message this is: by the mark that says so, else by all of it."""
    data = activity.get("channelData")
    mark = data.get("andon") if isinstance(data, Mapping) else None
    told = json.dumps([kind, conversation, mark or activity], sort_keys=True, default=str)
    return sha256(told.encode()).hexdigest()
