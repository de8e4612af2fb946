"""Where callbacks go, and the callbacks that wait, are being sent, or were given up. Secrets come and go sealed."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from andon import wire
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import flat, reply, when

_CREATE, _ROTATE, _SWITCH, _REMOVE = (
    load_script(f"{name}_endpoint") for name in ("create", "rotate", "switch", "remove")
)
_QUEUE, _TAKE, _KEEP, _END, _FAIL = (
    load_script(f"{name}_callback") for name in ("queue", "take", "keep", "end", "fail")
)
_ANNOUNCE: Final = load_script("announce")

MOST_ENDPOINTS: Final = 100
KEPT: Final = timedelta(days=30)
"""How long a dead letter is kept, and a callback that nobody comes to send."""
_KNOWN: Final = timedelta(days=8)
"""How long an ended one stays known: longer than the events are kept that could queue it again."""

Ended = Literal["delivered", "dropped"]


def _ms(span: timedelta) -> int:
    return round(span / timedelta(milliseconds=1))


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """What is registered."""

    id: str
    url: str
    agent: str
    events: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """One endpoint as the store has it."""

    id: str
    url: str
    agent: str
    events: tuple[str, ...]
    by: str
    created_at: datetime
    secret: bytes
    """Sealed."""
    old_secret: bytes = b""
    """Sealed; it signs too, until `old_until`."""
    old_until: datetime | None = None
    off: str = ""
    """Why nothing is sent to it; empty: it is enabled."""
    off_at: datetime | None = None
    failing_since: datetime | None = None
    error: str = ""
    delivered: int = 0
    failed: int = 0
    waiting: int = 0
    dead: int = 0

    def wants(self, event: str, agents: str, at: datetime) -> bool:
        """Is it told of this event? `agents`: whose it is, or as changes of a brake name them, with spaces around each.

        What happened before it was registered is not its business.
        """
        named = self.agent == "*" or agents in {" * ", self.agent} or f" {self.agent} " in agents
        return event in self.events and named and at >= self.created_at


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback to one endpoint."""

    id: str
    endpoint: str
    webhook_id: str
    event: str
    at: datetime
    """When it happened."""
    handoff: str = ""
    agent: str = ""
    run: str = ""
    kind: str = ""
    """As the event has it: a steer's id, a brake's record."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A callback that this process may send now."""

    callback: Callback
    token: str
    tries: int
    """This one included."""


@dataclass(frozen=True, slots=True)
class Given:
    """A callback that was given up."""

    callback: Callback
    tries: int
    error: str
    dead_at: datetime
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Failed:
    """What became of a callback whose try failed, and whether its endpoint was switched off by that."""

    word: Literal["later", "dead", "lost"]
    off: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one endpoint: how many, and since when the first of them is due."""

    count: int
    due: tuple[tuple[str, datetime], ...]
    """The next ones, the first due first."""


class EndpointRecords:
    """The endpoints of one namespace, and their callbacks."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys

    # --- endpoints ---

    async def create(self, new: NewEndpoint, secret: bytes) -> Literal["created", "known", "many"]:
        """Register one; `known`: there is one of this id, `many`: there are as many as can be."""
        doc = json.dumps({"url": new.url, "agent": new.agent, "events": new.events, "by": new.by})
        keys = (self._keys.endpoints, self._keys.endpoint(new.id))
        word: Literal["created", "known", "many"]
        word, *_ = reply(await self._pipe.run(_CREATE, keys, new.id, doc, secret, MOST_ENDPOINTS))
        return word

    async def all(self) -> list[EndpointRecord]:
        """Every endpoint, the oldest first."""
        ids = await self._pipe.call("SMEMBERS", self._keys.endpoints)
        found = await asyncio.gather(*(self.one(each.decode()) for each in ids))
        return sorted((each for each in found if each), key=lambda each: (each.created_at, each.id))

    async def one(self, endpoint_id: str) -> EndpointRecord | None:
        """One endpoint; None when there is none."""
        keys = self._keys
        raw, waiting, dead = await asyncio.gather(
            self._pipe.call("HGETALL", keys.endpoint(endpoint_id)),
            self._pipe.call("ZCARD", keys.endpoint_due(endpoint_id)),
            self._pipe.call("ZCARD", keys.endpoint_dead(endpoint_id)),
        )
        return _endpoint(endpoint_id, flat(raw), int(waiting), int(dead)) if raw else None

    async def rotate(self, endpoint: EndpointRecord, secret: bytes, both: timedelta) -> bool:
        """Give it a new secret; the one that it has signs too for so long. False: it was changed meanwhile."""
        keys = (self._keys.endpoint(endpoint.id),)
        raw = await self._pipe.run(_ROTATE, keys, secret, endpoint.secret, _ms(both))
        return bool(reply(raw)[0] == "rotated")

    async def switch(self, endpoint_id: str, off: str) -> None:
        """Switch it off, and say why; or on ("")."""
        await self._pipe.run(_SWITCH, (self._keys.endpoint(endpoint_id),), off)

    async def remove(self, endpoint_id: str) -> None:
        """Forget it, and what waits for it."""
        keys = self._keys
        own = (keys.endpoint(endpoint_id), *self._sets(endpoint_id))
        await self._pipe.run(_REMOVE, (keys.endpoints, *own), endpoint_id)

    # --- callbacks ---

    async def queue(self, callback: Callback, mode: Literal["new", "again", "dead"] = "new") -> bool:
        """Let it be sent; was it queued by this call?

        `new`: unless it was queued before. `again`: whatever came of it, unless it is being sent just now. `dead`: if
        it was given up.
        """
        keys = self._keys
        own = (keys.callback(callback.id), keys.endpoint(callback.endpoint))
        sets = (keys.endpoint_due(callback.endpoint), keys.endpoint_dead(callback.endpoint))
        raw = await self._pipe.run(_QUEUE, (*own, *sets), callback.id, _pack(callback), mode, _ms(KEPT))
        return bool(reply(raw)[0] == "queued")

    async def waiting(self, endpoint_id: str, *, limit: int) -> Waiting:
        """What waits for an endpoint, and the `limit` that are due first."""
        due = self._keys.endpoint_due(endpoint_id)
        count, raw = await asyncio.gather(
            self._pipe.call("ZCARD", due), self._pipe.call("ZRANGE", due, 0, limit - 1, "WITHSCORES")
        )
        parts = flat(raw)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        return Waiting(int(count), tuple((name.decode(), when(int(float(at)))) for name, at in pairs))

    async def late(self) -> tuple[int, int, float]:
        """How many endpoints there are, how many callbacks wait for them, and for how long one has been due, in s."""
        ids = await self._pipe.call("SMEMBERS", self._keys.endpoints)
        found = await asyncio.gather(*(self.waiting(each.decode(), limit=1) for each in ids))
        seconds, _ = await self._pipe.call("TIME")
        due = [at.timestamp() for each in found for _, at in each.due]
        return len(ids), sum(each.count for each in found), max(0.0, int(seconds) - min(due, default=int(seconds)))

    async def take(
        self, endpoint_id: str, callback_id: str, token: str, *, lease: timedelta, at_once: int
    ) -> Taken | Literal["early", "full", "gone"]:
        """Take the right to send one that is due; `token` is new for each call."""
        due, leases, _ = self._sets(endpoint_id)
        keys = (self._keys.callback(callback_id), due, leases)
        raw = await self._pipe.run(_TAKE, keys, callback_id, token, _ms(lease), at_once, _ms(KEPT))
        word: Literal["early", "full", "gone"]
        word, *rest = reply(raw)
        return Taken(_unpack(callback_id, rest[0]), token, int(rest[1])) if rest else word

    async def keep(self, taken: Taken, *, lease: timedelta) -> bool:
        """Have it for so long from now; False: somebody else has it."""
        due, leases, _ = self._sets(taken.callback.endpoint)
        keys = (self._keys.callback(taken.callback.id), due, leases)
        return bool(reply(await self._pipe.run(_KEEP, keys, taken.callback.id, taken.token, _ms(lease)))[0] == "kept")

    async def end(self, taken: Taken, how: Ended) -> None:
        """It needs nothing more."""
        callback = taken.callback
        keys = (
            self._keys.callback(callback.id),
            *self._sets(callback.endpoint),
            self._keys.endpoint(callback.endpoint),
        )
        await self._pipe.run(_END, keys, callback.id, taken.token, how, _ms(_KNOWN))

    async def fail(
        self,
        taken: Taken,
        error: str,
        again: timedelta | None,
        *,
        tried: bool = True,
        off: str = "",
        off_after: tuple[timedelta, int, str],
    ) -> Failed:
        """A try failed, or (not `tried`) was not made; `again` is the pause before the next, None gives it up.

        `off` switches the endpoint off, and says why; so does a row of failures of such a length, by a callback that
        was tried so often: the three are in `off_after`, with the words for it.
        """
        callback, (longest, tries, why) = taken.callback, off_after
        keys = (
            self._keys.callback(callback.id),
            *self._sets(callback.endpoint),
            self._keys.endpoint(callback.endpoint),
        )
        pause = "" if again is None else _ms(again)
        word, *rest = reply(
            await self._pipe.run(
                *(_FAIL, keys, callback.id, taken.token, error, pause, "failed" if tried else "idle"),
                *(off, why, _ms(longest), tries, _ms(KEPT)),
            )
        )
        return Failed(word, bool(rest and rest[0]))

    async def dead(self, endpoint_id: str, *, limit: int) -> list[Given]:
        """What was given up, the latest first."""
        found = await self._pipe.call("ZREVRANGE", self._keys.endpoint_dead(endpoint_id), 0, limit - 1, "WITHSCORES")
        parts = flat(found)
        ids = [(name.decode(), when(int(float(at)))) for name, at in zip(parts[::2], parts[1::2], strict=True)]
        hashes = await asyncio.gather(*(self._pipe.call("HGETALL", self._keys.callback(name)) for name, _ in ids))
        return [_given(name, flat(raw), at) for (name, at), raw in zip(ids, hashes, strict=True) if raw]

    async def callback(self, callback_id: str) -> Callback | None:
        """One callback, as long as it is kept."""
        doc = await self._pipe.call("HGET", self._keys.callback(callback_id), "doc")
        return _unpack(callback_id, doc) if doc else None

    # --- people ---

    async def announce(self, about: str, text: str, to: Sequence[wire.Place], every: timedelta) -> bool:
        """Tell people at these places about the service itself, once in a while for what it is `about`."""
        keys = self._keys
        places = [place.model_dump(mode="json", exclude_none=True) for place in to]
        doc = json.dumps({"run_name": "Andon", "text": text, "to": places})
        own = (keys.notice("service", about), keys.notices, keys.events)
        return bool(reply(await self._pipe.run(_ANNOUNCE, own, doc, _ms(every)))[0] == "told")

    def _sets(self, endpoint_id: str) -> tuple[str, str, str]:
        keys = self._keys
        return keys.endpoint_due(endpoint_id), keys.endpoint_leases(endpoint_id), keys.endpoint_dead(endpoint_id)


def _endpoint(endpoint_id: str, raw: Sequence[bytes], waiting: int, dead: int) -> EndpointRecord:
    fields = _fields(raw)
    doc: dict[str, Any] = json.loads(fields["doc"])
    return EndpointRecord(
        id=endpoint_id,
        url=doc["url"],
        agent=doc["agent"],
        events=tuple(doc["events"]),
        by=doc["by"],
        created_at=when(fields["created_at"]),
        secret=fields["secret"],
        old_secret=fields.get("old_secret", b""),
        old_until=_time(fields, "old_until"),
        off=fields.get("off", b"").decode(),
        off_at=_time(fields, "off_at"),
        failing_since=_time(fields, "failing_since"),
        error=fields.get("error", b"").decode(),
        delivered=int(fields.get("delivered", 0)),
        failed=int(fields.get("failed", 0)),
        waiting=waiting,
        dead=dead,
    )


def _given(callback_id: str, raw: Sequence[bytes], at: datetime) -> Given:
    fields = _fields(raw)
    return Given(
        callback=_unpack(callback_id, fields["doc"]),
        tries=int(fields.get("n", 0)),
        error=fields.get("error", b"").decode(),
        dead_at=at,
        first=_time(fields, "first"),
        last=_time(fields, "last"),
    )


def _fields(raw: Sequence[bytes]) -> dict[str, bytes]:
    return {name.decode(): value for name, value in zip(raw[::2], raw[1::2], strict=True)}


def _time(fields: dict[str, bytes], name: str) -> datetime | None:
    return when(fields[name]) if name in fields else None


def _pack(callback: Callback) -> str:
    own = {
        "endpoint": callback.endpoint,
        "webhook_id": callback.webhook_id,
        "event": callback.event,
        "at": round(callback.at.timestamp() * 1000),
        "handoff": callback.handoff,
        "agent": callback.agent,
        "run": callback.run,
        "kind": callback.kind,
    }
    return json.dumps(own, separators=(",", ":"))


def _unpack(callback_id: str, doc: bytes) -> Callback:
    own: dict[str, Any] = json.loads(doc)
    text = {name: str(own.get(name, "")) for name in ("handoff", "agent", "run", "kind")}
    return Callback(callback_id, own["endpoint"], own["webhook_id"], own["event"], when(own["at"]), **text)
