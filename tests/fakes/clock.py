"""The time as the fake sees it: a test may put it forward instead of waiting."""

import time


class Clock:
    """Wall time, and what a test has added to it."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        """Let time pass: tokens and addresses grow old, rate limits recover."""
        self._ahead_s += seconds
