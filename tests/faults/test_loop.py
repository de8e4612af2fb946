"""The event loop is never blocked: a service that hangs for one caller hangs for all."""

import asyncio
import gc
import time

import pytest
from coverage import Coverage

from tests.people import MAIL, Json
from tests.servers import Live
from tests.timing import Watchdog

BLOCKED_S = 0.1


@pytest.mark.skipif(Coverage.current() is not None, reason="every line is being traced")
async def test_no_call_blocks_the_loop(service: Live) -> None:
    """Large bodies, a large schema and a costly pattern; the loop does the client's share of the work too."""
    agent, mira = service.agent, service.person
    big: Json = {**MAIL, "body": "words " * 5_000, "more": ["x" * 30_000]}
    schema = {
        "type": "object",
        "properties": {f"p{n}": {"type": "string", "pattern": "^(a+)+$", "maxLength": 30_000} for n in range(150)},
    }
    deep: object = "end"
    for _ in range(25):
        deep = {"a": deep}

    async def one(number: int) -> None:
        action = {"tool": "send_email", "args": {**big, "p0": "a" * 200 + "b", "deep": deep}, "schema": schema}
        asked = await agent.ask(action=action)
        waiting = asyncio.create_task(agent.wait(asked["id"]))
        bad = await mira.edit(asked, {**big, "p0": "a" * 5_000 + "b"})
        assert bad.status == 422
        decided = (await mira.edit(asked, {**big, "p0": "a" * number or "a"})).ok()
        await waiting
        await agent.claim(decided)
        await agent.call("GET", "/v1/handoffs", params={"limit": "20"})
        await agent.call("PUT", f"/v1/runs/{await agent.run()}/checkpoint", {"name": "n", "state": "s" * 900_000})

    await agent.call("GET", "/openapi.json")
    await agent.run()
    gc.collect()
    gc.freeze()  # as `python -m bot` does: what the tests have piled up is no part of the service
    async with Watchdog() as dog:
        for start in range(0, 24, 2):
            await asyncio.gather(one(start), one(start + 1))
    gc.unfreeze()
    assert dog.longest_s < BLOCKED_S, f"the loop stood still for {dog.longest_s * 1000:.0f} ms"


async def test_the_watchdog_sees_a_blocked_loop() -> None:
    async with Watchdog() as dog:
        await asyncio.sleep(0.01)
        time.sleep(0.15)  # noqa: ASYNC251  # the very thing that must be seen
        await asyncio.sleep(0.01)
    assert dog.longest_s > BLOCKED_S
