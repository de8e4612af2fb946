"""All shards of a store: which one a record is in, and how several are asked at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from bot.errors import StoreUnavailable
from bot.store.marks import shard_in
from bot.store.shard import Shard

_T = TypeVar("_T")
Find = Callable[[str], Awaitable[int | None]]


class Shards:
    """All of them; the first is home."""

    def __init__(self, shards: Sequence[Shard], find: Find) -> None:
        """`find` tells an agent's shard."""
        self.all = tuple(shards)
        self._find = find

    def of(self, record_id: str) -> Shard:
        """The one that an id names; an id of no shard of ours is looked for at home, and is not there."""
        shard = shard_in(record_id)
        return self.all[shard if shard < len(self.all) else 0]

    async def of_agent(self, agent: str) -> Shard:
        """The one that an agent's runs are in; home, where nothing of it is, before it has one."""
        return self.all[await self._find(agent) or 0]

    async def each(self, ask: Callable[[Shard], Awaitable[_T]]) -> list[_T]:
        """What each of them says. Raises what any of them does."""
        return await asyncio.gather(*(ask(shard) for shard in self.all))

    async def answering(self, ask: Callable[[Shard], Awaitable[_T]]) -> list[_T]:
        """What each says of those that can be asked now: timers of one shard do not wait for another.

        Raises:
            StoreUnavailable: None can.
        """
        said = await asyncio.gather(*(ask(shard) for shard in self.all), return_exceptions=True)
        found, broken = list[_T](), list[BaseException]()
        for each in said:
            if isinstance(each, BaseException):
                broken.append(each)
            else:
                found.append(each)
        if broken and (not found or not all(isinstance(each, StoreUnavailable) for each in broken)):
            raise broken[0]
        return found


def chained(lists: Iterable[Iterable[_T]]) -> list[_T]:
    """What all of the lists have, one after the other."""
    return [each for some in lists for each in some]


def first(times: Iterable[datetime | None]) -> datetime | None:
    """The earliest, if there is one."""
    return min((each for each in times if each), default=None)
