"""F1: store and service are killed again and again while work goes on; and then everything that was said is true."""

import asyncio
import os
import signal
from pathlib import Path

from tests.faults.history import History, watched
from tests.faults.load import work
from tests.servers import ServiceProcess, until

ROUNDS = 4


def done(history: History) -> int:
    return sum(entry.op == "outcome" and entry.is_success for entry in history.entries)


async def test_store_and_service_are_killed_under_load_and_no_promise_breaks(tmp_path: Path) -> None:
    service, history, over = ServiceProcess(tmp_path / "state"), History(), asyncio.Event()
    try:
        await service.start()
        agent_key = await service.make_key("agent", "busy")
        person_key = await service.make_key("person", "mira@example.com")
        async with watched(history, service.url, agent_key=agent_key, person_key=person_key) as (agent, mira):
            run = await agent.run()
            workers = [asyncio.create_task(work(agent, mira, over, name=f"w{n}")) for n in range(3)]

            async def some_more() -> None:
                enough = done(history) + 8

                async def is_there() -> bool:
                    return done(history) >= enough

                await until(is_there, within_s=30, what="work goes on")

            for number in range(ROUNDS):
                await some_more()
                async with service.store() as store:
                    pid = int((await store._client.info("server"))["process_id"])
                os.kill(pid, signal.SIGKILL)
                if number % 2:
                    await service.kill()
                    await service.start()
            await some_more()
            over.set()
            await asyncio.gather(*workers)
            for entry in [each for each in history.entries if each.op == "open" and each.is_success]:
                await agent.look(entry.handoff)  # as an agent does that comes back
            async with service.store() as store:
                await history.conclude(mira, store, runs=[run])
    finally:
        await service.close()
    history.check()
