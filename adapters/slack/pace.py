"""Who goes first where Slack lets so many calls through a minute: people who press and answer, and cards.

Lists, Home tabs and names are in no hurry. They do not go while half of a method's minute is used, so that no number
of them keeps a press from being checked. Each process counts its own calls; Slack's own word stands above all.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_MINUTE_S: Final = 60.0
_PATIENCE_S: Final = 5.0
_PER_MINUTE: Final = {
    "conversations.info": 50,
    "conversations.open": 50,
    "conversations.replies": 50,
    "usergroups.users.list": 20,
    "users.conversations": 50,
    "users.info": 100,
    "users.lookupByEmail": 50,
}
"""What presses and cards need too.

Source: Rate limits, https://docs.slack.dev/apis/web-api/rate-limits, read 2026-05; each method's page names its tier.
"""

_patience_s: ContextVar[float | None] = ContextVar("patience_s", default=None)


def patience_s() -> float | None:
    """How long the work at hand waits for others to go first; None when it is urgent."""
    return _patience_s.get()


@contextmanager
def background(*, patience_s: float = _PATIENCE_S) -> Iterator[None]:
    """What is done inside is in no hurry. It waits at most so long for each call, and then meets `TooMany`."""
    token = _patience_s.set(patience_s)
    try:
        yield
    finally:
        _patience_s.reset(token)


class Pace:
    """Counts the calls of the last minute, by workspace and method."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """Nothing was called yet."""
        self._clock = clock
        self._calls: dict[tuple[str, str], deque[float]] = {}

    def wait_s(self, team: str, method: str) -> float:
        """Zero, and the call is counted; or how long until one that is in no hurry may ask again."""
        if method not in _PER_MINUTE:
            return 0.0
        now = self._clock()
        calls = self._calls.setdefault((team, method), deque())
        while calls and calls[0] <= now - _MINUTE_S:
            calls.popleft()
        over = len(calls) - _PER_MINUTE[method] // 2
        if patience_s() is not None and over >= 0:
            return calls[over] + _MINUTE_S - now
        calls.append(now)
        return 0.0
