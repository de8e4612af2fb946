"""The service's calls, typed. One method per call; no waiting, no rules."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from andon import wire
from andon._errors import NotFound, ServiceUnavailable
from andon._http import Http

__all__ = ["Api"]

_Body = TypeVar("_Body", bound=BaseModel)


class Api:
    """The calls of `/v1` that agents and people make."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def start_run(self, start: wire.RunStart, *, idempotency_key: str) -> wire.Run:
        """Start a run; the same key and body give the same run."""
        # A service of before refuses what it does not know; and under one key the body stays as it was.
        unsaid = {"heartbeat_s"} if start.heartbeat_s is None else None
        body = start.model_dump_json(by_alias=True, exclude=unsaid)
        return _read(wire.Run, await self._http.call("POST", "/v1/runs", body=body, idempotency_key=idempotency_key))

    async def read_run(self, run_id: str, *, for_ever: bool = False) -> wire.Run:
        """Look up a run, with what holds it."""
        return _read(wire.Run, await self._http.call("GET", f"/v1/runs/{run_id}", for_ever=for_ever))

    async def save_checkpoint(
        self, run_id: str, save: wire.CheckpointSave, *, idempotency_key: str
    ) -> wire.CheckpointReceipt:
        """Save where a run stands; the same key is one save, with one receipt."""
        path = f"/v1/runs/{run_id}/checkpoint"
        content = await self._http.call("PUT", path, body=_json(save), idempotency_key=idempotency_key)
        return _read(wire.CheckpointReceipt, content)

    async def read_checkpoint(self, run_id: str) -> wire.Checkpoint | None:
        """Return a run's latest checkpoint, or None when there is none yet."""
        try:
            return _read(wire.Checkpoint, await self._http.call("GET", f"/v1/runs/{run_id}/checkpoint"))
        except NotFound:
            return None

    async def heard(self, run_id: str, heard: wire.Heard) -> wire.Run:
        """Acknowledge what people told a run; again is fine."""
        return _read(wire.Run, await self._post(f"/v1/runs/{run_id}/heard", heard))

    async def heartbeat(self, run_id: str, beat: wire.Heartbeat) -> wire.HeartbeatReceipt:
        """Give a sign of life of a run."""
        return _read(wire.HeartbeatReceipt, await self._post(f"/v1/runs/{run_id}/heartbeat", beat))

    async def brake(self, brake: wire.WideBrake, *, idempotency_key: str) -> wire.BrakeReceipt:
        """Pull or lift a brake as the person whose key this is."""
        return _read(wire.BrakeReceipt, await self._post("/v1/brakes", brake, idempotency_key))

    async def brakes(self) -> wire.BrakeList:
        """List the brakes that are on."""
        return _read(wire.BrakeList, await self._http.call("GET", "/v1/brakes"))

    async def notify(self, run_id: str, notice: wire.Notice, *, idempotency_key: str) -> None:
        """Tell people something."""
        await self._post(f"/v1/runs/{run_id}/notices", notice, idempotency_key)

    async def open(self, ask: wire.Ask, *, idempotency_key: str) -> wire.Handoff:
        """Open an ask; the same key and body give the same handoff."""
        return _read(wire.Handoff, await self._post("/v1/handoffs", ask, idempotency_key))

    async def read(self, handoff_id: str, *, for_ever: bool = False) -> wire.Handoff:
        """Read a handoff as it is now."""
        return _read(wire.Handoff, await self._http.call("GET", f"/v1/handoffs/{handoff_id}", for_ever=for_ever))

    async def page(self, **query: str) -> wire.HandoffPage:
        """List handoffs, one page; `query` as in the wire protocol."""
        return _read(wire.HandoffPage, await self._http.call("GET", "/v1/handoffs", params=query))

    async def answer(self, handoff_id: str, answer: wire.Answer, *, idempotency_key: str) -> wire.Handoff:
        """Answer as the person whose key this is."""
        return _read(wire.Handoff, await self._post(f"/v1/handoffs/{handoff_id}/answer", answer, idempotency_key))

    async def reply(self, handoff_id: str, text: str, *, idempotency_key: str) -> wire.Handoff:
        """Answer what a person asked."""
        body = wire.ReplyRequest(text=text)
        return _read(wire.Handoff, await self._post(f"/v1/handoffs/{handoff_id}/reply", body, idempotency_key))

    async def withdraw(self, handoff_id: str, reason: str | None) -> wire.Handoff:
        """Take an ask back."""
        body = wire.WithdrawRequest(reason=reason)
        return _read(wire.Handoff, await self._post(f"/v1/handoffs/{handoff_id}/withdraw", body))

    async def claim(self, handoff_id: str, claim: wire.ClaimRequest) -> bytes:
        """Claim a decision; returns the permit unread, for the one place that checks it."""
        return await self._post(f"/v1/handoffs/{handoff_id}/claim", claim)

    async def report(self, handoff_id: str, report: wire.OutcomeReport) -> wire.Handoff:
        """Report what came of it; the same report twice is one."""
        return _read(wire.Handoff, await self._post(f"/v1/handoffs/{handoff_id}/outcome", report))

    async def _post(self, path: str, body: BaseModel, idempotency_key: str | None = None) -> bytes:
        return await self._http.call("POST", path, body=_json(body), idempotency_key=idempotency_key)


def _json(body: BaseModel) -> str:
    return body.model_dump_json(by_alias=True)


def _read(model: type[_Body], content: bytes) -> _Body:
    try:
        return model.model_validate_json(content, context=wire.STORED)
    except ValidationError as error:
        msg = (
            f"not an answer of this service ({model.__name__}: {error.error_count()} faults); is ANDON_URL its address?"
        )
        raise ServiceUnavailable(msg) from error
