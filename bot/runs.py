"""Runs: one job of an agent, its checkpoint, and what it tells people without asking."""

import asyncio
import secrets
from typing import Final

from andon import wire
from bot import tracing
from bot.access import Access, Principal
from bot.errors import REUSED, CheckpointMoved, Fault, Gone, IdempotencyKeyReused, InvalidBody, TooMany
from bot.store import Store

WEB: Final = wire.Place(surface="web")
_KNOWN: Final = 4_096


class Runs:
    """The verbs of a run."""

    def __init__(self, store: Store, access: Access, *, default_place: wire.Place = WEB) -> None:
        """Ids of runs come from `access`; a notice that names no place, in a run without one, goes to the default."""
        self._default_place = default_place
        self._store = store
        self._access = access
        self._known: dict[str, wire.Run] = {}
        self._traces: dict[str, str] = {}

    async def start(
        self, agent: Principal, start: wire.RunStart, idempotency_key: str | None, fingerprint: str
    ) -> tuple[wire.Run, bool]:
        """Start a run; returns it and whether it is new. The same key and `fingerprint` again changes nothing.

        Raises:
            IdempotencyKeyReused: The key came with another body before.
            Gone: The parent run is not this agent's.
            InvalidBody: Too many runs started one another.
            TooMany: The agent starts runs too fast.
        """
        mark = await self._store.mark_for(agent.name, start.parent)
        run_id = self._access.derive_id("run", agent.name, idempotency_key or secrets.token_urlsafe(16), mark=mark)
        if start.conversation is None and self._default_place.channel:
            start = start.model_copy(update={"conversation": self._default_place})
        word, wait_ms = await self._store.runs.start(
            run_id, agent.name, start, fingerprint, agent.limits, trace=tracing.current()
        )
        match word:
            case "reused":
                raise IdempotencyKeyReused(REUSED)
            case "no_parent":
                msg = (
                    f"there is no run {start.parent} of agent {agent.name}; leave `parent` out, or start that run first"
                )
                raise Gone(msg)
            case "too_deep":
                msg = "this run comes from a hundred others, each of which started the next; begin one without `parent`"
                raise InvalidBody(msg, faults=[Fault("parent", msg)])
            case "too_fast":
                raise _too_fast(agent, wait_ms)
        return await self.look(agent.name, run_id), word == "started"

    async def look(self, agent: str | None, run_id: str) -> wire.Run:
        """Read a run; `agent` None reads anybody's.

        Raises:
            Gone: There is none, or it is another agent's.
        """
        run = await self._store.runs.load(run_id)
        if run is None or (agent is not None and run.agent != agent):
            raise self.gone(run_id)
        return run

    async def known(self, agent: str, run_id: str) -> wire.Run:
        """A run, read once: what an ask needs of it never changes, and the scripts check that it is still there.

        Raises:
            Gone: There is none, or it is another agent's.
        """
        run = self._known.get(run_id)
        if run is None:
            run, self._traces[run_id] = await self._look_closely(agent, run_id)
            self._known[run_id] = run
        if run.agent != agent:
            raise self.gone(run_id)
        return run

    async def trace(self, agent: str, run_id: str) -> str:
        """The trace that a run was started in; raises as `known`."""
        await self.known(agent, run_id)
        return self._traces.get(run_id, "")

    async def _look_closely(self, agent: str, run_id: str) -> tuple[wire.Run, str]:
        """The run, and the trace that it was started in, in one round trip."""
        found = await asyncio.gather(self.look(agent, run_id), self._store.runs.trace(run_id))
        if len(self._known) >= _KNOWN:
            self._known.clear()
            self._traces.clear()
        return found

    def gone(self, run_id: str) -> Gone:
        """The error for a run that is not there, or not this agent's."""
        self._known.pop(run_id, None)
        msg = (
            f"there is no run {run_id} of yours; start one with POST /v1/runs (runs are kept for 30 days after an ask)"
        )
        return Gone(msg)

    async def save_checkpoint(
        self,
        agent: Principal,
        run_id: str,
        save: wire.CheckpointSave,
        idempotency_key: str | None,
        *,
        handoff: str = "",
    ) -> wire.CheckpointReceipt:
        """Save where a run stands; the same key again is one save. `handoff` asks whether it may go on.

        Raises:
            CheckpointMoved: `if_version` is not the latest.
            Gone: The run is not this agent's.
            TooMany: The agent saves too fast; a state counts as one write for each 64 KiB begun.
        """
        save_id = idempotency_key or secrets.token_urlsafe(16)
        word, version, receipt = await self._store.runs.save_checkpoint(
            run_id, agent.name, save, save_id, agent.limits, handoff=handoff
        )
        if word == "gone":
            raise self.gone(run_id)
        if word == "too_fast":
            raise _too_fast(agent, version)
        if word == "moved":
            msg = f"the latest checkpoint has version {version}, not {save.if_version}; read it, then save again"
            raise CheckpointMoved(msg)
        assert receipt  # noqa: S101  # it was saved
        return receipt

    async def steer(self, run_id: str, text: str, by: wire.Actor, *, steer_id: str | None = None) -> wire.Run:
        """Leave a person's words for a run's agent, and hold nothing; the same id twice is one.

        Raises:
            Gone: There is no such run.
        """
        run = await self.look(None, run_id)
        if not await self._store.runs.steer(run, steer_id or secrets.token_urlsafe(16), text, by):
            raise self.gone(run_id)
        return run

    async def checkpoint(self, agent: str, run_id: str) -> wire.Checkpoint:
        """Read the latest checkpoint.

        Raises:
            Gone: There is none, or the run is not this agent's.
        """
        await self.look(agent, run_id)
        checkpoint = await self._store.runs.checkpoint(run_id)
        if checkpoint is None:
            msg = f"run {run_id} has no checkpoint yet"
            raise Gone(msg)
        return checkpoint

    async def notify(self, agent: Principal, run_id: str, notice: wire.Notice, idempotency_key: str | None) -> None:
        """Tell people something; nobody is asked. The same key again tells nothing.

        Raises:
            Gone: The run is not this agent's.
            TooMany: The agent tells too much.
        """
        run = await self.known(agent.name, run_id)
        notice = notice.model_copy(update={"to": notice.to or (run.conversation or self._default_place,)})
        key = idempotency_key or secrets.token_urlsafe(16)
        word, wait_ms = await self._store.runs.notice(run, notice, key, agent.limits)
        if word == "gone":
            raise self.gone(run_id)
        if word == "too_fast":
            raise _too_fast(agent, wait_ms)


def _too_fast(agent: Principal, wait_ms: int) -> TooMany:
    msg = f"{agent.name} writes faster than {agent.limits.per_minute} a minute (runs, checkpoints and notices together)"
    return TooMany(msg, retry_after_s=max(1, -(-wait_ms // 1000)))
