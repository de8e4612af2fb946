"""Silence approves only what people were shown in time and left alone; over HTTP, on a real store."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bot.config import Settings
from tests.adapters.paper import QUICK, paper
from tests.fakes.board import Board
from tests.flows.paper_house import OPS
from tests.people import MAIL, Json
from tests.servers import Live, live

WEB = {"surface": "web"}
RULES = """
rules:
  - {name: late, tool: "late_*", do: review, timeout: 3s, on_timeout: approve}
  - {name: quick, do: ask, timeout: 3s, on_timeout: approve}
"""


@pytest.fixture
def lenient(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(RULES)
    return settings.model_copy(update={"policy": path})


@pytest.fixture
async def here(lenient: Settings, board: Board) -> AsyncIterator[Live]:
    async with live(lenient, adapters={"paper": paper(board.url)}, pace=QUICK) as running:
        yield running


async def ask(here: Live, *to: Json) -> Json:
    return await here.agent.ask(reversible=True, on_timeout="approve", to=list(to) or [OPS])


async def end(here: Live, asked: Json) -> Json:
    """How it ended: by silence, whatever it means; and a claim that fits."""
    ended = await here.agent.wait(asked["id"], 10)
    decision: Json = ended["decision"]
    assert decision["by"]["kind"] == "silence"
    assert (await here.agent.claim(ended)).status == (200 if decision["kind"] == "approved" else 409)
    return decision


async def test_what_was_shown_and_left_alone_is_approved(here: Live) -> None:
    assert (await end(here, await ask(here)))["kind"] == "approved"


async def test_the_console_alone_shows_what_is_in_the_store(here: Live) -> None:
    assert (await end(here, await ask(here, WEB)))["kind"] == "approved"


@pytest.mark.parametrize("to", [[OPS], [OPS, WEB]], ids=["alone", "beside the console"])
async def test_a_card_that_was_never_posted_is_no_question(here: Live, board: Board, to: list[Json]) -> None:
    board.is_down = True
    decision = await end(here, await ask(here, *to))
    assert decision["kind"] == "expired"
    assert "no card of it is known to have been posted" in decision["message_for_agent"]


async def test_a_card_that_came_late_left_people_no_time(here: Live, board: Board) -> None:
    board.is_down = True
    asked = await ask(here)
    await asyncio.sleep(0.8)
    board.is_down = False
    await board.note(asked["id"])
    decision = await end(here, asked)
    assert decision["kind"] == "expired"
    assert "posted too late" in decision["message_for_agent"]


async def edit(here: Live, asked: Json) -> None:
    (await here.person.edit(asked, {**MAIL, "to": "eve@evil.example"}, approve=False)).ok()


async def question(here: Live, asked: Json) -> None:
    (await here.person.answer(asked, {"kind": "more_info", "question": "Why?"})).ok()


async def reassign(here: Live, asked: Json) -> None:
    (await here.person.answer(asked, {"kind": "reassign", "to": "bob@example.com"})).ok()


@pytest.mark.parametrize("place", [OPS, WEB], ids=["on a card", "in the console"])
@pytest.mark.parametrize(
    "touch, says", [(edit, "changed the arguments"), (question, "asked you for more"), (reassign, "asked others")]
)
async def test_what_somebody_was_busy_with_is_not_silence(
    here: Live, touch: Callable[[Live, Json], Awaitable[None]], says: str, place: Json
) -> None:
    asked = await ask(here, place)
    assert "silence approves" in asked["silence"]
    await touch(here, asked)
    assert "nothing is done" in (await here.agent.look(asked["id"]))["silence"], "it says what silence means by now"
    decision = await end(here, asked)
    assert decision["kind"] == "expired"
    assert says in decision["message_for_agent"]


@pytest.mark.parametrize("place", [OPS, WEB], ids=["on a card", "in the console"])
@pytest.mark.parametrize("caps", ["open_per_agent: 2", "burst: 2, burst_within: 1h"])
async def test_nothing_is_approved_past_a_cap(lenient: Settings, board: Board, caps: str, place: Json) -> None:
    assert lenient.policy
    lenient.policy.write_text(f"caps: {{{caps}}}\n{RULES}")
    async with live(lenient, adapters={"paper": paper(board.url)}, pace=QUICK) as here:
        made = [await ask(here, place) for _ in range(3)]
        kinds = [(await end(here, each))["kind"] for each in made[:2]]
        assert kinds == ["approved", "approved"]
        decision = await end(here, made[2])
        assert decision["kind"] == "expired"
        assert "more asks than people can read" in decision["message_for_agent"]


async def test_nothing_is_approved_that_a_place_gathers(lenient: Settings, board: Board) -> None:
    assert lenient.policy
    lenient.policy.write_text(f"caps: {{cards_per_approver_hour: 1}}\n{RULES}")
    async with live(lenient, adapters={"paper": paper(board.url)}, pace=QUICK) as here:
        first = await ask(here)
        await board.note(first["id"])
        second = await ask(here)
        assert (await end(here, first))["kind"] == "approved"
        decision = await end(here, second)
        assert decision["kind"] == "expired"
        assert "more asks than people can read" in decision["message_for_agent"]


async def reviewed(here: Live, key: str) -> Json:
    """The review of something that was done."""
    asked = await here.agent.ask(
        key=key, reversible=True, on_timeout="approve", to=[OPS], action={"tool": "late_reply", "args": {}}
    )
    (await here.agent.claim(asked)).ok()
    done = (await here.agent.report(asked, "executed", claimant="try-1", result=1)).ok()
    return await here.agent.look(done["review"])


async def test_what_was_done_stands_only_if_people_were_shown_it(here: Live, board: Board) -> None:
    review = await reviewed(here, "seen")
    assert (await here.agent.wait(review["id"], 10))["decision"]["kind"] == "approved"
    board.is_down = True
    unseen = await reviewed(here, "unseen")
    decision = (await here.agent.wait(unseen["id"], 10))["decision"]
    assert decision["kind"] == "expired"
    assert "no card" in decision["message_for_agent"]
    assert "Undo it now" in decision["message_for_agent"]


@pytest.mark.parametrize("caps", ["open_per_agent: 2", "burst: 2, burst_within: 1h"])
async def test_reviews_are_gathered_past_a_cap_like_any_ask(
    lenient: Settings, board: Board, caps: str, caplog: pytest.LogCaptureFixture
) -> None:
    """None is lost and none is kept back, nobody is flooded with cards, and operators are told."""
    assert lenient.policy
    lenient.policy.write_text(f"caps: {{{caps}}}\n" + RULES.replace("timeout: 3s", "timeout: 10m"))
    async with live(lenient, adapters={"paper": paper(board.url)}, pace=QUICK) as here:
        found = [await reviewed(here, f"k{number}") for number in range(5)]
        assert [bool(each.get("crowded")) for each in found] == [False, False, True, True, True]
        assert {each["state"] for each in found} == {"pending"}
        assert len(await here.person.inbox()) == 5
        assert "crowd:mailer" in caplog.text
