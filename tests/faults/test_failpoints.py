"""The service is killed at every step of a handoff's life, and started again: docs/faults.md, C1 to C16.

Everywhere the same story is told, by callers that repeat what nobody confirmed, as ours do. What was left at the moment
of the kill is looked at in the store; all that anybody saw is then held against what stands in the end.
"""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import aiohttp
import pytest

from bot import failpoints
from bot.config import load_settings
from bot.errors import ConfigError
from bot.failpoints import POINTS
from bot.store import Store, connect
from bot.store.pipe import load_script
from tests.fakes.board import Board
from tests.fakes.receiver import receiver
from tests.faults.history import History, WatchedAgent, WatchedPerson, watched
from tests.flows.paper_house import OPS
from tests.people import Admin, Json, Reply
from tests.servers import ROOT, SECRET, ServiceProcess, until

PATIENCE_S: Final = 30.0
KINDS: Final[tuple[Literal["agent", "person", "admin"], ...]] = ("agent", "person", "admin")


class PaperProcess(ServiceProcess):
    """The service with the surface `paper`."""

    module = "tests.fakes.paper_service"


async def kept_at(call: Callable[[], Awaitable[Reply]]) -> Json:
    """Repeat a call until the service confirms it, as the SDK and the platforms do."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            reply = await call()
        except aiohttp.ClientError:
            assert asyncio.get_running_loop().time() < deadline, "the service did not come back"
        else:
            if reply.status != 503:
                return reply.ok()
        await asyncio.sleep(0.02)


class Story:
    """An ask that is approved and done, one that silence ends, and one that is stopped and goes on."""

    def __init__(self, history: History, board: Board, agent: WatchedAgent, mira: WatchedPerson) -> None:
        self.history, self.board, self.agent, self.mira = history, board, agent, mira
        self.run = ""
        self.first = ""

    async def begin(self) -> None:
        """The runs; before anything is armed to happen."""
        await self.agent.run()
        started = await self.agent.call("POST", "/v1/runs", {"name": "stopped"})
        self.run = str(started.ok()["id"])

    async def tell(self) -> None:
        await asyncio.gather(self._approved(), self._silence(), self._stopped())

    async def _open(self, key: str, **changes: object) -> Json:
        ask = await self.agent.confirmation(to=[OPS], **changes)
        return await kept_at(lambda: self.agent.open(ask, key=key))

    async def _wait(self, asked: Json) -> Json:
        async def look() -> Reply:
            params = {"wait": "5"}
            return await self.agent.call("GET", f"/v1/handoffs/{asked['id']}", params=params)

        while (found := await kept_at(look)).get("decision") is None:
            pass
        return found

    async def _approved(self) -> None:
        asked = await self._open("the-ask")
        self.first = asked["id"]
        await self.board.note(asked["id"], within_s=PATIENCE_S)
        await kept_at(lambda: self.mira.answer(asked, {"kind": "approve"}, key="the-press"))
        decided = await self._wait(asked)
        permit = await kept_at(lambda: self.agent.claim(decided))
        self.agent.execute(permit)
        await kept_at(lambda: self.agent.report(decided, "executed", claimant="try-1", result="sent"))

    async def _silence(self) -> None:
        asked = await self._open("silence", timeout_s=1)
        assert (await self._wait(asked))["decision"]["kind"] == "expired"

    async def _stopped(self) -> None:
        asked = await self._open("stopped", run=self.run)
        path = f"/v1/runs/{self.run}/brake"
        await kept_at(lambda: self.mira.call("POST", path, {"action": "stop"}, key="the-stop"))
        await kept_at(lambda: self.mira.call("POST", path, {"action": "resume"}, key="go-on"))
        await kept_at(lambda: self.mira.answer(asked, {"kind": "reject", "reason": "Not today"}, key="the-no"))
        await self._wait(asked)

    async def told(self) -> None:
        """Every card shows how its handoff ended."""
        await self.board.shows(self.first, "Done", within_s=PATIENCE_S)

        async def nobody_is_asked() -> bool:
            return not any(note.buttons for note in self.board.notes.values())

        await until(nobody_is_asked, within_s=PATIENCE_S, what="no card asks any more")
        for note in self.board.notes.values():
            for version in note.versions:
                self.history.saw("card", "paper", dict(version), handoff=note.handoff, address=note.id)


@dataclass(frozen=True)
class Left:
    """What is there at the moment of the kill."""

    states: Mapping[str, str]
    """By the handoff's name in the story."""
    brakes: int
    is_asking: bool
    """Does a card ask?"""


async def left(store: Store, board: Board) -> Left:
    found = {}
    for each in (await store.handoffs.latest(None, 100))[0]:
        name = "first" if each.run_name == "weekly-report" else each.run_name
        found["silence" if each.route.timeout_s == 1 else name] = each.state.value
    asking = any(note.buttons for note in board.notes.values())
    return Left(found, len(await store.brakes.standing()), asking)


WAITS: Final = {"pending", "held"}
MUST_HOLD: Final[Mapping[str, Callable[[Left], bool]]] = {
    "open.before": lambda left: len(left.states) < 3,
    "open.after": lambda left: bool(WAITS & set(left.states.values())),
    "card.taken": lambda left: bool(WAITS & set(left.states.values())),
    "card.posted": lambda left: left.is_asking,
    "answer.before": lambda left: "pending" in {left.states["first"], left.states["stopped"]},
    "answer.after": lambda left: "decided" in {left.states["first"], left.states["stopped"]},
    "wake.after": lambda left: "decided" in left.states.values(),
    "card.update": lambda left: left.is_asking,
    "claim.after": lambda left: left.states["first"] == "claimed",
    "outcome.after": lambda left: left.states["first"] == "closed",
    "brake.before": lambda left: left.brakes == 0,
    "brake.after": lambda left: left.brakes == 1,
    "hold.after": lambda left: left.brakes == 1,
    "expire.before": lambda left: left.states["silence"] == "pending",
    "expire.after": lambda left: left.states["silence"] == "decided",
}
"""As docs/faults.md says of each moment."""


@pytest.fixture
async def board() -> AsyncIterator[Board]:
    async with Board("ops").serving() as serving:
        yield serving


@pytest.mark.parametrize("point", MUST_HOLD)
async def test_a_service_that_is_killed_there_breaks_no_promise(
    point: str, board: Board, redis_url: str, tmp_path: Path
) -> None:
    shared = {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET, "BOARD_URL": board.url}
    service = PaperProcess(tmp_path / "state", {**shared, "ANDON_FAILPOINT": point})
    history = History()
    try:
        await service.start()
        assert f"failpoint.armed point={point}" in service.output
        agent_key, person_key = (
            await service.make_key("agent", "mailer"),
            await service.make_key("person", "mira@x.org"),
        )
        async with (
            Store(connect(redis_url)) as store,
            watched(history, service.url, agent_key=agent_key, person_key=person_key, email="mira@x.org") as (
                agent,
                mira,
            ),
        ):
            story = Story(history, board, agent, mira)
            await story.begin()
            telling = asyncio.create_task(story.tell())
            assert await service.died(within_s=PATIENCE_S) == -signal.SIGKILL, "it came to that point"
            assert MUST_HOLD[point](await left(store, board))
            service.settings = shared
            await service.start()
            await telling
            await story.told()
            await history.conclude(mira, store, runs=[story.run])
        history.check()
    finally:
        await service.close()


@pytest.mark.parametrize("point, sent", [("callback.taken", 1), ("callback.sent", 2)])
async def test_a_callback_whose_sender_is_killed_arrives_under_one_id(
    point: str, sent: int, redis_url: str, tmp_path: Path
) -> None:
    """C9, C10: what the killed process had begun, or had done and not noted, is sent by the next one."""
    shared = {"ANDON_REDIS_URL": redis_url, "ANDON_SECRET": SECRET, "ANDON_CALLBACK_ALLOW": "127.0.0.1"}
    service = ServiceProcess(tmp_path / "state", {**shared, "ANDON_FAILPOINT": point})
    history = History()
    try:
        await service.start()
        keys = [await service.make_key(kind, f"{kind}@example.com") for kind in KINDS]
        async with (
            receiver() as hook,
            Admin(service.url, keys[2]) as admin,
            Store(connect(redis_url)) as store,
            watched(history, service.url, agent_key=keys[0], person_key=keys[1], email="person@example.com") as each,
        ):
            agent, mira = each
            endpoint = await admin.endpoint(hook.url)
            asked = await agent.ask()
            await asyncio.gather(mira.answer(asked, {"kind": "approve"}, key="press"), return_exceptions=True)
            assert await service.died(within_s=PATIENCE_S) == -signal.SIGKILL
            assert len(hook.requests) == sent - 1
            service.settings = shared
            await service.start()
            requests = await hook.got(sent, within_s=PATIENCE_S)
            assert {(request.id, request.data["handoff"]) for request in requests} == {(requests[0].id, asked["id"])}
            for request in requests:
                request.verify(endpoint["secret"])
                history.saw("heard", agent.node, request.data, handoff=asked["id"], event="callback")
            await history.conclude(mira, store)
        history.check()
    finally:
        await service.close()


def test_every_point_has_a_test() -> None:
    assert set(POINTS) == {*MUST_HOLD, "callback.taken", "callback.sent"}


def test_every_point_is_in_the_code_and_every_one_in_the_code_is_known() -> None:
    """A point of a script is where all scripts are sent; the others are named where they are."""
    code = "\n".join(path.read_text() for path in (ROOT / "bot").rglob("*.py"))
    named = set(re.findall(r'failpoints\.hit\("([^"]+)"\)', code))
    assert named <= set(POINTS)
    for point in set(POINTS) - named:
        script, _, moment = point.partition(".")
        assert moment in {"before", "after"}
        assert f'failpoints.hit(f"{{script.name}}.{moment}")' in code
        assert load_script(script).source


def test_every_point_has_its_line_in_the_docs() -> None:
    page = (ROOT / "docs" / "faults.md").read_text()
    assert {point for point in POINTS if f"`{point}`" not in page} == set()


@pytest.mark.parametrize(
    "text, said", [("open.behind", "there is no point 'open.behind'"), ("open.after:0", "'0' is no")]
)
def test_what_is_no_point_stops_the_start(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDON_FAILPOINT", text)
    with pytest.raises(ConfigError, match=f"ANDON_FAILPOINT: {said}"):
        load_settings()


def test_a_point_may_be_passed_some_times_first(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda _, number: killed.append(number))
    monkeypatch.setattr(failpoints, "armed", failpoints.parse("open.after:3"))
    for _ in range(2):
        failpoints.hit("open.after")
        failpoints.hit("open.before")
    assert not killed
    failpoints.hit("open.after")
    assert killed == [signal.SIGKILL]
