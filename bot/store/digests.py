"""Caps on cards, and the digests that gather what is past them."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from bot.handoff import Handoff
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import ms_of, reply

_ADMIT, _GATHER, _FILL = (load_script(name) for name in ("admit", "gather", "fill_digest"))
_LIFE: Final = timedelta(days=8)
"""Beyond the retention of a handoff, as the outbox has it."""

HOUR: Final = timedelta(hours=1)
ROWS: Final = 10
"""Handoffs on one digest, at most."""


@dataclass(frozen=True, slots=True)
class Page:
    """The digest of a place: what is on it, and how many more wait."""

    id: str
    rows: tuple[str, ...] = ()
    waiting: int = 0


class Digests:
    """What is gathered, place by place. A place is its JSON, as the outbox has it."""

    def __init__(self, pipe: Pipe, keys: Keys, *, retention: timedelta) -> None:
        """Keep things as long as the handoffs that they are about."""
        self._pipe = pipe
        self._keys = keys
        self._life_ms = round((retention + _LIFE) / timedelta(milliseconds=1))

    async def admit(self, handoff_id: str, who: Collection[str], most: int) -> bool:
        """Count a card for each of these, once a handoff; False when one of them had so many within the hour."""
        keys = tuple(self._keys.asked(_short(each)) for each in who)
        raw = await self._pipe.run(_ADMIT, keys, handoff_id, most, round(HOUR / timedelta(milliseconds=1)))
        return bool(reply(raw)[0] == "admitted")

    async def gather(self, handoff: Handoff, surface: str, place: str) -> bool:
        """Show it in the place's digest from now on; False when a card of its own was begun."""
        raw = await self._pipe.run(
            _GATHER,
            (
                self._keys.cards(handoff.id),
                self._keys.gathered(surface, _short(place)),
                self._keys.handoff(handoff.id),
            ),
            f"gathered\n{place}",
            f"begun\n{place}",
            handoff.id,
            ms_of(handoff.opened_at),
            self._life_ms,
        )
        return bool(reply(raw)[0] == "gathered")

    async def page(self, surface: str, place: str) -> Page:
        """The digest of a place as it stands; without an id when there is none."""
        queue = self._keys.gathered(surface, _short(place))
        raw, waiting = await self._pipe.call("GET", f"{queue}:now"), await self._pipe.call("ZCARD", queue)
        if raw is None:
            return Page("", waiting=int(waiting))
        rows = await self._pipe.call("HGET", self._keys.digest(raw.decode()), "rows")
        return Page(raw.decode(), _rows(rows or b""), int(waiting))

    async def next(self, surface: str, place: str) -> Sequence[str]:
        """Those that wait longest."""
        found = await self._pipe.call("ZRANGE", self._keys.gathered(surface, _short(place)), 0, ROWS - 1)
        return [each.decode() for each in found]

    async def drop(self, surface: str, place: str, ids: Collection[str]) -> None:
        """These need not wait any more."""
        if ids:
            await self._pipe.call("ZREM", self._keys.gathered(surface, _short(place)), *ids)

    async def fill(self, surface: str, place: str, current: str, *, ended: bool) -> Page | None:
        """Put what waits onto the digest, or (`ended`) onto a new one; None when another did, or nothing waits."""
        queue, new = self._keys.gathered(surface, _short(place)), f"dg_{secrets.token_urlsafe(16)}"
        raw = await self._pipe.run(
            _FILL,
            (queue, f"{queue}:now", self._keys.digest(current or new), self._keys.digest(new)),
            current,
            "ended" if ended else "",
            new,
            ROWS,
            self._life_ms,
        )
        word: Literal["filled", "moved", "nothing"]
        word, *rest = reply(raw)
        return Page(rest[0].decode(), _rows(rest[1]), int(rest[2])) if word == "filled" else None


def _rows(raw: bytes) -> tuple[str, ...]:
    return tuple(raw.decode().split("\n")) if raw else ()


def _short(text: str) -> str:
    """A part of a key: places and addresses are long, and may hold anything."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
