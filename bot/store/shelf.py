"""What adapters keep between presses and processes: little things, sealed by whoever calls."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import reply

_TURN = load_script("turn")


def _ms(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))


class ShelfRecords:
    """The shelves of one namespace, one for each surface."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys

    async def once(self, surface: str, what: str, life: timedelta) -> bool:
        """True for the first who comes with this within `life`."""
        ours = secrets.token_bytes(16)  # a batch whose reply was lost is sent again, and must meet itself as the first
        key = self._keys.shelved(surface, what)
        return await self._pipe.call("SET", key, ours, "NX", "GET", "PX", _ms(life)) in {None, ours}

    async def forget(self, surface: str, what: str) -> None:
        """Who comes next is the first again."""
        await self._pipe.call("DEL", self._keys.shelved(surface, what))

    async def load(self, surface: str, name: str) -> bytes | None:
        """Read what is kept for a while."""
        found: bytes | None = await self._pipe.call("GET", self._keys.shelved(surface, name))
        return found

    async def save(self, surface: str, name: str, value: bytes, life: timedelta) -> None:
        """Keep it for a while."""
        await self._pipe.call("SET", self._keys.shelved(surface, name), value, "PX", _ms(life))

    async def take(self, surface: str, name: str) -> bytes | None:
        """Read and forget in one step: only one caller gets it."""
        found: bytes | None = await self._pipe.call("GETDEL", self._keys.shelved(surface, name))
        return found

    async def load_lasting(self, surface: str, name: str) -> bytes | None:
        """Read what is kept for good."""
        found: bytes | None = await self._pipe.call("HGET", self._keys.shelf(surface), name)
        return found

    async def save_lasting(self, surface: str, name: str, value: bytes) -> None:
        """Keep it for good."""
        await self._pipe.call("HSET", self._keys.shelf(surface), name, value)

    async def drop_lasting(self, surface: str, name: str) -> None:
        """Forget it."""
        await self._pipe.call("HDEL", self._keys.shelf(surface), name)

    async def lasting(self, surface: str) -> Sequence[str]:
        """The names of all that is kept for good, sorted."""
        return sorted(name.decode() for name in await self._pipe.call("HKEYS", self._keys.shelf(surface)))

    async def turn(
        self, surface: str, queue: str, *, every: timedelta, burst: int, longest: timedelta
    ) -> tuple[bool, timedelta]:
        """Take a turn in a queue; returns whether it was taken, and how long to wait for it."""
        raw = await self._pipe.run(_TURN, (self._keys.turn(surface, queue),), _ms(every), burst, _ms(longest))
        word, wait = reply(raw)
        return word == "turn", timedelta(milliseconds=int(wait))
