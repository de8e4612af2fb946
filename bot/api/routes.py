"""The calls, each a few lines: authenticate, read strictly, let the flow do it, answer."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from aiohttp import web

from andon import wire
from bot import tracing
from bot.access import Access, Principal, check_owner
from bot.api.calls import CALLS
from bot.api.endpoints import EndpointCalls
from bot.api.events import EventStreams
from bot.api.openapi import document
from bot.api.operations import Operations
from bot.api.requests import Callers, body_of, fingerprint_of, idempotency_key, json_of, query_of, yaml_of
from bot.api.runs import RunCalls
from bot.api.told import Told
from bot.api.view import View
from bot.audit import audit, correction
from bot.beats import Beats
from bot.cards import as_grant
from bot.cursor import make_cursor, parse_cursor
from bot.delivery import How
from bot.errors import Unauthenticated
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

AUDITED: Final = 10_000
"""Handoffs that one report or export reads at the most."""


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
        self._callers = callers = Callers(access)
        self._more = [RunCalls(flow, runs, beats, callers).handlers, EndpointCalls(endpoints, callers).handlers]
        self._metrics = metrics
        self._traces = traces
        self._operations = operations
        self._url = url
        self._view = View(access, url)
        self._version = version

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """Every call of the table."""
        handlers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
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
        for more in self._more:
            handlers |= more
        options = {"GET": {"allow_head": False}}
        return [
            web.RouteDef(call.method, call.path, handlers[call.name], options.get(call.method, {})) for call in CALLS
        ]

    # --- handoffs ---

    async def _open(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        ask = await body_of(request, "open")
        key, print_ = idempotency_key(request), await fingerprint_of(request)
        with self._traces.opening(tracing.current() or await self._runs.trace(agent.name, ask.run)):
            handoff, new = await self._flow.open(agent, ask, key, print_)
        return self._handoff(handoff, agent, 201 if new else 200)

    async def _list_handoffs(self, request: web.Request) -> web.Response:
        who = await self._callers.known(request, "either")
        query = query_of(request, "list_handoffs")
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
        query = query_of(request, "get_handoff")
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
        person = await self._callers.known(request, "person")
        answer = await body_of(request, "answer")
        key = idempotency_key(request)
        answer_id = f"{person.key_id}:{key}" if key else None
        handoff = await self._flow.answer(request.match_info["id"], answer, person.actor, answer_id=answer_id)
        return self._handoff(handoff, person)

    async def _reply(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        body: wire.ReplyRequest = await body_of(request, "reply")
        handoff = await self._flow.own(agent.name, request.match_info["id"])
        key = idempotency_key(request) or secrets.token_urlsafe(16)
        await self._flow.handing_on.reply(handoff, body.text, f"{agent.key_id}:{key}")
        return self._handoff(await self._flow.own(agent.name, handoff.id), agent)

    async def _withdraw(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        body: wire.WithdrawRequest = await body_of(request, "withdraw")
        return self._handoff(await self._flow.withdraw(agent.name, request.match_info["id"], body.reason), agent)

    async def _claim(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        body: wire.ClaimRequest = await body_of(request, "claim")
        return json_of(await self._flow.claim(agent.name, request.match_info["id"], body))

    async def _report_outcome(self, request: web.Request) -> web.Response:
        agent = await self._callers.known(request, "agent")
        body: wire.OutcomeReport = await body_of(request, "report_outcome")
        return self._handoff(await self._flow.outcome(agent.name, request.match_info["id"], body), agent)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        agent = await self._callers.known(request, "agent")
        return await self._streams.serve(request, agent.name)

    # --- grants ---

    async def _list_grants(self, request: web.Request) -> web.Response:
        who = await self._callers.known(request, "either")
        found = await self._grants.listed(who.name if who.kind == "agent" else None)
        return json_of(wire.GrantList(grants=tuple(as_grant(each) for each in found)))

    async def _revoke_grant(self, request: web.Request) -> web.Response:
        who = await self._callers.known(request, "either")
        agent = who.name if who.kind == "agent" else None
        return json_of(as_grant(await self._grants.revoke(request.match_info["id"], who.actor, agent=agent)))

    # --- trust ---

    async def _list_trust(self, request: web.Request) -> web.Response:
        await self._callers.known(request, "person")
        return json_of(wire.TrustList(ramps=tuple(await self._flow.trust())))

    async def _reset_trust(self, request: web.Request) -> web.Response:
        person = await self._callers.known(request, "person")
        return json_of(await self._flow.reset_trust(request.match_info["key"], person.actor))

    # --- what people made of it ---

    async def _audit_gates(self, request: web.Request) -> web.Response:
        await self._callers.known(request, "person")
        since, until = await self._period(request, "audit_gates")
        found = [handoff async for handoff in self._flow.lately(since, limit=AUDITED + 1)]
        report = audit(found[:AUDITED], since=since, until=until, complete=len(found) <= AUDITED)
        return json_of(report)

    async def _corrections(self, request: web.Request) -> web.StreamResponse:
        await self._callers.known(request, "person")
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
        return until - timedelta(days=int(query_of(request, name).get("days", "30"))), until

    # --- policy ---

    async def _explain_policy(self, request: web.Request) -> web.Response:
        await self._callers.known(request, "person")
        return json_of(await self._flow.explain(await body_of(request, "explain_policy")))

    async def _replay_policy(self, request: web.Request) -> web.Response:
        await self._callers.known(request, "person")
        days = int(query_of(request, "replay_policy").get("days", "30"))
        return json_of(await self._flow.replay(await yaml_of(request, "replay_policy"), days=days))

    async def _policy_schema(self, _: web.Request) -> web.Response:
        found = {"$id": f"{self._url}/policy.schema.json", **schema()}
        return web.json_response(found, content_type="application/schema+json")

    # --- operations ---

    async def _openapi(self, _: web.Request) -> web.Response:
        return web.json_response(document(self._version, self._url))

    # --- shared ---

    async def _reader(self, request: web.Request, handoff_id: str) -> Principal | None:
        """Whose key it is; None when the handoff's own token opens it."""
        try:
            return await self._callers.known(request, "either")
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
