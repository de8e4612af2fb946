"""How many shards the store has, and which agent's runs are in which. Both are kept at home, in the first shard.

An agent's shard is drawn once and never changes: more shards move nobody.
"""

import hashlib

from bot.errors import StoreUnavailable
from bot.store.keys import Keys
from bot.store.pipe import Pipe


class Census:
    """Counts the shards, and places agents in them."""

    def __init__(self, pipe: Pipe, keys: Keys, shards: int) -> None:
        """`shards` is what this process works with; `keys` are those of the first one."""
        self._pipe = pipe
        self._keys = keys
        self._shards = shards
        self._placed: dict[str, int] = {}

    async def count(self) -> int:
        """How many the store has. Raises `StoreUnavailable`."""
        return int(await self._pipe.call("GET", self._keys.shards) or 1)

    async def grow(self) -> None:
        """Let the store have as many as this process works with; the agents that there are stay where they are.

        Raises:
            StoreUnavailable: The same call again is safe.
        """
        if await self.count() >= self._shards:
            return
        for key_id in await self._pipe.call("SMEMBERS", self._keys.keys):
            about = await self._pipe.call("HMGET", self._keys.key(key_id.decode()), "kind", "name", "last_used")
            kind, name, last_used = about
            if kind == b"agent" and last_used:
                await self._pipe.call("HSETNX", self._keys.agents, name, 0)
        await self._pipe.call("SET", self._keys.shards, self._shards)

    async def check(self) -> None:
        """Does this process know of all shards?

        Raises:
            StoreUnavailable: It does not, or nobody can say.
        """
        count = await self.count()
        if count > self._shards:
            msg = f"the store has {count} shards now, and this process knows {self._shards}: start it again"
            raise StoreUnavailable(msg)

    async def place(self, agent: str) -> int:
        """The shard of an agent, from now on and for good. Raises as `check`."""
        if (known := self._placed.get(agent)) is not None:
            return known
        if self._shards == 1:
            await self.check()
            placed = 0
        else:
            placed = await self.find(agent) or 0
            if agent not in self._placed:
                placed = await self._draw(agent)
        self._placed[agent] = placed
        return placed

    async def find(self, agent: str) -> int | None:
        """The shard of an agent; None before it has one. Raises as `check`."""
        if self._shards == 1:
            return 0
        if agent not in self._placed:
            found = await self._pipe.call("HGET", self._keys.agents, agent)
            if found is None:
                return None
            if int(found) >= self._shards:
                await self.check()
            self._placed[agent] = int(found)
        return self._placed[agent]

    async def _draw(self, agent: str) -> int:
        began = await self._pipe.call("EXISTS", self._keys.agent_load(agent), self._keys.agent_events(agent))
        drawn = 0 if began else int.from_bytes(hashlib.sha256(agent.encode()).digest()[:8]) % self._shards
        await self._pipe.call("HSETNX", self._keys.agents, agent, drawn)
        return await self.find(agent) or 0
