"""Grants in Redis: one hash per agent. `answer` gives them, `open` uses them; they end here, or by what went wrong."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from andon import wire
from bot.scope import LONGEST_S, Given, Granted
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import reply, when

_REVOKE: Final = load_script("revoke_grant")

MOST: Final = 200
"""Grants that one agent may have; the scripts keep it."""


class Grants:
    """The grants of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys

    async def standing(self, agent: str) -> tuple[datetime, list[Granted]]:
        """The store's clock, and an agent's grants that stand by it, the newest first."""
        clock = self._pipe.call("TIME")
        raw = await self._pipe.call("HGETALL", self._keys.agent_grants(agent))
        seconds, micros = await clock
        now = when(int(seconds) * 1000 + int(micros) // 1000)
        pairs = raw if isinstance(raw, Mapping) else dict(zip(raw[::2], raw[1::2], strict=True))
        found = [_read(name.decode(), pairs) for name in pairs if b":" not in name]
        standing = [each for each in found if each and now < each.until]
        return now, sorted(standing, key=lambda each: each.at, reverse=True)

    async def all(self) -> list[Granted]:
        """Every grant that stands, the newest first."""
        agents = await self._pipe.call("ZRANGE", self._keys.granting, 0, -1)
        found = await asyncio.gather(*(self.standing(agent.decode()) for agent in agents))
        return sorted((each for _, some in found for each in some), key=lambda each: each.at, reverse=True)

    async def revoke(self, agent: str, grant_id: str, *, why: str, told: str) -> bool:
        """End one; False when it does not stand (any more)."""
        keys = self._keys
        raw = await self._pipe.run(
            _REVOKE, (keys.agent_grants(agent), keys.notices, keys.events), grant_id, agent, why, told
        )
        return bool(reply(raw)[0] == "ended")


def pack_grant(given: Given | None) -> tuple[str, str, str, int]:
    """For the script that gives it: its id, itself as JSON, what people call it, its life in ms; or nothing."""
    if given is None:
        return "", "", "", 0
    doc = {**asdict(given), "same": dict(given.same), "by": given.by.model_dump(mode="json", exclude_none=True)}
    called = f"The grant that {given.by.name} gave {given.agent} for {given.tool} ({given.label})"
    return given.id, json.dumps(doc), called, min(given.life_s, LONGEST_S) * 1000


def _read(grant_id: str, pairs: Mapping[bytes, Any]) -> Granted | None:
    """One of the hash; None when a newer version wrote what this one does not know."""

    def number(name: str) -> int:
        return int(pairs.get(f"{name}:{grant_id}".encode(), 0))

    doc = json.loads(pairs[grant_id.encode()])
    known = {name: doc[name] for name in Given.__dataclass_fields__ if name in doc}
    try:
        given = Given(**{**known, "by": wire.Actor.model_validate(doc["by"])})
    except (KeyError, TypeError, ValueError):
        return None
    last = number("last")
    return Granted(given, when(number("at")), when(number("until")), number("uses"), when(last) if last else None)
