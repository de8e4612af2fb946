"""Trust ramps in Redis: how often something ended well since it last did not. The handoffs' scripts count them."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import reply, when

_RESET: Final = load_script("reset_trust")
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Trusted:
    """How far one ramp has come."""

    id: str
    ramp: str
    """Its text, as `bot.policy.ramp_key` writes it."""
    good: int
    at: datetime
    reset_at: datetime | None = None
    reset_why: str = ""
    """What sent it back: a decision's or an outcome's kind, or `person`."""
    reset_by: str = ""
    """The handoff, or the person."""


def ramp_id(ramp: str) -> str:
    """A short name of a ramp, the same everywhere, for keys and addresses."""
    return f"tr_{hashlib.sha256(ramp.encode()).hexdigest()[:24]}"


class TrustRecords:
    """The ramps of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys

    async def counts(self, ramps: Iterable[str]) -> Mapping[str, int]:
        """Good ends so far, by the ramp's text."""
        texts = tuple(ramps)
        found = await asyncio.gather(
            *(self._pipe.call("HGET", self._keys.trust(ramp_id(text)), "good") for text in texts)
        )
        return {text: int(good) for text, good in zip(texts, found, strict=True) if good}

    async def all(self) -> list[Trusted]:
        """Every ramp that has moved in the last 400 days, the latest first, at most a thousand."""
        texts = await self._pipe.call("ZREVRANGE", self._keys.trusts, 0, _MOST - 1)
        found = await asyncio.gather(*(self.one(ramp_id(text.decode())) for text in texts))
        return [each for each in found if each]

    async def one(self, trust_id: str) -> Trusted | None:
        """One ramp; None when it has never moved."""
        flat = await self._pipe.call("HGETALL", self._keys.trust(trust_id))
        return _trusted(trust_id, flat) if flat else None

    async def reset(self, trust_id: str, by: str) -> bool:
        """Let it start over; False when there is none."""
        keys = self._keys
        raw = await self._pipe.run(_RESET, (keys.trust(trust_id), keys.trusts, keys.events), by)
        return bool(reply(raw)[0] == "reset")


def _trusted(trust_id: str, flat: Any) -> Trusted:
    fields = {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
    return Trusted(
        id=trust_id,
        ramp=fields["ramp"],
        good=int(fields.get("good", 0)),
        at=when(fields["at"]),
        reset_at=when(fields["reset_at"]) if "reset_at" in fields else None,
        reset_why=fields.get("reset_why", ""),
        reset_by=fields.get("reset_by", ""),
    )
