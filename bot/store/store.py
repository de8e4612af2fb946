"""The store as one thing: a connection, and the records behind it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.store.access import AccessRecords
from bot.store.arrivals import Arrivals
from bot.store.beats import Beats
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
from bot.store.pipe import Pipe
from bot.store.records import when
from bot.store.restored import Restored
from bot.store.room import Room
from bot.store.runs import Runs
from bot.store.selfcheck import StoreFault, described, faults
from bot.store.shelf import ShelfRecords
from bot.store.topology import Topology
from bot.store.trust import TrustRecords
from bot.store.unknown import Unknown
from bot.store.unreported import Unreported
from bot.store.vitals import Vitals


def connect(url: str) -> "redis.Redis":
    """A client for `url`. Its connections wait without a limit of their own: whoever calls sets one."""
    return redis.Redis.from_url(
        url, socket_timeout=None, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0), max_connections=16, protocol=2
    )


class Store:
    """Everything Andon keeps, in one namespace of one Redis."""

    def __init__(
        self, servers: "Topology | redis.Redis", *, ns: str = "andon", retention: timedelta = timedelta(days=30)
    ) -> None:
        """Use `servers`, or the one server of a client; `close` closes them."""
        self._client: Any = servers
        self._topology = servers if isinstance(servers, Topology) else Topology.of(servers)
        self._pipe = Pipe(self._topology.home(ns))
        self.keys = Keys(ns)
        self.handoffs = Handoffs(self._pipe, self.keys, retention=retention)
        self.ladder = Ladder(self._pipe, self.keys)
        self.unreported = Unreported(self._pipe, self.keys, retention_ms=round(retention / timedelta(milliseconds=1)))
        self.arrivals = Arrivals(self._pipe, self.keys)
        self.beats = Beats(self._pipe, self.keys)
        self.unknown = Unknown(self._pipe, self.keys, retention_ms=round(retention / timedelta(milliseconds=1)))
        self.digests = Digests(self._pipe, self.keys, retention=retention)
        self.runs = Runs(self._pipe, self.keys)
        self.brakes = Brakes(self._pipe, self.keys)
        self.grants = Grants(self._pipe, self.keys)
        self.shelf = ShelfRecords(self._pipe, self.keys)
        self.loaded = LoadedPolicy(self._pipe, self.keys)
        self.trust = TrustRecords(self._pipe, self.keys)
        self.endpoints = EndpointRecords(self._pipe, self.keys)
        self.access = AccessRecords(self._pipe, self.keys)
        self.restored = Restored(self._pipe, self.keys)
        self.vitals = Vitals(self._pipe, self.keys, self.endpoints)
        self.feed = Feed(self._pipe, self.keys)
        self.apart = timedelta()
        """How far its clock was from ours when it was last read."""
        self.room = Room(self._pipe)
        self.outbox = Outbox(self._pipe, self.keys, retention=retention)

    @property
    def troubled_at(self) -> datetime | None:
        """When Redis last failed this process, if only for a moment; by this process' clock."""
        return self._pipe.troubled_at

    def watch(self, *, tripped: Callable[[float], None], troubled: Callable[[], None]) -> None:
        """Tell how long each batch of calls took, in seconds, and each time that Redis failed this process."""
        self._pipe.tripped, self._pipe.troubled = tripped, troubled

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
        """What makes the servers unsafe or unwise, each with what mends it."""
        return await faults(self._topology, self.keys, embedded=embedded)

    async def described(self) -> str:
        """Which server has the keys now, and how many replicas it has.

        Raises:
            StoreUnavailable: It did not answer.
        """
        return await described(self._topology, self.keys)

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
