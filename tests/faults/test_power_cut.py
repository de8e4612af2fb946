"""F2, F3, F7: the power is cut, a write was torn, the disk is full.

A kill alone cannot show that a store keeps what it confirmed: what a dead process wrote is still with the system. So
what was not synced is taken off the files, as a power cut would. On a store that syncs once a second the same test
must find losses, or it would prove nothing.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.store import Store, connect
from bot.store.embedded import server_binary
from tests.faults.history import History, WatchedAgent, WatchedPerson, violations, watched
from tests.faults.load import work
from tests.faults.shim import SyncLog, shim
from tests.people import Person
from tests.servers import SECRET, ServiceProcess, Valkey, until
from tests.store import asks

ENOUGH = 60
"""Calls that were confirmed, before the power is cut."""


@pytest.fixture
def log(tmp_path: Path) -> SyncLog:
    return SyncLog(tmp_path)


@asynccontextmanager
async def at_work(history: History, service: ServiceProcess) -> AsyncIterator[tuple[WatchedAgent, WatchedPerson]]:
    """An agent and a person, of whom much was confirmed already."""
    agent_key, person_key = (
        await service.make_key("agent", "busy"),
        await service.make_key("person", "mira@example.com"),
    )
    done = asyncio.Event()
    async with watched(history, service.url, agent_key=agent_key, person_key=person_key) as (agent, mira):
        await agent.run()
        yield agent, mira
        workers = [asyncio.create_task(work(agent, mira, done, name=f"w{n}")) for n in range(3)]

        async def enough() -> bool:
            return sum(entry.op == "outcome" and entry.is_success for entry in history.entries) >= ENOUGH

        await until(enough, within_s=30, what="much is confirmed")
        done.set()
        await asyncio.gather(*workers)


@pytest.mark.parametrize("fsync", ["always", "everysec"])
async def test_a_power_cut_takes_what_a_store_confirmed_only_where_it_does_not_sync(
    fsync: str, log: SyncLog, tmp_path: Path
) -> None:
    """The switch of this guard is `appendfsync`: with `everysec`, the same check must fail."""
    server = Valkey(server_binary(), settings={"appendfsync": fsync}, environment=log.environment)
    settings = {"ANDON_REDIS_URL": server.url(), "ANDON_SECRET": SECRET, "ANDON_UNSAFE_STORE": str(fsync != "always")}
    service = ServiceProcess(tmp_path / "state", settings)
    history = History()
    (file,) = server.folder.rglob("*.incr.aof")

    async def all_is_safe() -> bool:
        return log.safe().get(str(file), 0) == file.stat().st_size

    try:
        await service.start()
        key = await service.make_key("person", "reader@example.com")
        async with at_work(history, service) as (agent, _):
            run = await agent.run()
            await until(all_is_safe, what="all that was set up is synced")
        await service.kill()
        server.kill()
        lost = log.cut(server.folder)
        server.environment = {}
        server.start()
        await service.start()
        async with Person(service.url, key) as reader, Store(connect(server.url())) as store:
            await history.conclude(reader, store, runs=[run])
    finally:
        await service.close()
        server.close()
    found = {each.invariant for each in violations(history)}
    if fsync == "always":
        assert lost == 0
        history.check()
    else:
        assert lost > 0
        assert "I2" in found


async def test_the_embedded_store_keeps_what_was_confirmed_through_a_power_cut(log: SyncLog, tmp_path: Path) -> None:
    """As it is started by the service, with the settings that it has then."""
    service = ServiceProcess(tmp_path / "state", log.environment)
    history = History()
    try:
        await service.start()
        key = await service.make_key("person", "reader@example.com")
        async with at_work(history, service) as (agent, _):
            run = await agent.run()
        await service.kill()
        await kill_store(service)
        assert log.safe(), "the shim saw it sync"
        log.cut(service.state / "store")
        await service.start()
        async with Person(service.url, key) as reader, service.store() as store:
            await history.conclude(reader, store, runs=[run])
    finally:
        await service.close()
    history.check()


async def kill_store(service: ServiceProcess) -> None:
    async with service.store() as store:
        pid = int((await store._client.info("server"))["process_id"])
    os.kill(pid, 9)


# --- F3: a torn write ---


@pytest.fixture
def synced() -> Iterator[Valkey]:
    server = Valkey(server_binary(), settings={"appendfsync": "always"})
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("cut", [1, 9, 60, 200])
async def test_of_a_torn_write_nothing_is_left_and_of_the_others_everything(synced: Valkey, cut: int) -> None:
    """A script's writes are one piece in the file: half of one is none of it, and the start goes on without a hand."""
    ids: list[str] = []
    async with Store(connect(synced.url())) as store:
        await asks.start_run(store)
        for _ in range(5):
            new = asks.new_handoff()
            ids.append(new.id)
            await store.handoffs.open(new, asks.NO_LIMITS)
            handoff = await asks.look(store, new.id)
            await store.handoffs.answer(handoff, asks.yes(handoff), answer_id="press")
    synced.kill()
    (file,) = synced.folder.rglob("*.incr.aof")
    os.truncate(file, file.stat().st_size - cut)
    synced.start()
    async with Store(connect(synced.url())) as store:
        found = [await store.handoffs.load(each) for each in ids]
        assert [each.state.value if each else None for each in found] == ["decided"] * 4 + ["pending"]
        entries = await store._pipe.call("XRANGE", store.keys.events, "-", "+")
        assert sum(b"decided" in fields for _, fields in entries) == 4, "the torn answer told nobody"
        last = found[-1]
        assert last
        assert await store.handoffs.pending() == 1
        assert (await store.handoffs.answer(last, asks.yes(last), answer_id="press")).word == "won"


# --- F7: the disk is full ---


async def test_a_full_disk_confirms_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """The store goes down rather than say what it cannot keep; the service says so, and both are back by themselves."""
    flag = tmp_path / "full"
    environment = {"LD_PRELOAD": str(shim("full", tmp_path)), "FULL_FLAG": str(flag)}
    service = ServiceProcess(tmp_path / "state", environment)
    history = History()
    try:
        await service.start()
        agent_key = await service.make_key("agent", "busy")
        person_key = await service.make_key("person", "mira@example.com")
        async with watched(history, service.url, agent_key=agent_key, person_key=person_key) as (agent, mira):
            asked, decided = await agent.ask(key="first"), await agent.ask(key="second")
            await mira.answer(decided, {"kind": "approve"}, key="yes")
            flag.touch()
            for _ in range(2):
                assert (await mira.answer(asked, {"kind": "approve"}, key="press")).status == 503
            assert (await agent.open(await agent.confirmation(), key="third")).status == 503
            flag.unlink()
            await until(service.answers, within_s=20, what="the store is back")
            assert (await mira.look(asked["id"]))["state"] == "pending", "what was not confirmed did not happen"
            said = (await mira.answer(asked, {"kind": "approve"}, key="press")).ok()
            assert said["decision"]["kind"] == "approved"
            await agent.wait(asked["id"])
            await agent.wait(decided["id"])
            async with service.store() as store:
                await history.conclude(mira, store)
    finally:
        await service.close()
    history.check()
