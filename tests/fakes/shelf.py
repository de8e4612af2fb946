"""An adapter's shelf in memory, with the time that a test gives it."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from bot.errors import StoreUnavailable


class MemoryShelf:
    """The `Shelf` port. Every process of a test that holds the same one shares it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.is_down = False
        self.lasts: dict[str, str] = {}
        self._kept: dict[str, tuple[str, float]] = {}
        self._due: dict[str, float] = {}

    async def once(self, what: str, life: timedelta) -> bool:
        self._up()
        if self._alive(f"once:{what}") is not None:
            return False
        self._kept[f"once:{what}"] = ("1", self.clock() + life.total_seconds())
        return True

    async def forget(self, what: str) -> None:
        self._up()
        self._kept.pop(f"once:{what}", None)

    async def load(self, name: str) -> str | None:
        self._up()
        return self._alive(name)

    async def save(self, name: str, value: str, life: timedelta) -> None:
        self._up()
        self._kept[name] = (value, self.clock() + life.total_seconds())

    async def take(self, name: str) -> str | None:
        self._up()
        value = self._alive(name)
        self._kept.pop(name, None)
        return value

    async def load_lasting(self, name: str) -> str | None:
        self._up()
        return self.lasts.get(name)

    async def save_lasting(self, name: str, value: str) -> None:
        self._up()
        self.lasts[name] = value

    async def drop_lasting(self, name: str) -> None:
        self._up()
        self.lasts.pop(name, None)

    async def lasting(self) -> Sequence[str]:
        self._up()
        return sorted(self.lasts)

    async def turn(
        self, queue: str, *, every: timedelta, burst: int = 1, longest: timedelta = timedelta(days=1)
    ) -> tuple[bool, timedelta]:
        """As the store's script `turn` does it."""
        self._up()
        now, step = self.clock(), every.total_seconds()
        due = max(self._due.get(queue, 0.0), now)
        wait = timedelta(seconds=max(0.0, due - now - step * (burst - 1)))
        if wait > longest:
            return False, wait
        self._due[queue] = due + step
        return True, wait

    def _alive(self, name: str) -> str | None:
        value, until = self._kept.get(name, ("", 0.0))
        return value if self.clock() < until else None

    def _up(self) -> None:
        if self.is_down:
            raise StoreUnavailable("not confirmed")
