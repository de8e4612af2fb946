"""Which callbacks were handled already. A delivery is repeated until it was answered, so each may come again."""

import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, Literal, Protocol

__all__ = ["Seen", "SeenInMemory", "SeenInRedis", "once"]

LIFE: Final = timedelta(hours=24)
"""Longer than the longest pause between two tries."""

CLAIM: Final = timedelta(minutes=2)
"""How long a handler that never came back keeps the next try away. The service waits 15 s for an answer."""


class Seen(Protocol):
    """Remembers ids for a while, for all processes that take the same callbacks."""

    async def first(self, id: str, life: timedelta) -> bool:
        """Remember it for so long, and say whether it was new: of any number at once, one is told yes."""
        ...

    async def known(self, id: str) -> bool:
        """Is it remembered?"""
        ...

    async def forget(self, id: str) -> None:
        """Remember it no longer."""
        ...


class SeenInMemory:
    """For one process only, and until it ends: the next process handles a repeat anew.

    Past `limit` ids the oldest is forgotten.
    """

    def __init__(self, *, limit: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    async def first(self, id: str, life: timedelta) -> bool:
        """As `Seen`."""
        with self._lock:
            now = self._clock()
            if self._until.get(id, now) > now:
                return False
            self._until.pop(id, None)
            if len(self._until) >= self._limit:
                self._until = {each: until for each, until in self._until.items() if until > now}
            if len(self._until) >= self._limit:
                del self._until[next(iter(self._until))]
            self._until[id] = now + life.total_seconds()
            return True

    async def known(self, id: str) -> bool:
        """As `Seen`."""
        now = self._clock()
        return self._until.get(id, now) > now

    async def forget(self, id: str) -> None:
        """As `Seen`."""
        with self._lock:
            self._until.pop(id, None)


class RedisClient(Protocol):
    """`redis.asyncio.Redis`; or `redis.Redis`, whose calls wait, for threads as Flask has them."""

    def set(self, name: str, value: str, *, nx: bool, px: int) -> Any:
        """SET."""
        ...

    def exists(self, *names: str) -> Any:
        """EXISTS."""
        ...

    def delete(self, *names: str) -> Any:
        """DEL."""
        ...


class SeenInRedis:
    """For any number of processes, in a Redis of yours.

    Args:
        client: Of the package `redis`.
        prefix: Before each id, in the name of its key.
    """

    def __init__(self, client: RedisClient, *, prefix: str = "andon:callback:") -> None:
        self._client = client
        self._prefix = prefix

    async def first(self, id: str, life: timedelta) -> bool:
        """As `Seen`."""
        px = int(life / timedelta(milliseconds=1))
        return bool(await _reply(self._client.set(self._prefix + id, "1", nx=True, px=px)))

    async def known(self, id: str) -> bool:
        """As `Seen`."""
        return bool(await _reply(self._client.exists(self._prefix + id)))

    async def forget(self, id: str) -> None:
        """As `Seen`."""
        await _reply(self._client.delete(self._prefix + id))


async def _reply(reply: Any) -> Any:
    return await reply if inspect.isawaitable(reply) else reply


async def once(
    seen: Seen, id: str, act: Callable[[], Awaitable[None]], *, clock: Callable[[], float] = time.monotonic
) -> Literal["done", "duplicate", "busy"]:
    """Run `act` unless it was run for this id before; it counts only if it did not raise.

    Returns:
        `busy` while another is at it: whether it is done is not known yet.
    """
    claim = f"{id}.claim"  # ids have no full stop
    if not await seen.first(claim, CLAIM):
        return "duplicate" if await seen.known(id) else "busy"
    until = clock() + CLAIM.total_seconds()
    try:
        if await seen.known(id):
            return "duplicate"
        await act()
        await seen.first(id, LIFE)
    finally:
        if clock() < until:  # else it has ended, and may be another's by now
            await seen.forget(claim)
    return "done"
