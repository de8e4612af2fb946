"""Which handoffs are a run's: an index that each run has, written in the step that opens one."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bot.store.keys import Keys
from bot.store.pipe import Pipe

INDEXED: Final = b"2"
"""The form of a run whose asks, and whose child runs, are in an index. One of before has neither."""

MOST_RUNS: Final = 1_000
"""Of more child runs than that the index keeps the newest, and a brake looks at all that is open in place of it."""

_AT_ONCE: Final = 500
_LATELY: Final = 1_000
"""So many of the latest are found besides those that are open: of the run's own, or of all for a run of before."""


class RunAsks:
    """The indexes of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys

    async def of(self, run_id: str) -> list[str]:
        """Ids of a run's handoffs: all that are open or may be acted on, then those that ended lately, newest first."""
        if not await self._are_indexed([run_id]):
            return await self._looked_for(run_id)
        acted_on, latest = await asyncio.gather(
            self._acted_on([run_id]), self._pipe.call("ZRANGE", self._keys.run_asks(run_id), 0, _LATELY - 1, "REV")
        )
        return list(dict.fromkeys([*acted_on, *(each.decode() for each in latest)]))

    async def acted_on(self, run_id: str) -> list[str] | None:
        """Ids of what is open or may be acted on in a run and in all that come from it; None: no index tells."""
        runs, found = [run_id], [run_id]
        while runs:
            if not await self._are_indexed(runs):
                return None
            children = await asyncio.gather(
                *(self._pipe.call("ZRANGE", self._keys.run_children(run), 0, -1) for run in runs)
            )
            runs = [child.decode() for some in children for child in some]
            found += runs
            if len(found) > MOST_RUNS:
                return None
        return await self._acted_on(found)

    async def _acted_on(self, runs: Sequence[str]) -> list[str]:
        asked = [
            self._pipe.call("ZINTER", 2, self._keys.run_asks(run), among)
            for run in runs
            for among in (self._keys.due, self._keys.acting)
        ]
        return list(dict.fromkeys(each.decode() for some in await asyncio.gather(*asked) for each in some))

    async def _are_indexed(self, runs: Sequence[str]) -> bool:
        forms = await asyncio.gather(*(self._pipe.call("HGET", self._keys.run(run), "v") for run in runs))
        return all(form == INDEXED for form in forms)

    async def _looked_for(self, run_id: str) -> list[str]:
        """Those of a run of before: whatever is open, and the latest of all, one by one."""
        keys = self._keys
        due, acting, latest = await asyncio.gather(
            self._pipe.call("ZRANGE", keys.due, 0, -1),
            self._pipe.call("ZRANGE", keys.acting, 0, -1),
            self._pipe.call("ZRANGE", keys.index, 0, _LATELY - 1, "REV"),
        )
        ids = [each.decode() for each in dict.fromkeys([*due, *acting, *latest])]
        found: list[str] = []
        for first in range(0, len(ids), _AT_ONCE):
            some = ids[first : first + _AT_ONCE]
            runs = await asyncio.gather(*(self._pipe.call("HGET", keys.handoff(each), "run") for each in some))
            found += [each for each, run in zip(some, runs, strict=True) if run == run_id.encode()]
        return found
