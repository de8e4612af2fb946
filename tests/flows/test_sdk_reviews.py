"""The agent's side of reviews, against the real service: what people do not let stand is undone in the background."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from andon import Andon, Approved, Run
from bot.config import Settings
from tests.people import Json
from tests.servers import Live, live, until

POLICY = """
rules:
  - {name: looking, tool: "*", do: review, timeout: 10m}
"""


@pytest.fixture
async def here(settings: Settings, tmp_path: Path) -> AsyncIterator[Live]:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    async with live(settings.model_copy(update={"policy": path})) as running:
        yield running


@pytest.fixture
async def andon(here: Live) -> AsyncIterator[Andon]:
    async with Andon(here.url, here.agent.key) as opened:
        yield opened


@pytest.fixture
async def run(andon: Andon) -> AsyncIterator[Run]:
    async with andon.run("tests") as opened:
        yield opened


async def review_of(here: Live) -> Json:
    """The one that waits."""

    async def asked() -> bool:
        return bool(await here.person.inbox())

    await until(asked)
    (found,) = await here.person.inbox()
    return found


async def outcome(here: Live, review: Json) -> Json:
    async def ended() -> bool:
        return "outcome" in await here.agent.look(review["id"])

    await until(ended)
    found: Json = (await here.agent.look(review["id"]))["outcome"]
    return found


async def test_a_gated_call_returns_at_once_and_is_undone_when_people_say_so(here: Live, run: Run) -> None:
    undone: list[tuple[object, ...]] = []

    async def unsend(sent: str, to: str) -> str:
        await asyncio.sleep(0)
        undone.append((sent, to))
        return "unsent"

    @run.gate(risks=["?"], reversible=True, undo=unsend)
    async def send(to: str, copies: int = 1) -> str:
        return f"sent {copies}"

    assert await send("ana", why="asked") == "sent 1"
    assert undone == []
    review = await review_of(here)
    assert review["ask"]["result"] == "sent 1"
    (await here.person.reject(review, "Wrong person")).ok()
    ended = await outcome(here, review)
    assert (ended["status"], ended["result"]) == ("undone", "unsent")
    assert undone == [("sent 1", "ana")]


async def test_what_people_keep_stands_and_is_closed(here: Live, run: Run) -> None:
    undone: list[str] = []

    @run.gate(risks=["?"], reversible=True, undo=undone.append)
    async def send(to: str) -> str:
        return "sent"

    await send("ana", why="asked")
    review = await review_of(here)
    (await here.person.approve(review)).ok()
    assert (await outcome(here, review))["status"] == "executed"
    assert undone == []


async def test_no_undo_is_a_failed_undo_and_loud(here: Live, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    @run.gate(risks=["?"], reversible=True)
    async def send(to: str) -> str:
        return "sent"

    await send("ana", why="asked")
    review = await review_of(here)
    with caplog.at_level(logging.ERROR, logger="andon"):
        (await here.person.reject(review)).ok()
        ended = await outcome(here, review)
    assert (ended["status"], ended["error"]) == ("undo_failed", "no undo is known: the agent gave none")

    async def said() -> bool:
        return "review.undo_failed" in caplog.text

    await until(said)


async def test_an_undo_that_fails_is_told(here: Live, run: Run) -> None:
    def unsend(_: str) -> None:
        raise OSError("the server has it")

    @run.gate(risks=["?"], reversible=True, undo=unsend)
    async def send(to: str) -> str:
        return "sent"

    await send("ana", why="asked")
    review = await review_of(here)
    (await here.person.reject(review)).ok()
    ended = await outcome(here, review)
    assert (ended["status"], ended["error"]) == ("undo_failed", "OSError: the server has it")


async def test_leaving_waits_for_an_undo_and_not_for_people(here: Live, andon: Andon) -> None:
    begun, may_end, undone = asyncio.Event(), asyncio.Event(), list[str]()

    async def unsend(sent: str) -> None:
        begun.set()
        await may_end.wait()
        undone.append(sent)

    async def job() -> None:
        async with andon.run("job") as run:

            @run.gate(risks=["?"], reversible=True, undo=unsend)
            async def send(to: str) -> str:
                return f"to {to}"

            await send("ana", why="asked")
            review = await review_of(here)
            await send("bob", why="asked")  # nobody ever looks at this one
            (await here.person.reject(review)).ok()
            await begun.wait()

    working = asyncio.create_task(job())
    await begun.wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await asyncio.shield(working)
    may_end.set()
    async with asyncio.timeout(5):
        await working
    assert undone == ["to ana"]
    assert len(await here.person.inbox()) == 1


async def test_a_later_process_goes_on_with_the_token(here: Live) -> None:
    async with Andon(here.url, here.agent.key) as first, first.run("job") as run:

        @run.gate(risks=["?"], reversible=True)
        async def send(to: str) -> str:
            return "sent"

        await send("ana", why="asked")
        (left,) = await run.reviews()
    token = left.token
    assert token
    (await here.person.reject(await review_of(here))).ok()
    async with Andon(here.url, here.agent.key) as second:
        _, handoff = await second.resume(token)
        assert (await handoff.wait()).kind == "rejected"
        await handoff.report("undone")
    assert (await outcome(here, {"id": left.id}))["status"] == "undone"


async def test_what_was_confirmed_by_hand_is_watched_too(here: Live, run: Run) -> None:
    undone: list[object] = []
    decision = await run.confirm("Do it", why="y", risks=["r"], tool="t", args={"n": 1}, reversible=True)
    assert isinstance(decision, Approved)
    permit = await run.claim(decision)
    await run.report(permit, result="done", undo=undone.append)
    review = await review_of(here)
    (await here.person.reject(review)).ok()
    assert (await outcome(here, review))["status"] == "undone"
    assert undone == ["done"]


def of(undo: Any, result: object, **arguments: object) -> object:
    from andon._watching import prepare

    made = prepare(undo, result, arguments)
    assert made
    return made()


def test_an_undo_gets_what_it_names() -> None:
    """The result first, arguments by their names, and nothing that it does not ask for."""

    def named(to: str, *, copies: int) -> tuple[object, ...]:
        return to, copies

    def both(sent: str, /, to: str) -> tuple[object, ...]:
        return sent, to

    def everything(sent: str, **arguments: object) -> tuple[object, ...]:
        return sent, arguments

    def careful(missing_ok: bool = False) -> bool:  # noqa: FBT002  # as pathlib has it
        return missing_ok

    given: dict[str, object] = {"to": "ana", "copies": 2}
    assert of(lambda: "nothing", "r", **given) == "nothing"
    assert of(lambda sent: sent, "r", **given) == "r"
    assert of(named, "r", **given) == ("ana", 2)
    assert of(both, "r", **given) == ("r", "ana")
    assert of(everything, "r", **given) == ("r", given)
    assert of(careful, "r", **given) is False, "a default is kept: the result is no flag"
    assert of([].append, "r", **given) is None
