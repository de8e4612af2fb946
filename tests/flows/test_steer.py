"""A person's words that hold nothing: told as an event at once, and with the agent's next checkpoint."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from andon import Andon, Steered, wire
from bot.config import Settings
from bot.errors import Gone
from bot.ports import Desk, Shelf
from tests.adapters.paper import paper
from tests.people import Agent, Json, Person
from tests.servers import Live, live, until

MIRA = wire.Actor(kind="person", id="mira@example.com", name="mira", surface="api")


async def steer(service: Live, run: str, text: str, *, key: str = "") -> None:
    """As a surface does, e.g. with a question about a message."""
    found = await service.store.runs.load(run)
    assert found
    assert await service.store.runs.steer(found, key or secrets.token_hex(), text, MIRA)


async def save(agent: Agent, run: str, *, key: str | None = None) -> Json:
    return (await agent.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "step"}, key=key)).ok()


def texts(answered: Json) -> list[str]:
    return [said["text"] for said in answered["steers"]]


async def test_words_come_with_the_next_checkpoint_and_once(service: Live, agent: Agent) -> None:
    run = await agent.run()
    assert texts(await save(agent, run)) == []
    await steer(service, run, "Send it to Bob instead")
    await steer(service, run, "And not before nine.")
    receipt = await save(agent, run)
    assert texts(receipt) == ["Send it to Bob instead", "And not before nine."]
    assert receipt["steers"][0]["by"] == {
        "kind": "person",
        "id": "mira@example.com",
        "name": "mira",
        "surface": "api",
    }
    assert texts(await save(agent, run)) == []


async def test_a_repeated_save_has_the_same_receipt(service: Live, agent: Agent) -> None:
    """A lost reply must not lose the words; and what came later waits for the next one."""
    run = await agent.run()
    await steer(service, run, "one")
    first = await save(agent, run, key="save-1")
    await steer(service, run, "two")
    assert await save(agent, run, key="save-1") == first
    assert texts(first) == ["one"]
    assert texts((await agent.call("GET", f"/v1/runs/{run}/checkpoint")).ok()) == ["one"]
    assert texts(await save(agent, run, key="save-2")) == ["two"]


async def test_a_save_that_was_refused_takes_no_words_along(service: Live, agent: Agent) -> None:
    run = await agent.run()
    await steer(service, run, "one")
    refused = await agent.call("PUT", f"/v1/runs/{run}/checkpoint", {"name": "step", "if_version": 7})
    assert refused.problem == "checkpoint-moved"
    assert texts(await save(agent, run)) == ["one"]


async def test_one_key_is_one_steer_also_when_others_come_between(service: Live, agent: Agent) -> None:
    run = await agent.run()
    for text, key in (("one", "1"), ("two", "2"), ("one", "1")):
        await steer(service, run, text, key=key)
    assert texts(await save(agent, run)) == ["one", "two"]
    await steer(service, run, "one", key="1")
    assert texts(await save(agent, run)) == [], "nor does it come back after a checkpoint"


async def test_fifty_at_once_under_one_key_are_one(service: Live, agent: Agent) -> None:
    run = await agent.run()
    await asyncio.gather(*(steer(service, run, "Stop that", key="press") for _ in range(50)))
    assert texts(await save(agent, run)) == ["Stop that"]


async def test_the_newest_twenty_are_kept(service: Live, agent: Agent) -> None:
    run = await agent.run()
    for number in range(25):
        await steer(service, run, f"word {number}")
    assert texts(await save(agent, run)) == [f"word {number}" for number in range(5, 25)]


async def test_the_event_stream_tells_the_run_s_own_agent_at_once(service: Live, agent: Agent, mira: Person) -> None:
    other = await service.new_agent("other")
    async with agent.events() as events, other.events() as theirs:
        start = await events.next()
        await theirs.next()
        await steer(service, await agent.run(), "Send it to Bob", key="press")
        told = await events.next()
        assert told.name == "run.steered"
        assert told.data == {"run": await agent.run(), "steer": "press"}
        await mira.approve(await other.ask())
        assert (await theirs.next()).name == "handoff.decided", "which was not theirs to hear"
    async with agent.events(start.id) as again:
        assert await again.next() == told


async def test_an_agent_of_the_package_meets_the_words_and_goes_on(service: Live) -> None:
    async with Andon(service.url, service.agent.key) as andon, andon.run("report") as run:
        await steer(service, run.id, "Send it to Bob")
        with pytest.raises(Steered, match=r"mira says: Send it to Bob\. Take this into account") as caught:
            await run.checkpoint("drafted", {"draft": 7})
        assert caught.value.version == 1
        assert await run.checkpoint("sent") == 2


async def test_events_about_words_disturb_nobody_who_waits_for_a_decision(service: Live, mira: Person) -> None:
    async with Andon(service.url, service.agent.key) as andon, andon.run("report") as run:
        asking = asyncio.create_task(run.ask("Which version?"))
        await until(mira.inbox)
        await steer(service, run.id, "The newest one, I think")
        await mira.say((await mira.inbox())[0], "1.4")
        assert await asking == "1.4"


# --- what a surface may do with runs ---


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[tuple[Live, Desk]]:
    desks: list[Desk] = []

    def meet(desk: Desk, _: Shelf) -> None:
        desks.append(desk)

    async with live(settings, adapters={"paper": paper("http://127.0.0.1:1", meet=meet)}) as running:
        yield running, desks[0]


async def start(agent: Agent, name: str, **conversation: str) -> str:
    started = await agent.call("POST", "/v1/runs", {"name": name, "conversation": {"surface": "paper", **conversation}})
    return str(started.ok()["id"])


async def test_a_channel_knows_its_runs_latest_first(desk: tuple[Live, Desk]) -> None:
    service, at = desk
    agent = service.agent
    for name, place in (
        ("first", {"channel": "ops"}),
        ("thread", {"channel": "ops", "thread": "17.4"}),
        ("elsewhere", {"channel": "dev"}),
        ("inbox", {"person": "mira"}),
        ("last", {"channel": "ops"}),
    ):
        await start(agent, name, **place)
    found = await at.runs("paper", "ops")
    assert [run.name for run in found] == ["last", "thread", "first"]
    assert found[1].conversation == wire.Place(surface="paper", channel="ops", thread="17.4")
    assert [run.name for run in await at.runs("paper", "ops", limit=2)] == ["last", "thread"]
    assert await at.runs("web", "ops") == []
    assert await at.runs("paper", "nowhere") == []


async def test_the_newest_two_hundred_runs_of_a_channel_are_known_and_none_for_ever(desk: tuple[Live, Desk]) -> None:
    service, at = desk
    ids = [await start(service.agent, f"run {n}", channel="ops") for n in range(205)]
    found = await at.runs("paper", "ops", limit=1_000)
    assert len(found) == 200
    assert found[0].id == ids[-1]
    key = service.own.keys.conversation("paper", "ops")
    left_ms = await service.store._pipe.call("PTTL", key)
    assert timedelta(days=29) < timedelta(milliseconds=left_ms) <= timedelta(days=30)


async def test_a_run_whose_time_is_over_is_left_out(desk: tuple[Live, Desk]) -> None:
    service, at = desk
    kept, over = [await start(service.agent, name, channel="ops") for name in ("kept", "over")]
    await service.store._pipe.call("DEL", service.own.keys.run(over))
    assert [run.id for run in await at.runs("paper", "ops")] == [kept]
    with pytest.raises(Gone):
        await at.steer(over, "Hello?", wire.Actor(kind="person", id="m", name="Mira", surface="paper"))


async def test_a_person_on_a_surface_steers_as_themselves(desk: tuple[Live, Desk]) -> None:
    service, at = desk
    run = await start(service.agent, "report", channel="ops")
    mira = wire.Actor(kind="person", id="T1/U1", name="Mira", surface="paper", email="mira@example.com")
    for _ in range(2):
        assert (await at.steer(run, "To Bob", mira, steer_id="message 1")).id == run
    (said,) = (await save(service.agent, run))["steers"]
    assert (said["text"], said["by"]["email"]) == ("To Bob", "mira@example.com")
