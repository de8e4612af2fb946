"""Cards on a surface that does not read the store: posted once, true in the end, whatever fails in between."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from bot.outbox import Pace
from bot.ports import Desk, Shelf
from tests.adapters.paper import QUICK, paper
from tests.fakes.board import Board, Hold, Moment
from tests.flows.paper_house import DEV, NOWHERE, OPS, replica, settled
from tests.people import MAIL, Agent, Json, Person
from tests.servers import SECRET, Live, ServiceProcess, live, until

# --- as it should be ---


async def test_a_card_is_posted_once_and_follows_its_handoff_to_the_end(here: Live, board: Board) -> None:
    asked = await here.agent.ask(to=[OPS])
    note = await board.shows(asked["id"], "Waiting for a person")
    assert note.buttons == ["Approve", "Edit", "Reject"]

    edited = (await here.person.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)).ok()
    await until(lambda: shows_revision(board, asked, 2))
    assert "bob@example.com" in note.text

    decided = (await here.person.approve(edited)).ok()
    await board.shows(asked["id"], "Approved with changes")
    assert note.buttons == []
    assert "mira" in note.text

    permit = (await here.agent.claim(decided)).ok()
    await board.shows(asked["id"], "Delivered")
    await here.agent.report(asked, "executed", claimant=permit["claimant"], result="sent")
    await board.shows(asked["id"], "Done")
    assert board.requests["POST"] == 1


async def test_several_places_have_a_card_each_and_end_together(here: Live, board: Board) -> None:
    asked = await here.agent.ask(to=[OPS, DEV, OPS])
    await settled(here)
    assert [note.board for note in board.of(asked["id"])] in (["ops", "dev"], ["dev", "ops"])
    await here.person.reject(asked, "Not today")
    await settled(here)
    assert {(note.headline, note.buttons == []) for note in board.of(asked["id"])} == {("Rejected", True)}


async def test_what_the_web_shows_is_not_posted(here: Live, board: Board) -> None:
    await here.agent.ask()
    await here.agent.ask(to=[{"surface": "web"}])
    await settled(here)
    assert not board.requests


async def test_what_ended_before_its_card_was_posted_is_not_posted(here: Live, board: Board) -> None:
    board.is_down = True
    asked = await here.agent.ask(to=[OPS])
    await until(lambda: tried(board, 2))
    await here.agent.withdraw(asked)
    board.is_down = False
    await settled(here)
    assert not board.notes


async def test_what_ended_while_it_waited_for_its_turn_is_not_posted(here: Live, board: Board) -> None:
    with board.holding("POST") as hold:
        first = [await here.agent.ask(to=[OPS]) for _ in range(8)]
        await until(lambda: waits(hold, 8))
        late = await here.agent.ask(to=[OPS])
        await here.agent.withdraw(late)
    await settled(here)
    assert {note.handoff for note in board.notes.values()} == {handoff["id"] for handoff in first}


# --- what is late, doubled, out of order ---


async def test_changes_during_a_slow_update_become_one_more_update(here: Live, board: Board) -> None:
    """The card ends as the store is, however long the first update took."""
    asked = await here.agent.ask(to=[OPS])
    note = await board.note(asked["id"])
    await settled(here)
    with board.holding("PUT") as hold:
        edited = (await here.person.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)).ok()
        await hold.reached.wait()
        decided = (await here.person.approve(edited)).ok()
        permit = (await here.agent.claim(decided)).ok()
        await here.agent.report(asked, "executed", claimant=permit["claimant"])
        assert hold.waiting == 1, "two updates of one card never cross"
    await settled(here)
    assert (note.headline, note.buttons) == ("Done", [])
    assert board.requests["PUT"] == 2


async def test_a_decision_while_the_card_is_being_posted_reaches_it(here: Live, board: Board) -> None:
    with board.holding("POST", "after") as hold:
        asked = await here.agent.ask(to=[OPS])
        await hold.reached.wait()
        await here.person.approve(asked)
    await board.shows(asked["id"], "Approved")


async def test_doubled_and_reordered_events_change_nothing(here: Live, board: Board) -> None:
    asked = await here.agent.ask(to=[OPS, DEV])
    edited = (await here.person.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)).ok()
    await here.person.approve(edited)
    await settled(here)
    before = {note.id: note.versions[-1] for note in board.of(asked["id"])}

    client, events = here.store._client, here.own.keys.events
    entries: list[Any] = await client.execute_command("XRANGE", events, "-", "+")
    copies = [fields for _, fields in entries] * 5
    random.Random(7).shuffle(copies)
    for fields in copies:
        await client.xadd(events, fields)
    await settled(here)
    assert {note.id: note.versions[-1] for note in board.of(asked["id"])} == before
    assert board.requests["POST"] == 2


async def test_an_event_of_no_handoff_is_passed_over(here: Live, board: Board) -> None:
    await here.agent.call("POST", f"/v1/runs/{await here.agent.run()}/notices", {"text": "Nightly sync finished"})
    asked = await here.agent.ask(to=[OPS])
    await board.note(asked["id"])
    await settled(here)


# --- the surface fails ---


async def test_a_board_that_is_down_delays_cards_and_nothing_else(here: Live, board: Board) -> None:
    """F11: the agent is not kept waiting, other places decide, and the cards come when the board is back."""
    board.is_down = True
    async with asyncio.timeout(2):
        asked = [await here.agent.ask(to=[OPS]) for _ in range(20)]
        by_hand = (await here.person.approve(asked[0])).ok()
    assert by_hand["decision"]["kind"] == "approved"
    await until(lambda: tried(board, 100))
    board.is_down = False
    for handoff in asked[1:]:
        await board.shows(handoff["id"], "Waiting for a person")
    await settled(here)
    assert len(board.notes) == 19
    assert not await here.own.outbox.buried(), "that it was down is no card's fault"


async def test_a_post_whose_reply_was_lost_is_found_again(here: Live, board: Board) -> None:
    board.loses_replies = 1
    asked = await here.agent.ask(to=[OPS])
    await settled(here)
    await here.person.approve(asked)
    await board.shows(asked["id"], "Approved")
    assert board.requests["POST"] == 1


async def test_where_posts_cannot_be_found_a_second_card_is_only_a_nuisance(here: Live, board: Board) -> None:
    board.finds, board.loses_replies = False, 1
    asked = await here.agent.ask(to=[OPS])
    await settled(here)
    first, second = board.of(asked["id"])
    assert (first.handoff, first.revision) == (second.handoff, second.revision)
    await here.person.approve(asked)
    await settled(here)
    assert second.headline == "Approved"


async def test_a_board_that_hangs_holds_up_no_other(here: Live, board: Board) -> None:
    with board.holding("POST", board="ops") as hold:
        stuck = [await here.agent.ask(to=[OPS, DEV]) for _ in range(3)]
        free = [await here.agent.ask(to=[DEV]) for _ in range(20)]
        await hold.reached.wait()
        for handoff in (*stuck, *free):
            await board.note(handoff["id"])
        assert {note.board for note in board.notes.values()} == {"dev"}
    await settled(here)
    assert len(board.notes) == 26


async def test_a_place_that_hangs_keeps_no_decision_from_another(here: Live, board: Board) -> None:
    with board.holding("POST", board="ops") as hold:
        asked = await here.agent.ask(to=[OPS, DEV])
        await hold.reached.wait()
        await board.note(asked["id"])
        await here.person.approve(asked)
        await board.shows(asked["id"], "Approved", within_s=2)
    await settled(here)
    assert [note.headline for note in board.of(asked["id"])] == ["Approved", "Approved"]


async def test_a_board_that_asks_for_patience_gets_it(here: Live, board: Board) -> None:
    """However often: a limit is nobody's fault, and nothing is given up for it."""
    asked = await here.agent.ask(to=[OPS])
    await settled(here)
    board.too_many = 8
    others = [await here.agent.ask(to=[DEV]) for _ in range(8)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    await until(lambda: asked_once_each(board, 9))
    await here.person.approve(asked)
    await board.shows(asked["id"], "Approved", within_s=0.9)
    for handoff in others:
        await board.note(handoff["id"])
    assert loop.time() - began >= 0.9
    assert board.requests["POST"] == 1 + 8 + 8, "once too early, once in time"
    assert not await here.own.outbox.buried()
    await settled(here)


async def test_a_card_that_waits_for_its_turn_waits_no_longer_each_time(
    settings: Settings, board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    """A turn is no failure: after thirty of those the next try would be an hour away, or never come."""
    board.too_many, board.patience_s = 30, 0
    async with replica(settings, board, pace=Pace(pause_s=0.5, longest_pause_s=3600, call_s=5)) as here:
        asked = await here.agent.ask(to=[OPS])
        await board.shows(asked["id"], "Waiting for a person")
        await settled(here)
        assert not await here.own.outbox.buried()
    assert board.requests["POST"] + board.requests["GET"] >= 31
    assert "cards.failed" not in caplog.text


async def test_a_card_leads_back_to_its_handoff_until_it_is_not_there_any_more(
    settings: Settings, board: Board
) -> None:
    """Whoever writes below a card, or presses on it, means that handoff."""
    desks: list[Desk] = []

    def meet(desk: Desk, _: Shelf) -> None:
        desks.append(desk)

    async with live(settings, adapters={"paper": paper(board.url, meet=meet)}, pace=QUICK) as here:
        (desk,) = desks
        asked = await here.agent.ask(to=[OPS])
        await settled(here)
        (first,) = board.of(asked["id"])
        assert await desk.card_at("paper", first.id) == asked["id"]
        assert await desk.card_at("paper", "no such note") is None
        assert await desk.card_at("web", first.id) is None

        board.boards.remove("ops")
        await here.person.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)
        await here.agent.wait(asked["id"], revision=2)
        await settled(here)
        assert await desk.card_at("paper", first.id) is None


async def test_calls_to_one_surface_are_bounded(here: Live, board: Board) -> None:
    with board.holding("POST") as hold:
        for _ in range(30):
            await here.agent.ask(to=[OPS])
        await hold.reached.wait()
    await settled(here)
    assert board.most_at_once <= 8
    assert len(board.notes) == 30


# --- places that cannot be reached ---


async def test_what_reaches_nobody_is_a_decision_of_its_own(here: Live, board: Board) -> None:
    asked = await here.agent.ask(to=[NOWHERE])
    heard = await here.agent.wait(asked["id"])
    decision = heard["decision"]
    assert (decision["kind"], decision["by"]["kind"]) == ("undeliverable", "service")
    assert "paper nowhere" in decision["reason"]
    assert "Nobody said no" in decision["message_for_agent"]
    await settled(here)
    assert board.requests["POST"] == 1, "what can never arrive is not tried again"


async def test_every_place_is_named_when_none_can_be_reached(here: Live, board: Board) -> None:
    asked = await here.agent.ask(to=[NOWHERE, {"surface": "pigeon"}, {"surface": "paper", "channel": "gone"}])
    reason = (await here.agent.wait(asked["id"]))["decision"]["reason"]
    for name in ("paper nowhere", "pigeon: this service has no such surface", "paper gone"):
        assert name in reason


@pytest.mark.parametrize("other", [OPS, {"surface": "web"}])
async def test_one_place_that_can_be_reached_carries_the_ask(
    here: Live, board: Board, caplog: pytest.LogCaptureFixture, other: Json
) -> None:
    asked = await here.agent.ask(to=[NOWHERE, other])
    await settled(here)
    assert "cards.refused" in caplog.text
    edited = (await here.person.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)).ok()
    decided = (await here.person.approve(edited)).ok()
    assert decided["decision"]["kind"] == "edited"
    await settled(here)
    assert board.requests["POST"] == (2 if other is OPS else 1), "the refusal is remembered"
    assert [note.headline for note in board.notes.values()] == (["Approved with changes"] if other is OPS else [])


async def test_a_card_whose_board_went_away_is_posted_anew_or_given_up(here: Live, board: Board) -> None:
    asked = await here.agent.ask(to=[OPS])
    await settled(here)
    board.boards.remove("ops")
    await here.person.edit(asked, {**MAIL, "to": "bob@example.com"}, approve=False)
    assert (await here.agent.wait(asked["id"], revision=2))["decision"]["kind"] == "undeliverable"
    await settled(here)


# --- poison ---


async def test_a_card_that_always_fails_is_buried_while_others_flow(
    here: Live, board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    """F20: an operator is told, and the ask itself can still be answered elsewhere."""
    poison = await here.agent.ask(to=[OPS], what="A note that the board chokes on")
    board.broken.add(poison["id"])
    asked = []

    async def buried() -> bool:
        asked.append(await here.agent.ask(to=[OPS]))
        await board.note(asked[-1]["id"])
        return bool(await here.own.outbox.buried())

    # It may have been posted before it was broken: then its next change is what fails.
    await here.person.edit(poison, {**MAIL, "to": "bob@example.com"}, approve=False)
    await until(buried, within_s=20, what="it is buried")
    await settled(here)
    dead = await here.own.outbox.buried()
    assert {(each.handoff, each.surface) for each in dead} == {(poison["id"], "paper")}
    assert all(each.deliveries == 5 and "500" in each.reason for each in dead[-1:])
    assert [r.levelno for r in caplog.records if "cards.dead" in r.message] == [logging.ERROR]
    assert (await here.agent.look(poison["id"]))["state"] == "pending"
    for handoff in asked:
        await board.shows(handoff["id"], "Waiting for a person")

    board.broken.clear()
    await here.person.approve({**poison, "revision": 2})
    await settled(here)
    assert all(note.headline == "Approved with changes" for note in board.of(poison["id"])), (
        "what happens next is tried again"
    )


async def test_a_record_that_cannot_be_read_is_buried(here: Live, board: Board) -> None:
    board.is_down = True
    asked = await here.agent.ask(to=[OPS])
    await here.store._client.hset(here.own.keys.handoff(asked["id"]), "doc", b"no longer compressed JSON")
    board.is_down = False

    async def buried() -> bool:
        return [each.handoff for each in await here.own.outbox.buried()] == [asked["id"]]

    await until(buried)
    await settled(here)
    await here.store._client.zrem(here.own.keys.due, asked["id"])


# --- replicas that die ---


async def test_two_replicas_post_each_card_once(settings: Settings, board: Board) -> None:
    """Fifty asks, edited and decided at once while their cards are on the way."""
    async with replica(settings, board, "a") as here, replica(settings, board, "b") as there:

        async def story(number: int) -> Json:
            asked = await here.agent.ask(to=[OPS])
            edited = (await there.person.edit(asked, {**MAIL, "body": str(number)}, approve=False)).ok()
            return (await here.person.approve(edited)).ok() if number % 2 else edited

        handoffs = await asyncio.gather(*(story(number) for number in range(50)))
        await settled(here)
        for number, handoff in enumerate(handoffs):
            notes = board.of(handoff["id"])
            assert len(notes) <= 1, "posted once"
            headlines = [note.headline for note in notes]
            # Decided before its turn came, it needed no card.
            assert headlines in ([[], ["Approved with changes"]] if number % 2 else [["Waiting for a person"]])
            assert {note.revision for note in notes} <= {2}


async def test_two_replicas_do_not_both_post_what_takes_long(settings: Settings, board: Board) -> None:
    """Longer than it takes to take a dead replica's work over; and the board cannot look for its notes."""
    board.finds = False
    async with replica(settings, board, "a") as here, replica(settings, board, "b"):
        with board.holding("POST", "after"):
            asked = [await here.agent.ask(to=[OPS]) for _ in range(6)]
            edits = [here.person.edit(h, {**MAIL, "to": "bob@example.com"}, approve=False) for h in asked]
            edited = [reply.ok() for reply in await asyncio.gather(*edits)]
            began = asyncio.get_running_loop().time()
            await until(lambda: passed(began, 2 * QUICK.taken_over.total_seconds()))
            groups = await here.store._client.xpending_range(here.own.keys.events, "cards:paper", "-", "+", 100)
            assert {entry["times_delivered"] for entry in groups} == {1}, "both are alive, and say so"
        await asyncio.gather(*(here.person.approve(handoff) for handoff in edited))
        await settled(here)
        assert [(note.handoff, note.headline) for note in board.notes.values()] == [
            (handoff["id"], "Approved with changes") for handoff in asked
        ]


@asynccontextmanager
async def process(settings: Settings, tmp_path: Path, board: Board) -> AsyncIterator[ServiceProcess]:
    class PaperProcess(ServiceProcess):
        module = "tests.fakes.paper_service"

    assert settings.redis_url
    url = settings.redis_url.get_secret_value()
    shared = {"ANDON_REDIS_URL": url, "ANDON_SECRET": SECRET, "BOARD_URL": board.url}
    running = PaperProcess(tmp_path / "process", shared)
    try:
        await running.start()
        yield running
    finally:
        await running.close()


@pytest.mark.parametrize("moment, finds, cards", [("before", True, 1), ("after", True, 1), ("after", False, 2)])
async def test_a_replica_killed_while_posting(
    settings: Settings, tmp_path: Path, board: Board, *, moment: Moment, finds: bool, cards: int
) -> None:
    """C3, C4: killed before the board has the card, or before the store knows where it is.

    Where the board can look for it there is one card; else a second one, of the same handoff and revision.
    """
    board.finds = finds
    async with process(settings, tmp_path, board) as dies:
        async with Agent(dies.url, await dies.make_key("agent", "mailer")) as agent:
            with board.holding("POST", moment) as hold:
                asked = await agent.ask(to=[OPS])
                await hold.reached.wait()
                await dies.kill()
                if moment == "before":
                    await until(lambda: forgotten(board))
        async with replica(settings, board) as here:
            await settled(here)
            assert [(n.handoff, n.revision) for n in board.of(asked["id"])] == [(asked["id"], 1)] * cards
            await here.person.approve(asked)
            await settled(here)
            assert board.of(asked["id"])[-1].headline == "Approved"


@pytest.mark.parametrize("finds", [True, False])
async def test_a_decision_while_nobody_remembers_the_card(
    settings: Settings, tmp_path: Path, board: Board, finds: bool
) -> None:
    """C4, I12: the card that was posted and forgotten is found and closed, where the surface can look for it."""
    board.finds = finds
    async with process(settings, tmp_path, board) as dies:
        async with (
            Agent(dies.url, await dies.make_key("agent", "mailer")) as agent,
            Person(dies.url, await dies.make_key("person", "mira@example.com")) as mira,
        ):
            with board.holding("POST", "after") as hold:
                asked = await agent.ask(to=[OPS])
                await hold.reached.wait()
                await mira.approve(asked)
                await dies.kill()
        async with replica(settings, board) as here:
            await settled(here)
            assert [n.headline for n in board.of(asked["id"])] == ["Approved" if finds else "Waiting for a person"]


async def test_a_replica_killed_before_it_updates(settings: Settings, tmp_path: Path, board: Board) -> None:
    """C8: another one brings the card up to date, and nobody posts it again."""
    async with process(settings, tmp_path, board) as dies:
        async with (
            Agent(dies.url, await dies.make_key("agent", "mailer")) as agent,
            Person(dies.url, await dies.make_key("person", "mira@example.com")) as mira,
        ):
            asked = await agent.ask(to=[OPS])
            await board.note(asked["id"])
            with board.holding("PUT") as hold:
                await mira.reject(asked, "Not today")
                await hold.reached.wait()
                await dies.kill()
        async with replica(settings, board):
            await board.shows(asked["id"], "Rejected")
        assert board.requests["POST"] == 1


async def test_a_stop_finishes_the_post_under_way_and_hands_the_rest_on_at_once(
    settings: Settings, board: Board
) -> None:
    patient = replace(QUICK, taken_over=timedelta(seconds=6))
    async with replica(settings, board, "stays", patient) as stays:
        async with replica(settings, board, "stops", patient) as stops:
            with board.holding("POST", "after") as hold:
                asked = [await stops.agent.ask(to=[OPS]) for _ in range(40)]
                await hold.reached.wait()
                asyncio.get_running_loop().call_later(0.3, hold.released.set)
        await settled(stays, within_s=4.5)
        assert all(len(board.of(handoff["id"])) == 1 for handoff in asked)
        assert board.requests["POST"] == 40


async def shows_revision(board: Board, handoff: Json, revision: int) -> bool:
    return (await board.note(handoff["id"])).revision == revision


async def tried(board: Board, times: int) -> bool:
    return board.requests["POST"] + board.requests["GET"] >= times


async def asked_once_each(board: Board, times: int) -> bool:
    return board.requests["POST"] >= times


async def waits(hold: Hold, requests: int) -> bool:
    return hold.waiting == requests


async def passed(began: float, seconds: float) -> bool:
    return asyncio.get_running_loop().time() - began >= seconds


async def forgotten(board: Board) -> bool:
    """The request of a process that died has ended."""
    return board.at_once == 0
