"""The service is killed at the worst moment of a review: between what was done and the question whether it stands."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from andon import wire
from bot.access import Access
from bot.reviews import follow_up, review_key
from tests.people import Agent, Person
from tests.servers import ServiceProcess
from tests.store import asks

POLICY = "rules: [{name: looking, tool: '*', do: review, timeout: 10m}]\n"


@pytest.fixture
async def reviewing(tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    process = ServiceProcess(tmp_path / "state", {"ANDON_POLICY": str(path)})
    try:
        await process.start()
        yield process
    finally:
        await process.close()


async def test_the_review_is_there_when_the_service_dies_before_it_can_say_so(reviewing: ServiceProcess) -> None:
    """The outcome is recorded and its reply is lost: the review was written in the same step."""
    service = reviewing
    async with (
        Agent(service.url, service.agent_key) as agent,
        Person(service.url, await service.make_key("person", "mira@example.com")) as mira,
    ):
        asked = await agent.ask(reversible=True)
        (await agent.claim(asked)).ok()
        os.kill(service.pid, signal.SIGSTOP)
        report = wire.OutcomeReport(status="executed", claimant="try-1", result="sent")
        async with service.store() as store:  # the script runs, and the process that sent it is dead
            access = Access(store, (service.state / "secret").read_text().strip().encode())
            first = await asks.look(store, asked["id"])
            made = follow_up(first, report, access.derive_id("hf", first.agent, review_key(first.id)))
            assert made
            said = await store.handoffs.outcome(first.id, first.agent, report, ramp=first.route.ramp, review=made)
            assert said.word == "recorded"
        await service.kill()
        await service.start()

        (review,) = await mira.inbox()
        assert review["follows"] == asked["id"]
        again = (await agent.report(asked, "executed", claimant="try-1", result="sent")).ok()
        assert again["review"] == review["id"]
        assert len(await mira.inbox()) == 1
        assert (await mira.reject(review)).ok()["decision"]["kind"] == "rejected"


async def test_killed_again_and_again_each_thing_done_has_one_review(reviewing: ServiceProcess) -> None:
    """Whatever was recorded when the service died: after the agent has told it again, there is one review of each."""
    service = reviewing
    async with (
        Agent(service.url, service.agent_key) as agent,
        Person(service.url, await service.make_key("person", "mira@example.com")) as mira,
    ):
        done = []
        for _ in range(3):
            asked = await agent.ask(reversible=True)
            (await agent.claim(asked)).ok()
            telling = asyncio.create_task(agent.report(asked, "executed", claimant="try-1"))
            await asyncio.sleep(0)
            await service.kill()
            await asyncio.gather(telling, return_exceptions=True)
            await service.start()
            done.append((await agent.report(asked, "executed", claimant="try-1")).ok())
        reviews = await mira.inbox()
        assert {each["follows"] for each in reviews} == {each["id"] for each in done}
        assert {each["id"] for each in reviews} == {each["review"] for each in done}
        assert len(reviews) == 3
