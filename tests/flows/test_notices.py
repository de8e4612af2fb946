"""What is told without asking: it goes to its places on surfaces that need posting, and operators hear of trouble."""

import asyncio
import logging
from dataclasses import replace

import pytest

from bot.config import Settings
from bot.ports import Desk, Shelf
from tests.adapters.paper import QUICK, paper
from tests.fakes.board import Board, Note
from tests.flows.paper_house import DEV, NOWHERE, OPS, replica, settled
from tests.people import Json
from tests.servers import Live, live, until


async def tell(here: Live, text: str, *to: Json, run: str = "", key: str | None = None) -> None:
    body = {"text": text, **({"to": list(to)} if to else {})}
    path = f"/v1/runs/{run or await here.agent.run()}/notices"
    assert (await here.agent.call("POST", path, body, key=key)).status == 202


def shown(board: Board) -> list[tuple[str, str]]:
    return sorted((note.board, note.text) for note in board.notes.values())


async def notes(board: Board, count: int) -> list[Note]:
    async def there() -> bool:
        return len(board.notes) >= count

    await until(there, what=f"{count} notes, not {shown(board)}")
    return list(board.notes.values())


# --- as it should be ---


async def test_a_notice_goes_to_each_of_its_places_once(here: Live, board: Board) -> None:
    await tell(here, "Synced", OPS, DEV, OPS, {"surface": "web"}, key="one")
    await tell(here, "Synced", OPS, DEV, OPS, {"surface": "web"}, key="one")
    await settled(here)
    assert shown(board) == [("dev", "Synced"), ("ops", "Synced")]


async def test_a_notice_that_names_no_place_goes_where_its_run_is(here: Live, board: Board) -> None:
    started = await here.agent.call("POST", "/v1/runs", {"name": "nightly", "conversation": OPS})
    await tell(here, "Synced", run=started.ok()["id"])
    await tell(here, "To nobody in particular")
    await settled(here)
    assert shown(board) == [("ops", "Synced")]


async def test_with_a_default_channel_a_notice_without_any_place_goes_there(settings: Settings, board: Board) -> None:
    """So does a card: `SLACK_CHANNEL` is for whatever names no place."""
    changed = settings.model_copy(update={"slack_channel": "ops"})
    async with live(changed, adapters={"slack": paper(board.url)}, pace=QUICK) as here:
        await tell(here, "Synced")
        asked = await here.agent.ask()
        await board.note(asked["id"])
        await notes(board, 2)
    assert sorted(note.board for note in board.notes.values()) == ["ops", "ops"]


async def test_the_console_lists_a_notice_wherever_it_went(here: Live) -> None:
    await tell(here, "Synced", OPS)
    (told,) = await here.store.runs.notices(9)
    assert (told.text, told.agent, told.run_name, [place.channel for place in told.to]) == (
        "Synced",
        "mailer",
        "weekly-report",
        ["ops"],
    )
    assert await here.store.runs.told(told.id) == told


# --- when something fails ---


async def test_a_notice_is_told_again_until_the_board_is_back_and_under_the_same_id(here: Live, board: Board) -> None:
    board.is_down = True
    await tell(here, "Synced", OPS)
    await until(lambda: tried(board, 8))
    (told,) = await here.store.runs.notices(9)
    board.is_down = False
    (note,) = await notes(board, 1)
    assert note.handoff == told.id
    await settled(here)


async def test_one_place_that_hangs_or_is_gone_keeps_nothing_from_another(here: Live, board: Board) -> None:
    with board.holding("POST", board="ops") as hold:
        await tell(here, "Synced", NOWHERE, OPS, DEV)
        await hold.reached.wait()
        (note,) = await notes(board, 1)
        assert note.board == "dev"
        assert not hold.released.is_set()
    await settled(here)
    assert shown(board) == [("dev", "Synced"), ("ops", "Synced")]
    assert board.requests["POST"] == 3, "no place is told again for another's sake"


async def test_a_place_that_must_be_tried_again_makes_no_other_hear_it_again(settings: Settings, board: Board) -> None:
    hasty = replace(QUICK, call_s=0.1)
    async with replica(settings, board, pace=hasty) as here:
        with board.holding("POST", board="ops"):
            await tell(here, "Synced", OPS, DEV)
            await until(lambda: tried(board, 4))
        await settled(here)
    assert len([note for note in board.notes.values() if note.board == "dev"]) == 1


async def test_one_surface_s_trouble_keeps_nothing_from_another(settings: Settings, board: Board) -> None:
    surfaces = {"stone": paper("http://127.0.0.1:1"), "paper": paper(board.url)}
    async with live(settings, adapters=surfaces, pace=QUICK) as here:
        await tell(here, "Synced", {"surface": "stone", "channel": "ops"}, OPS)
        await tell(here, "Again", OPS)
        await notes(board, 2)
    assert shown(board) == [("ops", "Again"), ("ops", "Synced")]


async def test_trouble_with_a_notice_keeps_no_card_waiting(here: Live, board: Board) -> None:
    with board.holding("POST", board="ops") as hold:
        await tell(here, "Synced", OPS)
        await hold.reached.wait()
        asked = await here.agent.ask(to=[DEV])
        await board.note(asked["id"])
    await settled(here)


async def test_a_board_that_asks_for_patience_gets_it_and_nothing_is_lost(here: Live, board: Board) -> None:
    """More often than a failure is forgiven: a limit is none."""
    board.too_many = 7
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(7):
        await tell(here, f"notice {number}", OPS)
    await notes(board, 7)
    assert loop.time() - began >= 0.9
    assert board.requests["POST"] == 7 + 7, "once too early, once in time"
    await settled(here)


async def test_a_notice_that_always_fails_is_let_be_while_others_arrive(
    here: Live, board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    board.is_down = True
    await tell(here, "Poison", OPS)
    (told,) = await here.store.runs.notices(9)
    board.broken.add(told.id)
    board.is_down = False

    async def dead() -> bool:
        await tell(here, "Synced", DEV)  # that the board works is what makes it this notice's own fault
        return "notices.dead" in caplog.text

    await until(dead)
    await settled(here)
    assert not [note for note in board.notes.values() if note.board == "ops"]


async def test_a_board_that_was_down_long_is_no_notice_s_fault(
    here: Live, board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    board.is_down = True
    await tell(here, "Synced", OPS)
    await until(lambda: tried(board, 20))
    board.is_down = False
    await notes(board, 1)
    assert "notices.dead" not in caplog.text


async def test_a_stop_hands_an_untold_notice_on(settings: Settings, board: Board) -> None:
    """It was not told, so it must not count as told."""
    board.is_down = True
    slow = replace(QUICK, pause_s=30.0, longest_pause_s=30.0)
    async with replica(settings, board, "stops", slow) as stops:
        await tell(stops, "Synced", OPS)
        await until(lambda: tried(board, 1))
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 5, "nor does its rest hold up the stop"
    board.is_down = False
    async with replica(settings, board, "next"):
        await notes(board, 1)
    assert shown(board) == [("ops", "Synced")]


# --- operators ---


async def test_an_alert_is_told_once_an_hour_in_the_log_and_in_the_console(
    settings: Settings, board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    desks: list[Desk] = []

    def meet(desk: Desk, _: Shelf) -> None:
        desks.append(desk)

    async with live(settings, adapters={"paper": paper(board.url, meet=meet)}, pace=QUICK) as here:
        (desk,) = desks
        for _ in range(3):
            await desk.alert("paper: token", "The board refuses our token; make a new one.")
        await desk.alert("paper: board", "There is no board called ops.")
        found = await desk.notices()
        assert [told.text for told in found] == [
            "There is no board called ops.",
            "The board refuses our token; make a new one.",
        ]
        assert {(told.agent, told.run, told.run_name, told.to) for told in found} == {("andon", "", "Andon", ())}
        wanted = [r for r in caplog.records if r.levelno == logging.ERROR and "operator.needed" in r.message]
        assert len(wanted) == 2

        left_ms = await here.store._pipe.call("PTTL", here.store.keys.notice("service", "paper: token"))
        assert 3_590_000 < left_ms <= 3_600_000
        await here.store._pipe.call("DEL", here.store.keys.notice("service", "paper: token"))
        await desk.alert("paper: token", "The board refuses our token; make a new one.")
        assert len(await desk.notices()) == 3
    assert not board.notes, "nobody in chat can do anything about it"


async def tried(board: Board, times: int) -> bool:
    return board.requests["POST"] >= times
