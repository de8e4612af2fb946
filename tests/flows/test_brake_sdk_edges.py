"""The brake and an agent of the package, where two things happen at once, or a reply is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from andon import Approved, Run, Stopped, wire
from andon._api import Api
from bot.config import Settings
from tests.flows.office import (
    POLICY,
    Office,
    ask,
    confirm,
    ends,
    held_by,
    is_pending,
    open_office,
    question,
    steered_by,
    stopped_by,
    task,
)
from tests.servers import until


@pytest.fixture
async def office(settings: Settings, tmp_path: Path) -> AsyncIterator[Office]:
    policy = POLICY + '  - {name: looking, tool: "post", do: review, timeout: 10m}\n'
    async with open_office(settings, tmp_path, policy=policy) as opened:
        yield opened


@pytest.fixture
async def run(office: Office) -> AsyncIterator[Run]:
    async with office.andon.run("report") as run:
        yield run


class Counted:
    """Counts the calls of the client."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.calls = 0
        for name in names:
            monkeypatch.setattr(Api, name, self._counting(getattr(Api, name)))

    def _counting(self, call: Any) -> Any:
        async def counted(*args: Any, **named: Any) -> Any:
            self.calls += 1
            return await call(*args, **named)

        return counted


async def test_thousands_who_wait_out_a_pause_ask_nothing(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of their asks is put on hold, and released, with an event of its own."""
    reads = Counted(monkeypatch, "read", "read_run")
    handoffs = [await run.open(question(run)) for _ in range(100)]
    waits = [task(handoff.wait()) for handoff in handoffs]
    await until(lambda: _is(reads, 100))
    await office.wide("pause", everything=True)
    for handoff in handoffs:
        await office.comes_to(handoff.id, "held")
    assert held_by(run) == "pause"
    await office.wide("resume", everything=True)
    for handoff in handoffs:
        await office.comes_to(handoff.id, "pending")
    await until(lambda: _is_off(run))
    assert reads.calls == 100
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


async def _is(counted: Counted, calls: int) -> bool:
    return counted.calls >= calls


async def _is_off(run: Run) -> bool:
    return run.brake is None


async def test_whoever_asks_under_a_stop_is_told_by_that_one_call(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands that go on asking open no streams and read nothing."""
    await office.brake(run, "stop")
    calls = Counted(monkeypatch, "open", "read", "read_run")
    await stopped_by(ask(run))
    assert calls.calls == 1
    assert office.andon._events._following is None


async def test_a_brake_that_is_off_again_before_anybody_could_look_disturbs_nobody(office: Office, run: Run) -> None:
    waiting = task(ask(run))
    card = await office.card()
    scope = wire.BrakeScope(run=run.id)
    by = wire.Actor(kind="person", id="mira@example.com", name="mira")
    brake = wire.Braked(action="stop", scope=scope, by=by, at=run.info.started_at, epoch=7)
    run._line.brake.pulled(brake)
    run._line.brake.lifted(brake)
    assert not await ends(waiting)
    (await office.mira.say(card, "1.4")).ok()
    assert await waiting == "1.4"
    assert not office.andon._events.listeners, "nobody waits any more"


async def test_who_is_cancelled_by_a_stop_in_the_middle_of_a_call_leaves_its_ask_on_hold(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reading was slow, so the cancellation came before it could hear of the stop by itself."""
    reading = asyncio.Event()
    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()

    async def slow(*_: object, **__: object) -> wire.Handoff:
        reading.set()
        await asyncio.sleep(60)
        raise AssertionError

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel") as run:
            started.set_result(run)
            await ask(run)

    monkeypatch.setattr(Api, "read", slow)
    working = task(job())
    card = await office.card()
    await asyncio.wait_for(reading.wait(), 10)
    await office.brake(await started, "stop")
    await stopped_by(working)
    monkeypatch.undo()
    await office.comes_to(card["id"], "held")
    await office.brake(await started, "resume")
    await office.comes_to(card["id"], "pending")


async def test_a_task_that_a_stop_cancelled_is_not_cancelled_any_more_afterwards(office: Office) -> None:
    async def job() -> int:
        task = asyncio.current_task()
        assert task
        try:
            async with office.andon.run("report", on_stop="cancel") as run:
                started.set_result(run)
                await asyncio.sleep(60)
        except Stopped:
            await asyncio.sleep(0)
        return task.cancelling()

    started: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
    working = task(job())
    await office.brake(await started, "stop")
    assert await asyncio.wait_for(working, 10) == 0


async def test_a_run_that_starts_under_a_brake_is_cancelled_before_its_stream_is_up(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    async def job() -> None:
        async with office.andon.run("report", on_stop="cancel"):
            await asyncio.sleep(60)

    await office.wide("stop", everything=True)
    monkeypatch.setattr("andon._events.Events.connected", never)
    await stopped_by(job())


async def test_a_claim_whose_reply_was_lost_to_a_stop_is_the_same_claim_afterwards(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made, so a claim by another name would be refused for ever, and nothing would be done."""
    waiting = task(confirm(run))
    (await office.mira.approve(await office.card())).ok()
    decision = await waiting
    assert isinstance(decision, Approved)
    claim = Api.claim

    async def lost(*args: Any) -> bytes:
        await claim(*args)
        await office.brake(run, "stop")
        return await claim(*args)

    monkeypatch.setattr(Api, "claim", lost)
    await stopped_by(run.claim(decision))
    monkeypatch.undo()
    await office.brake(run, "resume")
    assert (await run.claim(decision)).args == {"n": 1}


async def test_words_that_were_acknowledged_but_never_read_are_raised_again(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service has dropped them by then: nobody else has them."""
    hear, heard = Api.heard, asyncio.Event()

    async def slow(*args: Any) -> wire.Run:
        await hear(*args)
        heard.set()
        await asyncio.sleep(60)
        raise AssertionError

    waiting = task(ask(run))
    await office.card()
    monkeypatch.setattr(Api, "heard", slow)
    await office.brake(run, "steer", "To Bob")
    await asyncio.wait_for(heard.wait(), 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    monkeypatch.undo()
    assert await office.on() == []
    assert "To Bob" in str(await steered_by(run.checkpoint("drafted")))
    assert await run.checkpoint("next") == 2


async def test_a_wait_that_reads_meanwhile_hears_the_words_that_another_has_raised(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All who waited when somebody spoke hear it, in whatever order they come to look."""
    read, go_on, late = Api.read, asyncio.Event(), asyncio.Event()
    slow = await run.open(question(run))

    async def slowly(self: Api, handoff_id: str, **named: Any) -> wire.Handoff:
        found = await read(self, handoff_id, **named)
        if handoff_id == slow.id:
            late.set()
            await go_on.wait()
            found = await read(self, handoff_id, **named)
        return found

    monkeypatch.setattr(Api, "read", slowly)
    monkeypatch.setattr(Api, "heard", _unreachable)
    reading = task(slow.wait())
    waiting = task(ask(run))
    await asyncio.wait_for(late.wait(), 10)
    await office.card(count=2)
    await office.brake(run, "steer", "To Bob")
    await steered_by(waiting)
    await office.comes_to(slow.id, "held")
    go_on.set()
    await steered_by(reading)


async def _unreachable(*_: object) -> wire.Run:
    raise TimeoutError


async def test_a_stop_does_not_end_the_watching_of_what_is_done_already(office: Office, run: Run) -> None:
    """Its review is on hold meanwhile, and is undone when people say so afterwards."""
    undone: list[str] = []

    @run.gate(risks=["?"], reversible=True, undo=undone.append)
    async def post(text: str) -> str:
        return f"posted {text}"

    assert await post("it", why="asked") == "posted it"
    review = await office.card()
    await office.brake(run, "stop")
    await office.comes_to(review["id"], "held")
    assert undone == []
    await office.brake(run, "resume")
    await until(lambda: is_pending(office, review["id"]))
    (await office.mira.reject(review, "Wrong room")).ok()
    await office.comes_to(review["id"], "closed")
    assert undone == ["posted it"]


async def test_a_stream_that_forgot_lets_a_wait_look_again(office: Office, run: Run) -> None:
    """As after seven days without a line: what was missed is found by reading."""
    waiting = task(ask(run))
    card = await office.card()
    events = office.andon._events
    stream = events._following
    assert stream
    events._following = None
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)
    await office.brake(run, "stop")
    await office.comes_to(card["id"], "held")
    events._last_id = None
    events._following = asyncio.create_task(events._follow())
    await stopped_by(waiting)
