"""A run that others started stops with the first of them, however deep it lies, and whatever its agent missed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from andon import Approved, Run, wire
from andon._api import Api
from bot.config import Settings
from tests.flows.office import WAITS, Office, ask, confirm, gate, open_office, question, stopped_by, task
from tests.people import Json
from tests.servers import until

DEEP = 3
"""So many runs, each started by the one before, lie below the first."""

Pull = Callable[[Office, Run, str], Awaitable[Json]]


@pytest.fixture
async def office(settings: Settings, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
async def line(office: Office) -> AsyncIterator[list[Run]]:
    """The first run, and those below it, each in a channel of its own."""
    async with AsyncExitStack() as open_runs:
        runs = [await open_runs.enter_async_context(office.andon.run("first", channel="#ops"))]
        for number in range(DEEP):
            below = office.andon.run(f"child {number}", parent=runs[-1].id, channel=f"#dev{number}")
            runs.append(await open_runs.enter_async_context(below))
        yield runs


async def of_the_run(office: Office, first: Run, action: str) -> Json:
    return await office.brake(first, action)


async def of_its_channel(office: Office, _: Run, action: str) -> Json:
    return await office.wide(action, conversation={"surface": "web", "channel": "#ops"})


EITHER = pytest.mark.parametrize("pull", [of_the_run, of_its_channel])


async def test_a_run_tells_all_that_holds_it(line: list[Run]) -> None:
    first, *_, last = line
    runs = [wire.BrakeScope(run=run.id) for run in line]
    channels = [
        wire.BrakeScope(conversation=wire.Place(surface="web", channel=name))
        for name in ("#ops", *(f"#dev{number}" for number in range(DEEP)))
    ]
    wide = [wire.BrakeScope(agent="mailer"), wire.BrakeScope(everything=True)]
    assert set(first.info.scopes) == {runs[0], channels[0], *wide}
    assert set(last.info.scopes) == {*runs, *channels, *wide}
    above = [each.run for each in last.info.scopes if each.run]
    assert above == [run.id for run in reversed(line)], "the nearest first"


@pytest.mark.parametrize("wait", WAITS)
async def test_every_call_of_the_last_that_waits_is_stopped(
    office: Office, line: list[Run], wait: Callable[[Run], Awaitable[object]]
) -> None:
    waiting = task(wait(line[-1]))
    await office.card()
    await office.brake(line[0], "stop")
    assert (await stopped_by(waiting)).brake.scope.run == line[0].id


@EITHER
async def test_whatever_the_last_would_do_next_is_stopped(office: Office, line: list[Run], pull: Pull) -> None:
    last = line[-1]
    approving = task(confirm(last))
    (await office.mira.approve(await office.card())).ok()
    decision = await approving
    assert isinstance(decision, Approved)
    stopped = (await pull(office, line[0], "stop"))["brake"]
    for work in (last.claim(decision), gate(last), last.checkpoint("drafted"), last.open(question(last))):
        assert (await stopped_by(work)).brake.epoch == stopped["epoch"]
    resumed = task(last.resumed())
    await pull(office, line[0], "resume")
    await asyncio.wait_for(resumed, 10)
    assert (await last.claim(decision)).args == {"n": 1}


@EITHER
async def test_the_last_is_cancelled_between_its_calls_and_asks_nothing(
    office: Office, line: list[Run], pull: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event says all there is to know, also of what holds the runs that it comes from."""
    watching = asyncio.Event()

    async def job() -> None:
        async with office.andon.run("last", parent=line[-1].id, on_stop="cancel"):
            await office.andon._events.connected()
            watching.set()
            await asyncio.sleep(60)

    working = task(job())
    await asyncio.wait_for(watching.wait(), 10)
    await until(lambda: _listens(office))
    reads = _counted(monkeypatch, "read_run")
    await pull(office, line[0], "stop")
    await stopped_by(working)
    assert reads == []


async def _listens(office: Office) -> bool:
    """Has it looked, and does it wait for events?"""
    return any(not wait.stale for waits in office.andon._events._waits.values() for wait in waits)


def _counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    calls: list[str] = []
    call = getattr(Api, name)

    async def counted(*args: Any, **named: Any) -> Any:
        calls.append(name)
        return await call(*args, **named)

    monkeypatch.setattr(Api, name, counted)
    return calls


@EITHER
async def test_one_that_begins_while_its_agent_hears_nothing_starts_stopped(
    office: Office, line: list[Run], pull: Pull
) -> None:
    """No event tells of it: the stop came before there was a stream."""
    await pull(office, line[0], "stop")
    async with office.andon.run("late", parent=line[-1].id) as late:
        assert late.brake
        assert late.brake.action == "stop"
        for work in (ask(late), gate(late), late.checkpoint("begun")):
            await stopped_by(work)

    async def job() -> None:
        async with office.andon.run("later", parent=line[-1].id, on_stop="cancel"):
            await asyncio.sleep(60)

    await stopped_by(job())


@EITHER
async def test_a_stop_that_came_while_the_line_was_down_is_heard_when_it_is_up(
    office: Office, line: list[Run], pull: Pull
) -> None:
    """As of a child that began just before the line broke."""
    waiting = task(ask(line[-1]))
    await office.card()
    events = office.andon._events
    stream, events._following = events._following, None
    assert stream
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)
    await pull(office, line[0], "stop")
    events._following = asyncio.create_task(events._follow())
    await stopped_by(waiting)
