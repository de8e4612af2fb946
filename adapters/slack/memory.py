"""What Slack was asked lately, kept for a little while; many who want the same ask once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST: Final = 10_000


class Memory(Generic[K, V]):
    """Answers by key; a failure is told to all who wait for it, and never kept."""

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        *,
        life_s: float,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep at most `most` answers of `ask`, each for `life_s` from when it was asked for."""
        self._ask = ask
        self._life_s = life_s
        self._most = most
        self._clock = clock
        self._kept: dict[K, tuple[float, V]] = {}
        self._asking: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """What is kept, or what is answered now; raises what asking raises."""
        kept = self._kept.get(key)
        if kept and self._clock() - kept[0] < self._life_s:
            return kept[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._answer(key), name=f"slack, asking for {key}")
            asking.add_done_callback(_heard)
        return await asyncio.shield(asking)  # who gives up must not take the answer from the others

    def known(self, key: K) -> V | None:
        """What is kept; nobody is asked."""
        kept = self._kept.get(key)
        return kept[1] if kept and self._clock() - kept[0] < self._life_s else None

    def keep(self, key: K, answer: V) -> None:
        """Keep what was learnt in another way."""
        self._asking.pop(key, None)
        self._put(key, self._clock(), answer)

    def forget(self, matches: Callable[[K], bool]) -> None:
        """Ask anew for these; an answer that is on its way counts as old."""
        for key in [key for key in self._kept if matches(key)]:
            del self._kept[key]
        for key in [key for key in self._asking if matches(key)]:
            del self._asking[key]

    async def _answer(self, key: K) -> V:
        begun, this = self._clock(), asyncio.current_task()
        try:
            answer = await self._ask(key)
            if self._asking.get(key) is this:
                self._put(key, begun, answer)
            return answer
        finally:
            if self._asking.get(key) is this:
                del self._asking[key]

    def _put(self, key: K, begun: float, answer: V) -> None:
        if len(self._kept) >= self._most:
            young = {k: kept for k, kept in self._kept.items() if begun - kept[0] < self._life_s}
            self._kept = young if len(young) < self._most else {}
        self._kept[key] = (begun, answer)


def _heard(task: "asyncio.Task[V]") -> None:
    """Whoever waited was told of a failure; with nobody left, nobody needs to know."""
    if not task.cancelled():
        task.exception()
