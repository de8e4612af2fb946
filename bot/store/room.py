"""How much room the server has. New asks stop while there is some left, so that whoever stops or decides finds it."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from bot.errors import StoreFull
from bot.store.pipe import Pipe

ENOUGH: Final = 0.8
"""The share of `maxmemory` up to which asks are opened; the rest is for stops, answers, claims and outcomes."""

_LOOK_S: Final = 1.0
"""How long what was seen last is good enough."""


class Room:
    """Looks at the server's memory, at most once a second and only when somebody asks."""

    def __init__(self, pipe: Pipe) -> None:
        """Look through `pipe`."""
        self._pipe = pipe
        self._looked = -_LOOK_S
        self._used = 0.0

    async def check(self, alert: Callable[[str, str], Awaitable[None]]) -> None:
        """Is there room for something new? `alert` tells operators when there is not.

        Raises:
            StoreFull: No.
            StoreUnavailable: Redis did not answer.
        """
        if time.monotonic() - self._looked >= _LOOK_S:
            self._used = await self._look()
            self._looked = time.monotonic()
        if self._used < ENOUGH:
            return
        percent = f"{self._used:.0%}"
        text = f"Redis has used {percent} of its maxmemory; nothing new is opened above {ENOUGH:.0%}"
        await alert("store:full", f"{text}. Give it more (CONFIG SET maxmemory), or keep less (ANDON_RETENTION_DAYS)")
        msg = f"{text}. What is open can be answered, claimed and stopped. Ask again later"
        raise StoreFull(msg)

    async def _look(self) -> float:
        """The share of its memory that the server has used; 0 where it has no limit."""
        said: bytes = await self._pipe.call("INFO", "memory")
        lines = (line.partition(":") for line in said.decode().splitlines())
        found = {name: value for name, _, value in lines}
        limit = int(found.get("maxmemory", 0))
        return int(found.get("used_memory", 0)) / limit if limit else 0.0
