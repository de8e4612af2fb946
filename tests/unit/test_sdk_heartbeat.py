"""Signs of life from the package: given in the background, and never in the way of the agent's work."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import ValidationError

from andon import Andon
from tests.fakes.service import KEY, FakeService, approve, until


@pytest.fixture
async def service() -> AsyncIterator[FakeService]:
    async with FakeService().serving() as serving:
        serving.person = approve
        yield serving


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def rest(every_s: float) -> None:
        await asyncio.sleep(every_s / 500)

    monkeypatch.setattr("andon._heartbeat.rest", rest)


def andon_of(service: FakeService) -> Andon:
    return Andon(service.url, KEY, patience=timedelta(seconds=2))


async def test_what_it_has_claimed_is_named_until_it_is_reported_and_the_last_says_so(service: FakeService) -> None:
    async with andon_of(service) as andon, andon.run("nightly", heartbeat=30) as run:
        assert next(iter(service.runs.values()))["heartbeat_s"] == 30

        @run.gate(risks=["?"])
        async def send(to: str) -> str:
            await until(lambda: any(each["acting"] for each in service.beats))
            return to

        await send("ana", why="She asked")
        named = next(each["acting"] for each in service.beats if each["acting"])
        assert named == [service.only["id"]]
        count = len(service.beats)
        await until(lambda: len(service.beats) > count + 1)
        assert service.beats[-1] == {"last": False, "acting": []}
    assert service.beats[-1] == {"last": True, "acting": []}


async def test_a_run_that_promises_nothing_sends_nothing_new(service: FakeService) -> None:
    """A service of before would refuse what it does not know."""
    async with andon_of(service) as andon, andon.run("nightly"):
        await asyncio.sleep(0.02)
    assert service.beats == []
    assert "heartbeat_s" not in next(iter(service.runs.values()))


async def test_no_failure_of_a_sign_of_life_reaches_the_agent(
    service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "andon")
    async with andon_of(service) as andon, andon.run("nightly", heartbeat=timedelta(minutes=1)) as run:
        service.heartless = 3
        await until(lambda: not service.heartless)
        await until(lambda: len(service.beats) > 1)
        service.runs.clear()
        await until(lambda: "run.heartless" in caplog.text)
        assert run.info.heartbeat_s == 60
    assert "run.unheard" in caplog.text


async def test_a_service_that_is_away_hears_again_when_it_is_back(service: FakeService) -> None:
    async with andon_of(service) as andon, andon.run("nightly", heartbeat=5):
        await until(lambda: bool(service.beats))
        await service.stop()
        await asyncio.sleep(0.05)
        count = len(service.beats)
        await service.start()
        await until(lambda: len(service.beats) > count)


async def test_a_resumed_run_gives_the_first_at_once_and_its_last_with_the_client(service: FakeService) -> None:
    async with andon_of(service) as first, first.run("nightly", heartbeat=3600) as run:
        handoff = await run.open(
            {"kind": "input", "gate": "ask", "question": "How much?", "answer_schema": {"type": "string"}}
        )
    del service.beats[:]
    assert handoff.token
    async with andon_of(service) as later:
        await later.resume(handoff.token)
        await until(lambda: bool(service.beats))
        assert not service.beats[0]["last"]
    assert service.beats[-1]["last"]


@pytest.mark.parametrize("wrong", [1, 3_601, timedelta(seconds=4)])
async def test_a_promise_that_no_service_takes_is_refused_before_anything_starts(
    service: FakeService, wrong: float | timedelta
) -> None:
    async with andon_of(service) as andon:
        with pytest.raises(ValidationError, match="heartbeat_s"):
            async with andon.run("nightly", heartbeat=wrong):
                pass
    assert service.runs == {}
