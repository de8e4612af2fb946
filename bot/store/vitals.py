"""How the store is, for whoever watches the service: does it take a write, and how much waits in it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from bot.errors import StoreUnavailable
from bot.store.endpoints import EndpointRecords
from bot.store.keys import Keys
from bot.store.outbox import CALLBACKS
from bot.store.pipe import Pipe
from bot.store.records import flat, ms_of, when

HELD_FROM_MS: Final = 10_000_000_000_000
"""As `_brake.lua` has it: in `due`, what is held comes from here on."""

_PROBE_LIFE_MS: Final = 60_000
_GROUPS: Final = 20
_BRAKES: Final = 1_000
"""Groups, and brakes, that one look reads at the most."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What one consumer group of the events has not finished."""

    name: str
    pending: int
    """Given to a process, and not done."""
    waiting: int
    """Given to nobody yet."""
    oldest: timedelta
    """How long ago the oldest of both happened; nothing: zero."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How much there is, counted at one moment."""

    open: int
    held: int
    """Of the open ones, those that a brake holds."""
    in_flight: int
    """Allowed, and not reported yet."""
    kept: int
    brakes: int
    """That are on; aborts are not among them."""
    dead_cards: int
    callbacks: int
    """That no endpoint has taken yet."""
    callbacks_late: timedelta
    """How long the longest of them has been due."""
    queues: tuple[Queue, ...]
    endpoints: int = 0
    run_brakes: int = 0
    """Of the brakes, those of one run."""

    @property
    def read(self) -> tuple[Queue, ...]:
        """The queues that are read: nobody reads events for callbacks while there is no endpoint."""
        return tuple(each for each in self.queues if self.endpoints or each.name != CALLBACKS)


class Vitals:
    """Looks at one namespace, at a cost that does not grow with it."""

    def __init__(self, pipe: Pipe, keys: Keys, endpoints: EndpointRecords) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys
        self._endpoints = endpoints

    async def write(self) -> None:
        """Write something that is gone a minute later: a server that answers may still take no decision.

        Raises:
            StoreUnavailable: It did not take it; its cause is what Redis said.
        """
        await self._pipe.block("SET", self._keys.probe, "1", "PX", _PROBE_LIFE_MS, wait_s=0)  # one try: what is now?

    async def behind(self, after: str) -> timedelta:
        """How long ago the first change after this event happened; zero when there is none.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        now, first = await asyncio.gather(
            self._pipe.call("TIME"), self._pipe.call("XRANGE", self._keys.events, f"({after}", "+", "COUNT", 1)
        )
        return _ago(_now_ms(now), first[0][0]) if first else timedelta()

    async def count(self) -> Numbers:
        """Count everything, in a few round trips.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        keys, call = self._keys, self._pipe.call
        now, due, held, acting, kept, dead, brakes, groups, (endpoints, callbacks, late_s) = await asyncio.gather(
            call("TIME"),
            call("ZCARD", keys.due),
            call("ZCOUNT", keys.due, HELD_FROM_MS, "+inf"),
            call("ZCARD", keys.acting),
            call("ZCARD", keys.index),
            call("XLEN", keys.dead_cards),
            call("HSCAN", keys.brakes, 0, "COUNT", _BRAKES),
            self._groups(),
            self._endpoints.late(),
        )
        scopes = flat(brakes[1])[::2]
        now_ms = _now_ms(now)
        return Numbers(
            open=due,
            held=held,
            in_flight=acting,
            kept=kept,
            brakes=sum(not scope.startswith(b"!") for scope in scopes),
            run_brakes=sum(scope.startswith((b"run:", b"?")) for scope in scopes),
            dead_cards=dead,
            endpoints=endpoints,
            callbacks=callbacks,
            callbacks_late=timedelta(seconds=late_s),
            queues=tuple(await asyncio.gather(*(self._queue(group, now_ms) for group in groups[:_GROUPS]))),
        )

    async def _groups(self) -> list[Mapping[bytes, Any]]:
        try:
            found = await self._pipe.call("XINFO", "GROUPS", self._keys.events)
        except StoreUnavailable as error:
            if "no such key" in str(error.__cause__):
                return []  # nothing has happened yet
            raise
        return [raw if isinstance(raw, Mapping) else dict(zip(raw[::2], raw[1::2], strict=True)) for raw in found]

    async def _queue(self, group: Mapping[bytes, Any], now_ms: int) -> Queue:
        name, given = group[b"name"].decode(), group[b"last-delivered-id"].decode()
        given_out, following = await asyncio.gather(
            self._pipe.call("XPENDING", self._keys.events, name),
            self._pipe.call("XRANGE", self._keys.events, f"({given}", "+", "COUNT", 1),
        )
        pending, first_pending = int(given_out[0]), given_out[1]
        firsts = [_ago(now_ms, each) for each in (first_pending, *(entry[0] for entry in following)) if each]
        lag = group.get(b"lag")
        return Queue(name, pending, int(lag) if lag is not None else len(following), max(firsts, default=timedelta()))


def _now_ms(time: Any) -> int:
    return int(time[0]) * 1000 + int(time[1]) // 1000


def _ago(now_ms: int, event_id: bytes) -> timedelta:
    since = when(event_id.partition(b"-")[0])
    return timedelta(milliseconds=max(0, now_ms - ms_of(since)))
