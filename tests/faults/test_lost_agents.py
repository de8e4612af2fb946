"""An agent is killed between its permit and its report (C12, C13): people are asked, and nothing is done again."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Literal

import pytest

from tests.people import Json, Person
from tests.servers import ServiceProcess, bare_environment, until

AGENT: Final = """
import asyncio, sys
from pathlib import Path

from andon import Andon, ClaimRefused


async def main(point, done):
    async with Andon() as andon, andon.run("nightly", heartbeat=5, idempotency_key="nightly-1") as run:
        decision = await run.confirm(
            "Send it", why="Asked", risks=["?"], tool="send", args={"to": "alice"}, idempotency_key="send-1"
        )
        try:
            permit = await run.claim(decision)
        except ClaimRefused as refused:
            print("refused:", refused, flush=True)
            await asyncio.sleep(60)
        if point == "C12":
            print("reached", flush=True)
            await asyncio.sleep(60)
        with done.open("a") as file:
            file.write("sent\\n")
        if point == "C13":
            print("reached", flush=True)
            await asyncio.sleep(60)
        await run.report(permit)
        print("reported", flush=True)


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
"""

Point = Literal["C12", "C13", "none"]


class AgentProcess:
    """A real agent, that stops at a point of its life."""

    def __init__(self, service: ServiceProcess, done: Path) -> None:
        self._service = service
        self._done = done
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, point: Point) -> None:
        env = bare_environment(ANDON_URL=self._service.url, ANDON_KEY=self._service.agent_key)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", AGENT, point, str(self._done)), env=env, stdout=asyncio.subprocess.PIPE
        )

    async def says(self) -> str:
        """Its next line."""
        assert self._process
        assert self._process.stdout
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        return line.decode().strip()

    async def kill(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.communicate()


@asynccontextmanager
async def agents(service: ServiceProcess, done: Path) -> AsyncIterator[tuple[AgentProcess, AgentProcess]]:
    first, second = AgentProcess(service, done), AgentProcess(service, done)
    try:
        yield first, second
    finally:
        await first.kill()
        await second.kill()


async def let_pass(service: ServiceProcess, handoff: Json, *, run_too: bool, ms: int = 16_000) -> None:
    """As if so much time had gone by since the process was killed, while the service was there to hear."""
    async with service.store() as store:
        pipe, keys = store._pipe, store.keys

        async def listens() -> bool:
            return bool(await pipe.call("EXISTS", keys.beats_watch))

        await until(listens)
        await pipe.call("HINCRBY", keys.handoff(handoff["id"]), "claimed_at", -ms)
        await pipe.call("HINCRBY", keys.beats_watch, "since", -2 * ms)
        await pipe.call("ZADD", keys.leases, "XX", "INCR", -ms, handoff["id"])
        if run_too:
            await pipe.call("HINCRBY", keys.run(handoff["run"]), "beat_at", -ms)
            await pipe.call("ZADD", keys.beats, "XX", "INCR", -ms, handoff["run"])


async def approved(mira: Person) -> Json:
    async def asked() -> bool:
        return bool(await mira.inbox())

    await until(asked, within_s=30)
    (waiting,) = await mira.inbox()
    (await mira.approve(waiting)).ok()
    return waiting


async def question_about(mira: Person, handoff: Json) -> Json:
    async def asked() -> bool:
        return "question" in await mira.look(handoff["id"])

    await until(asked, what="people are asked")
    return await mira.look((await mira.look(handoff["id"]))["question"])


@pytest.mark.parametrize("point, choice, status", [("C12", "not-done", "failed"), ("C13", "done", "executed")])
async def test_a_killed_agent_s_action_is_asked_about_and_not_done_again(
    subprocess_service: ServiceProcess, tmp_path: Path, point: Point, choice: str, status: str
) -> None:
    """Nobody can tell from inside whether it was killed before the action or after it."""
    service, done = subprocess_service, tmp_path / "done"
    mira_key = await service.make_key("person", "mira@example.com")
    async with Person(service.url, mira_key) as mira, agents(service, done) as (first, second):
        await first.start(point)
        handoff = await approved(mira)
        assert await first.says() == "reached"
        await first.kill()
        await let_pass(service, handoff, run_too=True)
        question = await question_about(mira, handoff)
        run = (await mira.call("GET", f"/v1/runs/{handoff['run']}")).ok()
        assert run["lost_since"]

        await second.start("none")  # its supervisor starts it again, with the same keys
        said = await second.says()
        assert said.startswith("refused:")
        assert "nobody knows whether it was done" in said
        assert question["id"] in said

        (await mira.pick(question, choice)).ok()
        closed = await mira.look(handoff["id"])
        assert (closed["outcome"]["status"], closed["outcome"]["by"]["id"]) == (status, "mira@example.com")
        assert (done.read_text() if done.exists() else "") == ("sent\n" if point == "C13" else "")


async def test_a_quick_restart_does_not_hide_what_the_killed_one_was_doing(
    subprocess_service: ServiceProcess, tmp_path: Path
) -> None:
    """The run is never lost, because the new process gives its signs of life; yet nobody vouches for the old claim."""
    service, done = subprocess_service, tmp_path / "done"
    mira_key = await service.make_key("person", "mira@example.com")
    async with Person(service.url, mira_key) as mira, agents(service, done) as (first, second):
        await first.start("C13")
        handoff = await approved(mira)
        assert await first.says() == "reached"
        await first.kill()
        await second.start("none")
        assert (await second.says()).startswith("refused:")
        await let_pass(service, handoff, run_too=False)
        question = await question_about(mira, handoff)
        assert "lost_since" not in (await mira.call("GET", f"/v1/runs/{handoff['run']}")).ok()

        await service.kill()  # and the service dies as well, between the question and its answer
        await service.start()
        (await mira.pick(question, "done")).ok()
        assert (await mira.look(handoff["id"]))["outcome"]["status"] == "executed"
        assert done.read_text() == "sent\n"
