"""The calls on runs: their start, their checkpoints, their brakes, and the signs of life of whoever does them."""

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from andon import wire
from bot.access import Principal
from bot.api.requests import Callers, body_of, fingerprint_of, idempotency_key, json_of
from bot.beats import Beats
from bot.brake.order import BrakeOrder
from bot.errors import Gone
from bot.flow import Flow
from bot.runs import Runs

_CHECKPOINT_STRING: Final = 1_048_576
_CHECKPOINT_KEYS: Final = 100_000


class RunCalls:
    """A method for each call, of its name."""

    def __init__(self, flow: Flow, runs: Runs, beats: Beats, callers: Callers) -> None:
        """Let them do it."""
        self._flow = flow
        self._runs = runs
        self._beats = beats
        self._callers = callers
        self.handlers: Mapping[str, Callable[[web.Request], Awaitable[web.Response]]] = {
            "start_run": self._start_run,
            "get_run": self._get_run,
            "save_checkpoint": self._save_checkpoint,
            "get_checkpoint": self._get_checkpoint,
            "brake": self._brake,
            "wide_brake": self._wide_brake,
            "list_brakes": self._list_brakes,
            "heard": self._heard,
            "heartbeat": self._heartbeat,
            "notify": self._notify,
        }

    async def _start_run(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        start: wire.RunStart = await body_of(request, "start_run")
        run, new = await self._runs.start(agent, start, idempotency_key(request), await fingerprint_of(request))
        return json_of(run, 201 if new else 200)

    async def _get_run(self, request: web.Request) -> web.Response:
        who = await self._callers.known(request, "either")
        agent = who.name if who.kind == "agent" else None
        return json_of(await self._runs.look(agent, request.match_info["run"]))

    async def _save_checkpoint(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        save: wire.CheckpointSave = await body_of(
            request, "save_checkpoint", max_string=_CHECKPOINT_STRING, max_keys=_CHECKPOINT_KEYS
        )
        receipt = await self._flow.save_checkpoint(agent, request.match_info["run"], save, idempotency_key(request))
        return json_of(receipt)

    async def _get_checkpoint(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        return json_of(await self._runs.checkpoint(agent.name, request.match_info["run"]))

    async def _brake(self, request: web.Request) -> web.Response:
        person = await self._callers.known(request, "person")
        brake: wire.Brake = await body_of(request, "brake")
        return json_of(await self._obey(request, person, wire.BrakeScope(run=_run_of(request)), brake))

    async def _wide_brake(self, request: web.Request) -> web.Response:
        person = await self._callers.known(request, "person")
        brake: wire.WideBrake = await body_of(request, "wide_brake")
        return json_of(await self._obey(request, person, brake.scope, brake))

    async def _obey(
        self, request: web.Request, person: Principal, scope: wire.BrakeScope, brake: wire.Brake
    ) -> wire.BrakeReceipt:
        key = idempotency_key(request) or secrets.token_urlsafe(16)
        order_id = f"{person.key_id}:{key}"
        order = BrakeOrder(order_id, scope, brake.action, person.actor, brake.text, epoch=brake.epoch)
        return await self._flow.braking.obey(order)

    async def _list_brakes(self, request: web.Request) -> web.Response:
        await self._callers.known(request, "person")
        return json_of(wire.BrakeList(brakes=tuple(await self._flow.braking.standing())))

    async def _heard(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        body: wire.Heard = await body_of(request, "heard")
        return json_of(await self._flow.braking.heard(agent.name, _run_of(request), body.steers))

    async def _heartbeat(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        body: wire.Heartbeat = await body_of(request, "heartbeat")
        return json_of(await self._beats.hear(agent.name, _run_of(request), body))

    async def _notify(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        notice: wire.Notice = await body_of(request, "notify")
        await self._runs.notify(agent, request.match_info["run"], notice, idempotency_key(request))
        return web.json_response({}, status=202)


def _run_of(request: web.Request) -> str:
    run = request.match_info["run"]
    if not re.fullmatch(r"run_[A-Za-z0-9_-]{22,64}", run):
        msg = f"there is no run {run[:40]}"
        raise Gone(msg)
    return run
