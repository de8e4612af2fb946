"""Runs, checkpoints and notices in Redis."""

import asyncio
import json
import secrets
from datetime import timedelta
from typing import Any, Final, Literal

from andon import wire
from bot.handoff import Told
from bot.store.beats import patience_ms
from bot.store.handoffs import RUN_LIFE_MS
from bot.store.keys import Keys
from bot.store.messages import STANDARD, Limits
from bot.store.pipe import Pipe, load_script
from bot.store.records import read_brake, read_scopes, reply, scopes_of, when
from bot.store.run_asks import INDEXED, MOST_RUNS, RunAsks

_START, _CHECKPOINT, _NOTICE = (load_script(name) for name in ("start_run", "checkpoint", "notice"))
_STEER, _LOOK = (load_script(name) for name in ("steer", "look_run"))


_TRACE: Final = "trace"
"""Beside what the agent said of a run, in one JSON object: whoever reads that skips it."""
_NOTICES_KEPT_MS: Final = 7 * 24 * 3600 * 1000


class Runs:
    """The runs of one namespace."""

    def __init__(self, pipe: Pipe, keys: Keys) -> None:
        """Share the handoffs' pipe."""
        self._pipe = pipe
        self._keys = keys
        self._asks = RunAsks(pipe, keys)

    async def start(
        self,
        run_id: str,
        agent: str,
        start: wire.RunStart,
        fingerprint: str,
        limits: Limits = STANDARD,
        *,
        trace: str = "",
    ) -> tuple[Literal["started", "known", "reused", "no_parent", "too_deep", "too_fast"], int]:
        """Write a run once; the same id and fingerprint again is `known`. The number is how long to wait, ms."""
        place = start.conversation
        channel = place.channel if place else None
        started = start.model_dump_json(exclude_defaults=True)
        raw = await self._pipe.run(
            _START,
            (
                self._keys.run(run_id),
                self._keys.run(start.parent or run_id),
                self._keys.agent_load(agent),
                self._keys.conversation(place.surface, channel) if place and channel else self._keys.run(run_id),
                self._keys.run_children(start.parent or run_id),
                self._keys.beats,
            ),
            fingerprint,
            agent,
            json.dumps({**json.loads(started), _TRACE: trace}) if trace else started,
            "parent" if start.parent else "",
            RUN_LIFE_MS,
            *limits.pace,
            run_id if channel else "",
            start.parent or "",
            scopes_of(run_id, agent, start),
            run_id,
            INDEXED,
            MOST_RUNS,
            patience_ms(start.heartbeat_s),
        )
        word, *rest = reply(raw)
        return word, int(rest[0]) if word == "too_fast" else 0

    async def trace(self, run_id: str) -> str:
        """The trace that it was started in; empty: none, or no run."""
        doc = await self._pipe.call("HGET", self._keys.run(run_id), "doc")
        return str(json.loads(doc).get(_TRACE, "")) if doc else ""

    async def load(self, run_id: str) -> wire.Run | None:
        """Read one."""
        raw = await self._pipe.run(_LOOK, (self._keys.run(run_id), self._keys.brakes), run_id)
        if not raw:
            return None
        agent, doc, started_at, checkpoint, record, scopes, silent_at = raw
        brake = read_brake(record) if record else None
        return wire.Run(
            id=run_id,
            agent=agent.decode(),
            started_at=when(started_at),
            checkpoint=int(checkpoint),
            state="running" if brake is None else "aborted" if brake.action == "abort" else "held",
            brake=brake,
            scopes=read_scopes(scopes, run_id, agent.decode()),
            lost_since=when(silent_at) if silent_at else None,
            **json.loads(doc),
        )

    async def standing(self, run_id: str) -> tuple[int, str, bool]:
        """What went wrong so far in it and in all that come from the same run; its latest checkpoint's name, or "".

        Failed actions and unsure asks count in the first run of the line; in itself where that one is gone. The last
        part: may it go on from that checkpoint? A question that nobody can find any more was not answered yes.
        """
        (own, root), (checkpoint, asked) = await asyncio.gather(
            self._pipe.call("HMGET", self._keys.run(run_id), "failures", "root"),
            self._pipe.call("HMGET", self._keys.checkpoint(run_id), "name", "handoff"),
        )
        above = await self._pipe.call("HGET", self._keys.run(root.decode()), "failures") if root else 0
        yes = await self._pipe.call("HGET", self._keys.handoff(asked.decode()), "allowed") if asked else b"not asked"
        return int(own or 0) + int(above or 0), checkpoint.decode() if checkpoint else "", bool(yes)

    async def save_checkpoint(
        self,
        run_id: str,
        agent: str,
        save: wire.CheckpointSave,
        save_id: str,
        limits: Limits = STANDARD,
        *,
        handoff: str = "",
    ) -> tuple[Literal["saved", "moved", "gone", "too_fast"], int, wire.CheckpointReceipt | None]:
        """Save, if `save.if_version` allows; the number is the new version, the one that stands, or the wait, ms.

        The receipt, once it is saved, has what people told the run since the checkpoint before, the `handoff` that asks
        whether to go on, as this save was first made, and the brake that is on.
        """
        raw = await self._pipe.run(
            _CHECKPOINT,
            (
                self._keys.run(run_id),
                self._keys.checkpoint(run_id),
                self._keys.agent_load(agent),
                self._keys.steers(run_id),
                self._keys.brakes,
            ),
            agent,
            save.name,
            json.dumps(save.state, separators=(",", ":"), ensure_ascii=False),
            "" if save.if_version is None else save.if_version,
            save_id,
            RUN_LIFE_MS,
            *limits.pace,
            handoff,
            run_id,
        )
        word, *rest = reply(raw)
        if word != "saved":
            return word, int(rest[0]) if rest else 0, None
        version, asked, record, *steers = rest
        receipt = wire.CheckpointReceipt(
            run=run_id,
            version=int(version),
            steers=tuple(_steer(each) for each in steers),
            handoff=asked.decode() or None,
            brake=read_brake(record) if record else None,
        )
        return word, receipt.version, receipt

    async def steer(self, run: wire.Run, steer_id: str, text: str, by: wire.Actor) -> bool:
        """Leave a person's words for a run, and hold nothing; the same id again is told once. False: it is gone."""
        keys = self._keys
        raw = await self._pipe.run(
            _STEER,
            (
                keys.run(run.id),
                keys.steers(run.id),
                keys.events,
                keys.agent_events(run.agent),
                keys.steer(run.id, steer_id),
            ),
            run.id,
            run.agent,
            steer_id,
            json.dumps({"id": steer_id, "text": text, "by": by.model_dump(mode="json", exclude_none=True)}),
            RUN_LIFE_MS,
        )
        return bool(reply(raw)[0] == "told")

    async def bound(self, surface: str, channel: str, limit: int) -> list[wire.Run]:
        """The runs that are bound to a channel or a thread in it, latest started first."""
        ids = await self._pipe.call("ZREVRANGE", self._keys.conversation(surface, channel), 0, limit - 1)
        found = await asyncio.gather(*(self.load(run_id.decode()) for run_id in ids))
        return [run for run in found if run]

    async def asks(self, run_id: str) -> list[str]:
        """The ids of its handoffs; see `RunAsks.of`."""
        return await self._asks.of(run_id)

    async def checkpoint(self, run_id: str) -> wire.Checkpoint | None:
        """The latest one."""
        version, name, state, saved_at, steers, handoff = await self._pipe.call(
            "HMGET", self._keys.checkpoint(run_id), "version", "name", "state", "saved_at", "steers", "handoff"
        )
        if version is None:
            return None
        return wire.Checkpoint(
            run=run_id,
            version=int(version),
            name=name.decode(),
            saved_at=when(saved_at),
            state=json.loads(state),
            steers=tuple(_steer(packed.encode()) for packed in json.loads(steers or "[]")),
            handoff=handoff.decode() if handoff else None,
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
        return [_told(entry) for entry in entries]

    async def told(self, notice_id: str) -> Told | None:
        """One notice, as long as it is kept."""
        entries: list[Any] = await self._pipe.call("XRANGE", self._keys.notices, notice_id, notice_id)
        return _told(entries[0]) if entries else None

    async def alert(self, about: str, text: str, every: timedelta) -> bool:
        """Tell operators something about the service itself, at most once in a while for what it is `about`."""
        once, ours = self._keys.notice("service", about), secrets.token_bytes(16)
        life_ms = round(every / timedelta(milliseconds=1))
        if await self._pipe.call("SET", once, ours, "NX", "GET", "PX", life_ms) not in {None, ours}:
            return False
        doc = json.dumps({"run_name": "Andon", "text": text})
        added = ("MAXLEN", "~", 1000, "*", "a", "andon", "r", "", "doc", doc)
        await self._pipe.call("XADD", self._keys.notices, *added)
        await self._pipe.call("PEXPIRE", self._keys.notices, _NOTICES_KEPT_MS)
        return True


def _told(entry: Any) -> Told:
    entry_id, fields = entry
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    doc = json.loads(pairs[b"doc"])
    return Told(
        at=when(entry_id.split(b"-")[0]),
        agent=pairs[b"a"].decode(),
        run=pairs[b"r"].decode(),
        run_name=doc["run_name"],
        text=doc["text"],
        id=entry_id.decode(),
        to=tuple(wire.Place.model_validate(place) for place in doc.get("to", ())),
    )


def _steer(packed: bytes) -> wire.Steer:
    at, _, doc = packed.partition(b" ")
    return wire.Steer(at=when(at), **json.loads(doc))
