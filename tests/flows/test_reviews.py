"""What the policy lets run: told of, or shown for review afterwards; over HTTP, on a real store."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from bot.policy._route import is_sampled
from bot.reviews import review_key
from tests.adapters.paper import QUICK, paper
from tests.fakes.board import Board
from tests.flows.paper_house import OPS
from tests.people import Json
from tests.servers import Live, live, until

POLICY = """
rules:
  - {name: quiet, tool: "read_*", do: allow}
  - {name: telling, tool: "tag_*", do: notify}
  - {name: looking, tool: "draft_*", do: review, timeout: 10m, reject_reasons: [Wrong tone]}
  - {name: drawn, tool: "move_*", do: sample, fraction: 0.3}
  - {name: brief, tool: "brief_*", do: review, timeout: 1s}
  - {name: lenient, tool: "lenient_*", do: review, timeout: 4s, on_timeout: approve}
  - {name: nowhere, tool: "nowhere_*", do: review, to: ["teams:19:x"]}
"""


@pytest.fixture
def told(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


@pytest.fixture
async def here(told: Settings, board: Board) -> AsyncIterator[Live]:
    async with live(told, adapters={"paper": paper(board.url)}, pace=QUICK) as running:
        yield running


async def act(here: Live, tool: str, *, key: str | None = None, **changes: Any) -> Json:
    """Ask to do something that the policy lets run."""
    changes = {"reversible": True, "to": [OPS], **changes}
    return await here.agent.ask(key=key, action={"tool": tool, "args": {"n": 7}}, what=f"Do {tool}", **changes)


async def done(here: Live, asked: Json, status: str = "executed", **more: Any) -> Json:
    """Claim and report."""
    (await here.agent.claim(asked)).ok()
    return (await here.agent.report(asked, status, claimant="try-1", **more)).ok()


def notes(board: Board, handoff: Json | str) -> list[Any]:
    wanted = handoff if isinstance(handoff, str) else handoff["id"]
    return [note for note in board.notes.values() if note.handoff == wanted]


async def headline(board: Board, handoff: Json | str, wanted: str) -> None:
    async def there() -> bool:
        return any(note.headline == wanted for note in notes(board, handoff))

    await until(there, what=f"{wanted} on {notes(board, handoff)}")


# --- notify ---


async def test_a_told_card_is_posted_once_without_buttons_and_follows_to_the_end(here: Live, board: Board) -> None:
    asked = await act(here, "tag_mail")
    assert (asked["state"], asked["decision"]["kind"]) == ("decided", "approved")
    assert "review" not in asked

    async def posted() -> bool:
        return bool(notes(board, asked))

    await until(posted)
    (note,) = notes(board, asked)
    assert note.buttons == []
    assert "tag_mail" in note.text or "n: 7" in note.text
    assert "/telling" in note.text, "by which rule"
    await done(here, asked, result="tagged")
    await headline(board, asked, "Done")
    assert len(notes(board, asked)) == 1


async def test_what_is_allowed_stays_silent(here: Live, board: Board) -> None:
    asked = await act(here, "read_mail")
    await done(here, asked)
    after = await act(here, "tag_mail")

    async def posted() -> bool:
        return bool(notes(board, after))

    await until(posted)
    assert notes(board, asked) == []


async def test_a_told_card_that_somebody_removed_is_not_posted_again(here: Live, board: Board) -> None:
    asked = await act(here, "tag_mail")

    async def posted() -> bool:
        return bool(notes(board, asked))

    await until(posted)
    board.notes.clear()
    await done(here, asked)

    async def seen() -> bool:
        placed = await here.own.outbox.placed(asked["id"], '{"surface":"paper","channel":"ops"}')
        return placed.refused is not None

    await until(seen)
    assert notes(board, asked) == []


async def test_the_inbox_shows_what_ran_without_asking(here: Live) -> None:
    await act(here, "tag_mail")
    quiet = await act(here, "read_mail")
    shown = await here.store.handoffs.told(10)
    assert [handoff.action.tool for handoff in shown if handoff.action] == ["tag_mail"]
    assert quiet["id"] not in {handoff.id for handoff in shown}


# --- review ---


async def test_what_ran_is_shown_for_review_and_kept(here: Live, board: Board) -> None:
    asked = await act(here, "draft_reply")
    assert asked["decision"]["by"]["kind"] == "policy"
    assert "undo" in asked["decision"]["message_for_agent"]

    ended = await done(here, asked, result={"url": "https://mail.example.com/d/1"})

    review = await here.agent.look(ended["review"])
    assert (review["state"], review["follows"], review["run"]) == ("pending", asked["id"], asked["run"])
    assert (review["ask"]["timing"], review["ask"]["result"]) == ("after", {"url": "https://mail.example.com/d/1"})
    assert review["ask"]["action"]["tool"] == "draft_reply"
    assert review["token"], "a later process resumes it"
    await headline(board, review, "Waiting for a person")
    (note,) = notes(board, review)
    assert note.buttons == ["Keep it", "Undo it"]
    assert notes(board, asked) == [], "one card, about what came of it"
    kept = (await here.person.approve(review)).ok()
    assert kept["decision"]["kind"] == "approved"
    assert kept["decision"]["policy"].endswith("/looking")
    (await here.agent.report(review, "executed")).ok()


async def test_a_rejected_review_tells_the_agent_to_undo(here: Live) -> None:
    ended = await done(here, await act(here, "draft_reply"))
    review = await here.agent.look(ended["review"])
    async with here.agent.events() as events:
        await events.next()
        decided = (await here.person.reject(review, "Wrong tone")).ok()
        told = await events.next()
    assert (told.name, told.data["handoff"]) == ("handoff.decided", review["id"])
    assert "ndo it" in decided["decision"]["message_for_agent"]
    undone = (await here.agent.report(review, "undone", result="gone")).ok()
    assert undone["outcome"]["status"] == "undone"


async def test_silence_about_a_review_means_undo_unless_the_policy_says_otherwise(here: Live) -> None:
    strict = (await done(here, await act(here, "brief_reply")))["review"]
    lenient = (await done(here, await act(here, "lenient_reply", on_timeout="approve")))["review"]
    assert (await here.agent.wait(strict, 10))["decision"]["kind"] == "expired"
    assert (await here.agent.wait(lenient, 10))["decision"]["kind"] == "approved"


async def test_a_failure_is_told_and_reviewed(here: Live, board: Board) -> None:
    """Something may have happened before it failed."""
    asked = await act(here, "draft_reply")
    ended = await done(here, asked, "failed", error="the disk is full")
    review = await here.agent.look(ended["review"])
    assert review["ask"]["result"] == "the disk is full"
    await headline(board, asked, "Failed")
    (note,) = notes(board, asked)
    assert note.buttons == []


async def test_the_outcome_again_opens_no_second_review(here: Live) -> None:
    asked = await act(here, "draft_reply")
    ended = await done(here, asked, result=1)
    reports = await asyncio.gather(
        *(here.agent.report(asked, "executed", claimant="try-1", result=1) for _ in range(50))
    )
    assert {each.ok()["review"] for each in reports} == {ended["review"]}
    open_ones = await here.person.inbox()
    assert [each["id"] for each in open_ones] == [ended["review"]]


async def test_an_agent_cannot_take_a_review_back(here: Live) -> None:
    """It did not ask: the policy did."""
    ended = await done(here, await act(here, "draft_reply"))
    review = await here.agent.look(ended["review"])
    refused = await here.agent.withdraw(review)
    assert (refused.status, refused.problem) == (403, "forbidden")
    assert (await here.agent.look(review["id"]))["state"] == "pending"


async def test_an_agent_cannot_take_a_review_s_id(here: Live) -> None:
    """The id is derived from a text with a space, which no Idempotency-Key has."""
    refused = await here.agent.open(await here.agent.confirmation(), key=review_key("hf_x"))
    assert refused.status == 400


async def test_what_cannot_be_undone_is_asked_about_before(here: Live) -> None:
    """The line itself: the policy says review, and the action is not reversible."""
    for tool in ("draft_reply", *(f"move_{n}" for n in range(10))):
        asked = await act(here, tool, reversible=False)
        assert (asked["state"], asked["ask"]["timing"]) == ("pending", "before"), tool


async def test_what_nobody_could_review_does_not_run(here: Live) -> None:
    asked = await act(here, "nowhere_mail")
    assert asked["decision"]["kind"] == "undeliverable"


async def test_a_yes_to_what_is_done_is_no_permit_to_do_it_again(here: Live) -> None:
    asked = await here.agent.ask(reversible=True, action={"tool": "draft_mail", "args": {}})
    (await here.agent.claim(asked)).ok()
    done = (await here.agent.report(asked, "executed", claimant="try-1")).ok()
    kept = (await here.person.approve(await here.person.look(done["review"]))).ok()
    again = await here.agent.claim(kept, claimant="try-2")
    assert (again.status, again.problem) == (409, "not-approved")
    assert "no permit to do it again" in again.body["detail"]
    assert (await here.agent.look(kept["id"]))["state"] == "decided"


async def test_what_was_shown_by_the_agent_itself_is_no_permit_either(here: Live) -> None:
    shown = await here.agent.review(action={"tool": "draft_mail", "args": {}})
    kept = (await here.person.approve(shown)).ok()
    assert (await here.agent.claim(kept)).problem == "not-approved"
    (await here.agent.report(kept, "executed")).ok()


async def test_a_sample_is_drawn_by_the_id(here: Live) -> None:
    """A test can tell it; and what is not drawn stays silent."""
    drawn: dict[bool, int] = {True: 0, False: 0}
    for number in range(30):
        asked = await act(here, "move_mail", key=f"sample-{number}")
        ended = await done(here, asked)
        wanted = is_sampled(here.access.draw(asked["id"]), 0.3)
        assert ("review" in ended) is wanted
        drawn[wanted] += 1
    assert all(drawn.values()), drawn


async def test_after_needs_something_that_can_be_undone(here: Live) -> None:
    refused = await here.agent.open(
        await here.agent.confirmation(timing="after", risks=[], result="sent", reversible=False)
    )
    assert (refused.status, refused.problem) == (422, "invalid-body")
    assert "`reversible: true`" in refused.body["detail"] + str(refused.body.get("errors"))


async def test_two_replicas_open_one_review(told: Settings, board: Board) -> None:
    async with live(told) as first, live(told.model_copy(update={"state": told.state / "two"})) as second:
        asked = await act(first, "draft_reply", to=[])
        (await first.agent.claim(asked)).ok()
        second.agent._run = first.agent._run
        path, body = f"/v1/handoffs/{asked['id']}/outcome", {"status": "executed", "claimant": "try-1", "result": 1}
        both = [first.agent.call("POST", path, body) for _ in range(10)]
        both += [second.agent.call("POST", path, body) for _ in range(10)]
        replies = await asyncio.gather(*both)
        assert len({each.ok()["review"] for each in replies}) == 1
        assert len(await first.person.inbox()) == 1
