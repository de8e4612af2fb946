"""Killed at the worst moment: the service, the store, both. What was confirmed stands, and nobody waits for ever."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import psutil
import pytest

from bot.config import Settings
from bot.store.embedded import socket_path
from tests.people import Agent, Json, Person
from tests.servers import SECRET, ServiceProcess, live, until
from tests.store import asks


def store_of(service: ServiceProcess) -> psutil.Process:
    """The embedded store's process, found by the folder that it works in, whoever its parent is."""
    folder = str(service.state / "store")
    (found,) = [p for p in psutil.process_iter(["cmdline"]) if any(folder in word for word in p.info["cmdline"] or ())]
    return found


async def test_a_waiting_agent_gets_the_decision_from_the_service_that_was_killed_and_started_again(
    subprocess_service: ServiceProcess,
) -> None:
    """The answer was confirmed to the person; the service died before the agent heard of it."""
    service = subprocess_service
    async with (
        Agent(service.url, service.agent_key) as agent,
        Person(service.url, await service.make_key("person", "mira@example.com")) as mira,
    ):
        asked = await agent.ask(key="the-ask")
        waiting = asyncio.create_task(agent.wait(asked["id"]))
        assert (await agent.wait(asked["id"], 0.1))["state"] == "pending"  # so the other poll has arrived too
        os.kill(service.pid, signal.SIGSTOP)
        async with service.store() as store:  # the script has run, and the service cannot tell anybody any more
            handoff = await asks.look(store, asked["id"])
            assert (await store.handoffs.answer(handoff, asks.yes(handoff), answer_id="press")).word == "won"
        await service.kill()
        with pytest.raises(aiohttp.ClientError):
            await waiting

        await service.start()

        found = await agent.wait(asked["id"])
        assert found["decision"]["kind"] == "approved"
        again = await agent.open(await agent.confirmation(), key="the-ask")
        assert (again.status, again.body["decision"]) == (200, found["decision"])
        assert (await mira.reject(found)).body["decision"] == found["decision"]
        permit = (await agent.claim(found)).ok()
        assert permit["digest"] == asked["digest"]


async def test_an_agent_that_waits_through_the_kill_hears_of_a_later_answer(subprocess_service: ServiceProcess) -> None:
    service = subprocess_service
    async with (
        Agent(service.url, service.agent_key) as agent,
        Person(service.url, await service.make_key("person", "mira@example.com")) as mira,
    ):
        asked = await agent.ask()
        async with agent.events() as events:
            start = await events.next()
        await service.kill()
        await service.start()
        decided = (await mira.approve(asked)).ok()
        async with agent.events(start.id) as events:
            assert (await events.next()).data["handoff"] == asked["id"]
        assert (await agent.look(asked["id"]))["decision"] == decided["decision"]


async def test_the_store_that_a_killed_service_left_behind_is_taken_over(subprocess_service: ServiceProcess) -> None:
    service = subprocess_service
    orphan = store_of(service)
    async with Agent(service.url, service.agent_key) as agent:
        asked = await agent.ask()
        await service.kill()
        assert orphan.is_running(), "the store outlives the service that was killed"

        await service.start()

        assert store_of(service).pid != orphan.pid
        assert (await agent.look(asked["id"]))["state"] == "pending"
    assert await service.stop() == 0
    assert not socket_path(service.state).exists()


async def test_the_store_stops_with_the_service(subprocess_service: ServiceProcess) -> None:
    store = store_of(subprocess_service)
    assert await subprocess_service.stop() == 0
    assert not store.is_running()


async def test_nothing_that_was_confirmed_is_lost_when_the_store_is_killed(subprocess_service: ServiceProcess) -> None:
    """Kill -9 under load, three times: the service starts the store again, and all that was acknowledged is there."""
    service = subprocess_service
    confirmed: dict[str, Json] = {}
    opened: set[str] = set()
    done = asyncio.Event()
    async with (
        Agent(service.url, await service.make_key("agent", "busy")) as agent,
        Person(service.url, await service.make_key("person", "mira@example.com")) as mira,
    ):
        await agent.run()

        async def work(worker: int) -> None:
            number = 0
            while not done.is_set():
                number += 1
                try:
                    reply = await agent.open(await agent.confirmation(), key=f"{worker}-{number}")
                    if reply.status != 201:
                        assert reply.status in {200, 503}, reply
                        continue
                    opened.add(reply.body["id"])
                    answer = await mira.approve(reply.body)
                    if answer.status == 200:
                        confirmed[reply.body["id"]] = answer.body["decision"]
                    else:
                        assert answer.status == 503, answer
                except aiohttp.ClientError:
                    continue

        workers = [asyncio.create_task(work(n)) for n in range(8)]
        for _ in range(3):
            before = len(confirmed)

            async def some_more(count: int = before + 30) -> bool:
                return len(confirmed) >= count

            await until(some_more, within_s=30, what="more work is done")
            store_of(service).kill()
        await until(service.answers, within_s=20, what="the service has its store again")
        done.set()
        await asyncio.gather(*workers)

        for handoff_id, decision in confirmed.items():
            assert (await mira.look(handoff_id))["decision"] == decision
        for handoff_id in opened:
            assert (await mira.look(handoff_id))["id"] == handoff_id
        again = await agent.ask()
        assert (await mira.approve(again)).status == 200
    assert "store.died" in service.output


async def test_a_second_service_on_the_same_folder_is_refused(subprocess_service: ServiceProcess) -> None:
    second = ServiceProcess(subprocess_service.state)
    second._log = subprocess_service.state.parent / "second.log"
    with pytest.raises(AssertionError, match="the service ended with 1"):
        await second.start()
    assert f"another Andon service (process {subprocess_service.pid}) runs on the state folder" in second.output
    assert "ANDON_STATE" in second.output
    assert await subprocess_service.answers(), "the first one is not disturbed"


async def test_a_service_with_another_secret_is_refused(settings: Settings, tmp_path: Path) -> None:
    """Its keys and links would not open, and it could not tell why."""
    async with live(settings):
        shared = {"ANDON_REDIS_URL": settings.redis_url.get_secret_value() if settings.redis_url else ""}
        other = ServiceProcess(tmp_path / "other", {**shared, "ANDON_SECRET": SECRET[::-1]})
        with pytest.raises(AssertionError, match="the service ended with 1"):
            await other.start()
        assert "another secret" in other.output


async def test_the_state_folder_is_its_owner_s_alone(subprocess_service: ServiceProcess) -> None:
    state = subprocess_service.state
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "store").stat().st_mode & 0o777 == 0o700
    for name in ("agent.key", "secret", "url", "store/valkey.conf"):
        assert (state / name).stat().st_mode & 0o077 == 0, name
    assert socket_path(state).stat().st_mode & 0o777 == 0o600
