"""Over three shards: callbacks, deliveries, signs of life and a restore, which follow what happens in each."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from bot.backup_cli import hold_everything
from bot.config import Settings
from bot.store import mark_of
from tests.fakes.post_office import QUICK
from tests.fakes.receiver import receiver
from tests.flows.test_delivery import is_missed
from tests.flows.test_heartbeats import beat, fall_silent, start
from tests.flows.test_shards import SHARDS, approved, one_in_each
from tests.people import Agent, Json
from tests.servers import Live, live, until

EVERYTHING: Json = {"everything": True}


@pytest.fixture
def spread(settings: Settings) -> Settings:
    """Settings of a service over three shards, which may call receivers on loopback."""
    return settings.model_copy(update={"shards": SHARDS, "callback_allow": "127.0.0.1"})


@pytest.fixture
async def house(spread: Settings) -> AsyncIterator[Live]:
    async with live(spread, schedule=QUICK) as running:
        yield running


async def pull(house: Live, action: str) -> None:
    (await house.person.call("POST", "/v1/brakes", {"action": action, "scope": EVERYTHING})).ok()


async def test_an_endpoint_is_told_of_decisions_in_every_shard_and_once_of_a_stop_of_everything(house: Live) -> None:
    """Guard: each shard has its own copy of a wide brake, and tells of it."""
    admin, agents = await house.new_admin(), await one_in_each(house, name="nightly")
    async with receiver() as hook:
        await admin.endpoint(hook.url, events=["handoff.decided", "brake.braked", "brake.lifted"])
        asked = [await approved(house, agent) for agent in agents]
        await pull(house, "stop")
        await pull(house, "resume")
        after = [await approved(house, agent) for agent in agents]  # each shard's events come in order

        async def told_of_all() -> bool:
            told = {each.data.get("handoff") for each in hook.requests}
            return {each["id"] for each in (*asked, *after)} <= told

        await until(told_of_all, what="every decision is told")
        await hook.got(2 * SHARDS + 2)
        counts = Counter(each.json["type"] for each in hook.requests)
    assert counts == {"handoff.decided": 2 * SHARDS, "brake.braked": 1, "brake.lifted": 1}
    assert len({each.id for each in hook.requests}) == len(hook.requests)


async def test_events_of_one_id_in_several_shards_are_several_callbacks(house: Live) -> None:
    """Guard: each shard counts its own events, and what names no handoff is known by its event alone."""
    admin, agents = await house.new_admin(), await one_in_each(house, name="nightly")
    async with receiver() as hook:
        await admin.endpoint(hook.url, events=["run.steered"])
        at_ms = round((await house.store.now()).timestamp() * 1000) + 60_000
        for shard, agent in zip(house.store.shards, agents, strict=True):
            fields = {"e": "steered", "h": "", "a": "agent", "r": agent._run, "v": "0", "k": "steer 1"}
            await house.store._pipe.call(
                "XADD", shard.keys.events, f"{at_ms}-0", *(part for pair in fields.items() for part in pair)
            )
        requests = await hook.got(SHARDS)
    assert {each.data["run"] for each in requests} == {agent._run for agent in agents}
    assert len({each.id for each in requests}) == SHARDS


async def test_a_decision_that_nobody_comes_for_is_missed_and_then_delivered_in_every_shard(house: Live) -> None:
    for agent in await one_in_each(house, name="nightly"):
        asked = await approved(house, agent)
        await is_missed(house, asked)
        assert "delivered" not in await house.person.look(asked["id"])
        await agent.look(asked["id"])

        async def noted(handoff_id: str = asked["id"]) -> bool:
            return "delivered" in await house.person.look(handoff_id)

        await until(noted, what="it is delivered")


async def test_a_silent_run_is_lost_and_people_are_asked_in_every_shard(house: Live) -> None:
    for agent in await one_in_each(house, name="nightly"):
        run = await start(agent)
        await beat(agent, run)
        asked = await agent.ask(run=run)
        decided = (await house.person.approve(asked)).ok()
        (await agent.claim(decided)).ok()
        await fall_silent(house, run)

        async def asks_people(agent: Agent = agent, handoff_id: str = asked["id"]) -> bool:
            return "question" in await agent.look(handoff_id)

        await until(asks_people, what="people are asked")
        question = await house.person.look((await agent.look(asked["id"]))["question"])
        assert mark_of(question["id"]) == mark_of(asked["id"]) == mark_of(run)
        (await house.person.pick(question, "done")).ok()
        assert (await agent.look(asked["id"]))["state"] == "closed"
        found = await beat(agent, run)
        assert found["was_lost_since"]


async def test_after_a_restore_no_shard_lets_anybody_act_on_what_was_approved_before(
    house: Live, spread: Settings
) -> None:
    agents = await one_in_each(house, name="nightly")
    before = [await approved(house, agent) for agent in agents]
    assert await hold_everything(spread) == 0
    for agent, each in zip(agents, before, strict=True):
        assert (await agent.claim(each)).problem == "stopped"
    await pull(house, "resume")
    for agent, each in zip(agents, before, strict=True):
        assert (await agent.claim(each)).problem == "decision-too-old"
        (await agent.claim(await approved(house, agent))).ok()
