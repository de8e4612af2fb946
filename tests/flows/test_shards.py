"""The service over several shards: agents in each, and people who notice nothing of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from bot.app.store import open_store
from bot.config import Settings
from bot.errors import ConfigError
from bot.store import mark_of
from bot.store.marks import shard_in
from tests.fakes.board import Board
from tests.flows.paper_house import OPS, replica, settled
from tests.people import Agent, Json
from tests.servers import Live, until

SHARDS = 3


@pytest.fixture
def spread(settings: Settings) -> Settings:
    """Settings of a service over three shards."""
    return settings.model_copy(update={"shards": SHARDS})


@pytest.fixture
async def house(spread: Settings, board: Board) -> AsyncIterator[Live]:
    """The service over three shards, with the surface `paper`."""
    async with replica(spread, board) as running:
        yield running


async def one_in_each(house: Live, **start: object) -> list[Agent]:
    """An agent in each shard, with a run in the channel `ops`, or as `start` says."""
    found: dict[int, Agent] = {}
    number = 0
    while len(found) < SHARDS:
        agent, number = await house.new_agent(f"agent-{number}"), number + 1
        body = {"name": "weekly-report", **(start or {"conversation": OPS})}
        agent._run = (await agent.call("POST", "/v1/runs", body)).ok()["id"]
        found.setdefault(shard_in(agent._run), agent)
    return [found[shard] for shard in sorted(found)]


async def approved(house: Live, agent: Agent) -> Json:
    return (await house.person.approve(await agent.ask())).ok()


async def test_everything_of_a_handoff_works_in_every_shard(house: Live) -> None:
    for number, agent in enumerate(await one_in_each(house)):
        asked = await agent.ask(key="once")
        assert (await agent.ask(key="once"))["id"] == asked["id"]
        assert shard_in(asked["id"]) == shard_in(asked["run"]) == number
        waiting = asyncio.create_task(agent.wait(asked["id"]))
        child = (await agent.call("POST", "/v1/runs", {"name": "child", "parent": asked["run"]})).ok()
        assert mark_of(child["id"]) == mark_of(asked["run"])
        (await house.person.approve(asked)).ok()
        decided = await waiting
        assert (await agent.claim(decided)).ok()["digest"] == asked["digest"]
        assert (await agent.report(decided, "executed", claimant="try-1")).ok()["state"] == "closed"
        saved = await agent.call("PUT", f"/v1/runs/{asked['run']}/checkpoint", {"name": "half way", "state": 1})
        assert saved.ok()["version"] == 1


async def test_people_see_one_inbox_and_one_history(house: Live) -> None:
    agents = await one_in_each(house)
    asked = [await agent.ask(timeout_s=600 + number) for number, agent in enumerate(agents * 4)]
    cursor, read = None, list[str]()
    while True:
        params = {"state": "pending", "limit": "5", **({"cursor": cursor} if cursor else {})}
        page = (await house.person.call("GET", "/v1/handoffs", params=params)).ok()
        read += [each["id"] for each in page["handoffs"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert read == [each["id"] for each in asked], "the most urgent first"
    metrics = (await house.person.call("GET", "/metrics")).body
    assert "andon_pending 12.0" in metrics


async def test_a_stop_of_everything_is_one_stop(house: Live) -> None:
    """One receipt that adds up, one brake in the list, and one event for each agent."""
    agents = await one_in_each(house)
    waiting = [await agent.ask() for agent in agents]
    ready, flying = [[await approved(house, agent) for agent in agents] for _ in range(2)]
    for agent, each in zip(agents, flying, strict=True):
        (await agent.claim(each)).ok()
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(agent.events()) for agent in agents]
        for stream in streams:
            assert (await stream.next()).name == "stream.open"
        receipt = (
            await house.person.call("POST", "/v1/brakes", {"action": "stop", "scope": {"everything": True}})
        ).ok()
        assert (receipt["did"], receipt["held"]) == ("pulled", SHARDS)
        assert receipt["runs"] == SHARDS
        assert {each["handoff"] for each in receipt["in_flight"]} == {each["id"] for each in flying}
        for agent, each in zip(agents, ready, strict=True):
            assert (await agent.claim(each)).problem == "stopped"
        listed = (await house.person.call("GET", "/v1/brakes")).ok()["brakes"]
        assert [each["epoch"] for each in listed] == [receipt["brake"]["epoch"]]
        for stream in streams:
            told = [await stream.next(), await stream.next()]
            assert sorted(each.name for each in told) == ["brake.braked", "handoff.held"]
        lift = {"action": "resume", "scope": {"everything": True}, "epoch": receipt["brake"]["epoch"]}
        lifted = (await house.person.call("POST", "/v1/brakes", lift)).ok()
        assert (lifted["did"], lifted["held"], lifted.get("still", [])) == ("lifted", SHARDS, [])
        for agent, each in zip(agents, ready, strict=True):
            (await agent.claim(each)).ok()
        assert {(await house.person.look(each["id"]))["state"] for each in waiting} == {"pending"}


async def test_a_stream_resumes_in_every_shard_with_nothing_lost(house: Live) -> None:
    """Each agent hears its own changes and the brakes, under ids of its own shard."""
    for agent in await one_in_each(house):
        async with agent.events() as events:
            start = await events.next()
            await approved(house, agent)
            for action in ("stop", "resume"):
                body = {"action": action, "scope": {"everything": True}}
                (await house.person.call("POST", "/v1/brakes", body)).ok()
            told = await events.take(3)
        assert [each.name for each in told] == ["handoff.decided", "brake.braked", "brake.lifted"]
        for number, after in enumerate([start, *told]):
            async with agent.events(after.id) as events:
                assert await events.take(3 - number) == told[number:]


async def test_a_stream_that_was_open_before_the_first_run_hears_of_it(house: Live) -> None:
    for number in range(6):
        agent = await house.new_agent(f"early-{number}")
        async with agent.events() as events:
            assert (await events.next()).name == "stream.open"
            asked = await agent.ask()
            (await house.person.approve(asked)).ok()
            assert (await events.next()).data["handoff"] == asked["id"]


async def test_cards_and_notices_of_every_shard_are_shown(house: Live, board: Board) -> None:
    agents = await one_in_each(house)
    asked = [await agent.ask(to=[OPS]) for agent in agents]
    for number, agent in enumerate(agents):
        body = {"text": f"note {number}", "to": [OPS]}
        told = await agent.call("POST", f"/v1/runs/{agent._run}/notices", body)
        assert told.status == 202
    await settled(house)
    for each in asked:
        (await house.person.approve(each)).ok()
    await settled(house)
    for each in asked:
        assert "approved" in (await board.note(each["id"])).headline.lower()
    for number in range(SHARDS):
        assert [note.text for note in board.notes.values()].count(f"note {number}") == 1


async def test_silence_decides_in_every_shard(house: Live) -> None:
    asked = [await agent.ask(timeout_s=1) for agent in await one_in_each(house)]

    async def over() -> bool:
        return {(await house.person.look(each["id"]))["state"] for each in asked} == {"decided"}

    await until(over, what="all of them expire")


async def test_two_processes_are_one_service(spread: Settings, board: Board) -> None:
    async with replica(spread, board) as first, replica(spread, board, "second") as second:
        for agent in await one_in_each(first):
            asked = await agent.ask()
            waiting = asyncio.create_task(agent.wait(asked["id"]))
            await until(lambda: _waits(first), what="it waits")
            second.person.url = second.url
            (await second.person.approve(asked)).ok()
            assert (await waiting)["state"] == "decided"


async def _waits(live: Live) -> bool:
    return "andon_waiting 1.0" in (await live.person.call("GET", "/metrics")).body


async def test_a_service_with_fewer_shards_than_the_store_refuses_to_start(spread: Settings, board: Board) -> None:
    async with replica(spread, board):
        pass
    with pytest.raises(ConfigError, match="set ANDON_SHARDS=3"):
        async with open_store(spread.model_copy(update={"shards": 2})):
            pass
