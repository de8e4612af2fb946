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
from bot.store.brakes import Brakes
from bot.store.digests import Digests
from bot.store.endpoints import EndpointRecords
from bot.store.feed import Feed
from bot.store.grants import Grants
from bot.store.handoffs import Handoffs
from bot.store.keys import Keys
from bot.store.ladder import Ladder
from bot.store.loaded import LoadedPolicy
from bot.store.outbox import Outbox
from bot.store.pipe import REPLY_S, Pipe
from bot.store.records import when
from bot.store.room import Room
from bot.store.runs import Runs
from bot.store.shelf import ShelfRecords
from bot.store.trust import TrustRecords
from bot.store.unreported import Unreported

_OLDEST = (7, 0)
_CLOCKS_APART = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class StoreFault:
    """Something about the server that makes it unsafe or unwise; `fatal` ones stop the start."""

    detail: str
    fatal: bool


def connect(url: str) -> "redis.Redis":
    """A client for `url`. Its connections wait without a limit of their own: whoever calls sets one."""
    return redis.Redis.from_url(
        url, socket_timeout=None, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0), max_connections=16, protocol=2
    )


class Store:
    """Everything Andon keeps, in one namespace of one Redis."""

    def __init__(self, client: "redis.Redis", *, ns: str = "andon", retention: timedelta = timedelta(days=30)) -> None:
        """Use `client`; `close` closes it."""
        self._client = client
        self._pipe = Pipe(client)
        self.keys = Keys(ns)
        self.handoffs = Handoffs(self._pipe, self.keys, retention=retention)
        self.ladder = Ladder(self._pipe, self.keys)
        self.unreported = Unreported(self._pipe, self.keys, retention_ms=round(retention / timedelta(milliseconds=1)))
        self.digests = Digests(self._pipe, self.keys, retention=retention)
        self.runs = Runs(self._pipe, self.keys)
        self.brakes = Brakes(self._pipe, self.keys)
        self.grants = Grants(self._pipe, self.keys)
        self.shelf = ShelfRecords(self._pipe, self.keys)
        self.loaded = LoadedPolicy(self._pipe, self.keys)
        self.trust = TrustRecords(self._pipe, self.keys)
        self.endpoints = EndpointRecords(self._pipe, self.keys)
        self.access = AccessRecords(self._pipe, self.keys)
        self.feed = Feed(client, self._pipe, self.keys)
        self.apart = timedelta()
        """How far its clock was from ours when it was last read."""
        self.room = Room(self._pipe)
        self.outbox = Outbox(client, self._pipe, self.keys, retention=retention)

    @property
    def troubled_at(self) -> datetime | None:
        """When Redis last failed this process, if only for a moment; by this process' clock."""
        return self._pipe.troubled_at

    async def now(self) -> datetime:
        """The store's clock.

        Raises:
            StoreUnavailable: It did not answer.
        """
        asked = datetime.now(UTC)
        seconds, micros = await self._pipe.call("TIME")
        now = when(int(seconds) * 1000 + int(micros) // 1000)
        self.apart = now - min(max(now, asked), datetime.now(UTC))  # it may have been read at any moment between
        return now

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
