"""F22: connections are cut again and again, and many wait at once. Nothing is missed, and nothing is told twice."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import pytest

from andon import Andon
from bot.store.feed import Feed
from tests.people import Agent, Event, Json
from tests.servers import Live, until

CUT_S = (0.05, 0.4)
"""How long a connection lives; a tenth of what proxies give it, so that a test has many cuts."""
HERD_CUT_S = (0.5, 2.0)
WAITERS = 500


@asynccontextmanager
async def cutting(url: str, within: tuple[float, float] = CUT_S) -> AsyncIterator[str]:
    """A proxy that cuts every connection after a moment, in the midst of whatever it carries."""
    target = urlsplit(url)
    dice = random.Random(22)
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, there = await asyncio.open_connection(target.hostname, target.port)
        pumps = {asyncio.create_task(pump(reader, there)), asyncio.create_task(pump(back, writer))}
        tasks.update(pumps)
        try:
            await asyncio.wait(pumps, timeout=dice.uniform(*within), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in pumps:
                each.cancel()
            for end in (writer, there):
                end.transport.abort()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def listen(agent: Agent, heard: list[Event], cuts: Counter[str]) -> None:
    """Follow the stream through every cut, each time from the last id."""
    after: str | None = None
    while True:
        try:
            async with agent.events(after) as events:
                while True:
                    event = await events.next(30)
                    heard.append(event)
                    after = event.id
        except (EOFError, KeyError, aiohttp.ClientError):  # KeyError: cut in the midst of an event
            cuts["cut"] += 1
            await asyncio.sleep(0)


async def changes(here: Live, count: int) -> list[tuple[str, str]]:
    """So many handoffs decided and closed, some time apart; what an agent is to hear of them."""
    told: list[tuple[str, str]] = []
    for _ in range(count):
        asked = await here.agent.ask()
        decided = (await here.person.approve(asked)).ok()
        (await here.agent.claim(decided)).ok()
        await here.agent.report(asked, "executed", claimant="try-1")
        told += [(f"handoff.{event}", asked["id"]) for event in ("decided", "claimed", "closed")]
        await asyncio.sleep(0.02)  # spread over the cuts; nothing depends on it
    return told


async def heard_through_cuts(here: Live) -> tuple[list[tuple[str, str]], list[tuple[str, str]], int]:
    """What happened, what was heard, and how often the line was cut."""
    heard: list[Event] = []
    cuts: Counter[str] = Counter()
    async with cutting(here.url) as url, Agent(url, here.agent.key) as listener:
        listening = asyncio.create_task(listen(listener, heard, cuts))

        async def begun() -> bool:
            return bool(heard)

        await until(begun)
        told = await changes(here, 40)

        async def is_last_heard() -> bool:
            return told[-1] in [(event.name, event.data.get("handoff")) for event in heard]

        try:
            while not await is_last_heard():  # where nothing is read again, the last one itself may have been missed
                told += await changes(here, 1)
                with contextlib.suppress(AssertionError):
                    await until(is_last_heard, within_s=1)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    found = [(event.name, str(event.data["handoff"])) for event in heard if event.data.get("handoff")]
    return told, found, cuts["cut"]


async def test_a_stream_that_is_cut_again_and_again_misses_nothing_and_repeats_nothing(service: Live) -> None:
    told, heard, cuts = await heard_through_cuts(service)
    assert cuts >= 2
    assert heard == told


async def test_a_stream_that_forgot_where_it_was_would_miss_some(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch of this guard: what was missed is not read again."""

    async def nothing(*_: object, **__: object) -> list[object]:
        return []

    monkeypatch.setattr(Feed, "since", nothing)
    for _ in range(10):  # now and then nothing happens while the line is cut
        told, heard, _ = await heard_through_cuts(service)
        if len(heard) < len(told):
            return
    pytest.fail("nothing was ever missed")


async def test_five_hundred_wait_through_cuts_and_each_hears_its_own_decision(service: Live) -> None:
    """A herd that comes back at once after each cut, on two cores."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(cutting(service.url, HERD_CUT_S))
        asked = await asyncio.gather(*(service.agent.ask(key=f"k{n}") for n in range(WAITERS)))
        waiters = [await stack.enter_async_context(Agent(url, service.agent.key)) for _ in range(WAITERS // 100)]

        async def wait(number: int, handoff: Json) -> Json:
            while True:
                path, waiter = f"/v1/handoffs/{handoff['id']}", waiters[number % len(waiters)]
                with contextlib.suppress(aiohttp.ClientError):
                    reply = await waiter.call("GET", path, params={"wait": "20"})
                    if reply.status == 200 and reply.body.get("decision"):
                        found: Json = reply.body
                        return found
                await asyncio.sleep(0.01)  # 429: the service has not noticed yet that its last wait was cut

        waiting = [asyncio.create_task(wait(number, handoff)) for number, handoff in enumerate(asked)]
        await asyncio.gather(*(service.person.approve(handoff) for handoff in asked))
        async with asyncio.timeout(60):
            heard = await asyncio.gather(*waiting)
    assert [each["id"] for each in heard] == [each["id"] for each in asked]
    assert {each["decision"]["kind"] for each in heard} == {"approved"}


async def test_the_agent_s_package_waits_through_the_cuts(service: Live) -> None:
    """What a program sees of all this: nothing."""
    async with cutting(service.url) as url, Andon(url, service.agent.key) as andon, andon.run("cut") as run:
        ask = await service.agent.confirmation(run=run.id)
        opened = [await run.open({**ask, "what": f"Send {number}"}) for number in range(5)]
        waiting = [asyncio.create_task(handoff.wait()) for handoff in opened]
        await asyncio.sleep(max(CUT_S))  # every connection of theirs was cut at least once
        for handoff in opened:
            (await service.person.approve({"id": handoff.id, "revision": 1})).ok()
        decided = await asyncio.gather(*waiting)
    assert {each.kind for each in decided} == {"approved"}
