"""Killed at each step of a stop, of a resume, and of an abort: the service, and the store.

What sits between the two sees each script go by and kills there. Then either nothing was acknowledged and nothing has
changed, or no claim succeeds and everything is held; and the same order again completes what the first one began.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest

from bot.handoff import State
from bot.store import EmbeddedStore, Store, connect
from bot.store.pipe import load_script
from tests.people import Agent, Json, Person, Reply
from tests.servers import SECRET, ServiceProcess, until
from tests.store import asks

WAITING = 250
"""More than one call of the sweep's script moves."""

ALLOWED = 3
SOON_S = 30.0
"""Within this, whoever runs has taken up what a process that died left."""

_SHA = 40
"""Letters of a script's name."""
_ORDER = load_script("brake").sha.encode()


@dataclass(frozen=True)
class Moment:
    """When it dies: as the n-th call of a script after the order goes by, or as its reply comes back."""

    script: str
    number: int = 1
    replied: bool = False


BEFORE = Moment("brake")
UNTOLD = Moment("brake", replied=True)
SWEEPING = Moment("hold", 2)
SWEPT = Moment("hold", 3, replied=True)  # what waits and what is allowed takes three calls
ENDING = Moment("withdraw", 20)
MOMENTS = {
    "before the script": BEFORE,
    "before its reply": UNTOLD,
    "in the sweep": SWEEPING,
    "before the receipt": SWEPT,
}


class Scythe:
    """Between the service and its store; strikes at its moment, and lets nothing through that came with it."""

    def __init__(self, server: Path, path: Path) -> None:
        self._server = server
        self.path = path
        self._moment: Moment | None = None
        self._strike: Callable[[], Awaitable[None]]
        self._seen = 0
        self._is_ordered = False
        self._sha = b""
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    def arm(self, moment: Moment, strike: Callable[[], Awaitable[None]]) -> None:
        self._moment, self._strike, self._seen, self._is_ordered = moment, strike, 0, False
        self._sha = load_script(moment.script).sha.encode()

    async def start(self) -> None:
        self._listener = await asyncio.start_unix_server(self._accept, self.path, limit=1024 * 1024)

    async def stop(self) -> None:
        assert self._listener
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_unix_connection(self._server)
        except OSError:  # the store is down
            writer.close()
            return
        called = asyncio.Event()
        there = asyncio.create_task(self._calls(reader, upstream_writer, called))
        back = asyncio.create_task(self._replies(upstream_reader, writer, called))
        self._tasks |= {there, back}
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (there, back):
                task.cancel()
            writer.close()
            upstream_writer.close()

    async def _calls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, called: asyncio.Event) -> None:
        """Pass calls on; up to the one at which it strikes."""
        tail = b""
        try:
            while data := await reader.read(1024 * 1024):
                before, whole = len(tail), tail + data
                at, tail = self._find(whole), whole[1 - _SHA :]
                if at is None:
                    writer.write(data)
                elif self._moment and self._moment.replied:
                    called.set()
                    writer.write(data)
                else:
                    writer.write(data[: max(0, at - before)])  # half a call, which is none
                    await self._hit()
                    return
                await writer.drain()
        except ConnectionError:
            return

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, called: asyncio.Event) -> None:
        try:
            while data := await reader.read(1024 * 1024):
                if called.is_set() and self._moment:
                    await self._hit()
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return

    def _find(self, data: bytes) -> int | None:
        """Where in these bytes the call is that it waits for; calls before the order itself do not count."""
        self._is_ordered |= _ORDER in data
        if not self._is_ordered:
            return None
        at = data.find(self._sha) if self._moment else -1
        while at >= 0:
            self._seen += 1
            if self._moment and self._seen == self._moment.number:
                return at
            at = data.find(self._sha, at + 1)
        return None

    async def _hit(self) -> None:
        self._moment = None
        await self._strike()


@dataclass
class House:
    """Services on one store that can be killed, a run with asks that wait and some that are allowed, and its people."""

    server: EmbeddedStore
    scythe: Scythe
    first: ServiceProcess
    second: ServiceProcess
    """On the same store, and not started."""
    store: Store
    agent: Agent
    mira: Person
    run: str
    waiting: list[str]
    allowed: list[Json]

    async def order(self, action: str, key: str, by: Person | None = None) -> Reply:
        return await (by or self.mira).call("POST", f"/v1/runs/{self.run}/brake", {"action": action}, key=key)

    async def states(self) -> Counter[str]:
        found = await asyncio.gather(*(self.store.handoffs.load(each) for each in self.waiting))
        return Counter(each.state.value for each in found if each)

    async def become(self, state: State) -> None:
        """Within a few seconds, all that waited are there."""

        async def are_all_there() -> bool:
            return await self.states() == {state.value: WAITING}

        await until(are_all_there, within_s=SOON_S, what=f"all are {state}")

    async def claims(self) -> set[int]:
        """What claims are told of everything that is allowed, however often they try."""
        return {(await self.agent.claim(each)).status for each in self.allowed}

    async def told(self) -> list[str]:
        """What was told of brakes, each thing once."""
        entries = await self.store._pipe.call("XRANGE", self.store.keys.events, "-", "+")
        return [name for _, fields in entries if (name := fields[1].decode()) in {"braked", "lifted"}]

    async def kill_store(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)

    async def kill_both(self) -> None:
        await self.kill_store()
        await self.first.kill()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A store that keeps what it confirms through a kill, and a service on it behind the scythe."""
    async with AsyncExitStack() as stack:
        server = EmbeddedStore(tmp_path / "kept")
        await server.start()
        stack.push_async_callback(server.stop)
        folder = stack.enter_context(TemporaryDirectory(prefix="andon-test-"))  # a short path, as sockets need
        scythe = Scythe(server.socket, Path(folder) / "s")
        await scythe.start()
        stack.push_async_callback(scythe.stop)
        shared = {"ANDON_SECRET": SECRET}
        first = ServiceProcess(tmp_path / "first", {**shared, "ANDON_REDIS_URL": f"unix://{scythe.path}"})
        second = ServiceProcess(tmp_path / "second", {**shared, "ANDON_REDIS_URL": server.url})
        stack.push_async_callback(first.close)
        stack.push_async_callback(second.close)
        await first.start()
        store = await stack.enter_async_context(Store(connect(server.url)))
        for name in ("brake", "hold", "withdraw"):  # each call that the scythe sees is then one that is carried out
            await store._pipe.call("SCRIPT", "LOAD", load_script(name).source)
        agent = await stack.enter_async_context(Agent(first.url, await first.make_key("agent", asks.AGENT)))
        mira = await stack.enter_async_context(Person(first.url, await first.make_key("person", "mira@example.com")))
        run = await agent.run()
        waiting = [asks.new_handoff(run=run) for _ in range(WAITING)]
        await asyncio.gather(*(store.handoffs.open(new, asks.NO_LIMITS) for new in waiting))
        allowed = []
        for _ in range(ALLOWED):
            asked = await agent.ask()
            allowed.append((await mira.approve(asked)).ok())
        ids = [new.id for new in waiting]
        yield House(server, scythe, first, second, store, agent, mira, run, ids, allowed)


ACTIONS = [("stop", "pulled", State.HELD), ("resume", "lifted", State.PENDING)]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("action, did, state", ACTIONS)
async def test_a_service_that_is_killed_has_acknowledged_nothing_or_has_done_it(
    house: House, action: str, did: str, state: State, moment: str
) -> None:
    """And the same order again completes it, with one reply however often it comes."""
    if action == "resume":
        assert (await house.order("stop", "the-stop")).ok()["held"] == WAITING
    house.scythe.arm(MOMENTS[moment], house.first.kill)
    with pytest.raises(aiohttp.ClientError):
        await house.order(action, "the-order")

    is_done = MOMENTS[moment] != BEFORE
    is_stopped = is_done == (action == "stop")
    assert bool(await house.store.brakes.standing()) == is_stopped
    if MOMENTS[moment] == SWEEPING:
        assert 0 < (await house.states())[state.value] < WAITING, "some are, and some are not"
    if MOMENTS[moment] == SWEPT:  # the timers sweep as well, and may have been the third to call
        assert (await house.states())[state.value] > 0

    await house.first.start()
    assert await house.claims() == ({409} if is_stopped else {200})
    await house.become(State.HELD if is_stopped else State.PENDING)
    receipt = (await house.order(action, "the-order")).ok()
    assert (receipt["did"], receipt["held"]) == (did, WAITING)
    assert (await house.order(action, "the-order")).ok() == receipt
    assert await house.claims() == ({409} if action == "stop" else {200})
    assert await house.states() == {state.value: WAITING}
    assert await house.told() == (["braked"] if action == "stop" else ["braked", "lifted"])


@pytest.mark.parametrize("moment", ["before its reply", "in the sweep"])
@pytest.mark.parametrize("action, did, state", ACTIONS)
async def test_another_service_takes_up_what_one_that_died_left(
    house: House, action: str, did: str, state: State, moment: str
) -> None:
    """Its timers do; and it answers the same order as the first one would have."""
    if action == "resume":
        assert (await house.order("stop", "the-stop")).ok()["held"] == WAITING
    await house.second.start()
    house.scythe.arm(MOMENTS[moment], house.first.kill)
    with pytest.raises(aiohttp.ClientError):
        await house.order(action, "the-order")
    house.agent.url = house.mira.url = house.second.url
    assert await house.claims() == ({409} if action == "stop" else {200})
    await house.become(state)
    receipt = (await house.order(action, "the-order")).ok()
    assert (receipt["did"], receipt["held"]) == (did, WAITING)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("action, did, state", ACTIONS)
async def test_a_store_that_is_killed_keeps_what_was_acknowledged(
    house: House, action: str, did: str, state: State, moment: str
) -> None:
    if action == "resume":
        assert (await house.order("stop", "the-stop")).ok()["held"] == WAITING
    house.scythe.arm(MOMENTS[moment], house.kill_store)
    receipt = await acknowledged(house, action)
    assert receipt["did"] == did
    assert await house.claims() == ({409} if action == "stop" else {200})
    await house.become(state)
    assert await house.told() == (["braked"] if action == "stop" else ["braked", "lifted"])
    assert (await house.order(action, "the-order")).ok()["held"] == WAITING


async def test_a_stop_outlives_the_service_and_the_store_at_once(house: House) -> None:
    house.scythe.arm(UNTOLD, house.kill_both)
    with pytest.raises(aiohttp.ClientError):
        await house.order("stop", "the-order")
    await house.first.start()
    assert await house.claims() == {409}
    await house.become(State.HELD)
    assert (await acknowledged(house, "stop"))["did"] == "pulled"
    assert await house.told() == ["braked"]


@pytest.mark.parametrize("moment", [UNTOLD, SWEEPING, ENDING])
async def test_a_run_whose_end_was_cut_short_has_ended(house: House, moment: Moment) -> None:
    """Each ask that waited is decided once; nothing of the run is ever permitted."""
    house.scythe.arm(moment, house.first.kill)
    with pytest.raises(aiohttp.ClientError):
        await house.order("abort", "the-order")
    await house.first.start()
    assert await house.claims() == {409}
    await house.become(State.DECIDED)
    kinds = {found.decision.kind for each in house.waiting if (found := await asks.look(house.store, each)).decision}
    assert kinds == {"aborted"}
    assert (await house.order("abort", "the-order")).ok()["did"] == "pulled"
    assert (await house.order("resume", "go-on")).ok()["did"] == "off"
    assert await house.claims() == {409}


async def acknowledged(house: House, action: str) -> Json:
    """Order it until that is acknowledged, as a platform does that repeats its events."""
    while True:
        reply = await house.order(action, "the-order")
        if reply.status != 503:
            return reply.ok()
        await asyncio.sleep(0.05)
