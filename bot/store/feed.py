"""The stream of changes: what happened, in order, for this process and for agents that come back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from bot.errors import StoreUnavailable
from bot.handoff import Change
from bot.store.keys import Keys
from bot.store.pipe import Pipe

_BLOCK_MS: Final = 5_000
_PAGE: Final = 500
_BUSY: Final = 4
_GULP_S: Final = 0.002
"""Under load the tail reads in larger gulps: a wake from another process comes 2 ms later, and costs a tenth."""
_STATES: Final = {
    "opened": "pending",
    "revised": "pending",
    "reminded": "pending",
    "escalated": "pending",
    "reassigned": "pending",
    "questioned": "pending",
    "replied": "pending",
    "voted": "pending",
    "doubted": "pending",
    "held": "held",
    "released": "pending",
    "stopped": "decided",
    "freed": "decided",
    "decided": "decided",
    "delivered": "decided",
    "unreached": "decided",
    "claimed": "claimed",
    "unknown": "claimed",
    "closed": "closed",
    "late": "closed",
}


class Feed:
    """Reads the events of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        self._pipe = pipe
        self._keys = keys

    async def last_id(self) -> str:
        """The newest event's id; "0-0" when there is none."""
        newest = await self._pipe.call("XREVRANGE", self._keys.events, "+", "-", "COUNT", 1)
        return str(newest[0][0].decode()) if newest else "0-0"

    async def oldest_id(self) -> str:
        """The oldest kept event's id; "0-0" when there is none."""
        oldest = await self._pipe.call("XRANGE", self._keys.events, "-", "+", "COUNT", 1)
        return str(oldest[0][0].decode()) if oldest else "0-0"

    async def tail(self, after: str) -> AsyncIterator[list[Change]]:
        """Events after `after` as they come, for ever; a lost connection is taken up where it broke."""
        pause = 0.05
        while True:
            try:
                command = ("XREAD", "COUNT", _PAGE, "BLOCK", _BLOCK_MS, "STREAMS", self._keys.events, after)
                raw = await self._pipe.block(*command, wait_s=_BLOCK_MS / 1000)
                pause = 0.05
            except StoreUnavailable:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                continue
            if not raw:
                continue
            changes = [_change(entry) for entry in raw[0][1]]
            after = changes[-1].id
            yield changes
            if len(changes) > _BUSY:
                await asyncio.sleep(_GULP_S)

    async def since(self, agent: str, after: str) -> list[Change]:
        """What an agent has been told after `after`, one page, oldest first; brakes among it."""
        newest, page, brakes = await asyncio.gather(
            self._pipe.call("XREVRANGE", self._keys.events, "+", "-", "COUNT", 1),
            self._pipe.call("XRANGE", self._keys.agent_events(agent), f"({after}", "+", "COUNT", _PAGE),
            self._pipe.call("XRANGE", self._keys.brakes_told, f"({after}", "+"),
        )
        own = [_change(entry) for entry in page]
        told = [each for each in map(_change, brakes) if each.agent == " * " or f" {agent} " in each.agent]
        # Two streams are not read at one moment. Up to here both were whole; what came meanwhile is for the next page.
        until = event_number(newest[0][0].decode()) if newest else (0, 0)
        if len(own) == _PAGE:
            until = min(until, event_number(own[-1].id))
        found = sorted((*own, *told), key=lambda change: event_number(change.id))
        return [change for change in found if event_number(change.id) <= until]

    async def kept(self, after: str) -> bool:
        """Is everything after this id still kept?

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        oldest = await self.oldest_id()
        return event_number(after) >= event_number(oldest) or oldest == "0-0" or await self._never_trimmed()

    async def _never_trimmed(self) -> bool:
        info = await self._pipe.call("XINFO", "STREAM", self._keys.events)
        pairs = info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True))
        pairs = {k.decode() if isinstance(k, bytes) else k: v for k, v in pairs.items()}
        return int(pairs.get("entries-added", 0)) == int(pairs.get("length", -1))


def valid_id(text: str) -> bool:
    """Is this an event id?"""
    head, dash, tail = text.partition("-")
    return bool(dash) and all(part.isascii() and part.isdigit() and int(part) < 2**64 for part in (head, tail))


def event_number(event_id: str) -> tuple[int, int]:
    """What orders events: a later one has a higher number."""
    head, _, tail = event_id.partition("-")
    return int(head), int(tail or 0)


def _change(entry: Any) -> Change:
    """One event; a field that a newer version left out or added does no harm."""
    entry_id, fields = entry
    pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))

    def text(name: bytes) -> str:
        return str(pairs.get(name, b"").decode())

    event = text(b"e")
    return Change(
        id=entry_id.decode(),
        event=event,
        handoff=text(b"h"),
        agent=text(b"a"),
        run=text(b"r"),
        state=_STATES.get(event, ""),
        revision=int(text(b"v") or 0),
        kind=text(b"k") or None,
    )
