"""The long story: agents ask, people answer, cords are pulled, and all the while stores and services die.

Everything that anybody saw is written down; `tests.faults.history` then looks for a promise that was broken.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
from aiohttp import web

from andon.callbacks import Callback, HandoffEvent, SeenInMemory
from andon.callbacks.aiohttp import receiver
from bot.access import Access
from bot.store import Store, connect
from bot.store.embedded import server_binary
from tests.faults.history import History, Violation, WatchedAgent, WatchedPerson, violations
from tests.people import Caller, Json, Reply
from tests.servers import GENEROUS, SECRET, ServiceProcess, Valkey, until
from tests.soak.balancer import Balancer, balanced, tcp, unix

AGENTS: Final = 4
_PATIENCE_S: Final = 120.0
_FLIGHTS: Final[list[Json]] = [{"id": "early", "label": "Early, 90 euros"}, {"id": "late", "label": "Late, 60 euros"}]


@dataclass(frozen=True)
class Plan:
    """How much happens, and how badly."""

    handoffs: int = 10_000
    workers: int = 48
    people: int = 12
    store_dies_s: tuple[float, float] | None = (5.0, 40.0)
    """Between two kills of the store; it is down for up to 2 s."""
    service_dies_s: tuple[float, float] | None = (20.0, 60.0)
    restarts_s: float | None = None
    """Between two orderly restarts, of one replica after the other; None: none."""
    lost: float = 0.02
    """The share of replies that never arrive: of the store to the services, and of the services to everybody."""
    twice: float = 0.2
    """The share of callbacks whose receiver does its work and then says that it failed."""
    called_within_s: float = 180.0
    """How long after the end a callback may still come: its receiver may have failed several times."""
    cords_s: float = 10.0
    """Between two stops."""
    rest_s: float = 2.0
    """Of an agent after each ask, on average: so that there is time to die in."""
    seed: int = 1


ROLLING: Final = Plan(
    handoffs=2_000,
    workers=16,
    store_dies_s=None,
    service_dies_s=None,
    restarts_s=2.0,
    lost=0.0,
    twice=0.0,
    cords_s=1_000_000.0,
    rest_s=0.1,
)
"""Nothing dies: two replicas are replaced, one after the other, again and again."""

PROMPT_MS: Final = 250.0
"""Within which ninety-nine of a hundred agents have the decision then."""


@dataclass
class Report:
    """What came of it."""

    plan: Plan
    seconds: float = 0.0
    handoffs: int = 0
    store_kills: int = 0
    service_kills: int = 0
    restarts: int = 0
    stops: int = 0
    lost: int = 0
    callbacks: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    executed: int = 0
    heard_ms: list[float] = field(default_factory=list)
    """From a person's decision, by the store's clock, until the agent has it."""
    violations: list[Violation] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        ordered = sorted(self.heard_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def __str__(self) -> str:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.kinds.most_common())
        calls = ", ".join(f"{count:,} {kind}" for kind, count in self.callbacks.most_common())
        died = f"kills: {self.store_kills} of the store, {self.service_kills} of services; {self.restarts} restarts"
        heard = f"median {self.percentile(0.5):.0f} ms, p99 {self.percentile(0.99):.0f} ms"
        return "\n".join(
            [
                f"{self.handoffs:,} handoffs in {self.seconds:.0f} s ({self.handoffs / self.seconds:.1f}/s): {kinds}",
                f"{died}, {self.lost:,} replies lost, {self.stops} stops",
                f"{self.executed:,} actions run, callbacks: {calls or 'none'}",
                f"decision to agent: {heard}, of {len(self.heard_ms):,}",
                f"violations: {len(self.violations)}",
                *(f"  {each}" for each in self.violations[:20]),
            ]
        )


async def stubborn(call: Callable[..., Awaitable[Reply]], *args: Any, **more: Any) -> Reply:
    """The same call again until it is answered: what a client with an Idempotency-Key does."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            reply = await call(*args, **more)
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            reply = None
        if reply is not None and reply.status not in {429, 502, 503, 504}:
            return reply
        assert time.monotonic() < deadline, f"no answer within {_PATIENCE_S} s: {reply}"
        await asyncio.sleep(random.uniform(0.02, 0.2))


class House:
    """The store, two replicas and a balancer, and who kills them."""

    def __init__(self, plan: Plan, folder: Path, report: Report) -> None:
        self.plan = plan
        self.report = report
        self.random = random.Random(plan.seed)
        self.store = Valkey(server_binary(), settings={"appendfsync": "always"})
        self.services: list[ServiceProcess] = []
        self._folder = folder
        self._store_line: Balancer | None = None
        self._line: Balancer | None = None
        self._busy = asyncio.Lock()

    @property
    def url(self) -> str:
        assert self._line
        return f"http://127.0.0.1:{self._line.port}"

    @property
    def dropped(self) -> int:
        return sum(each.dropped for each in (self._store_line, self._line) if each)

    @asynccontextmanager
    async def open(self, *, callbacks: int) -> AsyncIterator["House"]:
        """Everything runs; `callbacks` is the port of the receiver."""
        async with AsyncExitStack() as stack:
            stack.callback(self.store.close)
            way = balanced([unix(str(self.store.socket))], lost=self.plan.lost, seed=self.plan.seed)
            self._store_line = await stack.enter_async_context(way)
            settings = {
                "ANDON_REDIS_URL": f"redis://127.0.0.1:{self._store_line.port}/0",
                "ANDON_SECRET": SECRET,
                "ANDON_CALLBACK_ALLOW": f"127.0.0.1:{callbacks}",
            }
            self.services = [ServiceProcess(self._folder / f"replica{number}", settings) for number in (1, 2)]
            for service in self.services:
                stack.push_async_callback(service.close)
                await self._start(service)
            ways = [tcp(service.port) for service in self.services]
            self._line = await stack.enter_async_context(balanced(ways, lost=self.plan.lost, seed=self.plan.seed + 1))
            yield self

    async def _start(self, service: ServiceProcess) -> None:
        for _ in range(20):
            try:
                await service.start()
            except AssertionError:  # the store was killed while it started: a supervisor starts it again
                await asyncio.sleep(0.2)
            else:
                return
        await service.start()

    async def make_key(self, kind: Literal["agent", "person", "admin"], name: str) -> str:
        """Past the line that loses replies: this is before the story begins."""
        async with Store(connect(self.store.url())) as store:
            return await Access(store, SECRET.encode()).create_key(kind, name, GENEROUS)

    async def kill_stores(self) -> None:
        while self.plan.store_dies_s:
            await asyncio.sleep(self.random.uniform(*self.plan.store_dies_s))
            async with self._busy:  # what a start that failed printed is read as the test's failure
                self.store.kill()
                self.report.store_kills += 1
                try:
                    await asyncio.sleep(self.random.uniform(0, 2))
                finally:  # the story may end meanwhile
                    self.store.start()

    async def mend(self) -> None:
        """The story may have ended while a replica was down."""
        for service in self.services:
            if not await service.answers():
                await service.close()
                await self._start(service)

    async def kill_services(self) -> None:
        while self.plan.service_dies_s:
            await asyncio.sleep(self.random.uniform(*self.plan.service_dies_s))
            async with self._busy:
                service = self.random.choice(self.services)
                await service.kill()
                self.report.service_kills += 1
                await self._start(service)

    async def restart_services(self) -> None:
        for number in range(1_000_000):
            if self.plan.restarts_s is None:
                return
            await asyncio.sleep(self.plan.restarts_s)
            service = self.services[number % 2]
            assert await service.stop() == 0
            await self._start(service)
            self.report.restarts += 1


class Story:
    """One run of it."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan = plan
        self.report = Report(plan)
        self.history = History()
        self.random = random.Random(plan.seed + 2)
        self.house = House(plan, folder, self.report)
        self._left = plan.handoffs
        self._people: list[WatchedPerson] = []
        self._runs: dict[str, str] = {}
        self._over = asyncio.Event()

    async def tell(self) -> Report:
        """Run it to its end, and look at what happened."""
        async with AsyncExitStack() as stack:
            handler = _Handler(self)
            runner = web.AppRunner(handler.app(), access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port: int = runner.addresses[0][1]
            await stack.enter_async_context(self.house.open(callbacks=port))
            handler.secret = await self._register(port)
            agents = [await stack.enter_async_context(await self._agent(number)) for number in range(AGENTS)]
            for number in range(self.plan.people):
                person = await self._person(number)
                self._people.append(await stack.enter_async_context(person))
            began = time.monotonic()
            others = [
                asyncio.create_task(each)
                for each in (
                    self.house.kill_stores(),
                    self.house.kill_services(),
                    self.house.restart_services(),
                    self._pull_cords(),
                    *(self._answer(person) for person in self._people),
                )
            ]
            try:
                await asyncio.gather(*(self._work(agents[n % AGENTS], n) for n in range(self.plan.workers)))
            finally:
                self._over.set()
                for other in others:
                    other.cancel()
                ended = await asyncio.gather(*others, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception):
                    raise error
            self.report.seconds = time.monotonic() - began
            await self._conclude(handler)
        return self.report

    # --- who takes part ---

    async def _register(self, port: int) -> str:
        key = await self.house.make_key("admin", "ops")
        async with Caller(self.house.url, key) as admin:
            body = {"url": f"http://127.0.0.1:{port}/andon", "events": ["handoff.decided"]}
            reply = await stubborn(admin.call, "POST", "/v1/endpoints", body, key="endpoint")
        return str(reply.ok()["secret"])

    async def _agent(self, number: int) -> WatchedAgent:
        name = f"agent-{number}"
        agent = WatchedAgent(self.history, self.house.url, await self.house.make_key("agent", name))
        agent.node = name
        started = await stubborn(agent.call, "POST", "/v1/runs", {"name": name}, key=f"run-{number}")
        agent._run = self._runs[name] = str(started.ok()["id"])
        return agent

    async def _person(self, number: int) -> WatchedPerson:
        email = f"person{number}@example.com"
        key = await self.house.make_key("person", email)
        return WatchedPerson(self.history, self.house.url, key, email=email)

    # --- what they do ---

    async def _work(self, agent: WatchedAgent, worker: int) -> None:
        number = 0
        while self._left > 0:
            self._left -= 1
            number += 1
            await self._ask(agent, f"{worker}-{number}")
            self.report.handoffs += 1
            await asyncio.sleep(self.random.uniform(0, 2 * self.plan.rest_s))

    async def _ask(self, agent: WatchedAgent, name: str) -> None:
        """One ask, from its opening to what came of it."""
        draw = self.random.random()
        body = await self._body(agent, draw)
        while True:
            opened = await stubborn(agent.open, body, key=name)
            if opened.status in {200, 201}:
                break
            assert opened.problem == "stopped", opened  # the cord was pulled: it asks again once it is let go
            await asyncio.sleep(0.1)
        asked = handoff = opened.ok()
        while handoff["state"] in {"pending", "held"}:
            path, params = f"/v1/handoffs/{handoff['id']}", {"wait": "20", "state": handoff["state"]}
            handoff = (await stubborn(agent.call, "GET", path, params=params)).ok()
        if handoff["decision"]["by"]["kind"] == "person" and asked["state"] == "pending":
            since = datetime.now(UTC) - datetime.fromisoformat(handoff["decision"]["at"])
            self.report.heard_ms.append(since.total_seconds() * 1000)
        self.report.kinds[handoff["decision"]["kind"]] += 1
        if handoff["ask"]["kind"] == "confirmation" and handoff["decision"]["kind"] in {"approved", "edited"}:
            await self._act(agent, handoff, name)

    async def _body(self, agent: WatchedAgent, draw: float) -> Json:
        if draw < 0.08:
            question: Json = {"question": "Which flight?", "gate": "flight", "run": agent._run}
            return {"kind": "choice", "candidates": _FLIGHTS, **question}
        if draw < 0.16:
            return {"kind": "input", "gate": "budget", "run": agent._run, "question": "How much?"}
        if draw < 0.20:
            return await agent.confirmation(timeout_s=1, what="Nobody will be in time for this")
        return await agent.confirmation()

    async def _act(self, agent: WatchedAgent, handoff: Json, name: str) -> None:
        tries = [f"{name} first"]
        if self.random.random() < 0.1:  # two copies of the agent came back
            tries.append(f"{name} second")
        permits = [each for each in await asyncio.gather(*(self._claim(agent, handoff, by) for by in tries)) if each]
        for permit in permits:
            agent.execute(permit)
            self.report.executed += 1
            if self.random.random() < 0.02:
                return  # the agent died: nobody knows
            await stubborn(agent.report, handoff, "executed", claimant=permit["claimant"], result="sent")

    async def _claim(self, agent: WatchedAgent, handoff: Json, claimant: str) -> Json | None:
        while True:
            reply = await stubborn(agent.claim, handoff, claimant=claimant)
            if reply.status == 200:
                return reply.ok()
            if reply.problem != "stopped":
                return None
            await asyncio.sleep(0.1)

    async def _answer(self, person: WatchedPerson) -> None:
        """Look at what waits, and answer some of it; now and then what somebody else answers at this moment."""
        while not self._over.is_set():
            params = {"state": "pending", "limit": "40"}
            page = await stubborn(person.call, "GET", "/v1/handoffs", params=params)
            found: list[Json] = [each for each in page.ok()["handoffs"] if "Nobody" not in str(each["ask"].get("what"))]
            self.random.shuffle(found)
            for handoff in found[:6]:
                await self._decide(person, handoff)
            if not found:
                await asyncio.sleep(0.02)

    async def _decide(self, person: WatchedPerson, handoff: Json) -> None:
        draw, key = self.random.random(), f"{person.node}-{handoff['id']}-{self.random.random()}"
        match handoff["ask"]["kind"]:
            case "choice":
                answer: Json = {"kind": "choose", "choice": self.random.choice(["early", "late"])}
            case "input":
                answer = {"kind": "answer", "answer": str(draw)}
            case _ if draw < 0.1:
                args = {**handoff["ask"]["action"]["args"], "body": f"edited {draw}"}
                answer = {"kind": "edit", "args": args, "approve": True}
            case _:
                answer = {"kind": "reject" if draw < 0.25 else "approve"}
        await stubborn(person.answer, handoff, answer, key=key)

    async def _pull_cords(self) -> None:
        while True:
            await asyncio.sleep(self.plan.cords_s)
            person, run = self.random.choice(self._people), self.random.choice(list(self._runs.values()))
            for action in ("stop", "resume"):
                key = f"{action}-{self.report.stops}"
                await stubborn(person.call, "POST", f"/v1/runs/{run}/brake", {"action": action}, key=key)
                await asyncio.sleep(self.random.uniform(0.1, 1.0))
            self.report.stops += 1

    # --- the end ---

    async def _conclude(self, handler: "_Handler") -> None:
        await self.house.mend()
        for service in self.house.services:
            await until(service.answers, within_s=60, what="both replicas answer")
        self.report.lost = self.house.dropped
        decided = {entry.handoff for entry in self.history.entries if entry.op == "look" and entry.decision}

        async def all_told() -> bool:
            return decided <= handler.done.keys()

        with contextlib.suppress(AssertionError):  # then the report names each that was not
            await until(all_told, within_s=self.plan.called_within_s, what="every decision was called back")
        async with Store(connect(self.house.store.url())) as store:  # past the line that loses replies
            direct = Caller(self.house.services[0].url, self._people[0].key)
            async with direct:
                await self.history.conclude(direct, store, runs=self._runs.values())
        self.report.callbacks = handler.counts
        found = violations(self.history)
        found += [Violation("I3", each, "no callback came") for each in sorted(decided - handler.done.keys())]
        found += [
            Violation("I13", each, f"its callback came under {len(ids)} ids")
            for each, ids in handler.ids.items()
            if len(ids) > 1
        ]
        found += [Violation("I13", each, f"handled {n} times") for each, n in handler.done.items() if n > 1]
        self.report.violations = found


class _Handler:
    """Who is called back: remembers what it handled, and often forgets to say so."""

    def __init__(self, story: Story) -> None:
        self._random = random.Random(story.plan.seed + 3)
        self._twice = story.plan.twice
        self._history = story.history
        self._receive: Callable[[web.Request], Awaitable[web.Response]] | None = None
        self.done: Counter[str] = Counter()
        self.ids: dict[str, set[str]] = {}
        self.counts: Counter[str] = Counter()
        self.secret = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/andon", self.called)
        return app

    async def called(self, request: web.Request) -> web.Response:
        if self._receive is None:
            self._receive = receiver(self.decided, secret=self.secret, seen=SeenInMemory())
        answer = await self._receive(request)
        self.counts[{204: "handled", 200: "known", 503: "at once"}.get(answer.status, str(answer.status))] += 1
        if self._random.random() < self._twice:
            self.counts["told as failed"] += 1
            raise web.HTTPServiceUnavailable
        return answer

    async def decided(self, callback: Callback) -> None:
        assert isinstance(callback.data, HandoffEvent)
        handoff = callback.data.handoff
        self.done[handoff] += 1
        self.ids.setdefault(handoff, set()).add(callback.id)
