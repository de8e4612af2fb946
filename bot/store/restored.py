"""What a store that came back from a backup must not do: give leave for what may have been done since."""

from collections.abc import AsyncIterator
from typing import Final

from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import reply

_OUTDATE: Final = load_script("outdate")
_PAGE: Final = 500


class Restored:
    """Looks after one namespace, once, after it was restored and before anybody uses it."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys

    async def outdate(self) -> int:
        """Let no approval be claimed that nobody had claimed when the backup was made; returns how many there are.

        Raises:
            StoreUnavailable: Some are done; the same call again is safe.
        """
        done = 0
        async for handoff_id in self._unreported():
            keys = (self._keys.handoff(handoff_id),)
            done += reply(await self._pipe.run(_OUTDATE, keys))[0] == "outdated"
        return done

    async def _unreported(self) -> AsyncIterator[str]:
        first = 0
        while page := await self._pipe.call("ZRANGE", self._keys.acting, first, first + _PAGE - 1):
            for handoff_id in page:
                yield handoff_id.decode()
            first += _PAGE
