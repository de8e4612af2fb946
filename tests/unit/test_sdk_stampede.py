"""Thousands of waits in one process: a stop, and its end, send no more calls than there are runs to look at."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from andon import Andon, Handoff, Run, Stopped, wire
from andon._api import Api
from andon._line import Line
from tests.fakes.service import KEY, FakeService, until
from tests.people import Json

WAITS = 2_000
STOPPED = [
    *({"everything": True}, {"agent": "tester"}),
    {"conversation": {"surface": "slack", "channel": "C0OPS"}},
]
MIRA = {"kind": "person", "id": "mira@example.com", "name": "Mira"}
ABOVE = f"run_{'z' * 22}"


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    async with FakeService().serving() as serving:
        yield serving


@pytest.fixture
async def andon(service: FakeService) -> AsyncIterator[Andon]:
    async with Andon(service.url, KEY) as andon:
        yield andon


class Office:
    """Runs that were started, and the handoffs that they wait for, read from here: what counts are the calls."""

    def __init__(self, service: FakeService, andon: Andon, monkeypatch: pytest.MonkeyPatch) -> None:
        self.service = service
        self.andon = andon
        self.reads = 0
        monkeypatch.setattr(Api, "read", self._read)

    async def _read(self, handoff_id: str, **_: object) -> wire.Handoff:
        self.reads += 1
        return self._handoff(handoff_id, handoff_id.split(".")[1])

    def _handoff(self, handoff_id: str, run: str) -> wire.Handoff:
        now = self.service.now()
        ask = wire.Input(gate="ask", run=run, question="What?")
        told: Json = {"id": handoff_id, "state": "pending", "ask": ask, "run": run, "opened_at": now, "expires_at": now}
        return wire.Handoff.model_construct(**told, brake=None, decision=None)

    async def runs(self, count: int) -> list[Run]:
        found = []
        for number in range(count):
            run = f"run_{number:022d}"
            scopes = [{"run": run}, {"run": ABOVE}, *STOPPED]
            told = {"id": run, "agent": "tester", "name": "n", "started_at": self.service.now(), "scopes": scopes}
            self.service.runs[run] = told | {"started_at": self.service.now().isoformat()}
            info = wire.Run.model_validate(told)
            found.append(Run(Line(self.andon.api, self.andon._events, info), info))
        return found

    async def wait(self, runs: list[Run], then: Callable[[Run], Awaitable[None]]) -> list[asyncio.Task[None]]:
        """All of them wait; `then` is what each does once it is stopped."""

        async def job(number: int) -> None:
            run = runs[number % len(runs)]
            handoff = Handoff(run._line, self._handoff(f"hf_{number}.{run.id}", run.id))
            with pytest.raises(Stopped):
                await handoff.wait()
            await then(run)

        tasks = [asyncio.create_task(job(number)) for number in range(WAITS)]
        await until(lambda: self.reads == WAITS, seconds=60)
        return tasks

    def pull(self, scope: Json, epoch: int = 1) -> Json:
        now = self.service.now() + timedelta(seconds=1)
        at = now.isoformat()
        brake = {"action": "stop", "scope": scope, "by": MIRA, "at": at, "said_at": at, "epoch": epoch}
        for run in self.service.runs.values():
            run |= {"brake": brake, "state": "held"}
        self.service.tell("brake.braked", brake)
        return brake

    def lift(self, brake: Json) -> None:
        for run in self.service.runs.values():
            run |= {"brake": None, "state": "running"}
        self.service.tell("brake.lifted", brake)

    @property
    def looks(self) -> int:
        return self.service.calls["GET /v1/runs/{run}"]


@pytest.fixture
def office(service: FakeService, andon: Andon, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(service, andon, monkeypatch)


async def nothing(_: Run) -> None:
    pass


@pytest.mark.parametrize("scope", [STOPPED[0], {"run": ABOVE}])
async def test_all_who_wait_hear_of_a_stop_and_ask_nothing(office: Office, scope: Json) -> None:
    tasks = await office.wait(await office.runs(100), nothing)
    calls = sum(office.service.calls.values())
    office.pull(scope)
    await asyncio.wait_for(asyncio.gather(*tasks), 30)
    assert (office.reads, sum(office.service.calls.values())) == (WAITS, calls)


async def test_all_who_wait_for_the_end_of_a_stop_look_once_for_each_run(office: Office) -> None:
    runs = await office.runs(20)
    arrived = 0

    async def resumed(run: Run) -> None:
        nonlocal arrived
        arrived += 1
        await run.resumed()

    tasks = await office.wait(runs, resumed)
    brake = office.pull({"everything": True})
    await until(lambda: arrived == WAITS, seconds=60)
    await until(lambda: all(not wait.stale for each in runs for wait in each._line.brake._waits), seconds=60)
    assert sum(len(each._line.brake._waits) for each in runs) == WAITS
    assert office.looks <= 2 * len(runs), "one, and one more where the stream opened meanwhile"
    before = office.looks
    office.lift(brake)
    await asyncio.wait_for(asyncio.gather(*tasks), 60)
    assert office.looks - before <= 2 * len(runs)
    assert office.reads == WAITS


async def test_a_look_that_was_under_way_when_it_changed_is_not_believed(office: Office) -> None:
    """Its reply may be of before: whoever waits for the end of a stop would wait for a minute more."""
    (run,) = await office.runs(1)
    brake = office.pull({"everything": True})
    read, replied = Api.read_run, 0

    async def late(self: Api, run_id: str, **named: bool) -> wire.Run:
        nonlocal replied
        found = await read(self, run_id, **named)
        replied += 1
        if replied == 2:  # the first that is made with the stream up
            told = run._line.brake._told
            office.lift(brake)
            await until(lambda: run._line.brake._told > told)
        return found

    with pytest.MonkeyPatch.context() as slow:
        slow.setattr(Api, "read_run", late)
        await asyncio.wait_for(run.resumed(), 10)


async def test_whoever_leads_a_look_may_be_cancelled_and_the_others_still_know(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = await office.runs(1)
    brake = office.pull({"everything": True})
    reading, read = asyncio.Event(), Api.read_run

    async def slow(self: Api, run_id: str, **named: bool) -> wire.Run:
        if not reading.is_set():
            reading.set()
            await asyncio.Event().wait()
        return await read(self, run_id, **named)

    monkeypatch.setattr(Api, "read_run", slow)
    first, second = asyncio.create_task(run.resumed()), asyncio.create_task(run.resumed())
    await asyncio.wait_for(reading.wait(), 10)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await until(lambda: any(not wait.stale for wait in run._line.brake._waits))
    office.lift(brake)
    await asyncio.wait_for(second, 10)
