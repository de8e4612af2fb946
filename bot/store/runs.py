"""Runs, checkpoints and notices in Redis."""

import json
from typing import Any, Literal

from andon import wire
from bot.handoff import Told
from bot.store.handoffs import RUN_LIFE_MS, STANDARD, Limits
from bot.store.keys import Keys
from bot.store.pipe import Pipe, load_script
from bot.store.records import reply, when

_START, _CHECKPOINT, _NOTICE = (load_script(name) for name in ("start_run", "checkpoint", "notice"))


class Runs:
    """The runs of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys

    async def start(
        self, run_id: str, agent: str, start: wire.RunStart, fingerprint: str, limits: Limits = STANDARD
    ) -> tuple[Literal["started", "known", "reused", "no_parent", "too_fast"], int]:
        """Write a run once; the same id and fingerprint again is `known`. The number is how long to wait, ms."""
        raw = await self._pipe.run(
            _START,
            (self._keys.run(run_id), self._keys.run(start.parent or run_id), self._keys.agent_load(agent)),
            fingerprint,
            agent,
            start.model_dump_json(exclude_defaults=True),
            "parent" if start.parent else "",
            RUN_LIFE_MS,
            *limits.pace,
        )
        word, *rest = reply(raw)
        return word, int(rest[0]) if word == "too_fast" else 0

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
        self, run_id: str, agent: str, save: wire.CheckpointSave, save_id: str, limits: Limits = STANDARD
    ) -> tuple[Literal["saved", "moved", "gone", "too_fast"], int]:
        """Save, if `save.if_version` allows; the number is the new version, the one that stands, or the wait, ms."""
        raw = await self._pipe.run(
            _CHECKPOINT,
            (self._keys.run(run_id), self._keys.checkpoint(run_id), self._keys.agent_load(agent)),
            agent,
            save.name,
            json.dumps(save.state, separators=(",", ":"), ensure_ascii=False),
            "" if save.if_version is None else save.if_version,
            save_id,
            RUN_LIFE_MS,
            *limits.pace,
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

    async def notice(
        self, run: wire.Run, notice: wire.Notice, key: str, limits: Limits = STANDARD
    ) -> tuple[Literal["told", "gone", "too_fast"], int]:
        """Tell people; the same `key` again tells nothing. The number is how long to wait, ms."""
        keys = self._keys
        raw = await self._pipe.run(
            _NOTICE,
            (keys.run(run.id), keys.notices, keys.events, keys.agent_load(run.agent), keys.notice(run.id, key)),
            run.id,
            run.agent,
            json.dumps({"run_name": run.name, **notice.model_dump(mode="json", exclude_defaults=True)}),
            *limits.pace,
        )
        word, *rest = reply(raw)
        return word, int(rest[0]) if rest else 0

    async def notices(self, limit: int) -> list[Told]:
        """The newest, newest first."""
        entries: list[Any] = await self._pipe.call("XREVRANGE", self._keys.notices, "+", "-", "COUNT", limit)
        told = []
        for entry_id, fields in entries:
            pairs = dict(zip(fields[::2], fields[1::2], strict=True))
            doc = json.loads(pairs[b"doc"])
            at = when(entry_id.split(b"-")[0])
            told.append(Told(at, pairs[b"a"].decode(), pairs[b"r"].decode(), doc["run_name"], doc["text"]))
        return told
