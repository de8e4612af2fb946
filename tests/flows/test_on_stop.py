"""What a stop does to a run between its calls as well."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from andon import Run, Stopped
from bot.config import Settings
from tests.flows.office import (
    Office,
    ask,
    choose,
    confirm,
    ends,
    open_office,
    stopped_by,
    task,
)
from tests.servers import until


@pytest.fixture
async def office(settings: Settings, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
async def run(office: Office) -> AsyncIterator[Run]:
    async with office.andon.run("report", channel="#ops") as run:
        yield run


# --- on_stop ---


async def forever(done: list[str], name: str) -> None:
    """Some work, and what it does at the end."""
    try:
        await asyncio.sleep(60)
    finally:
        done.append(name)


async def test_cancel_ends_the_task_and_its_group_and_cleanup_runs(office: Office) -> None:
    """Between calls as well: nothing of this asks anybody."""
    done: list[str] = []

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run, asyncio.TaskGroup() as group:
            group.create_task(forever(done, "child"))
            try:
                started.set_result(run)
                await forever(done, "body")
            finally:
                await asyncio.sleep(0)
                done.append("cleaned up")

    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
    working = task(job())
    run = await started
    await office.brake(run, "stop", "Not before the audit")
    stopped = await stopped_by(working)
    assert (stopped.brake.text, stopped.brake.scope.run) == ("Not before the audit", run.id)
    assert done == ["body", "cleaned up", "child"]
    assert not working.cancelled()


async def test_cancel_takes_nothing_back_that_waits(office: Office) -> None:
    """Whether a call hears of the stop first or is cancelled by it: its ask is on hold, and waits after the resume."""
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run, asyncio.TaskGroup() as group:
            group.create_task(confirm(run))
            group.create_task(_shielded(ask(run)))
            started.set_result(run)
            await choose(run)

    working = task(job())
    await office.card(count=3)
    await office.brake(await started, "stop")
    assert (await stopped_by(working)).brake.action == "stop"
    await office.brake(await started, "resume")
    await office.card(count=3)


async def _shielded(work: Awaitable[object]) -> None:
    """Hears of the stop at once, and ends only when it is cancelled."""
    try:
        await work
    except Stopped:
        await asyncio.sleep(60)


async def test_a_call_that_waits_in_the_task_itself_names_its_ask(office: Office) -> None:
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run:
            started.set_result(run)
            await ask(run)

    working = task(job())
    card = await office.card()
    await office.brake(await started, "stop")
    stopped = await stopped_by(working)
    assert stopped.handoff
    assert stopped.handoff.id == card["id"]


async def test_a_stop_leaves_errors_of_the_run_alone(office: Office) -> None:
    """What went wrong by itself is not hidden behind the stop, and the task may go on afterwards."""
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    async def fails() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("the disk is away")

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run, asyncio.TaskGroup() as group:
            group.create_task(fails())
            started.set_result(run)
            await asyncio.sleep(60)

    async def whole() -> str:
        with pytest.RaisesGroup(OSError):
            await job()
        await asyncio.sleep(0)
        return "went on"

    working = task(whole())
    await office.brake(await started, "stop")
    assert await asyncio.wait_for(working, 10) == "went on"


async def test_a_cancellation_from_outside_stays_one(office: Office) -> None:
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run:
            started.set_result(run)
            await asyncio.sleep(60)

    working = task(job())
    await started
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_cancellation_from_outside_at_a_stop_stays_one(office: Office) -> None:
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
    cleaning = asyncio.Event()

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run:
            started.set_result(run)
            try:
                await asyncio.sleep(60)
            finally:
                cleaning.set()
                await asyncio.sleep(60)

    working = task(job())
    await office.brake(await started, "stop")
    await asyncio.wait_for(cleaning.wait(), 10)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_timeout_around_a_run_stays_one(office: Office) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), office.andon.run("report", on_stop="cancel"):
            await asyncio.sleep(60)


async def test_a_run_that_ends_by_itself_leaves_no_watcher(office: Office) -> None:
    async with office.andon.run("report", on_stop="cancel") as run:
        assert any(each.get_name() == "andon-on-stop" for each in asyncio.all_tasks())
    assert not any(each.get_name() == "andon-on-stop" for each in asyncio.all_tasks())
    await office.brake(run, "stop")
    await asyncio.sleep(0.1)
    assert not asyncio.current_task().cancelling()  # type: ignore[union-attr] # this is one


async def test_without_on_stop_nothing_watches_between_calls(office: Office, run: Run) -> None:
    await office.brake(run, "stop")
    assert await ends(task(asyncio.sleep(0.2)), 5)
    assert office.andon._events._following is None
    assert run.brake is None, "as was last known"


@pytest.mark.parametrize("by_itself", [True, False], ids=["sync", "async"])
async def test_a_function_is_called_once_for_each_pull(office: Office, by_itself: bool) -> None:
    told: list[Stopped] = []

    async def later(stopped: Stopped) -> None:
        await asyncio.sleep(0)
        told.append(stopped)

    async def heard(count: int) -> None:
        async def enough() -> bool:
            return len(told) == count

        await until(enough)

    async with office.andon.run("report", on_stop=told.append if by_itself else later) as run:
        await office.brake(run, "pause")
        await office.brake(run, "stop", "one")
        await heard(1)
        await office.brake(run, "stop", "the same stop still")
        await office.brake(run, "resume")
        await office.wide("stop", everything=True)
        await heard(2)
        await office.wide("resume", everything=True)
        await office.brake(run, "steer", "To Bob")
        await office.brake(run, "abort")
        await heard(3)
        await asyncio.sleep(0.2)
    assert [(stopped.brake.action, stopped.brake.text) for stopped in told] == [
        ("stop", "one"),
        ("stop", None),
        ("abort", None),
    ]


async def test_a_function_that_fails_is_logged_and_called_again(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str | None] = []

    def fail(stopped: Stopped) -> None:
        told.append(stopped.brake.text)
        raise OSError("the disk is away")

    async with office.andon.run("report", on_stop=fail) as run:
        for number in ("1", "2"):
            await office.brake(run, "stop", number)
            await until(lambda number=number: _is_last(told, number))  # type: ignore[misc]
            await office.brake(run, "resume")
    assert told == ["1", "2"]
    assert caplog.text.count("on_stop.failed") == 2
    assert "the disk is away" in caplog.text


async def _is_last(told: list[str | None], text: str) -> bool:
    return told[-1:] == [text]


async def test_a_function_that_is_at_work_when_the_run_ends_is_cancelled(office: Office) -> None:
    done: list[str] = []
    begun = asyncio.Event()

    async def slow(_: Stopped) -> None:
        begun.set()
        await forever(done, "slow")

    async with office.andon.run("report", on_stop=slow) as run:
        await office.brake(run, "stop")
        await asyncio.wait_for(begun.wait(), 10)
    assert done == ["slow"]


async def test_with_on_stop_it_is_told_at_once(office: Office) -> None:
    await office.wide("stop", everything=True)
    told: list[Stopped] = []
    async with office.andon.run("report", on_stop=told.append):
        await until(lambda: _any(told))
    assert len(told) == 1

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel"):
            await asyncio.sleep(60)

    assert (await stopped_by(job())).brake.scope.everything


async def _any(told: list[Stopped]) -> bool:
    return bool(told)
