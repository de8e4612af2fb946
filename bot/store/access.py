"""Keys, sign-in links and sessions in Redis. Only hashes of secrets are kept."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bot.store.keys import Keys
from bot.store.pipe import Pipe


def _ms(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))


class AccessRecords:
    """Who may come in, of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys

    async def claim_secret(self, fingerprint: str) -> str:
        """Set the fingerprint of the secret, if none is set; returns the one that stands."""
        await self._pipe.call("SET", self._keys.secret, fingerprint, "NX")
        return str((await self._pipe.call("GET", self._keys.secret)).decode())

    async def save_key(self, key_id: str, fields: Mapping[str, str]) -> None:
        """Write a key; it stands until it is revoked."""
        flat = [part for pair in fields.items() for part in pair]
        await self._pipe.call("HSET", self._keys.key(key_id), *flat)
        await self._pipe.call("SADD", self._keys.keys, key_id)

    async def key(self, key_id: str) -> dict[str, str] | None:
        """Read a key."""
        raw = await self._pipe.call("HGETALL", self._keys.key(key_id))
        if not raw:
            return None
        pairs = raw if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=True))
        return {k.decode(): v.decode() for k, v in pairs.items()}

    async def key_ids(self) -> list[str]:
        """All keys' ids, sorted."""
        return sorted(i.decode() for i in await self._pipe.call("SMEMBERS", self._keys.keys))

    async def touch_key(self, key_id: str, at: str) -> None:
        """Note that a key was used, if it still stands."""
        if await self._pipe.call("EXISTS", self._keys.key(key_id)):
            await self._pipe.call("HSET", self._keys.key(key_id), "last_used", at)

    async def revoke_key(self, key_id: str) -> bool:
        """Delete a key and tell every process; False when there is none."""
        deleted = await self._pipe.call("DEL", self._keys.key(key_id))
        await self._pipe.call("SREM", self._keys.keys, key_id)
        await self._pipe.call(
            "XADD", self._keys.events, "*", "e", "revoked", "h", "", "a", key_id, "r", "", "v", "0", "k", ""
        )
        return bool(deleted)

    async def save_link(self, hashed: str, person: Mapping[str, str], life: timedelta) -> None:
        """Write a one-time link."""
        await self._pipe.call("SET", self._keys.link(hashed), json.dumps(dict(person)), "PX", _ms(life))

    async def take_link(self, hashed: str) -> dict[str, str] | None:
        """Spend a one-time link: the first caller gets it, every later one nothing."""
        return _read(await self._pipe.call("GETDEL", self._keys.link(hashed)))

    async def save_session(self, hashed: str, session: Mapping[str, str], life: timedelta) -> None:
        """Write or renew a session."""
        await self._pipe.call("SET", self._keys.session(hashed), json.dumps(dict(session)), "PX", _ms(life))

    async def session(self, hashed: str) -> dict[str, str] | None:
        """Read a session."""
        return _read(await self._pipe.call("GET", self._keys.session(hashed)))

    async def renew_session(self, hashed: str, life: timedelta) -> None:
        """Put off a session's end."""
        await self._pipe.call("PEXPIRE", self._keys.session(hashed), _ms(life))

    async def end_session(self, hashed: str) -> None:
        """End a session."""
        await self._pipe.call("DEL", self._keys.session(hashed))


def _read(raw: Any) -> dict[str, str] | None:
    return json.loads(raw) if raw else None
