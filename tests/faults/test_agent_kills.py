"""The agent is killed between decision and report (C11 to C13), or comes back twice (F14): nothing is done twice."""

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.handoff import digest_of
from tests.people import Json
from tests.servers import Live, bare_environment

PROGRAM = Path(__file__).parent / "agent_program.py"


@dataclass
class Ended:
    code: int
    said: str


@dataclass
class Desk:
    """An ask that was opened by a process that has ended, and approved."""

    here: Live
    folder: Path
    asked: str

    async def act(self, moment: str = "") -> Ended:
        return await program(self.here, "act", self.folder, moment)

    @property
    def acts(self) -> list[str]:
        path = self.folder / "acts"
        return path.read_text().splitlines() if path.exists() else []

    async def look(self) -> Json:
        return await self.here.person.look(self.asked)


async def program(here: Live, verb: str, folder: Path, moment: str = "") -> Ended:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM), verb, str(folder), moment),
        env=bare_environment(ANDON_URL=here.url, ANDON_KEY=here.agent.key),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode in {0, -signal.SIGKILL}, wrong.decode()
    return Ended(process.returncode, said.decode().strip())


@pytest.fixture
async def desk(service: Live, tmp_path: Path) -> Desk:
    opened = await program(service, "open", tmp_path)
    return Desk(service, tmp_path, opened.said)


async def test_an_agent_that_died_before_its_claim_comes_back_and_does_it_once(desk: Desk) -> None:
    """C11: another process reads the decision with the token, and claims; nobody has done anything before."""
    dying = asyncio.create_task(desk.act("decided"))
    decided = (await desk.here.person.approve(await desk.look())).ok()
    assert (await dying).code == -signal.SIGKILL
    assert ((await desk.look())["state"], desk.acts) == ("decided", [])
    assert (await desk.act()).said == "reported"
    assert [digest_of(line) for line in desk.acts] == [decided["decision"]["digest"]]
    assert (await desk.look())["outcome"]["status"] == "executed"


@pytest.mark.parametrize("moment, acts", [("claimed", 0), ("acted", 1)])
async def test_what_an_agent_claimed_before_it_died_is_given_to_no_other(desk: Desk, moment: str, acts: int) -> None:
    """C12, C13: nobody can tell whether it was done, so no other process may do it; and it stays to be seen."""
    await desk.here.person.approve(await desk.look())
    assert (await desk.act(moment)).code == -signal.SIGKILL
    first = (await desk.look())["claim"]
    assert (await desk.act()).said.startswith("refused: ")
    found = await desk.look()
    assert (found["state"], found["claim"], len(desk.acts)) == ("claimed", first, acts)
    assert found.get("outcome") is None


async def test_of_several_copies_that_come_back_one_acts(desk: Desk) -> None:
    """F14: an agent was away for long, and is started twice, and twice more."""
    await desk.here.person.approve(await desk.look())
    ended = await asyncio.gather(*(desk.act() for _ in range(4)))
    assert sorted(each.said.partition(":")[0] for each in ended) == ["refused"] * 3 + ["reported"]
    assert len(desk.acts) == 1


async def test_where_a_claim_is_forgotten_it_is_done_twice(desk: Desk) -> None:
    """The switch of this guard: on a store that forgets claims, the same story shows what the claim is for."""
    await desk.here.person.approve(await desk.look())
    await desk.act("acted")
    store = desk.here.store
    await store._client.hset(store.keys.handoff(desk.asked), "state", "decided")
    await desk.act("acted")
    assert len(desk.acts) == 2
