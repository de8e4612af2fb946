"""Slack's rate limits: one message a second into a channel, and tiers of calls a minute for all else.

Source: Rate limits, https://docs.slack.dev/apis/web-api/rate-limits, read 2026-05. How much of a burst is let
through is not published; the numbers for it are ours.
"""

import math
from dataclasses import dataclass
from typing import Final

from tests.fakes.clock import Clock
from tests.fakes.slack.refusals import Refused

PER_MINUTE: Final = {"tier1": 1, "tier2": 20, "tier3": 50, "tier4": 100, "special": 600, "post": 60}
_GENEROUS_BURST: Final = 30


@dataclass
class _Bucket:
    left: float
    at: float


class Rates:
    """Token buckets, one for each method and team, or channel when a message is posted.

    Args:
        clock: Buckets fill by its time, so a test may advance it.
    """

    def __init__(self, clock: Clock) -> None:
        self.on = True
        self.scale = 1.0
        """Multiplies every rate: 10 lets ten times as much through."""
        self.burst = _GENEROUS_BURST
        """Messages that a channel takes at once, before one a second."""
        self._clock = clock
        self._buckets: dict[tuple[str, ...], _Bucket] = {}

    def off(self) -> None:
        """Let everything through."""
        self.on = False

    def strict(self) -> None:
        """No burst: one message a second and channel, to the letter."""
        self.on, self.burst = True, 1
        self._buckets.clear()

    def spend(self, tier: str, *key: str) -> None:
        """Count one call.

        Raises:
            Refused: `ratelimited`, with the seconds after which one more call is let through.
        """
        if not self.on:
            return
        per_s = PER_MINUTE[tier] * self.scale / 60
        size = max(1.0, float(self.burst if tier == "post" else PER_MINUTE[tier] * self.scale))
        now = self._clock.now()
        bucket = self._buckets.setdefault((tier, *key), _Bucket(size, now))
        bucket.left = min(size, bucket.left + (now - bucket.at) * per_s)
        bucket.at = now
        if bucket.left < 1:
            raise Refused("ratelimited", retry_after_s=max(1, math.ceil((1 - bucket.left) / per_s)))
        bucket.left -= 1
