"""Which policy was taken last, so that a start without its file, or with another, is noticed."""

from bot.store.keys import Keys
from bot.store.pipe import Pipe


class LoadedPolicy:
    """The last one, of whichever process: its version, then the file's text, in one string."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Keep where it is."""
        self._pipe = pipe
        self._key = keys.policy

    async def last(self) -> tuple[str, str]:
        """Version and text of what was taken last; no version: nothing ever was. Raises `StoreUnavailable`.

        A version that was kept without its text has none.
        """
        found = await self._pipe.call("GET", self._key)
        version, _, text = found.decode().partition("\n") if found else ("", "", "")
        return version, text

    async def keep(self, version: str, text: str) -> None:
        """Remember that this one was taken. Raises `StoreUnavailable`."""
        await self._pipe.call("SET", self._key, f"{version}\n{text}")
