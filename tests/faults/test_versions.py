"""F21: the previous version and this one on one store. Each reads, and goes on with, what the other has written.

The other is the real previous service, from its own code. Nothing here names what is stored: what matters is that
either version does its work on it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import aiohttp
import pytest

from bot.store import Store, connect
from tests.fakes.board import Board
from tests.faults.history import History, WatchedAgent, WatchedPerson
from tests.faults.previous import PaperProcess, unpack
from tests.flows.paper_house import OPS
from tests.people import MAIL, Agent, Json, Person
from tests.servers import SECRET, until

Version = Literal["previous", "this"]

POLICY = """
defaults: {do: ask, timeout: 30m}
caps: {open_per_agent: 400, burst: 400}
rules:
  - {name: two, tool: two, do: ask, quorum: 2}
  - name: mail
    tool: send_email
    do: ask
    after: true
    grants: [{label: the same recipient, same: [to], scope: run}]
"""

CROWDED = "defaults: {do: ask, timeout: 30m}\ncaps: {burst: 2, burst_within: 1m}\n"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("previous"))


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with Board("ops").serving() as serving:
        yield serving


@dataclass
class Side:
    """One version, and an agent and people who talk to it."""

    service: PaperProcess
    agent: Agent
    mira: Person
    ana: Person


@dataclass
class Pair:
    writer: Side
    reader: Side

    @property
    def both(self) -> tuple[Side, Side]:
        return self.writer, self.reader


@asynccontextmanager
async def pair(  # as many as there are fixtures
    code: Path, writer: Version, board: Board, redis_url: str, tmp_path: Path, *, policy: str = POLICY
) -> AsyncIterator[Pair]:
    """The `writer` is of that version, the reader of the other."""
    path = tmp_path / "policy.yaml"
    path.write_text(policy)
    shared = {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET, "BOARD_URL": board.url, "ANDON_POLICY": str(path)}
    async with AsyncExitStack() as stack:
        processes = []
        for name in ("writer", "reader"):
            process = PaperProcess(tmp_path / name, shared)
            process.run_version(code if (name == "writer") == (writer == "previous") else None)
            stack.push_async_callback(process.close)
            processes.append(process)
        await asyncio.gather(*(process.start() for process in processes))
        key = await processes[0].make_key("agent", "mailer")
        people = [await processes[0].make_key("person", f"{name}@example.com") for name in ("mira", "ana")]
        sides = []
        for process in processes:
            agent = await stack.enter_async_context(Agent(process.url, key))
            mira, ana = [await stack.enter_async_context(Person(process.url, each)) for each in people]
            sides.append(Side(process, agent, mira, ana))
        sides[1].agent._run = await sides[0].agent.run()
        yield Pair(*sides)


@pytest.mark.parametrize("writer", ["previous", "this"])
async def test_either_version_goes_on_with_what_the_other_wrote(
    writer: Version, code: Path, board: Board, redis_url: str, tmp_path: Path
) -> None:
    """Every state of a handoff, votes, revisions, brakes, grants, checkpoints, cards."""
    async with pair(code, writer, board, redis_url, tmp_path) as both:
        await asyncio.gather(
            answered(both), edited(both), voted(both), chosen(both), reviewed(both), silent(both), taken_back(both)
        )
        await granted(both)
        await saved(both)
        await shown(both, board)
        await stopped(both)


async def answered(both: Pair) -> None:
    """Each step at the other side; the permit again, and the same ask again, are the same."""
    first, second = both.writer, both.reader
    asked = await first.agent.ask(key="answered")
    waiting = asyncio.create_task(second.agent.wait(asked["id"]))
    decided = (await first.mira.approve(asked)).ok()
    assert (await waiting)["decision"] == decided["decision"]
    late = await second.ana.reject(asked)
    assert (late.problem, late.body["decision"]) == ("already-decided", decided["decision"])
    permit = (await second.agent.claim(decided)).ok()
    assert (await first.agent.claim(decided)).ok() == permit
    assert (await first.agent.claim(decided, claimant="another")).problem == "already-claimed"
    closed = (await first.agent.report(asked, "executed", claimant="try-1", result="sent")).ok()
    assert (await second.agent.look(asked["id"]))["outcome"] == closed["outcome"]
    again = await second.agent.open(await second.agent.confirmation(), key="answered")
    assert (again.status, again.body["id"]) == (200, asked["id"])


async def edited(both: Pair) -> None:
    first, second = both.writer, both.reader
    asked = await first.agent.ask(key="edited")
    await first.mira.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)
    found = await second.mira.look(asked["id"])
    assert (found["revision"], found["revisions"][0]["args"]["to"]) == (2, "bob@example.com")
    assert (await second.mira.approve(asked)).problem == "stale-revision"
    decided = (await second.mira.approve(found)).ok()
    permit = (await first.agent.claim(decided)).ok()
    assert permit["digest"] == found["digest"]


async def voted(both: Pair) -> None:
    first, second = both.writer, both.reader
    asked = await first.agent.ask(key="voted", action={"tool": "two", "args": {}})
    assert (await first.mira.approve(asked)).ok().get("decision") is None
    assert len((await second.mira.look(asked["id"]))["votes"]) == 1
    decided = (await second.ana.approve(asked)).ok()["decision"]
    assert len(decided["votes"]) == 2
    assert (await first.agent.look(asked["id"]))["decision"] == decided


async def chosen(both: Pair) -> None:
    first, second = both.writer, both.reader
    flight = await first.agent.choose({"id": "a", "label": "Early"}, {"id": "b", "label": "Late"})
    assert (await second.mira.pick(flight, "b")).ok()["decision"]["choice"] == "b"
    budget = await first.agent.ask_for(answer_schema={"type": "integer"})
    assert (await second.mira.say(budget, 300)).ok()["decision"]["answer"] == 300
    assert (await first.agent.look(budget["id"]))["decision"]["answer"] == 300


async def reviewed(both: Pair) -> None:
    first, second = both.writer, both.reader
    asked = await first.agent.review()
    decided = (await second.mira.reject(asked, "Not like this")).ok()
    assert decided["decision"]["kind"] == "rejected"
    assert (await first.agent.report(asked, "undone")).ok()["state"] == "closed"
    assert (await second.agent.look(asked["id"]))["outcome"]["status"] == "undone"


async def silent(both: Pair) -> None:
    asked = await both.writer.agent.ask(key="silent", timeout_s=1)
    found = await both.reader.agent.wait(asked["id"])
    assert found["decision"]["kind"] == "expired"
    assert (await both.writer.agent.look(asked["id"]))["decision"] == found["decision"]


async def taken_back(both: Pair) -> None:
    asked = await both.writer.agent.ask(key="taken-back")
    (await both.reader.agent.withdraw(asked, "Not needed")).ok()
    assert (await both.writer.agent.look(asked["id"]))["decision"]["kind"] == "withdrawn"


async def granted(both: Pair) -> None:
    first, second = both.writer, both.reader
    asked = await first.agent.ask(key="granting")
    assert (await first.mira.approve(asked, grant=0)).ok()["decision"]["grant"]
    covered = await second.agent.ask(key="covered")
    assert covered["decision"]["by"]["kind"] == "grant"
    (grant,) = (await second.mira.call("GET", "/v1/grants")).ok()["grants"]
    assert grant["uses"] == 1
    (await second.mira.call("DELETE", f"/v1/grants/{grant['id']}")).ok()
    assert (await first.agent.claim(covered)).problem == "grant-ended"


async def saved(both: Pair) -> None:
    first, second = both.writer, both.reader
    path = f"/v1/runs/{await first.agent.run()}"
    (await first.agent.call("PUT", f"{path}/checkpoint", {"name": "plan", "state": {"step": 3}})).ok()
    assert (await second.agent.call("GET", f"{path}/checkpoint")).ok()["state"] == {"step": 3}
    (await second.agent.call("PUT", f"{path}/checkpoint", {"name": "plan 2", "state": {"step": 4}})).ok()
    assert (await first.agent.call("GET", path)).ok()["checkpoint"] == 2


async def shown(both: Pair, board: Board) -> None:
    """One card, whichever version posts it, and it follows to the end."""
    asked = await both.writer.agent.ask(key="shown", to=[OPS])
    await board.note(asked["id"])
    decided = (await both.reader.mira.approve(asked)).ok()
    await board.shows(asked["id"], "Approved")
    (await both.reader.agent.claim(decided)).ok()
    await both.writer.agent.report(asked, "executed", claimant="try-1", result="sent")
    await board.shows(asked["id"], "Done")


async def stopped(both: Pair) -> None:
    """Last, because it stops everything."""
    first, second = both.writer, both.reader
    waits, allowed = await first.agent.ask(key="waits"), await first.agent.ask(key="allowed")
    decided = (await first.mira.approve(allowed)).ok()
    path = f"/v1/runs/{await first.agent.run()}/brake"
    receipt = (await first.mira.call("POST", path, {"action": "stop"}, key="stop")).ok()
    assert (await second.mira.call("POST", path, {"action": "stop"}, key="stop")).ok()["did"] == receipt["did"]
    assert (await second.agent.look(waits["id"]))["state"] == "held"
    assert (await second.agent.claim(decided)).problem == "stopped"
    assert (await second.mira.approve(waits)).status == 409
    (await second.mira.call("POST", path, {"action": "resume"}, key="go-on")).ok()
    assert (await first.agent.look(waits["id"]))["state"] == "pending"
    assert (await first.agent.claim(decided)).status == 200


@pytest.mark.parametrize("writer", ["previous", "this"])
async def test_either_version_takes_over_the_cards_and_digests_of_the_other(
    writer: Version, code: Path, board: Board, redis_url: str, tmp_path: Path
) -> None:
    """The writer is killed: what it has posted and gathered is brought to its end by the other version."""
    async with pair(code, writer, board, redis_url, tmp_path, policy=CROWDED) as both:
        first, second = both.writer, both.reader
        await second.service.stop()  # so that all is posted by the writer
        asked = [await first.agent.ask(key=f"k{n}", to=[OPS], reversible=True) for n in range(5)]

        async def posted() -> bool:
            texts = [str(note.versions[-1]) for note in board.notes.values()]
            return sum(len(board.of(each["id"])) for each in asked) == 2 and any("3" in text for text in texts[2:])

        await until(posted, within_s=30, what="two cards and a digest")
        async with first.service.store() as store:
            await until(partial(is_idle, store), within_s=30, what="the writer has noted where they are")
        await first.service.kill()
        await second.service.start()
        second.agent.url = second.mira.url = second.service.url
        for each in asked:
            (await second.mira.approve(each)).ok()

        async def nobody_is_asked() -> bool:
            return not any(note.buttons for note in board.notes.values())

        await until(nobody_is_asked, within_s=30, what="all cards show the end")
        assert len(board.notes) == 3


async def is_idle(store: Store) -> bool:
    groups = await store._client.xinfo_groups(store.keys.events)
    (cards,) = [group for group in groups if group["name"] == b"cards:paper"]
    newest = await store.feed.last_id()
    return bool(cards["pending"] == 0 and cards["last-delivered-id"].decode() == newest)


async def test_a_rolling_restart_to_this_version_loses_nothing(
    code: Path, board: Board, redis_url: str, tmp_path: Path
) -> None:
    """Two services under load become this version, one after the other; callers go on with whoever is up."""
    shared = {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET, "BOARD_URL": board.url}
    services = [PaperProcess(tmp_path / f"s{n}", shared) for n in range(2)]
    for service in services:
        service.run_version(code)
    history, done = History(), asyncio.Event()
    try:
        await asyncio.gather(*(service.start() for service in services))
        agent_key = await services[0].make_key("agent", "busy")
        person_key = await services[0].make_key("person", "mira@example.com")
        async with AsyncExitStack() as stack:
            agents = [
                WatchedAgent(history, service.url, agent_key, node=f"agent {n}") for n, service in enumerate(services)
            ]
            people = [WatchedPerson(history, service.url, person_key, email="mira@example.com") for service in services]
            for caller in (*agents, *people):
                await stack.enter_async_context(caller)
            for agent in agents:
                agent._run = await agents[0].run()
            working = [
                asyncio.create_task(lives(history, agents, people, done, name=f"w{n}", first=n % 2)) for n in range(3)
            ]

            async def more(than: int) -> bool:
                return sum(each.op == "outcome" and each.is_success for each in history.entries) > than

            for service in services:
                before = sum(each.op == "outcome" and each.is_success for each in history.entries)
                await until(lambda n=before + 8: more(n), within_s=30)  # type: ignore[misc]  # a default carries the value
                assert await service.stop() == 0
                service.run_version(None)
                await service.start()
            before = sum(each.op == "outcome" and each.is_success for each in history.entries)
            await until(lambda: more(before + 8), within_s=30)
            done.set()
            ended = sum(await asyncio.gather(*working))
            async with Store(connect(redis_url)) as store:
                await history.conclude(people[0], store)
        history.check()
        outcomes = {each.handoff for each in history.entries if each.op == "outcome" and each.is_success}
        assert len(outcomes) == ended, "what was begun was brought to its end"
    finally:
        for service in services:
            await service.close()


async def lives(
    history: History,
    agents: list[WatchedAgent],
    people: list[WatchedPerson],
    done: asyncio.Event,
    *,
    name: str,
    first: int,
) -> int:
    """Asks, each step at whichever service answers, beginning with the other one each time; returns how many."""
    number, turn = 0, first

    async def anywhere(call: str, *args: object, people_do: bool = False, **more: object) -> Json:
        nonlocal turn
        for _ in range(1000):
            turn += 1
            caller = (people if people_do else agents)[turn % 2]
            try:
                reply = await getattr(caller, call)(*args, **more)
            except aiohttp.ClientError:
                await asyncio.sleep(0.02)
                continue
            if reply.status != 503:
                found: Json = reply.ok()
                return found
        raise AssertionError(call)

    while not done.is_set():
        number += 1
        key = f"{name}-{number}"
        asked = await anywhere("open", await agents[0].confirmation(to=[OPS]), key=key)
        decided = await anywhere("answer", asked, {"kind": "approve"}, people_do=True, key=key)
        permit = await anywhere("claim", decided, claimant=key)
        agents[0].execute(permit)
        await anywhere("report", asked, "executed", claimant=key)
    return number
