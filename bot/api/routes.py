"""The calls, each a few lines: authenticate, read strictly, let the flow do it, answer."""

import asyncio
import contextlib
import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from andon import wire
from bot import tracing
from bot.access import Access, Principal, check_owner
from bot.api.calls import CALLS, MAY, WHOSE, Call, Who
from bot.api.endpoints import EndpointCalls
from bot.api.events import EventStreams
from bot.api.openapi import document
from bot.api.operations import Operations
from bot.api.problems import body_fault
from bot.api.strict import parse
from bot.api.told import Told
from bot.api.view import View
from bot.audit import audit, correction
from bot.beats import Beats
from bot.brake.order import BrakeOrder
from bot.cards import as_grant
from bot.cursor import make_cursor, parse_cursor
from bot.delivery import How
from bot.errors import BadRequest, BotError, Forbidden, Gone, TooLarge, Unauthenticated
from bot.flow import Flow
from bot.grants import Grants
from bot.handoff import OPEN, Handoff, State
from bot.hub import Hub
from bot.metrics import Metrics
from bot.policy import schema
from bot.ports import CallbackDesk
from bot.runs import Runs
from bot.store import Store
from bot.tracing import Traces

BODY_S: Final = 20.0
"""How long a body may take to arrive."""

AUDITED: Final = 10_000
"""Handoffs that one report or export reads at the most."""

_IDEMPOTENCY_KEY: Final = re.compile(r"^[!-~]{1,255}$")
_YAML: Final = frozenset({"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain"})
_CHECKPOINT_STRING: Final = 1_048_576
_CHECKPOINT_KEYS: Final = 100_000
_CALLS: Final = {call.name: call for call in CALLS}
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {
    call.name: TypeAdapter(call.body) for call in CALLS if call.body is not None
}


class _UnsupportedMediaType(BotError):
    slug, title, status = "unsupported-media-type", "The body is of another kind", 415


class _TooSlow(BotError):
    slug, title, status = "request-timeout", "The request took too long", 408


class Api:
    """The agents' API over a flow."""

    def __init__(  # the composition root names each part once
        self,
        flow: Flow,
        runs: Runs,
        store: Store,
        *,
        hub: Hub,
        access: Access,
        metrics: Metrics,
        endpoints: CallbackDesk,
        traces: Traces,
        operations: Operations,
        beats: Beats,
        url: str,
        version: str,
    ) -> None:
        """`url` is the address that people and agents reach."""
        self._flow = flow
        self._runs = runs
        self._store = store
        self._grants = Grants(store)
        self._hub = hub
        self._streams = EventStreams(store, hub)
        self._access = access
        self._metrics = metrics
        self._traces = traces
        self._operations = operations
        self._beats = beats
        self._url = url
        self._endpoints = EndpointCalls(endpoints).handlers
        self._view = View(access, url)
        self._version = version

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Every call of the table."""
        handlers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
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
            "open": self._open,
            "list_handoffs": self._list_handoffs,
            "get_handoff": self._get_handoff,
            "answer": self._answer,
            "reply": self._reply,
            "withdraw": self._withdraw,
            "claim": self._claim,
            "report_outcome": self._report_outcome,
            "list_grants": self._list_grants,
            "revoke_grant": self._revoke_grant,
            "list_trust": self._list_trust,
            "reset_trust": self._reset_trust,
            "audit_gates": self._audit_gates,
            "corrections": self._corrections,
            "events": self._events,
            "explain_policy": self._explain_policy,
            "replay_policy": self._replay_policy,
            "policy_schema": self._policy_schema,
            "healthz": self._operations.healthz,
            "readyz": self._operations.readyz,
            "metrics": self._operations.metrics,
            "openapi": self._openapi,
        }
        handlers |= {name: partial(self._for_admins, name) for name in self._endpoints}
        options = {"GET": {"allow_head": False}}
        return [
            web.RouteDef(call.method, call.path, handlers[call.name], options.get(call.method, {})) for call in CALLS
        ]

    # --- runs ---

    async def _start_run(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        start: wire.RunStart = await _body(request, "start_run")
        run, new = await self._runs.start(agent, start, _idempotency_key(request), await _fingerprint(request))
        return _json(run, 201 if new else 200)

    async def _get_run(self, request: web.Request) -> web.Response:
        who = await self._who(request, "either")
        agent = who.name if who.kind == "agent" else None
        return _json(await self._runs.look(agent, request.match_info["run"]))

    async def _save_checkpoint(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        save: wire.CheckpointSave = await _body(
            request, "save_checkpoint", max_string=_CHECKPOINT_STRING, max_keys=_CHECKPOINT_KEYS
        )
        receipt = await self._flow.save_checkpoint(agent, request.match_info["run"], save, _idempotency_key(request))
        return _json(receipt)

    async def _get_checkpoint(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        return _json(await self._runs.checkpoint(agent.name, request.match_info["run"]))

    async def _brake(self, request: web.Request) -> web.Response:
        person = await self._who(request, "person")
        brake: wire.Brake = await _body(request, "brake")
        return _json(await self._obey(request, person, wire.BrakeScope(run=_run_id(request)), brake))

    async def _wide_brake(self, request: web.Request) -> web.Response:
        person = await self._who(request, "person")
        brake: wire.WideBrake = await _body(request, "wide_brake")
        return _json(await self._obey(request, person, brake.scope, brake))

    async def _obey(
        self, request: web.Request, person: Principal, scope: wire.BrakeScope, brake: wire.Brake
    ) -> wire.BrakeReceipt:
        key = _idempotency_key(request) or secrets.token_urlsafe(16)
        order_id = f"{person.key_id}:{key}"
        order = BrakeOrder(order_id, scope, brake.action, person.actor, brake.text, epoch=brake.epoch)
        return await self._flow.braking.obey(order)

    async def _list_brakes(self, request: web.Request) -> web.Response:
        await self._who(request, "person")
        return _json(wire.BrakeList(brakes=tuple(await self._flow.braking.standing())))

    async def _heard(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        body: wire.Heard = await _body(request, "heard")
        return _json(await self._flow.braking.heard(agent.name, _run_id(request), body.steers))

    async def _heartbeat(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        body: wire.Heartbeat = await _body(request, "heartbeat")
        return _json(await self._beats.hear(agent.name, _run_id(request), body))

    async def _notify(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        notice: wire.Notice = await _body(request, "notify")
        await self._runs.notify(agent, request.match_info["run"], notice, _idempotency_key(request))
        return web.json_response({}, status=202)

    # --- handoffs ---

    async def _open(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        ask = await _body(request, "open")
        key, print_ = _idempotency_key(request), await _fingerprint(request)
        with self._traces.opening(tracing.current() or await self._runs.trace(agent.name, ask.run)):
            handoff, new = await self._flow.open(agent, ask, key, print_)
        return self._handoff(handoff, agent, 201 if new else 200)

    async def _list_handoffs(self, request: web.Request) -> web.Response:
        who = await self._who(request, "either")
        query = _query(request, "list_handoffs")
        limit = int(query.get("limit", "50"))
        only_open = query.get("state") in {s.value for s in OPEN}
        page_of = self._store.handoffs.urgent if only_open else self._store.handoffs.latest
        found, last = await page_of(parse_cursor(query.get("cursor")), limit)
        following = make_cursor(last)
        wanted = [h for h in found if _matches(h, query, who)]
        documents = []
        for handoff in wanted:
            documents.append(self._document(handoff, who))
            await asyncio.sleep(0)  # a page of large asks takes a while to write: let others in between
        page = b'{"handoffs":[%b],"cursor":%b}' % (b",".join(documents), json.dumps(following).encode())
        return web.Response(body=page, content_type="application/json")

    async def _get_handoff(self, request: web.Request) -> web.Response:
        handoff_id = request.match_info["id"]
        who = await self._reader(request, handoff_id)
        query = _query(request, "get_handoff")
        wait = float(query.get("wait", "0"))
        if not wait:
            return self._handoff(await self._read(handoff_id, who), who)
        with self._hub.waiter(handoff_id, who.key_id if who else "token") as waiting:
            handoff: Handoff | None = await self._read(handoff_id, who, glance=True)
            if handoff and _is_as_seen(handoff, query) and not self._hub.closing:
                handoff = None  # ten thousand may wait here: none of them holds an ask
                if handoff := await waiting.at_most(wait):
                    self._metrics.told(handoff, datetime.now(UTC))
            return self._handoff(handoff or await self._read(handoff_id, who), who, waited=True)

    async def _answer(self, request: web.Request) -> web.Response:
        person = await self._who(request, "person")
        answer = await _body(request, "answer")
        key = _idempotency_key(request)
        answer_id = f"{person.key_id}:{key}" if key else None
        handoff = await self._flow.answer(request.match_info["id"], answer, person.actor, answer_id=answer_id)
        return self._handoff(handoff, person)

    async def _reply(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        body: wire.ReplyRequest = await _body(request, "reply")
        handoff = await self._flow.own(agent.name, request.match_info["id"])
        key = _idempotency_key(request) or secrets.token_urlsafe(16)
        await self._flow.handing_on.reply(handoff, body.text, f"{agent.key_id}:{key}")
        return self._handoff(await self._flow.own(agent.name, handoff.id), agent)

    async def _withdraw(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        body: wire.WithdrawRequest = await _body(request, "withdraw")
        return self._handoff(await self._flow.withdraw(agent.name, request.match_info["id"], body.reason), agent)

    async def _claim(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        body: wire.ClaimRequest = await _body(request, "claim")
        return _json(await self._flow.claim(agent.name, request.match_info["id"], body))

    async def _report_outcome(self, request: web.Request) -> web.Response:
        agent = await self._who(request, "agent")
        body: wire.OutcomeReport = await _body(request, "report_outcome")
        return self._handoff(await self._flow.outcome(agent.name, request.match_info["id"], body), agent)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        agent = await self._who(request, "agent")
        return await self._streams.serve(request, agent.name)

    # --- grants ---

    async def _list_grants(self, request: web.Request) -> web.Response:
        who = await self._who(request, "either")
        found = await self._grants.listed(who.name if who.kind == "agent" else None)
        return _json(wire.GrantList(grants=tuple(as_grant(each) for each in found)))

    async def _revoke_grant(self, request: web.Request) -> web.Response:
        who = await self._who(request, "either")
        agent = who.name if who.kind == "agent" else None
        return _json(as_grant(await self._grants.revoke(request.match_info["id"], who.actor, agent=agent)))

    # --- trust ---

    async def _list_trust(self, request: web.Request) -> web.Response:
        await self._who(request, "person")
        return _json(wire.TrustList(ramps=tuple(await self._flow.trust())))

    async def _reset_trust(self, request: web.Request) -> web.Response:
        person = await self._who(request, "person")
        return _json(await self._flow.reset_trust(request.match_info["key"], person.actor))

    # --- what people made of it ---

    async def _audit_gates(self, request: web.Request) -> web.Response:
        await self._who(request, "person")
        since, until = await self._period(request, "audit_gates")
        found = [handoff async for handoff in self._flow.lately(since, limit=AUDITED + 1)]
        report = audit(found[:AUDITED], since=since, until=until, complete=len(found) <= AUDITED)
        return _json(report)

    async def _corrections(self, request: web.Request) -> web.StreamResponse:
        await self._who(request, "person")
        since, _ = await self._period(request, "corrections")
        response = web.StreamResponse(headers={"Content-Type": "application/jsonl", "Cache-Control": "no-store"})
        with contextlib.suppress(ConnectionError):
            await response.prepare(request)
            async for handoff in self._flow.lately(since, limit=AUDITED):
                if line := correction(handoff):
                    await response.write(line.model_dump_json(exclude_none=True).encode() + b"\n")
        return response

    async def _period(self, request: web.Request, name: str) -> tuple[datetime, datetime]:
        until = await self._store.now()
        return until - timedelta(days=int(_query(request, name).get("days", "30"))), until

    # --- policy ---

    async def _explain_policy(self, request: web.Request) -> web.Response:
        await self._who(request, "person")
        return _json(await self._flow.explain(await _body(request, "explain_policy")))

    async def _replay_policy(self, request: web.Request) -> web.Response:
        await self._who(request, "person")
        days = int(_query(request, "replay_policy").get("days", "30"))
        return _json(await self._flow.replay(await _yaml(request, "replay_policy"), days=days))

    async def _policy_schema(self, _: web.Request) -> web.Response:
        found = {"$id": f"{self._url}/policy.schema.json", **schema()}
        return web.json_response(found, content_type="application/schema+json")

    # --- endpoints of callbacks ---

    async def _for_admins(self, name: str, request: web.Request) -> web.Response:
        admin, call = await self._who(request, "admin"), _CALLS[name]
        query, body = _query(request, name), await _body(request, name) if call.body else None
        answer = await self._endpoints[name](admin, {**request.match_info, **query}, body)
        return _json(answer, min(call.success))

    # --- operations ---

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.json_response(document(self._version, self._url))

    # --- shared ---

    async def _who(self, request: web.Request, who: Who) -> Principal:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        principal = await self._access.authenticate(key.strip() if scheme.lower() == "bearer" else "")
        if principal.kind not in MAY[who]:
            raise Forbidden(WHOSE["admin" if principal.kind == "admin" else who])
        return principal

    async def _reader(self, request: web.Request, handoff_id: str) -> Principal | None:
        """Whose key it is; None when the handoff's own token opens it."""
        try:
            return await self._who(request, "either")
        except Unauthenticated:
            token = request.headers.get("Authorization", "").partition(" ")[2].strip()
            if token.startswith(f"{handoff_id}.") and self._access.token_opens(token, handoff_id):
                return None
            raise

    async def _read(self, handoff_id: str, who: Principal | None, *, glance: bool = False) -> Handoff:
        handoff = await (self._flow.glance(handoff_id) if glance else self._flow.look(handoff_id))
        if who and who.kind == "agent":
            check_owner(handoff, who.name)
        return handoff

    def _document(self, handoff: Handoff, who: Principal | None) -> bytes:
        return self._view.document(
            handoff, to="bearer" if who is None else "agent" if who.kind == "agent" else "person"
        )

    def _handoff(
        self, handoff: Handoff, who: Principal | None, status: int = 200, *, waited: bool = False
    ) -> web.Response:
        body = self._document(handoff, who)
        if not handoff.awaits_delivery or (who and who.kind != "agent"):
            return web.Response(body=body, status=status, content_type="application/json")
        how: How = "stream" if who and not waited and self._hub.follows(who.name) else "poll"
        return Told(body, status, written=partial(self._flow.delivery.was_read, handoff, how))


def _run_id(request: web.Request) -> str:
    run = request.match_info["run"]
    if not re.fullmatch(r"run_[A-Za-z0-9_-]{22,64}", run):
        msg = f"there is no run {run[:40]}"
        raise Gone(msg)
    return run


def _json(model: BaseModel, status: int = 200) -> web.Response:
    return web.Response(
        body=model.model_dump_json(by_alias=True, exclude_none=True).encode(),
        status=status,
        content_type="application/json",
    )


async def _body(request: web.Request, name: str, **limits: int) -> Any:
    call: Call = _CALLS[name]
    if request.content_type != "application/json":
        msg = f"the body is {request.content_type}; send `Content-Type: application/json`"
        raise _UnsupportedMediaType(msg)
    value = parse(await _whole(request), limit=call.body_limit, **limits)
    try:
        return _ADAPTERS[name].validate_python(value)
    except ValidationError as error:
        raise body_fault(error) from error


async def _yaml(request: web.Request, name: str) -> str:
    if request.content_type not in _YAML:
        msg = f"the body is {request.content_type}; send `Content-Type: application/yaml`"
        raise _UnsupportedMediaType(msg)
    body = await _whole(request)
    if len(body) > _CALLS[name].body_limit:
        raise TooLarge(f"the body is {len(body)} bytes, over {_CALLS[name].body_limit}")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: {error.reason} at byte {error.start}") from error


async def _whole(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except TimeoutError:
        msg = f"the body did not arrive within {BODY_S:.0f} s"
        raise _TooSlow(msg) from None


async def _fingerprint(request: web.Request) -> str:
    """Tells whether two requests with one Idempotency-Key are the same."""
    return hashlib.sha256(await request.read()).hexdigest()[:32]


def _query(request: web.Request, name: str) -> dict[str, str]:
    """The query, checked against the call's table.

    Raises:
        BadRequest: A parameter is unknown, given twice, or out of its range.
    """
    known = _CALLS[name].query
    found: dict[str, str] = {}
    for key, value in request.query.items():
        if key not in known:
            msg = f"there is no query parameter `{key[:40]}` here; known: {', '.join(known)}"
            raise BadRequest(msg)
        if key in found:
            raise BadRequest(f"the query parameter `{key}` is given twice")
        _check_query(key, value, known[key])
        found[key] = value
    return found


def _check_query(key: str, value: str, schema: Any) -> None:
    bad = False
    if schema["type"] in {"integer", "number"}:
        pattern = r"\d{1,10}" if schema["type"] == "integer" else r"\d{1,4}(\.\d{1,9})?"
        bad = (
            re.fullmatch(pattern, value, re.ASCII) is None or not schema["minimum"] <= float(value) <= schema["maximum"]
        )
        wants = f"{schema['type']} from {schema['minimum']} to {schema['maximum']}"
    elif "enum" in schema:
        bad, wants = value not in schema["enum"], f"one of {', '.join(schema['enum'])}"
    else:
        bad, wants = not 1 <= len(value) <= schema["maxLength"], f"1 to {schema['maxLength']} characters"
    if bad:
        raise BadRequest(f"`{key}` is {value[:40]!r}; it takes {wants}")


def _idempotency_key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.match(key):
        raise BadRequest("Idempotency-Key takes 1 to 255 visible ASCII characters")
    return key


def _is_as_seen(handoff: Handoff, query: dict[str, str]) -> bool:
    """Is it still as the caller knows it: waiting for an answer, or on hold, at that revision?"""
    if handoff.state.value != query.get("state", State.PENDING.value):
        return False
    return handoff.state in OPEN and handoff.revision == int(query.get("revision", handoff.revision))


def _matches(handoff: Handoff, query: dict[str, str], who: Principal) -> bool:
    if who.kind == "agent" and handoff.agent != who.name:
        return False
    tests = {"state": handoff.state.value, "gate": handoff.ask.gate, "agent": handoff.agent, "run": handoff.run}
    return all(query.get(name) in {None, value} for name, value in tests.items())
