"""One surface's shelf in the store: what an adapter keeps there is sealed, because it may be a token."""

import base64
import contextlib
import hmac
import logging
from collections.abc import Sequence
from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken

from bot.store import Store

log = logging.getLogger("andon")


class SealedShelf:
    """The `Shelf` port."""

    def __init__(self, store: Store, secret: bytes, surface: str) -> None:
        """Seal with a key that only services with this secret have."""
        self._records = store.shelf
        self._surface = surface
        key = hmac.digest(secret, f"shelf/v1\0{surface}".encode(), "sha256")
        self._seal = Fernet(base64.urlsafe_b64encode(key))

    async def once(self, what: str, life: timedelta) -> bool:
        """True for the first who comes with this."""
        return await self._records.once(self._surface, f"once:{what}", life)

    async def forget(self, what: str) -> None:
        """Who comes next is the first again."""
        await self._records.forget(self._surface, f"once:{what}")

    async def load(self, name: str) -> str | None:
        """Read what is kept for a while."""
        return self._open(name, await self._records.load(self._surface, name))

    async def save(self, name: str, value: str, life: timedelta) -> None:
        """Keep it for a while."""
        await self._records.save(self._surface, name, self._close(name, value), life)

    async def take(self, name: str) -> str | None:
        """Read and forget."""
        return self._open(name, await self._records.take(self._surface, name))

    async def load_lasting(self, name: str) -> str | None:
        """Read what is kept for good."""
        return self._open(name, await self._records.load_lasting(self._surface, name))

    async def save_lasting(self, name: str, value: str) -> None:
        """Keep it for good."""
        await self._records.save_lasting(self._surface, name, self._close(name, value))

    async def drop_lasting(self, name: str) -> None:
        """Forget it."""
        await self._records.drop_lasting(self._surface, name)

    async def lasting(self) -> Sequence[str]:
        """The names of what is kept for good."""
        return await self._records.lasting(self._surface)

    async def turn(
        self, queue: str, *, every: timedelta, burst: int = 1, longest: timedelta = timedelta(days=1)
    ) -> tuple[bool, timedelta]:
        """Take the next turn."""
        return await self._records.turn(self._surface, queue, every=every, burst=burst, longest=longest)

    def _close(self, name: str, value: str) -> bytes:
        """Seal it under its name, so that one value cannot be put in the place of another."""
        return self._seal.encrypt(f"{name}\0{value}".encode())

    def _open(self, name: str, sealed: bytes | None) -> str | None:
        """What was sealed with another secret or under another name, or changed since, is as good as not there."""
        if sealed is None:
            return None
        with contextlib.suppress(InvalidToken):
            text = self._seal.decrypt(sealed).decode()
            if text.startswith(f"{name}\0"):
                return text.removeprefix(f"{name}\0")
        log.warning("shelf.unreadable surface=%s name=%s", self._surface, name)
        return None
