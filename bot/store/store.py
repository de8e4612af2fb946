"""The store as one thing: a connection, and the records behind it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.store.access import AccessRecords
from bot.store.arrivals import Arrivals
from bot.store.beats import Beats
from bot.store.census import Census
from bot.store.endpoints import EndpointRecords
from bot.store.grants import Grants
from bot.store.handoffs import Handoffs
from bot.store.keys import Keys
from bot.store.ladder import Ladder
from bot.store.loaded import LoadedPolicy
from bot.store.marks import mark, mark_of
from bot.store.pipe import Pipe
from bot.store.records import when
from bot.store.restored import Restored
from bot.store.room import Room
from bot.store.runs import Runs
from bot.store.selfcheck import StoreFault, described, faults
from bot.store.shard import Shard
from bot.store.shards import Shards
from bot.store.shelf import ShelfRecords
from bot.store.spread import (
    SpreadGrants,
    SpreadHandoffs,
    SpreadLadder,
    SpreadRuns,
    SpreadTrust,
)
from bot.store.spread_following import (
    SpreadArrivals,
    SpreadBeats,
    SpreadRestored,
    SpreadUnknown,
    SpreadUnreported,
    SpreadVitals,
)
from bot.store.topology import Topology
from bot.store.trust import TrustRecords
from bot.store.unknown import Unknown
from bot.store.unreported import Unreported
from bot.store.vitals import Vitals
from bot.store.wide import WideBrakes

_BLOCKED = 5
"""Connections that wait for the events of one shard: the hub's, the callbacks', and each surface's but the web."""


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
    arrivals: Arrivals | SpreadArrivals
    beats: Beats | SpreadBeats
    unknown: Unknown | SpreadUnknown
    runs: Runs | SpreadRuns
    grants: Grants | SpreadGrants
    trust: TrustRecords | SpreadTrust
    restored: Restored | SpreadRestored
    vitals: Vitals | SpreadVitals

    def __init__(
        self,
        servers: "Topology | redis.Redis",
        *,
        ns: str = "andon",
        retention: timedelta = timedelta(days=30),
        shards: int = 1,
    ) -> None:
        """Use `servers`, or the one server of a client; `close` closes them."""
        self._client: Any = servers
        self._topology = servers if isinstance(servers, Topology) else Topology.of(servers)
        self._pipe = pipe = Pipe(self._topology.home(ns))
        self.shards = tuple(
            Shard(self._pipe_of(ns, number), ns, number, retention=retention) for number in range(shards)
        )
        home = self.shards[0]
        self.keys = home.keys
        self._census = Census(pipe, home.keys, shards)
        spread = Shards(self.shards, self._census.find)
        self._of = spread.of
        self.brakes = WideBrakes(spread, self._census)
        # With one shard its own records are called, with nothing in between.
        if shards == 1:
            self.handoffs, self.ladder, self.unreported = home.handoffs, home.ladder, home.unreported
            self.arrivals, self.beats, self.unknown = home.arrivals, home.beats, home.unknown
            self.runs, self.grants, self.trust = home.runs, home.grants, home.trust
            self.restored, self.vitals = home.restored, home.vitals
        else:
            self.handoffs, self.ladder = SpreadHandoffs(spread), SpreadLadder(spread)
            self.unreported, self.runs = SpreadUnreported(spread), SpreadRuns(spread)
            self.arrivals, self.beats, self.unknown = SpreadArrivals(spread), SpreadBeats(spread), SpreadUnknown(spread)
            self.grants, self.trust = SpreadGrants(spread), SpreadTrust(spread)
            self.restored, self.vitals = SpreadRestored(spread), SpreadVitals(spread)
        # At home alone; of `digests`, how many cards somebody had. What is followed is followed shard by shard.
        self.digests, self.feed, self.outbox = home.digests, home.feed, home.outbox
        self.shelf = ShelfRecords(pipe, home.keys)
        self.loaded = LoadedPolicy(pipe, home.keys)
        self.access = AccessRecords(pipe, home.keys)
        self.endpoints: EndpointRecords = home.endpoints
        self._pipes = tuple(dict.fromkeys(shard.pipe for shard in self.shards))
        self._apart = dict.fromkeys(self._pipes, timedelta())

    def _pipe_of(self, ns: str, number: int) -> Pipe:
        """In a Cluster each shard may be on another server; one server gets what all of them send in one batch."""
        if number == 0 or not self._topology.is_cluster:
            return self._pipe
        return Pipe(self._topology.home(f"{ns}:{number}"))

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
        return self._of(record_id).keys

    def room_of(self, record_id: str) -> Room:
        """How much room the server has whose shard an id names."""
        return self._of(record_id).room

    async def card_at(self, surface: str, address: str) -> str | None:
        """The handoff whose card is at this address."""
        found = await asyncio.gather(*(shard.outbox.card_at(surface, address) for shard in self.shards))
        return next((each for each in found if each), None)

    @property
    def _slots(self) -> list[Keys]:
        """One of each slot that may be on a server of its own."""
        return [shard.keys for shard in self.shards] if self._topology.is_cluster else [self.keys]

    @property
    def troubled_at(self) -> datetime | None:
        """When Redis last failed this process, if only for a moment; by this process' clock."""
        return max((each.troubled_at for each in self._pipes if each.troubled_at), default=None)

    def watch(self, *, tripped: Callable[[float], None], troubled: Callable[[], None]) -> None:
        """Tell how long each batch of calls took, in seconds, and each time that Redis failed this process."""
        for pipe in self._pipes:
            pipe.tripped, pipe.troubled = tripped, troubled

    @property
    def apart(self) -> timedelta:
        """How far its clock was from ours when it was last read; of several servers, the one that is furthest away."""
        return max(self._apart.values(), key=abs)

    async def now(self) -> datetime:
        """The store's clock, as home has it.

        Raises:
            StoreUnavailable: It did not answer.
        """
        asked = datetime.now(UTC)
        for pipe in self._pipes[1:]:  # nobody waits for these
            pipe.call("TIME").add_done_callback(partial(self._compare, pipe, asked))
        return self._read(self._pipe, asked, await self._pipe.call("TIME"))

    def _compare(self, pipe: Pipe, asked: datetime, said: "asyncio.Future[Any]") -> None:
        if not said.cancelled() and said.exception() is None:
            self._read(pipe, asked, said.result())

    def _read(self, pipe: Pipe, asked: datetime, said: Any) -> datetime:
        seconds, micros = said
        now = when(int(seconds) * 1000 + int(micros) // 1000)
        self._apart[pipe] = now - min(max(now, asked), datetime.now(UTC))  # it may have been read at any moment between
        return now

    async def faults(self, *, embedded: bool) -> list[StoreFault]:
        """What makes the servers unsafe or unwise, each with what mends it."""
        looked = [await faults(self._topology, keys, embedded=embedded) for keys in self._slots]
        return list(dict.fromkeys(fault for found in looked for fault in found))

    async def described(self) -> str:
        """Which server has the keys now, and how many replicas it has.

        Raises:
            StoreUnavailable: It did not answer.
        """
        return "; ".join(dict.fromkeys([await described(self._topology, keys) for keys in self._slots]))

    async def close(self) -> None:
        """Finish what is under way and hang up."""
        for pipe in self._pipes:
            await pipe.close()
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        """The store itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()
