"""Two processes of the service send callbacks, and one is killed at the worst moment: each decision arrives.

C9: it had read the event, and not yet sent. C10: the receiver had said 200, and it had not yet noted that.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.fakes.receiver import OK, receiver
from tests.people import Admin, Agent, Json, Person
from tests.servers import SECRET, ServiceProcess, until


@pytest.fixture
async def pair(redis_url: str, tmp_path: Path) -> AsyncIterator[list[ServiceProcess]]:
    """Two processes on one store, that may send to this machine."""
    shared = {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET, "ANDON_CALLBACK_ALLOW": "127.0.0.1"}
    processes = [ServiceProcess(tmp_path / f"state{n}", shared) for n in (1, 2)]
    try:
        await asyncio.gather(*(process.start() for process in processes))
        yield processes
    finally:
        for process in processes:
            await process.close()


def sender_of(port: int, processes: list[ServiceProcess]) -> ServiceProcess:
    """Whose connection this is, by its own port."""
    (found,) = [
        each
        for each in processes
        if any(getattr(c.laddr, "port", 0) == port for c in psutil.Process(each.pid).net_connections())
    ]
    return found


async def test_each_decision_arrives_although_a_process_is_killed_before_or_after_it_is_sent(
    pair: list[ServiceProcess],
) -> None:
    one, two = pair
    async with (
        receiver() as hook,
        Agent(two.url, await two.make_key("agent", "mailer")) as agent,
        Person(two.url, await two.make_key("person", "mira@example.com")) as mira,
        Admin(two.url, await two.make_key("admin", "ops")) as admin,
        two.store() as store,
    ):
        endpoint = await admin.endpoint(hook.url)

        async def decide() -> Json:
            return (await mira.approve(await agent.ask())).ok()

        async def arrived(count: int) -> None:
            async def enough() -> bool:
                return len({request.id for request in hook.requests}) >= count

            await until(enough, within_s=30, what=f"{count} decisions")

        async def both_read() -> bool:
            clients = await store._client.client_list()
            return len([each for each in clients if each["cmd"] == "xreadgroup" and "b" in each["flags"]]) == len(pair)

        await until(both_read, what="both know of the endpoint, and wait for events")

        # C9: Redis gives an event to a process that is frozen, and that never wakes.
        os.kill(one.pid, signal.SIGSTOP)
        decided = [await decide() for _ in range(4)]

        async def is_held() -> bool:
            readers = await store._client.xinfo_consumers(store.keys.events, "callbacks")
            return any(about["pending"] for about in readers)

        await until(is_held, what="the frozen process has an event")
        await one.kill()
        await arrived(4)
        assert {request.data["handoff"] for request in hook.requests} == {each["id"] for each in decided}

        # C10: the 200 is on its way to a process that is frozen, and that never wakes.
        await one.start()
        killed: list[ServiceProcess] = []

        async def take_and_kill(writer: asyncio.StreamWriter) -> None:
            victim = sender_of(writer.get_extra_info("peername")[1], pair)
            os.kill(victim.pid, signal.SIGSTOP)
            await OK(writer)
            killed.append(victim)

        hook.requests.clear()
        hook.once = [take_and_kill]
        decided = [await decide()]

        async def was_killed() -> bool:
            return bool(killed)

        await until(was_killed)
        await killed[0].kill()
        first, second = await hook.got(2, within_s=30)
        assert first.data["handoff"] == second.data["handoff"] == decided[0]["id"]
        assert first.id == second.id, "whoever remembers ids acts once"
        for request in (first, second):
            request.verify(endpoint["secret"])
