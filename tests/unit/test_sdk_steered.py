"""What people tell a run reaches its agent at a checkpoint, once at least, whatever breaks in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from andon import Andon, AndonError, Run, ServiceUnavailable, Steered, wire
from tests.fakes.service import KEY, FakeService, until


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    async with FakeService().serving() as serving:
        yield serving


@pytest.fixture
async def run(service: FakeService) -> AsyncIterator[Run]:
    async with Andon(service.url, KEY, patience=timedelta(seconds=1)) as andon, andon.run("tests") as run:
        yield run


async def words(run: Run, state: object = None) -> list[str]:
    """Save a checkpoint; returns what the agent is told there."""
    try:
        await run.checkpoint("step", state)
    except Steered as steered:
        return [steer.text for steer in steered.steers]
    return []


async def test_a_checkpoint_tells_what_people_said_and_is_saved(service: FakeService, run: Run) -> None:
    service.steer("Send it to Bob instead ")
    service.steer("And not before nine.")
    with pytest.raises(Steered) as caught:
        await run.checkpoint("drafted", {"draft": 7})
    steered = caught.value
    assert isinstance(steered, AndonError)
    assert steered.version == 1
    assert [(steer.text, steer.by.name) for steer in steered.steers] == [
        ("Send it to Bob instead ", "Mira"),
        ("And not before nine.", "Mira"),
    ]
    assert str(steered) == (
        "Mira says: Send it to Bob instead. Mira says: And not before nine. Take this into account before you go on."
    )
    saved = await run.load_checkpoint()
    assert saved
    assert saved.state == {"draft": 7}
    assert await run.checkpoint("sent") == 2


async def test_a_receipt_that_is_lost_comes_again_with_the_words(service: FakeService, run: Run) -> None:
    """The save was made and took the words along; the repetition must be the same save, not one without them."""
    service.steer("Send it to Bob")
    service.drop_receipts = 2
    assert await words(run) == ["Send it to Bob"]
    assert service.calls["PUT /v1/runs/{run}/checkpoint"] == 3
    assert await run.checkpoint("next") == 2


async def test_words_that_went_with_a_save_that_was_given_up_come_with_the_next(service: FakeService, run: Run) -> None:
    service.steer("Send it to Bob")
    service.drop_receipts = 1_000
    with pytest.raises(ServiceUnavailable):
        await run.checkpoint("drafted")
    service.drop_receipts = 0
    service.steer("And not before nine")
    assert await words(run) == ["Send it to Bob", "And not before nine"]
    assert await words(run) == []


async def test_words_outlast_several_saves_that_were_given_up(service: FakeService, run: Run) -> None:
    for text in ("one", "two"):
        service.steer(text)
        service.drop_receipts = 1_000
        with pytest.raises(ServiceUnavailable):
            await run.checkpoint("drafted")
    service.drop_receipts = 0
    service.steer("three")
    assert await words(run) == ["one", "two", "three"]


async def test_a_save_that_was_cancelled_loses_no_words(service: FakeService, run: Run) -> None:
    service.steer("Send it to Bob")
    service.drop_receipts = 1_000
    saving = asyncio.create_task(run.checkpoint("drafted"))
    await until(lambda: not service.steers)
    saving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saving
    service.drop_receipts = 0
    assert await words(run) == ["Send it to Bob"]


async def test_words_that_the_agent_has_read_do_not_come_back(service: FakeService, run: Run) -> None:
    """A later save that never arrived must not bring up an older one's words again."""
    service.steer("Send it to Bob")
    assert await words(run) == ["Send it to Bob"]
    await service.stop()
    with pytest.raises(ServiceUnavailable):
        await run.checkpoint("never saved")
    await service.start()
    assert await words(run) == []


async def test_a_process_that_takes_over_finds_the_words_with_the_checkpoint(service: FakeService, run: Run) -> None:
    """Whoever saved it may have died before it read the receipt."""
    service.steer("Send it to Bob")
    with pytest.raises(Steered):
        await run.checkpoint("drafted", {"draft": 7})
    async with Andon(service.url, KEY) as later:
        handoff = await run.open({"kind": "input", "gate": "ask", "question": "What?"})
        assert handoff.token
        same, _ = await later.resume(handoff.token)
        found = await same.load_checkpoint()
    assert found
    assert [steer.text for steer in found.steers] == ["Send it to Bob"]


async def test_an_older_service_that_knows_no_steers_is_understood() -> None:
    assert wire.CheckpointReceipt.model_validate({"run": "run_0", "version": 1}).steers == ()
    old = {"run": "run_0", "version": 1, "name": "n", "saved_at": "2026-11-22T12:00:00Z"}
    assert wire.Checkpoint.model_validate(old).steers == ()


async def test_a_question_may_be_answered_in_the_thread(service: FakeService, run: Run) -> None:
    service.person = lambda _: {"kind": "answered", "answer": "1.4"}
    assert await run.ask("Which version?", reply_in_thread=True) == "1.4"
    assert service.only["ask"]["reply_in_thread"] is True
