"""The store as one thing: a connection, and the records behind it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from bot.errors import StoreUnavailable
from bot.store.access import AccessRecords
from bot.store.census import Census
from bot.store.grants import Grants
from bot.store.handoffs import Handoffs
from bot.store.keys import Keys
from bot.store.ladder import Ladder
from bot.store.loaded import LoadedPolicy
from bot.store.marks import mark, mark_of, shard_in
from bot.store.pipe import REPLY_S, Pipe
from bot.store.records import when
from bot.store.runs import Runs
from bot.store.shard import Shard
from bot.store.shelf import ShelfRecords
from bot.store.spread import (
    Shards,
    SpreadGrants,
    SpreadHandoffs,
    SpreadLadder,
    SpreadRuns,
    SpreadTrust,
    SpreadUnreported,
)
from bot.store.trust import TrustRecords
from bot.store.unreported import Unreported
from bot.store.wide import WideBrakes

_OLDEST = (7, 0)
_BLOCKED = 4
"""Connections that wait for the events of one shard: one for the hub, and one for each surface that is followed."""
_CLOCKS_APART = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class StoreFault:
    """Something about the server that makes it unsafe or unwise; `fatal` ones stop the start."""

    detail: str
    fatal: bool


def connect(url: str, *, shards: int = 1) -> "redis.Redis":
    """A client for `url`. Its connections wait without a limit of their own: whoever calls sets one."""
    return redis.Redis.from_url(
        url,
        socket_timeout=None,
        socket_connect_timeout=5,
        retry=Retry(NoBackoff(), 0),
        max_connections=16 + _BLOCKED * (shards - 1),
        protocol=2,
    )


class Store:
    """Everything Andon keeps, in one namespace of one Redis, or in several shards of one."""

    handoffs: Handoffs | SpreadHandoffs
    ladder: Ladder | SpreadLadder
    unreported: Unreported | SpreadUnreported
    runs: Runs | SpreadRuns
    grants: Grants | SpreadGrants
    trust: TrustRecords | SpreadTrust

    def __init__(
        self,
        client: "redis.Redis",
        *,
        ns: str = "andon",
        retention: timedelta = timedelta(days=30),
        shards: int = 1,
    ) -> None:
        """Use `client`; `close` closes it."""
        self._client = client
        self._pipe = pipe = Pipe(client)
        self.shards = tuple(Shard(client, pipe, ns, number, retention=retention) for number in range(shards))
        home = self.shards[0]
        self.keys = home.keys
        self._census = Census(pipe, home.keys, shards)
        self.brakes = WideBrakes(pipe, [(each.keys, each.brakes) for each in self.shards], self._census)
        # With one shard its own records are called, with nothing in between.
        if shards == 1:
            self.handoffs, self.ladder, self.unreported = home.handoffs, home.ladder, home.unreported
            self.runs, self.grants, self.trust = home.runs, home.grants, home.trust
        else:
            spread = Shards(self.shards, self._census.find)
            self.handoffs, self.ladder = SpreadHandoffs(spread), SpreadLadder(spread)
            self.unreported, self.runs = SpreadUnreported(spread), SpreadRuns(spread)
            self.grants, self.trust = SpreadGrants(spread), SpreadTrust(pipe, spread)
        # At home alone; of `digests`, how many cards somebody had. What is followed is followed shard by shard.
        self.digests, self.feed, self.outbox = home.digests, home.feed, home.outbox
        self.shelf = ShelfRecords(pipe, home.keys)
        self.loaded = LoadedPolicy(pipe, home.keys)
        self.access = AccessRecords(pipe, home.keys)

    # --- shards ---

    async def settle_shards(self, *, grow: bool) -> str:
        """Before anything else: have as many shards as this process works with, and the same brakes in all.

        Args:
            grow: Let the store have more than it had; else only look.

        Returns:
            What is wrong with the number; empty: nothing.

        Raises:
            StoreUnavailable: The same call again is safe.
        """
        count, own = await self._census.count(), len(self.shards)
        if count > own:
            return (
                f"this store has {count} shards, and ANDON_SHARDS is {own}: runs in the others would not be found, "
                f"nor stopped; set ANDON_SHARDS={count} (it may be raised, and never lowered)"
            )
        if grow:
            await self._census.grow()
            await self.brakes.agree()
        return ""

    async def shard_of(self, agent: str) -> Shard:
        """Where an agent's runs are: from now on, if it had none yet."""
        return self.shards[await self._census.place(agent)]

    async def mark_for(self, agent: str, parent: str | None) -> str:
        """What the id of a new run ends with: it goes where its `parent` is, or its agent's runs are."""
        return mark_of(parent) if parent else mark(await self._census.place(agent))

    def keys_of(self, record_id: str) -> Keys:
        """The names in the shard that an id names."""
        shard = shard_in(record_id)
        return self.shards[shard if shard < len(self.shards) else 0].keys

    async def card_at(self, surface: str, address: str) -> str | None:
        """The handoff whose card is at this address."""
        found = await asyncio.gather(*(shard.outbox.card_at(surface, address) for shard in self.shards))
        return next((each for each in found if each), None)

    @property
    def troubled_at(self) -> datetime | None:
        """When Redis last failed this process, if only for a moment; by this process' clock."""
        return self._pipe.troubled_at

    async def now(self) -> datetime:
        """The store's clock.

        Raises:
            StoreUnavailable: It did not answer.
        """
        seconds, micros = await self._pipe.call("TIME")
        return when(int(seconds) * 1000 + int(micros) // 1000)

    async def faults(self, *, embedded: bool) -> list[StoreFault]:
        """Look the server over: version, persistence, eviction, clock, password."""
        try:
            async with asyncio.timeout(REPLY_S):
                info = await self._client.info()
                skew = abs(await self.now() - datetime.now(UTC))
                config: dict[str, Any] = await self._config()
        except (RedisError, OSError, TimeoutError, StoreUnavailable) as error:
            cause = error.__cause__ or error
            return [StoreFault(f"Redis does not answer: {cause}; start it, or mend ANDON_REDIS_URL", fatal=True)]
        found: list[StoreFault] = []
        version = str(info.get("redis_version", "0.0"))
        if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
            found.append(StoreFault(f"Redis {version} is too old; use Redis 7 or newer, or Valkey", fatal=True))
        if skew > _CLOCKS_APART:
            found.append(
                StoreFault(f"Redis' clock is {skew.total_seconds():.1f} s away from ours; set both by NTP", fatal=True)
            )
        policy = str(info.get("maxmemory_policy", "noeviction"))
        if policy != "noeviction":
            found.append(
                StoreFault(
                    f"maxmemory-policy is {policy}: Redis would drop pending handoffs in silence; "
                    "run: CONFIG SET maxmemory-policy noeviction",
                    fatal=True,
                )
            )
        if not int(info.get("aof_enabled", 0)):
            found.append(
                StoreFault(
                    "the append-only file is off: a crash loses decisions; run: CONFIG SET appendonly yes", fatal=True
                )
            )
        elif config.get("appendfsync", "always") != "always":
            found.append(
                StoreFault(
                    f"appendfsync is {config['appendfsync']}: a power cut may lose the last second of decisions; "
                    "run: CONFIG SET appendfsync always",
                    fatal=False,
                )
            )
        if not embedded and int(config.get("hash-max-listpack-value", 4096)) < 4096:  # noqa: PLR2004  # the setting's own number
            found.append(
                StoreFault(
                    "hash-max-listpack-value is below 4096: a handoff takes half as much memory again; "
                    "run: CONFIG SET hash-max-listpack-value 4096",
                    fatal=False,
                )
            )
        return found

    async def _config(self) -> dict[str, Any]:
        """The settings that INFO does not tell; none where CONFIG is not allowed."""
        try:
            found: dict[str, Any] = {}
            for name in ("appendfsync", "hash-max-listpack-value"):
                found.update({str(k): v for k, v in (await self._client.config_get(name)).items()})
        except RedisError:
            return {}
        return found

    async def close(self) -> None:
        """Finish what is under way and hang up."""
        await self._pipe.close()
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        """The store itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()
