"""A service that keeps just enough of the wire protocol to try an agent's side against: real HTTP, faults on demand.

It takes the agent's part seriously (idempotency keys, digests, one claim) and the service's own not at all: no policy,
no store, no timers. A person is a function from a handoff to a decision.
"""

import asyncio
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from andon import wire

KEY = "agent-key"
PERSON_KEY = "person-key"
MIRA: dict[str, Any] = {"kind": "person", "id": "mira@example.com", "name": "Mira", "surface": "web"}

STOP: dict[str, Any] = {
    "action": "stop",
    "scope": {"everything": True},
    "by": MIRA,
    "at": "2026-11-22T14:02:00Z",
    "text": "Not before the audit",
    "epoch": 1,
}

Json = dict[str, Any]
Person = Callable[[Json], Json | None]


def canonical(value: object) -> str:
    """RFC 8785, for the ASCII keys and whole numbers that these tests use."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def approve(handoff: Json) -> Json:
    action = handoff["ask"]["action"]
    return {"kind": "approved", "args": action["args"] if action else {}}


def silent(handoff: Json) -> None:
    """Nobody answers."""


def reject(handoff: Json) -> Json:
    return {"kind": "rejected", "reason": "not today"}


class FakeService:
    """The service's state, what was asked of it, and the faults it should show."""

    def __init__(self) -> None:
        self.person: Person = silent
        self.calls: Counter[str] = Counter()
        self.handoffs: dict[str, Json] = {}
        self.notices: list[Json] = []
        self.runs: dict[str, Json] = {}
        self.drop_replies = 0
        self.drop_receipts = 0
        """So many saves are made, and their replies are lost."""
        self.steers: list[Json] = []
        """What people told the run since its last checkpoint."""
        self.heard: list[str] = []
        """The words that it acknowledged."""
        self.busy = 0
        self.tamper: Callable[[Json], Json] = lambda permit: permit
        self.claim_problem: tuple[int, str] | None = None
        self.resumed_from: list[str | None] = []
        self.forget_events = False
        self.beats: list[Json] = []
        self.heartless = 0
        self.forget_notices = False
        self._ids = itertools.count()
        self._made: dict[tuple[str, str], tuple[bytes, str]] = {}
        self._checkpoints: dict[str, Json] = {}
        self._receipts: dict[str, Json] = {}
        self._events: list[tuple[int, str, Json]] = []
        self._streams: set[asyncio.Queue[tuple[int, str, Json] | None]] = set()
        self._connections: list[web.Request] = []
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeService"]:
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def start(self) -> None:
        """Listen; the second time on the same port."""
        app = web.Application(middlewares=[self._faults])
        app.router.add_post("/v1/runs", self._start_run)
        app.router.add_get("/v1/runs/{run}", self._read_run)
        app.router.add_put("/v1/runs/{run}/checkpoint", self._save)
        app.router.add_get("/v1/runs/{run}/checkpoint", self._load)
        app.router.add_post("/v1/runs/{run}/heard", self._hear)
        app.router.add_post("/v1/runs/{run}/heartbeat", self._beat)
        app.router.add_post("/v1/runs/{run}/notices", self._notice)
        app.router.add_post("/v1/handoffs", self._open)
        app.router.add_get("/v1/handoffs", self._list)
        app.router.add_get("/v1/handoffs/{id}", self._read)
        app.router.add_post("/v1/handoffs/{id}/withdraw", self._withdraw)
        app.router.add_post("/v1/handoffs/{id}/answer", self._answer)
        app.router.add_post("/v1/handoffs/{id}/claim", self._claim)
        app.router.add_post("/v1/handoffs/{id}/outcome", self._outcome)
        app.router.add_get("/v1/events", self._stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.cut_streams()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def cut_streams(self) -> None:
        for request in self._connections:
            if request.transport is not None:
                request.transport.abort()
        for queue in self._streams:
            queue.put_nowait(None)

    @property
    def only(self) -> Json:
        """The one handoff there is."""
        (handoff,) = self.handoffs.values()
        return handoff

    def steer(self, text: str) -> None:
        """Tell the run something."""
        said = {"id": f"s{next(self._ids)}", "text": text, "by": MIRA, "at": _now()}
        self.steers = [*self.steers, said]

    def decide(self, handoff: Json, decision: Json) -> None:
        """Let a decision stand, and tell the streams."""
        kind = decision["kind"]
        decided: Any = None
        if kind in {"approved", "edited"}:
            action = handoff["ask"]["action"]
            decided = {"tool": action["tool"] if action else "", "args": decision["args"]}
        elif kind == "chosen":
            candidate = next(c for c in handoff["ask"]["candidates"] if c["id"] == decision["choice"])
            action = candidate.get("action")
            decided = {"tool": action["tool"], "args": action["args"]} if action else {"choice": decision["choice"]}
        elif kind == "answered":
            decided = {"answer": decision["answer"]}
        handoff["decision"] = {
            "by": MIRA,
            "at": _now(),
            "revision": handoff["revision"],
            "message_for_agent": f"{kind}: {decision.get('reason') or 'no more was said'}",
            **decision,
        }
        if decided is not None:
            handoff["payload"] = canonical(decided)
            handoff["decision"]["digest"] = digest(decided)
        self._move(handoff, "decided")

    def _move(self, handoff: Json, state: str) -> None:
        handoff["state"] = state
        self.tell(f"handoff.{state}", {"handoff": handoff["id"], "state": state})

    def now(self) -> datetime:
        return datetime.now(UTC)

    def tell(self, name: str, data: Json) -> None:
        """An event, to all streams."""
        event = (len(self._events) + 1, name, data)
        self._events.append(event)
        for queue in self._streams:
            queue.put_nowait(event)

    @web.middleware
    async def _faults(self, request: web.Request, handler: Any) -> web.StreamResponse:
        resource = request.match_info.route.resource
        self.calls[f"{request.method} {resource.canonical if resource else '?'}"] += 1
        if request.headers.get("Authorization") not in {f"Bearer {KEY}", f"Bearer {PERSON_KEY}"}:
            return _problem(401, "key-refused", "unknown key")
        if self.busy and request.method == "POST":
            self.busy -= 1
            return _problem(503, "store-unavailable", "the store did not confirm", {"Retry-After": "0"})
        response: web.StreamResponse = await handler(request)
        if self.drop_replies and request.method == "POST":
            self.drop_replies -= 1
            if request.transport is not None:
                request.transport.abort()
        if self.drop_receipts and request.method == "PUT":
            self.drop_receipts -= 1
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _once(self, request: web.Request, make: Callable[[Json], str]) -> tuple[int, str] | web.Response:
        """Return what the idempotency key made, or make it."""
        body = await request.read()
        key = (request.path, request.headers["Idempotency-Key"])
        if key in self._made:
            before, made = self._made[key]
            if before != body:
                return _problem(409, "idempotency-key-reused", "another body came with this key")
            return 200, made
        made = make(json.loads(body))
        self._made[key] = (body, made)
        return 201, made

    async def _start_run(self, request: web.Request) -> web.Response:
        def make(body: Json) -> str:
            wire.RunStart.model_validate(body)
            run_id = f"run_{len(self.runs):022}"
            self.runs[run_id] = {"id": run_id, "agent": "tester", "started_at": _now(), **body}
            return run_id

        made = await self._once(request, make)
        return made if isinstance(made, web.Response) else web.json_response(self.runs[made[1]], status=made[0])

    async def _beat(self, request: web.Request) -> web.Response:
        if request.match_info["run"] not in self.runs:
            return _problem(404, "not-found", "there is no such run")
        if self.heartless:
            self.heartless -= 1
            return _problem(400, "bad-request", "it does not listen")
        body: Json = await request.json()
        wire.Heartbeat.model_validate(body)
        self.beats.append(body)
        return web.json_response({})

    async def _read_run(self, request: web.Request) -> web.Response:
        return web.json_response(self.runs[request.match_info["run"]])

    async def _save(self, request: web.Request) -> web.Response:
        run, key = request.match_info["run"], request.headers.get("Idempotency-Key")
        if key not in self._receipts:
            version = self._checkpoints.get(run, {"version": 0})["version"] + 1
            receipt = {"run": run, "version": version, "steers": self.steers}
            self.steers = []
            self._checkpoints[run] = {**await request.json(), **receipt, "saved_at": _now()}
            self._receipts[key or f"none {version}"] = receipt
            return web.json_response(receipt)
        return web.json_response(self._receipts[key])

    async def _load(self, request: web.Request) -> web.Response:
        saved = self._checkpoints.get(request.match_info["run"])
        return web.json_response(saved) if saved else _problem(404, "not-found", "no checkpoint yet")

    async def _hear(self, request: web.Request) -> web.Response:
        self.heard += wire.Heard.model_validate(await request.json()).steers
        return await self._read_run(request)

    async def _notice(self, request: web.Request) -> web.Response:
        def make(body: Json) -> str:
            wire.Notice.model_validate(body)
            self.notices.append(body)
            return ""

        if self.forget_notices:
            make(await request.json())
            return web.json_response({}, status=202)
        made = await self._once(request, make)
        return made if isinstance(made, web.Response) else web.json_response({}, status=202)

    async def _open(self, request: web.Request) -> web.Response:
        def make(body: Json) -> str:
            ask = wire.parse_ask(body)
            shown = ask.model_dump(mode="json", by_alias=True)
            handoff_id = f"hf_{len(self.handoffs)}"
            now = datetime.now(UTC)
            self.handoffs[handoff_id] = handoff = {
                "id": handoff_id,
                "state": "pending",
                "revision": 1,
                "digest": digest(shown.get("action") and {k: shown["action"][k] for k in ("tool", "args")}),
                "agent": "tester",
                "run": ask.run,
                "ask": shown,
                "opened_at": now.isoformat(),
                "expires_at": (now + timedelta(seconds=ask.timeout_s or 600)).isoformat(),
                "silence": "If nobody answers, it is not done.",
                "url": f"{self.url}/h/{handoff_id}",
                "token": f"{handoff_id}.secret",
            }
            asyncio.get_running_loop().call_later(0.02, self._press, handoff)
            return handoff_id

        made = await self._once(request, make)
        return made if isinstance(made, web.Response) else _shown(self.handoffs[made[1]], made[0])

    def _press(self, handoff: Json) -> None:
        decision = self.person(handoff)
        if decision is not None and handoff["state"] == "pending":
            self.decide(handoff, decision)

    async def _list(self, request: web.Request) -> web.Response:
        state = request.query.get("state")
        listed = [handoff for handoff in self.handoffs.values() if state in {None, handoff["state"]}]
        return web.json_response({"handoffs": listed})

    async def _read(self, request: web.Request) -> web.Response:
        handoff = self.handoffs.get(request.match_info["id"])
        if handoff and _is_person(request):
            handoff = {name: value for name, value in handoff.items() if name != "token"}
        return _shown(handoff) if handoff else _problem(404, "not-found", "no such handoff")

    async def _withdraw(self, request: web.Request) -> web.Response:
        handoff = self.handoffs[request.match_info["id"]]
        if handoff["state"] != "pending":
            return _problem(409, "already-decided", "a decision stands")
        self.decide(handoff, {"kind": "withdrawn", "reason": (await request.json())["reason"]})
        return _shown(handoff)

    async def _answer(self, request: web.Request) -> web.Response:
        handoff = self.handoffs[request.match_info["id"]]
        if not _is_person(request):
            return _problem(403, "forbidden", "an agent's key can never answer")
        body = await request.json()
        handoff["answer_body"] = body
        if handoff["state"] != "pending":
            return _problem(409, "already-decided", "Mira decided this at 14:02, so this changed nothing.")
        made: Json = {"kind": "answered", "answer": body.get("answer")}
        if body["kind"] == "approve":
            made = approve(handoff)
        elif body["kind"] == "edit":
            made = {"kind": "edited", "args": body["args"]}
        elif body["kind"] == "reject":
            made = {"kind": "rejected", "reason": body["reason"] or "no reason given"}
        elif body["kind"] == "choose":
            made = {"kind": "chosen", "choice": body["choice"]}
        self.decide(handoff, made)
        return _shown(handoff)

    async def _claim(self, request: web.Request) -> web.Response:
        handoff = self.handoffs[request.match_info["id"]]
        body = await request.json()
        if self.claim_problem is not None:
            brake = STOP if self.claim_problem[1] == "stopped" else None
            return _problem(*self.claim_problem, "no permit", brake=brake)
        if body["digest"] != handoff["decision"].get("digest"):
            return _problem(409, "digest-mismatch", "another digest was decided")
        claimed = handoff.setdefault("claim", {"claimant": body["claimant"], "at": _now()})
        if claimed["claimant"] != body["claimant"]:
            return _problem(409, "already-claimed", "somebody else has the permit")
        self._move(handoff, "claimed")
        permit = {
            "handoff": handoff["id"],
            "revision": handoff["revision"],
            "digest": body["digest"],
            "payload": handoff["payload"],
            "claimant": body["claimant"],
            "claimed_at": _now(),
        }
        return web.json_response(self.tamper(permit))

    async def _outcome(self, request: web.Request) -> web.Response:
        handoff = self.handoffs[request.match_info["id"]]
        body = await request.json()
        wire.OutcomeReport.model_validate(body)
        if isinstance(body["result"], int) and abs(body["result"]) >= 2**53:
            return _problem(400, "number-out-of-range", "send it as a string")
        if "outcome" not in handoff:
            handoff["outcome"] = {**body, "at": _now()}
            self._move(handoff, "closed")
        return _shown(handoff)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[tuple[int, str, Json] | None] = asyncio.Queue()
        last = request.headers.get("Last-Event-ID")
        self.resumed_from.append(last)
        if last is None or self.forget_events:
            name = "stream.open" if last is None else "stream.reset"
            await response.write(f"id: {len(self._events)}\nevent: {name}\ndata: {{}}\n\n".encode())
        else:
            for missed in self._events[int(last) :]:
                queue.put_nowait(missed)
        self._streams.add(queue)
        self._connections.append(request)
        try:
            while (event := await queue.get()) is not None:
                number, name, data = event
                await response.write(f": hello\nid: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode())
        except ConnectionError:
            pass
        finally:
            self._streams.discard(queue)
            self._connections.remove(request)
        return response


def _is_person(request: web.Request) -> bool:
    return request.headers["Authorization"] == f"Bearer {PERSON_KEY}"


def _shown(handoff: Json, status: int = 200) -> web.Response:
    return web.json_response({k: v for k, v in handoff.items() if k not in {"payload", "answer_body"}}, status=status)


def _problem(
    status: int, name: str, detail: str, headers: dict[str, str] | None = None, *, brake: Json | None = None
) -> web.Response:
    body: Json = {"type": f"/problems/{name}", "title": name, "status": status, "detail": detail}
    if brake:
        body["brake"] = brake
    return web.json_response(body, status=status, content_type="application/problem+json", headers=headers)


def _now() -> str:
    return datetime.now(UTC).isoformat()


async def until(condition: Callable[[], object], *, seconds: float = 5) -> None:
    """Wait until a condition holds; fail after a deadline."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - the condition is somebody else's, and signals nothing
                await asyncio.sleep(0.005)
    assert condition()
