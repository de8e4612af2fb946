"""When a callback is tried again: pure. Ten tries within 18 hours, and no sooner than the receiver wants."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_PAUSES_S: Final = (1, 5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000)
_AFTER: Final = (timedelta(seconds=1), timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Schedule:
    """How patient callbacks are. The first try is at once; tests make the pauses short."""

    pauses: tuple[timedelta, ...] = tuple(timedelta(seconds=each) for each in _PAUSES_S)
    jitter: float = 0.2
    """Each pause is up to this part shorter or longer."""
    lease: timedelta = timedelta(seconds=6)
    """After which silence of a process the callback that it was sending is another's."""
    taken_over: timedelta = timedelta(seconds=5)
    """After which silence of a process the events that it was reading are another's."""
    idle: timedelta = timedelta(seconds=1)
    """How often a process looks for what others have left."""
    failing: timedelta = timedelta(days=5)
    """After so long of nothing but failures an endpoint is disabled."""
    failing_tries: int = 5
    """And only by a callback that was tried so often: what works again a moment later is left alone."""

    @property
    def tries(self) -> int:
        """How often one is tried."""
        return len(self.pauses) + 1

    def pause(self, tries: int, after: timedelta | None, draw: Callable[[], float]) -> timedelta | None:
        """How long to wait after so many tries; None: it is given up.

        Args:
            tries: So many were made.
            after: What the receiver wants to be left alone for, if it said so.
            draw: Draws a number from 0 up to 1.
        """
        if tries >= self.tries:
            return None
        pause = self.pauses[tries - 1] * (1 - self.jitter + 2 * self.jitter * draw())
        return pause if after is None else max(pause, after)


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """What `Retry-After` says, in seconds or as a date: at least a second, at most an hour; None: nothing of use."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        wanted = timedelta(seconds=min(int(text[:10]), 86_400))
    else:
        try:
            wanted = parsedate_to_datetime(text) - now
        except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
            return None
    shortest, longest = _AFTER
    return min(max(wanted, shortest), longest)
