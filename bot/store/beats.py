"""Signs of life in Redis: the runs that promised them, and the leases on what was claimed in such a run.

All by the store's clock. What is due is found by any process, and written by a script that looks again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from andon import wire
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import flat, reply, when

_BEAT, _WATCH, _LOSE = (load_script(name) for name in ("beat", "watch", "lose"))

MISSED: Final = 3
"""Signs of life that a run may miss in a row; then it is lost."""

GAP: Final = timedelta(seconds=5)
"""For so long no process may have been there to hear; after a longer time all runs get all of their time again."""

GAP_MS: Final = round(GAP / timedelta(milliseconds=1))
_RUN_LIFE_MS: Final = 30 * 24 * 3600 * 1000
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Due:
    """A run or a handoff that has had no sign of life for too long, and when that was so; Unix ms."""

    id: str
    at_ms: int

    @property
    def at(self) -> datetime:
        """The same as a time."""
        return when(self.at_ms)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a sign of life did; see the script's header for the words."""

    word: Literal["beating", "over", "unpromised", "gone"]
    lost_after: datetime | None = None
    silent_since: datetime | None = None
    """Of one that was lost: the last sign of life before."""


class Beats:
    """The promises of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Nothing is kept here."""
        self._pipe = pipe
        self._keys = keys

    async def beat(self, run: wire.Run, acting: Sequence[str], *, found: wire.Notice, last: bool = False) -> Heard:
        """Hear a sign of life of a run, from a process that works on `acting`; `found` is told if it was lost."""
        keys = self._keys
        raw = await self._pipe.run(
            _BEAT,
            (
                *(keys.run(run.id), keys.beats, keys.events, keys.agent_events(run.agent)),
                *(keys.run_asks(run.id), keys.notices, keys.leases),
            ),
            run.id,
            run.agent,
            "last" if last else "",
            _RUN_LIFE_MS,
            pack_notice(run, found),
            *acting,
        )
        word, *rest = reply(raw)
        lost_after, silent = rest or (b"", b"")
        return Heard(word, when(lost_after) if lost_after else None, when(silent) if silent else None)

    async def claimed(self, run_id: str) -> list[str]:
        """What was claimed in a run, with a lease, and not reported yet."""
        keys = self._keys
        ids = await self._pipe.call("ZINTER", 2, keys.run_asks(run_id), keys.leases)
        return [each.decode() for each in ids]

    async def expected(self) -> bool:
        """Is there anything of which a sign of life is expected?"""
        counts = [await self._pipe.call("ZCARD", key) for key in (self._keys.beats, self._keys.leases)]
        return any(counts)

    async def watch(self, *, away: bool = False) -> tuple[list[Due], list[Due]]:
        """Say that this process is there to hear, or that it was `away`; the runs and the handoffs that are overdue."""
        keys = (self._keys.beats, self._keys.leases, self._keys.beats_watch)
        _, runs, claims = reply(await self._pipe.run(_WATCH, keys, GAP_MS, "away" if away else "", _AT_ONCE))
        return _due(runs), _due(claims)

    async def lose(self, run: wire.Run, due: Due, told: wire.Notice) -> Literal["lost", "early", "over"]:
        """Note that a run is lost, unless a sign of life came since `due` was read; `told` is for people."""
        keys = self._keys
        raw = await self._pipe.run(
            _LOSE,
            (
                *(keys.run(run.id), keys.beats, keys.beats_watch),
                *(keys.events, keys.agent_events(run.agent), keys.notices),
            ),
            run.id,
            run.agent,
            due.at_ms,
            GAP_MS,
            pack_notice(run, told),
        )
        word: Literal["lost", "early", "over"] = reply(raw)[0]
        return word

    async def forget(self, due: Due) -> None:
        """Expect nothing more of a run that is gone, or of what was claimed and is no action."""
        for key in (self._keys.beats, self._keys.leases):
            await self._pipe.call("ZREM", key, due.id)


def patience_ms(heartbeat_s: int | None) -> int | str:
    """After so long without a sign of life a run is lost; "" when it promised none."""
    return MISSED * heartbeat_s * 1_000 if heartbeat_s else ""


def pack_notice(run: wire.Run, notice: wire.Notice) -> str:
    """A notice as the stream of notices has it."""
    return json.dumps({"run_name": run.name, **notice.model_dump(mode="json", exclude_defaults=True)})


def _due(raw: Any) -> list[Due]:
    found = flat(raw)
    return [Due(found[i].decode(), int(float(found[i + 1]))) for i in range(0, len(found), 2)]
