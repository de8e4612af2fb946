"""Nobody answers: people are reminded, then others are asked as well; once, whoever runs it and whatever fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from bot.config import Settings
from bot.store import Store
from tests.adapters.paper import QUICK, paper
from tests.fakes.board import Board, Note
from tests.flows.paper_house import OPS, settled
from tests.people import Json
from tests.servers import Live, live, until

MINUTE = timedelta(minutes=1)
POLICY = """
defaults:
  timeout: 1h
  approvers: [mira@example.com, "slack:S0614TZR7"]
  remind: [10m]
  escalate:
    - after: 20m
      to: [{surface: paper, channel: oncall}]
      approvers: [boss@example.com]
      mention: [boss@example.com]
"""


@asynccontextmanager
async def replica(settings: Settings, board: Board, tmp_path: Path, name: str = "first") -> AsyncIterator[Live]:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    apart = settings.model_copy(update={"state": settings.state / name, "policy": policy})
    async with live(apart, adapters={"paper": paper(board.url)}, pace=QUICK) as running:
        yield running


async def let_pass(store: Store, handoff: Json, time: timedelta) -> None:
    """As if so much more time had gone by since the opening."""
    keys = store.keys_of(handoff["id"])
    key, ms = keys.handoff(handoff["id"]), round(time / timedelta(milliseconds=1))
    for field in ("opened_at", "due_at", "called_at"):
        if at := await store._pipe.call("HGET", key, field):
            await store._pipe.call("HSET", key, field, int(at) - ms)
    for name in (keys.due, keys.ladder):
        if await store._pipe.call("ZSCORE", name, handoff["id"]):
            await store._pipe.call("ZINCRBY", name, -ms, handoff["id"])


async def below(note: Note, count: int = 1) -> list[str]:
    async def there() -> bool:
        return len(note.below) >= count

    await until(there, what=f"{count} lines below {note.board}")
    return [line["text"] for line in note.below]


async def test_whoever_is_asked_is_reminded_and_then_others_are_asked(
    settings: Settings, board: Board, tmp_path: Path
) -> None:
    """The whole ladder: a reminder that calls the approvers, a rung that brings the card elsewhere, one decision."""
    async with replica(settings, board, tmp_path) as here:
        boss = await here.new_person("boss@example.com")
        asked = await here.agent.ask(to=[OPS], timeout_s=3600)
        note = await board.note(asked["id"])
        assert (await boss.approve(asked)).problem == "not-an-approver"

        await let_pass(here.store, asked, 10 * MINUTE)
        (reminder,) = await below(note)
        assert reminder.startswith("Reminder: nobody has answered for 10 min")
        assert note.below[0]["called"] == ["mira@example.com", "slack:S0614TZR7"]

        await let_pass(here.store, asked, 10 * MINUTE)
        lines = await below(note, 2)
        assert lines[1].startswith("Escalated to oncall after 20 min: nobody has answered.")
        assert "boss@example.com may answer now too" in lines[1]
        await settled(here)
        ops, oncall = sorted(board.of(asked["id"]), key=lambda each: each.board, reverse=True)
        assert oncall.board == "oncall"
        assert oncall.buttons == ["Approve", "Edit", "Reject"]
        assert [line["called"] for line in oncall.below] == [["boss@example.com"]]

        (await boss.approve(asked)).ok()
        await settled(here)
        assert {(each.headline, tuple(each.buttons)) for each in (ops, oncall)} == {("Approved", ())}


async def test_two_replicas_remind_once(settings: Settings, board: Board, tmp_path: Path) -> None:
    async with replica(settings, board, tmp_path) as one, replica(settings, board, tmp_path, "second"):
        asked = [await one.agent.ask(to=[OPS], timeout_s=3600) for _ in range(20)]
        notes = [await board.note(each["id"]) for each in asked]
        await settled(one)
        await asyncio.gather(*(let_pass(one.store, each, 10 * MINUTE) for each in asked))
        for note in notes:
            await below(note)
        await settled(one)
        assert [len(note.below) for note in notes] == [1] * 20


async def test_nobody_is_reminded_of_what_was_decided_between_due_and_fire(
    settings: Settings, board: Board, tmp_path: Path
) -> None:
    """The reminder is due and known; before it is said, somebody answers."""
    async with replica(settings, board, tmp_path) as here:
        asked = await here.agent.ask(to=[OPS], timeout_s=3600)
        note = await board.note(asked["id"])
        await settled(here)
        board.is_down = True
        await let_pass(here.store, asked, 10 * MINUTE)

        async def reminded() -> bool:
            found = await here.store.handoffs.load(asked["id"])
            return bool(found and found.asides)

        await until(reminded)
        (await here.person.approve(asked)).ok()
        board.is_down = False
        await settled(here)
        assert note.headline == "Approved"
        assert note.below == []


async def test_a_platform_that_is_down_while_it_is_due_hears_it_once_it_is_up(
    settings: Settings, board: Board, tmp_path: Path
) -> None:
    async with replica(settings, board, tmp_path) as here:
        asked = await here.agent.ask(to=[OPS], timeout_s=3600)
        note = await board.note(asked["id"])
        await settled(here)
        board.is_down = True
        await let_pass(here.store, asked, 10 * MINUTE)
        before = board.requests["PUT"]

        async def tried() -> bool:
            return board.requests["PUT"] > before + 2

        await until(tried)
        board.is_down = False
        await below(note)
        await settled(here)
        assert len(note.below) == 1


async def test_a_process_that_dies_before_it_is_said_leaves_it_to_the_next(
    settings: Settings, board: Board, tmp_path: Path
) -> None:
    """The first knows of it and stops; the second says it, once."""
    async with replica(settings, board, tmp_path) as here:
        asked = await here.agent.ask(to=[OPS], timeout_s=3600)
        note = await board.note(asked["id"])
        await settled(here)
        board.is_down = True
        await let_pass(here.store, asked, 10 * MINUTE)
        before = board.requests["PUT"]

        async def tried() -> bool:
            return board.requests["PUT"] > before

        await until(tried)
    board.is_down = False
    assert note.below == []
    async with replica(settings, board, tmp_path, "second") as there:
        await below(note)
        await settled(there)
        assert len(note.below) == 1


async def test_waiting_agents_are_not_woken_by_reminders(settings: Settings, board: Board, tmp_path: Path) -> None:
    async with replica(settings, board, tmp_path) as here:
        asked = await here.agent.ask(to=[OPS], timeout_s=3600)
        note = await board.note(asked["id"])
        waiting = asyncio.create_task(here.agent.wait(asked["id"]))
        await let_pass(here.store, asked, 10 * MINUTE)
        await below(note)
        assert not waiting.done()
        (await here.person.approve(asked)).ok()
        assert (await waiting)["state"] == "decided"


async def test_whoever_is_asked_besides_is_told_below_the_card(
    settings: Settings, board: Board, tmp_path: Path
) -> None:
    """Handing on, a question and its reply: each said once, as text, and nobody is called by words of theirs."""
    async with replica(settings, board, tmp_path) as here:
        asked = await here.agent.ask(to=[OPS], timeout_s=3600)
        note = await board.note(asked["id"])
        mira = here.person
        (await mira.answer(asked, {"kind": "reassign", "to": "bob@example.com", "note": "You know Alice"})).ok()
        (await mira.answer(asked, {"kind": "more_info", "question": "@channel which budget?"})).ok()
        await here.agent.call("POST", f"/v1/handoffs/{asked['id']}/reply", {"text": "Travel <!here>"})
        lines = await below(note, 3)
        assert lines == [
            "mira asked bob@example.com to answer this.",
            lines[1],
            "mailer replied:",
        ]
        assert lines[1] in {"mira asked the agent:", "mira asked the agent (waiting for the agent):"}
        assert [line["words"] for line in note.below] == ["You know Alice", "@channel which budget?", "Travel <!here>"]
        assert [line["called"] for line in note.below] == [["bob@example.com"], [], []]
