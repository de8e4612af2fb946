"""An agent waits: one stream for everything, nothing missed when it breaks, nothing left when it is over."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from andon import Andon, Handoff, Run, Stopped
from tests.fakes.service import KEY, STOP, FakeService, until


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    async with FakeService().serving() as serving:
        yield serving


async def opened(run: Run) -> Handoff:
    return await run.open({"kind": "input", "gate": "ask", "question": "What?"})


async def test_many_waits_share_one_stream(service: FakeService) -> None:
    async with Andon(service.url, KEY) as andon, andon.run("tests") as run:
        handoffs = [await opened(run) for _ in range(20)]
        waits = [asyncio.create_task(handoff.wait()) for handoff in handoffs]
        await until(lambda: service.calls["GET /v1/handoffs/{id}"] == 20)
        for handoff in service.handoffs.values():
            service.decide(handoff, {"kind": "answered", "answer": handoff["id"]})
        decisions = await asyncio.gather(*waits)
    assert [decision.handoff for decision in decisions] == [handoff.id for handoff in handoffs]
    assert service.calls["GET /v1/events"] == 1
    assert service.calls["GET /v1/handoffs/{id}"] == 40


async def test_a_broken_stream_goes_on_where_it_broke(service: FakeService) -> None:
    """What was decided while the line was down is told when it is up again."""
    async with Andon(service.url, KEY) as andon, andon.run("tests") as run:
        handoff = await opened(run)
        wait = asyncio.create_task(handoff.wait())
        await until(lambda: service.calls["GET /v1/handoffs/{id}"] == 1)
        await service.stop()
        service.decide(service.only, {"kind": "answered", "answer": 1})
        await service.start()
        assert (await wait).kind == "answered"
    assert service.resumed_from[0] is None
    assert service.resumed_from[-1] == "0"
    assert service.calls["GET /v1/handoffs/{id}"] == 2


async def test_a_stream_that_forgot_makes_everybody_read_again(service: FakeService) -> None:
    async with Andon(service.url, KEY) as andon, andon.run("tests") as run:
        handoff = await opened(run)
        wait = asyncio.create_task(handoff.wait())
        await until(lambda: service.calls["GET /v1/handoffs/{id}"] == 1)
        service.forget_events = True
        await service.stop()
        service.decide(service.only, {"kind": "answered", "answer": 1})
        await service.start()
        assert (await wait).kind == "answered"


async def test_a_wait_outlasts_an_outage(service: FakeService) -> None:
    async with Andon(service.url, KEY) as andon, andon.run("tests") as run:
        handoff = await opened(run)
        await service.stop()
        wait = asyncio.create_task(handoff.wait())
        service.decide(service.only, {"kind": "answered", "answer": 1})
        # Nothing listens, so the first attempt has failed by the time that the loop has nothing left to do.
        done, _ = await asyncio.wait([wait], timeout=0.3)
        assert not done
        await service.start()
        assert (await wait).kind == "answered"


async def test_nothing_is_left_running(service: FakeService) -> None:
    before = asyncio.all_tasks()
    async with Andon(service.url, KEY) as andon, andon.run("tests") as run:
        handoff = await opened(run)
        wait = asyncio.create_task(handoff.wait())
        await until(lambda: service.calls["GET /v1/events"])
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
    assert not [task.get_name() for task in asyncio.all_tasks() - before if task.get_name().startswith("andon")]


async def test_a_handoff_decided_at_once_opens_no_stream(service: FakeService) -> None:
    async with Andon(service.url, KEY) as andon, andon.run("tests") as run:
        handoff = await opened(run)
        service.decide(service.only, {"kind": "answered", "answer": 1})
        await handoff.refresh()
        await run.wait(handoff)
    assert not service.calls["GET /v1/events"]


async def test_a_brake_that_only_a_newer_service_knows_stops_all_the_same(service: FakeService) -> None:
    """What its event means for a run, the service tells; and its scope is read as far as it is known."""
    async with Andon(service.url, KEY) as andon:

        async def job() -> None:
            async with andon.run("tests", on_stop="cancel"):
                await asyncio.sleep(60)

        working = asyncio.create_task(job())
        await until(lambda: service.calls["GET /v1/runs/{run}"] == 1)
        brake = STOP | {"scope": {"team": "ops"}, "colour": "red"}
        (run,) = service.runs.values()
        run |= {"brake": brake, "state": "held", "conversation": {"surface": "slack", "channel": "C1", "topic": "x"}}
        service.tell("brake.braked", brake)
        with pytest.raises(Stopped) as stopped:
            await asyncio.wait_for(working, 10)
    assert stopped.value.brake.text == "Not before the audit"
    assert service.calls["GET /v1/runs/{run}"] == 2
