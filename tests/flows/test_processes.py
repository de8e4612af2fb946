"""Several processes of the service on one store: whoever takes the answer, everybody hears."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from bot.config import Settings
from bot.store import Store, connect
from tests.people import MAIL, Agent, Event, Person
from tests.servers import SECRET, SHARDS, ServiceProcess, live, until


async def test_a_waiter_is_woken_by_another_process(services: list[ServiceProcess], redis_url: str) -> None:
    """And without asking again and again: while it waits, Redis hears next to nothing."""
    here, there = services
    async with (
        Agent(here.url, await here.make_key("agent", "mailer")) as agent,
        Person(there.url, await there.make_key("person", "mira@example.com")) as mira,
        Store(connect(redis_url)) as store,
    ):
        asked = await agent.ask()
        waiters = [asyncio.create_task(agent.wait(asked["id"])) for _ in range(3)]

        before = await commands(store)
        assert (await agent.wait(asked["id"], 1))["state"] == "pending"  # a second in which nothing happens
        assert await commands(store) - before < 60 * SHARDS, "both processes' timers, and nobody polling"

        decided = (await mira.approve(asked)).ok()
        async with asyncio.timeout(2):
            woken = await asyncio.gather(*waiters)
        assert all(handoff["decision"] == decided["decision"] for handoff in woken)


async def test_each_process_sees_what_the_other_one_did(services: list[ServiceProcess]) -> None:
    """Whatever a process remembers of a handoff, it is never behind what it tells."""
    here, there = services
    key, persons = await here.make_key("agent", "mailer"), await here.make_key("person", "mira@example.com")
    async with (
        Agent(here.url, key) as agent,
        Agent(there.url, key) as same_agent,
        Person(there.url, persons) as mira,
        Person(here.url, persons) as mira_here,
    ):
        for _ in range(10):
            asked = await agent.ask()
            edited = (await mira.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)).ok()
            assert (await agent.look(asked["id"]))["revision"] == 2
            assert (await mira_here.approve(asked)).problem == "stale-revision"
            decided = (await mira.approve(edited)).ok()
            late = await mira_here.reject(edited)
            assert (late.problem, late.body["decision"]) == ("already-decided", decided["decision"])
            assert (await agent.claim(decided, digest=asked["digest"])).problem == "digest-mismatch"
            permit = (await agent.claim(decided, claimant="here")).ok()
            assert permit["digest"] == edited["digest"]
            assert (await same_agent.claim(decided, claimant="there")).problem == "already-claimed"
            assert (await same_agent.look(asked["id"]))["claim"]["claimant"] == "here"
            assert (await same_agent.wait(asked["id"], 20))["state"] == "claimed", "it does not wait for the past"


async def test_a_wait_that_begins_after_the_decision_elsewhere_returns_at_once(services: list[ServiceProcess]) -> None:
    here, there = services
    async with (
        Agent(here.url, await here.make_key("agent", "mailer")) as agent,
        Person(there.url, await there.make_key("person", "mira@example.com")) as mira,
    ):
        for _ in range(20):
            asked = await agent.ask()
            await mira.approve(asked)
            async with asyncio.timeout(2):
                assert (await agent.wait(asked["id"], 30))["decision"]["kind"] == "approved"


async def test_fifty_presses_on_two_processes_make_one_decision(services: list[ServiceProcess]) -> None:
    here, there = services
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(Agent(here.url, await here.make_key("agent", "mailer")))
        people = [
            await stack.enter_async_context(Person(process.url, await process.make_key("person", f"p{n}@example.com")))
            for n, process in enumerate([here, there, here, there])
        ]
        asked = [await agent.ask() for _ in range(50)]
        waiting = [asyncio.create_task(agent.wait(handoff["id"])) for handoff in asked]

        async def race(n: int) -> set[str]:
            presses = [
                person.approve(asked[n]) if (n + i) % 2 else person.reject(asked[n], f"no, says {i}")
                for i, person in enumerate(people)
            ]
            replies = await asyncio.gather(*presses)
            assert Counter(reply.status for reply in replies) == {200: 1, 409: 3}
            return {str(reply.body["decision"]) for reply in replies}

        told = await asyncio.gather(*(race(n) for n in range(50)))
        woken = await asyncio.gather(*waiting)
        assert [len(decisions) for decisions in told] == [1] * 50, "all four heard of the same decision"
        assert [{str(handoff["decision"])} for handoff in woken] == told


async def test_each_timer_fires_once_with_three_processes(settings: Settings, tmp_path: Path) -> None:
    """Any of them may run what is due; the agent hears of each expiry once."""
    async with AsyncExitStack() as stack:
        here, *_ = [
            await stack.enter_async_context(live(settings.model_copy(update={"state": tmp_path / str(n)})))
            for n in range(3)
        ]
        async with here.agent.events() as events:
            assert (await events.next()).name == "stream.open"
            asked = [await here.agent.ask(timeout_s=1) for _ in range(30)]
            told = await events.take(len(asked))
            marker = await here.agent.ask()
            await here.agent.withdraw(marker)
            last = await events.next()
        assert Counter(event.data["handoff"] for event in told) == {handoff["id"]: 1 for handoff in asked}
        assert {(event.name, event.data["kind"]) for event in told} == {("handoff.decided", "expired")}
        assert last.data["handoff"] == marker["id"], "nothing was told twice"


async def test_the_stream_goes_on_across_restarts_with_nothing_lost_or_doubled(redis_url: str, tmp_path: Path) -> None:
    """A stopped service, a killed one: the agent resumes from its last id and hears each change once, in order."""
    process = ServiceProcess(tmp_path / "state", {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET})
    helper = ServiceProcess(tmp_path / "helper", {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET})
    heard: list[Event] = []
    stop = asyncio.Event()
    try:
        await asyncio.gather(process.start(), helper.start())
        async with (
            Agent(process.url, await process.make_key("agent", "mailer")) as agent,
            Agent(helper.url, agent.key) as asking,
            Person(helper.url, await helper.make_key("person", "mira@example.com")) as mira,
        ):

            async def listen() -> None:
                after: str | None = None
                while True:
                    try:
                        async with agent.events(after) as events:
                            while True:
                                event = await events.next(30)
                                heard.append(event)
                                after = event.id
                    except (EOFError, aiohttp.ClientError):
                        await asyncio.sleep(0.02)

            async def decide() -> list[str]:
                decided = []
                while not stop.is_set():
                    asked = await asking.ask()
                    await mira.approve(asked)
                    decided.append(str(asked["id"]))
                return decided

            listening = asyncio.create_task(listen())
            await until(lambda: some(heard))
            deciding = asyncio.create_task(decide())
            for number in range(3):
                seen = len(heard)
                await until(lambda n=seen: some(heard[n + 5 :]))  # type: ignore[misc]  # a default carries the value
                if number % 2:
                    assert await process.stop() == 0
                else:
                    await process.kill()
                await process.start()
            stop.set()
            decided = await deciding
            await until(lambda: some([e for e in heard if e.data.get("handoff") == decided[-1]]))
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        assert [event.name for event in heard if event.name.startswith("stream.")] == ["stream.open"]
        assert [event.data["handoff"] for event in heard[1:]] == decided
    finally:
        await process.close()
        await helper.close()


async def some(found: list[Event]) -> bool:
    return bool(found)


async def commands(store: Store) -> int:
    info = await store._client.info("stats")
    return int(info["total_commands_processed"])
