"""One shard: everything about its agents and their runs, under one tag, and so in one slot of a Cluster."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

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
from bot.store.marks import mark
from bot.store.outbox import Delivery, Outbox
from bot.store.pipe import Pipe
from bot.store.restored import Restored
from bot.store.room import Room
from bot.store.runs import Runs
from bot.store.trust import TrustRecords
from bot.store.unknown import Unknown
from bot.store.unreported import Unreported
from bot.store.vitals import Vitals


class Shard:
    """The first is the namespace itself, and home of what is not any agent's; the others are named after it."""

    def __init__(self, pipe: Pipe, ns: str, number: int, *, retention: timedelta) -> None:
        """Send through `pipe`, which is not another server's."""
        self.number = number
        self.pipe = pipe
        self.keys = keys = Keys(f"{ns}:{number}" if number else ns)
        self.handoffs = Handoffs(pipe, keys, retention=retention)
        self.ladder = Ladder(pipe, keys)
        self.unreported = Unreported(pipe, keys, retention_ms=round(retention / timedelta(milliseconds=1)))
        self.arrivals = Arrivals(pipe, keys)
        self.beats = Beats(pipe, keys)
        self.unknown = Unknown(pipe, keys, retention_ms=round(retention / timedelta(milliseconds=1)))
        self.digests = Digests(pipe, keys, retention=retention)
        self.runs = Runs(pipe, keys)
        self.brakes = Brakes(pipe, keys)
        self.grants = Grants(pipe, keys)
        self.trust = TrustRecords(pipe, keys)
        self.feed = Feed(pipe, keys)
        self.outbox = _MarkedOutbox(number, pipe, keys, retention=retention)
        self.restored = Restored(pipe, keys)
        self.room = Room(pipe)
        self.endpoints = EndpointRecords(pipe, keys)
        """Only home has any."""
        self.vitals = Vitals(pipe, keys, self.endpoints)


class _MarkedOutbox(Outbox):
    """A shard's outbox. The ids of notices are those of a stream's entries, and get the shard's mark here."""

    def __init__(self, number: int, pipe: Pipe, keys: Keys, *, retention: timedelta) -> None:
        super().__init__(pipe, keys, retention=retention)
        self._mark = mark(number)

    async def read(self, surface: str, consumer: str, *, limit: int, wait: timedelta) -> list[Delivery]:
        """See `Outbox.read`."""
        return self._marked(await super().read(surface, consumer, limit=limit, wait=wait))

    async def take_over(self, surface: str, consumer: str, *, idle: timedelta, limit: int) -> list[Delivery]:
        """See `Outbox.take_over`."""
        return self._marked(await super().take_over(surface, consumer, idle=idle, limit=limit))

    def _marked(self, found: Sequence[Delivery]) -> list[Delivery]:
        if not self._mark:
            return list(found)
        return [replace(d, kind=f"{d.kind}{self._mark}") if d.event == "noticed" else d for d in found]
