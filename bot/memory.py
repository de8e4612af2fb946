"""What a platform was asked lately, kept for a little while; many who want the same ask once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST: Final = 10_000
_NO_S: Final = 15.0
"""How long a no is believed: whoever was just invited, or named wrongly, does not wait for long."""


@dataclass(frozen=True, slots=True)
class _Asking(Generic[V]):
    task: "asyncio.Task[V]"
    is_urgent: bool


class Memory(Generic[K, V]):
    """Answers by key; a failure is told to all who wait for it, and not kept, unless it is the platform's own no."""

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        *,
        life_s: float,
        most: int = MOST,
        is_no: Callable[[Exception], bool] = lambda _: False,
        is_urgent: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep at most `most` answers of `ask`, each for `life_s` from when it was asked for; a no for a moment.

        Who is urgent does not wait for what was asked by somebody who is not.
        """
        self._ask = ask
        self._life_s = life_s
        self._most = most
        self._is_no = is_no
        self._is_urgent = is_urgent
        self._clock = clock
        self._kept: dict[K, tuple[float, V]] = {}
        self._noes: dict[K, tuple[float, Exception]] = {}
        self._asking: dict[K, _Asking[V]] = {}

    async def get(self, key: K) -> V:
        """What is kept, or what is answered now; raises what asking raises."""
        kept = self._kept.get(key)
        if kept and self._clock() - kept[0] < self._life_s:
            return kept[1]
        no = self._noes.get(key)
        if no and self._clock() - no[0] < _NO_S:
            raise no[1].with_traceback(None)
        is_urgent, asking = self._is_urgent(), self._asking.get(key)
        if asking is None or (is_urgent and not asking.is_urgent):  # who is in no hurry may take long
            task = asyncio.create_task(self._answer(key), name=f"asking for {key}")
            task.add_done_callback(_heard)
            asking = self._asking[key] = _Asking(task, is_urgent)
        return await asyncio.shield(asking.task)  # who gives up must not take the answer from the others

    def known(self, key: K) -> V | None:
        """What is kept; nobody is asked."""
        kept = self._kept.get(key)
        return kept[1] if kept and self._clock() - kept[0] < self._life_s else None

    def keep(self, key: K, answer: V) -> None:
        """Keep what was learnt in another way."""
        self._asking.pop(key, None)
        self._noes.pop(key, None)
        self._put(key, self._clock(), answer)

    def forget(self, matches: Callable[[K], bool]) -> None:
        """Ask anew for these; an answer that is on its way counts as old."""
        for key in [key for key in self._kept if matches(key)]:
            del self._kept[key]
        for key in [key for key in self._noes if matches(key)]:
            del self._noes[key]
        for key in [key for key in self._asking if matches(key)]:
            del self._asking[key]

    async def _answer(self, key: K) -> V:
        begun, this = self._clock(), asyncio.current_task()
        try:
            answer = await self._ask(key)
        except Exception as error:
            if self._is_asked_by(this, key) and self._is_no(error):
                self._refuse(key, begun, error)
            raise
        else:
            if self._is_asked_by(this, key):
                self._put(key, begun, answer)
            return answer
        finally:
            if self._is_asked_by(this, key):
                del self._asking[key]

    def _is_asked_by(self, task: "asyncio.Task[V] | None", key: K) -> bool:
        asking = self._asking.get(key)
        return asking is not None and asking.task is task

    def _refuse(self, key: K, begun: float, error: Exception) -> None:
        if len(self._noes) >= self._most:
            young = {k: no for k, no in self._noes.items() if begun - no[0] < _NO_S}
            self._noes = young if len(young) < self._most else {}
        self._noes[key] = (begun, error)

    def _put(self, key: K, begun: float, answer: V) -> None:
        if len(self._kept) >= self._most:
            young = {k: kept for k, kept in self._kept.items() if begun - kept[0] < self._life_s}
            self._kept = young if len(young) < self._most else {}
        self._kept[key] = (begun, answer)


def _heard(task: "asyncio.Task[V]") -> None:
    """Whoever waited was told of a failure; with nobody left, nobody needs to know."""
    if not task.cancelled():
        task.exception()
