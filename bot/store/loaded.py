"""Which policy was taken last, so that a start without its file is noticed."""

from bot.store.keys import Keys
from bot.store.pipe import Pipe


class LoadedPolicy:
    """The last version, of whichever process."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Keep where it is."""
        self._pipe = pipe
        self._key = keys.policy

    async def last(self) -> str:
        """The version that was taken last; empty: none ever was. Raises `StoreUnavailable`."""
        found = await self._pipe.call("GET", self._key)
        return found.decode() if found else ""

    async def keep(self, version: str) -> None:
        """Remember that this one was taken. Raises `StoreUnavailable`."""
        await self._pipe.call("SET", self._key, version)
