"""Teams' throttles: so many calls of a kind into one conversation within each window, and in a tenant altogether.

Source: Optimize your bot with rate limiting in Teams,
https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit, read 2026-11. It says nothing of updates;
here they have the figures of sends, counted on their own.
"""

import math
from collections import deque
from typing import Final

from tests.fakes.clock import Clock

_SENDS: Final = ((1, 7), (2, 8), (30, 60), (3600, 1800))
_READS: Final = ((1, 14), (2, 16), (30, 120), (3600, 3600))
WINDOWS: Final = {"send": _SENDS, "create": _SENDS, "update": _SENDS, "members": _READS, "conversations": _READS}
"""Seconds, and how many calls are let through in them, by the kind of call."""
_TENANT: Final = ((1, 30),)


class Throttles:
    """Remembers when each call came; a call that is refused is not counted."""

    def __init__(self, clock: Clock) -> None:
        self.on = True
        self._clock = clock
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def off(self) -> None:
        """Let everything through."""
        self.on = False

    def spend(self, kind: str, conversation: str, tenant: str) -> int:
        """Count a call: 0, or the seconds of the Retry-After that it is refused with."""
        if not self.on:
            return 0
        now = self._clock.now()
        own = self._calls.setdefault((kind, conversation), deque())
        together = self._calls.setdefault(("tenant", tenant), deque())
        wait = max(_wait(own, WINDOWS[kind], now), _wait(together, _TENANT, now))
        if wait > 0:
            return math.ceil(wait)
        own.append(now)
        together.append(now)
        return 0


def _wait(calls: deque[float], windows: tuple[tuple[int, int], ...], now: float) -> float:
    longest = windows[-1][0]
    while calls and calls[0] <= now - longest:
        calls.popleft()
    waits = [0.0]
    for seconds, most in windows:
        recent = [at for at in calls if at > now - seconds]
        if len(recent) >= most:
            waits.append(recent[-most] + seconds - now)
    return max(waits)
