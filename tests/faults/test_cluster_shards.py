"""A service over three shards on a real Cluster, each on another primary: one service, and one stop."""

import asyncio

from pydantic import SecretStr
from redis.crc import key_slot

from bot.config import Settings
from tests.faults.topology import caught_up, cluster
from tests.flows.test_shards import SHARDS, approved, one_in_each
from tests.servers import live

EVERYTHING = {"scope": {"everything": True}}


async def test_shards_on_three_primaries_are_one_service_and_one_stop(settings: Settings) -> None:
    async with cluster() as there:
        spread = settings.model_copy(update={"shards": SHARDS, "redis_url": SecretStr(there.url)})
        async with live(spread) as here:
            slots = [key_slot(shard.keys.ns.encode()) for shard in here.store.shards]
            owners = [await there.owner(slot) for slot in slots]
            assert sorted(owners, key=there.primaries.index) == there.primaries, "each is on another one"
            agents = await one_in_each(here, name="nightly")
            for agent in agents:
                asked = await agent.ask()
                waiting = asyncio.create_task(agent.wait(asked["id"]))
                (await here.person.approve(asked)).ok()
                (await agent.claim(await waiting)).ok()
                (await agent.report(asked, "executed", claimant="try-1")).ok()
            ready = [await approved(here, agent) for agent in agents]
            stop = {"action": "stop", **EVERYTHING}
            (await here.person.call("POST", "/v1/brakes", stop)).ok()
            for agent, each in zip(agents, ready, strict=True):
                assert (await agent.claim(each)).problem == "stopped"
            (await here.person.call("POST", "/v1/brakes", {"action": "resume", **EVERYTHING})).ok()
            for agent, each in zip(agents, ready, strict=True):
                (await agent.claim(each)).ok()


async def test_a_primary_that_dies_keeps_a_stop_from_being_confirmed_and_stops_the_others(settings: Settings) -> None:
    """Guard: half a stop must not look like one."""
    async with cluster() as there:
        spread = settings.model_copy(update={"shards": SHARDS, "redis_url": SecretStr(there.url)})
        async with live(spread) as here:
            owners = [await there.owner(key_slot(shard.keys.ns.encode())) for shard in here.store.shards]
            agents = await one_in_each(here, name="nightly")
            ready = [await approved(here, agent) for agent in agents]
            for each in there.primaries:
                await each.call("CONFIG", "SET", "cluster-require-full-coverage", "no")
            owners[1].kill()
            stop = {"action": "stop", **EVERYTHING}
            said = await here.person.call("POST", "/v1/brakes", stop)
            assert (said.status, said.problem) == (503, "store-unavailable")
            for shard in (0, 2):
                assert (await agents[shard].claim(ready[shard])).problem == "stopped", "those that are there hold"


async def test_with_replicas_each_shard_confirms_by_its_own(settings: Settings) -> None:
    """One without its replica confirms nothing, and neither does what needs all; the others go on."""
    async with cluster(replicas=SHARDS, of_each=True) as there:
        for each in (*there.primaries, *there.replicas):
            await each.call("CONFIG", "SET", "min-replicas-to-write", "1")
        changes = {"shards": SHARDS, "redis_url": SecretStr(there.url), "durability": "replicated"}
        async with live(settings.model_copy(update=changes)) as here:
            owners = [await there.owner(key_slot(shard.keys.ns.encode())) for shard in here.store.shards]
            agents = await one_in_each(here, name="nightly")
            for agent in agents:
                (await agent.claim(await approved(here, agent))).ok()
            asked = [await agent.ask() for agent in agents]
            lone = there.replicas[there.primaries.index(owners[1])]
            lone.kill()
            said = [await here.person.approve(each) for each in asked]
            assert [reply.status for reply in said] == [200, 503, 200]
            assert said[1].problem == "not-confirmed"
            stop = {"action": "stop", **EVERYTHING}
            assert (await here.person.call("POST", "/v1/brakes", stop)).problem == "not-confirmed"
            for agent, reply in zip(agents, said, strict=True):
                assert (await agent.claim(reply.body if reply.status == 200 else asked[1])).status != 200
            await lone.start()
            await caught_up(owners[1], 1)
            (await here.person.call("POST", "/v1/brakes", stop)).ok()
            (await here.person.call("POST", "/v1/brakes", {"action": "resume", **EVERYTHING})).ok()
            (await here.person.approve(asked[1])).ok()
            for agent, handoff in zip(agents, asked, strict=True):
                (await agent.claim(await agent.look(handoff["id"]))).ok()
