"""The events stream as an outbox: who has been given which event, and where the cards of a handoff are."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from redis.exceptions import ResponseError

from bot.errors import StoreUnavailable
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import ms_of, reply

_BEGIN, _KEEP, _BURY, _SKIP = (load_script(name) for name in ("begin_card", "keep_card", "bury", "skip"))
_LIFE: Final = timedelta(days=8)
"""Beyond the retention of the handoff: the longest that it may wait for its decision, and a day."""
_PAGE: Final = 200
CALLBACKS: Final = "callbacks"
"""Who follows the events and is no surface: the callbacks."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event of the outbox, given to one process; `number` counts how often it was given to anybody."""

    id: str
    event: str
    handoff: str
    number: int = 1
    kind: str = ""
    """Of a notice, its id; of a decision, its kind."""
    agent: str = ""
    """Whose it is; of a brake, all who are told, with a space around each."""
    run: str = ""


@dataclass(frozen=True, slots=True)
class Buried:
    """An event that was given up."""

    id: str
    event: str
    handoff: str
    surface: str
    deliveries: int
    reason: str


@dataclass(frozen=True, slots=True)
class Placed:
    """What is known of one handoff's card at one place."""

    begun: bool = False
    """Somebody was about to post it: perhaps did."""
    addresses: tuple[str, ...] = ()
    """Where it is; more than one when two processes posted it."""
    refused: str | None = None
    """Why it can never arrive."""
    gathered: bool = False
    """It is shown there in a digest."""


class Outbox:
    """What must still be shown, surface by surface: each follows the events in a consumer group of its own."""

    def __init__(self, pipe: Pipe, keys: Keys, *, retention: timedelta) -> None:
        """Remember where cards are for as long as their handoffs are kept."""
        self._pipe = pipe
        self._keys = keys
        self._life_ms = round((retention + _LIFE) / timedelta(milliseconds=1))

    # --- events ---

    async def join(self, surface: str) -> None:
        """Make the surface's group if there is none; it begins with the oldest event that is kept.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        try:
            await self._pipe.call("XGROUP", "CREATE", self._keys.events, _group(surface), "0", "MKSTREAM")
        except StoreUnavailable as error:
            if not (isinstance(error.__cause__, ResponseError) and str(error.__cause__).startswith("BUSYGROUP")):
                raise

    async def read(self, surface: str, consumer: str, *, limit: int, wait: timedelta) -> list[Delivery]:
        """Events that were given to nobody yet, waiting up to `wait` for one.

        Raises:
            StoreUnavailable: Redis did not answer. What it gave is taken over later.
        """
        wait_ms = round(wait / timedelta(milliseconds=1))
        command = ("XREADGROUP", "GROUP", _group(surface), consumer, "COUNT", limit, "BLOCK", wait_ms)
        raw = await self._pipe.block(*command, "STREAMS", self._keys.events, ">", wait_s=wait.total_seconds())
        return [_delivery(entry) for entry in raw[0][1]] if raw else []

    async def take_over(self, surface: str, consumer: str, *, idle: timedelta, limit: int) -> list[Delivery]:
        """Events whose reader has shown no sign of life for `idle`, with one delivery more each."""
        start, found = "0-0", list[Delivery]()
        while len(found) < limit:
            start, entries, *_ = await self._pipe.call(
                *("XAUTOCLAIM", self._keys.events, _group(surface), consumer),
                *(round(idle / timedelta(milliseconds=1)), start, "COUNT", _PAGE),
            )
            found += [_delivery(entry) for entry in entries if entry[1]]
            if start in {b"0-0", "0-0"}:
                break
        if not found:
            return []
        numbers = {entry_id: number for entry_id, number, _ in await self._pending(surface, consumer)}
        return [replace(d, number=numbers.get(d.id, 1)) for d in found]

    async def keep(self, surface: str, consumer: str, ids: Sequence[str], *, counted: bool = False) -> None:
        """Say that these are being worked on; `counted`: as one delivery more."""
        for first in range(0, len(ids), _PAGE):
            await self._pipe.call(
                *("XCLAIM", self._keys.events, _group(surface), consumer, 0, *ids[first : first + _PAGE]),
                *(() if counted else ("JUSTID",)),
            )

    async def done(self, surface: str, ids: Collection[str]) -> None:
        """These need nothing more."""
        if ids:
            await self._pipe.call("XACK", self._keys.events, _group(surface), *ids)

    async def skip(self, surface: str, until: datetime) -> bool:
        """Give nobody what happened before; False: all of it was given to somebody already."""
        said = reply(await self._pipe.run(_SKIP, (self._keys.events,), _group(surface), ms_of(until)))
        return bool(said[0] == "skipped")

    async def hand_back(self, surface: str, consumer: str, *, idle: timedelta) -> None:
        """Leave whatever this reader has to the others, at once and without counting it as a delivery; then leave."""
        idle_ms = round(idle / timedelta(milliseconds=1))
        mine = await self._pending(surface, consumer)
        for entry_id, number, _ in mine:
            await self._pipe.call(
                *("XCLAIM", self._keys.events, _group(surface), consumer, 0, entry_id),
                *("IDLE", idle_ms, "RETRYCOUNT", max(0, number - 1), "JUSTID"),
            )
        if not mine:
            await self._pipe.call("XGROUP", "DELCONSUMER", self._keys.events, _group(surface), consumer)

    async def forget_readers(self, surface: str, *, idle: timedelta) -> None:
        """Drop the names of readers that are long gone and owe nothing."""
        for raw in await self._pipe.call("XINFO", "CONSUMERS", self._keys.events, _group(surface)):
            about = raw if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=True))
            if not about[b"pending"] and about[b"idle"] > idle / timedelta(milliseconds=1):
                await self._pipe.call(
                    "XGROUP", "DELCONSUMER", self._keys.events, _group(surface), about[b"name"].decode()
                )

    async def bury(self, surface: str, delivery: Delivery, *, deliveries: int, reason: str) -> bool:
        """Give an event up, once; False when somebody finished it."""
        raw = await self._pipe.run(
            _BURY,
            (self._keys.dead_cards, self._keys.events),
            _group(surface),
            delivery.id,
            delivery.handoff,
            delivery.event,
            surface,
            deliveries,
            reason,
        )
        return bool(reply(raw)[0] == "buried")

    async def buried(self, *, limit: int = 100) -> list[Buried]:
        """What was given up, the latest first."""
        found = []
        for _, fields in await self._pipe.call("XREVRANGE", self._keys.dead_cards, "+", "-", "COUNT", limit):
            about = {fields[i].decode(): fields[i + 1].decode() for i in range(0, len(fields), 2)}
            found.append(
                Buried(about["id"], about["e"], about["h"], about["surface"], int(about["n"]), about["reason"])
            )
        return found

    async def _pending(self, surface: str, consumer: str) -> list[tuple[str, int, int]]:
        """What a reader has: id, deliveries, and ms since its last sign of life."""
        found: list[tuple[str, int, int]] = []
        start = "-"
        while True:
            page = await self._pipe.call("XPENDING", self._keys.events, _group(surface), start, "+", _PAGE, consumer)
            found += [(entry_id.decode(), int(number), int(idle)) for entry_id, _, idle, number in page]
            if len(page) < _PAGE:
                return found
            start = f"({found[-1][0]}"

    # --- cards ---

    async def placed(self, handoff_id: str, place: str) -> Placed:
        """What is known of its card at a place."""
        flat = await self._pipe.call("HGETALL", self._keys.cards(handoff_id))
        kept = {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
        at = _field("at", place, "")
        return Placed(
            begun=_field("begun", place) in kept,
            addresses=tuple(sorted(name.removeprefix(at) for name in kept if name.startswith(at))),
            refused=kept.get(_field("refused", place)),
            gathered=_field("gathered", place) in kept,
        )

    async def begin_card(
        self, handoff_id: str, place: str, who: str, *, lease: timedelta
    ) -> Literal["first", "again", "busy", "gathered"]:
        """Take the right to post at a place; no lease gives it back. `again`: a card may be there already."""
        raw = await self._pipe.run(
            _BEGIN,
            (self._keys.cards(handoff_id),),
            _field("begun", place),
            who,
            round(lease / timedelta(milliseconds=1)),
            self._life_ms,
            _field("gathered", place),
        )
        word: Literal["first", "again", "busy", "gathered"] = reply(raw)[0]
        return word

    async def save_card(self, handoff_id: str, place: str, address: str) -> None:
        """Remember where a card is, and what is there; with the first one, the handoff is shown since now."""
        surface = json.loads(place)["surface"]
        await self._pipe.call("SET", self._keys.card(surface, address), handoff_id, "PX", self._life_ms)
        await self._keep(handoff_id, _field("at", place, address), "", shown=True)

    async def save_digest(self, digest_id: str, place: str, address: str) -> None:
        """Remember where a digest is. No handoff is at that address."""
        await self._keep(digest_id, _field("at", place, address), "")

    async def card_at(self, surface: str, address: str) -> str | None:
        """The handoff whose card is at this address."""
        found = await self._pipe.call("GET", self._keys.card(surface, address))
        return found.decode() if found else None

    async def drop_card(self, handoff_id: str, place: str, address: str) -> None:
        """Forget a card that is not there any more; the next one is the first again, and it is shown since that one."""
        await self._pipe.call("HDEL", self._keys.handoff(handoff_id), "shown_at")
        await self._pipe.call(
            "HDEL", self._keys.cards(handoff_id), _field("at", place, address), _field("begun", place)
        )
        await self._pipe.call("DEL", self._keys.card(json.loads(place)["surface"], address))

    async def refuse_card(self, handoff_id: str, place: str, reason: str) -> None:
        """Remember that it can never arrive there."""
        await self._keep(handoff_id, _field("refused", place), reason)

    async def _keep(self, handoff_id: str, field: str, value: str, *, shown: bool = False) -> None:
        keys = (self._keys.cards(handoff_id), self._keys.handoff(handoff_id))
        await self._pipe.run(_KEEP, keys, field, value, self._life_ms, "shown" if shown else "")


def _group(surface: str) -> str:
    return CALLBACKS if surface == CALLBACKS else f"cards:{surface}"


def _field(*parts: str) -> str:
    """A field of the cards' hash; a place has no line break, because it is JSON."""
    return "\n".join(parts)


def _delivery(entry: Any) -> Delivery:
    """An entry as it was read; what is no event of a handoff names none."""
    entry_id, fields = entry
    pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
    event, handoff, kind, agent, run = (
        pairs.get(name, b"").decode(errors="replace") for name in (b"e", b"h", b"k", b"a", b"r")
    )
    return Delivery(entry_id.decode(), event, handoff, kind=kind, agent=agent, run=run)
