"""Runs, checkpoints and notices in Redis."""

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from andon import wire
from bot.store.handoffs import RUN_LIFE_MS
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import reply, when

_START, _CHECKPOINT, _NOTICE = (load_script(name) for name in ("start_run", "checkpoint", "notice"))
NOTICES_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class ToldNotice:
    """A notice, as people read it."""

    at: str
    agent: str
    run: str
    text: str


class Runs:
    """The runs of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys

    async def start(
        self, run_id: str, agent: str, start: wire.RunStart, fingerprint: str
    ) -> Literal["started", "known", "reused", "no_parent"]:
        """Write a run once; the same id and fingerprint again is `known`."""
        raw = await self._pipe.run(
            _START,
            (self._keys.run(run_id), self._keys.run(start.parent or run_id)),
            fingerprint,
            agent,
            start.model_dump_json(exclude_defaults=True),
            "parent" if start.parent else "",
            RUN_LIFE_MS,
        )
        word: Literal["started", "known", "reused", "no_parent"] = reply(raw)[0]
        return word

    async def load(self, run_id: str) -> wire.Run | None:
        """Read one."""
        agent, doc, started_at, checkpoint = await self._pipe.call(
            "HMGET", self._keys.run(run_id), "agent", "doc", "started_at", "checkpoint"
        )
        if doc is None:
            return None
        return wire.Run(
            id=run_id, agent=agent.decode(), started_at=when(started_at), checkpoint=int(checkpoint), **json.loads(doc)
        )

    async def save_checkpoint(
        self, run_id: str, agent: str, save: wire.CheckpointSave, save_id: str
    ) -> tuple[Literal["saved", "moved", "gone"], int]:
        """Save, if `save.if_version` allows; the version is the new one, or the one that stands."""
        raw = await self._pipe.run(
            _CHECKPOINT,
            (self._keys.run(run_id), self._keys.checkpoint(run_id)),
            agent,
            save.name,
            json.dumps(save.state, separators=(",", ":"), ensure_ascii=False),
            "" if save.if_version is None else save.if_version,
            save_id,
            RUN_LIFE_MS,
        )
        word, *rest = reply(raw)
        return word, int(rest[0]) if rest else 0

    async def checkpoint(self, run_id: str) -> wire.Checkpoint | None:
        """The latest one."""
        version, name, state, saved_at = await self._pipe.call(
            "HMGET", self._keys.checkpoint(run_id), "version", "name", "state", "saved_at"
        )
        if version is None:
            return None
        return wire.Checkpoint(
            run=run_id, version=int(version), name=name.decode(), saved_at=when(saved_at), state=json.loads(state)
        )

    async def notice(self, run_id: str, agent: str, notice: wire.Notice) -> bool:
        """Tell people; False when there is no such run."""
        raw = await self._pipe.run(
            _NOTICE,
            (self._keys.run(run_id), self._keys.notices, self._keys.events),
            run_id,
            agent,
            notice.model_dump_json(exclude_defaults=True),
        )
        return bool(reply(raw)[0] == "told")

    async def notices(self, limit: int = NOTICES_SHOWN) -> list[ToldNotice]:
        """The newest, newest first."""
        entries: list[Any] = await self._pipe.call("XREVRANGE", self._keys.notices, "+", "-", "COUNT", limit)
        told = []
        for entry_id, fields in entries:
            pairs = dict(zip(fields[::2], fields[1::2], strict=True)) if isinstance(fields, list) else fields
            text = json.loads(pairs[b"doc"])["text"]
            at = when(entry_id.split(b"-")[0]).isoformat()
            told.append(ToldNotice(at=at, agent=pairs[b"a"].decode(), run=pairs[b"r"].decode(), text=text))
        return told
