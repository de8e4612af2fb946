"""More asks than people can read: no more cards than the cap, no answer by itself, nobody else held up (T12)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from andon import wire
from bot.config import Settings
from bot.ports import Desk, Row, Shelf
from tests.adapters.paper import QUICK, paper
from tests.fakes.board import Board, Note
from tests.flows.paper_house import OPS, settled
from tests.people import MAIL, Agent, Json
from tests.servers import Live, live

MIRA = wire.Actor(kind="person", id="mira@example.com", name="mira", surface="web", email="mira@example.com")


class House:
    """A service with a policy, and its desk."""

    def __init__(self, settings: Settings, board: Board, tmp_path: Path) -> None:
        self._settings = settings
        self._board = board
        self._policy = tmp_path / "policy.yaml"
        self.desk: Desk | None = None

    def _meet(self, desk: Desk, shelf: Shelf) -> None:
        self.desk = desk

    @asynccontextmanager
    async def open(self, policy: str, name: str = "first") -> AsyncIterator[Live]:
        self._policy.write_text(policy)
        apart = self._settings.model_copy(update={"state": self._settings.state / name, "policy": self._policy})
        adapters = {"paper": paper(self._board.url, meet=self._meet)}
        async with live(apart, adapters=adapters, pace=QUICK) as running:
            yield running


@pytest.fixture
def house(settings: Settings, board: Board, tmp_path: Path) -> House:
    return House(settings, board, tmp_path)


async def asks(agent: Agent, count: int, **more: object) -> list[Json]:
    """So many asks to send an e-mail, each its own."""
    made = []
    for number in range(count):
        body = await agent.confirmation(
            to=[OPS],
            what=f"Send e-mail {number}",
            reversible=True,
            action={"tool": "send_email", "args": {**MAIL, "subject": f"Report {number}"}},
            **more,
        )
        made.append((await agent.open(body, key=f"k{number}")).ok())
    return made


def cards(board: Board) -> list[Note]:
    return [note for note in board.notes.values() if note.handoff.startswith("hf_")]


def digests(board: Board) -> list[Note]:
    return [note for note in board.notes.values() if note.handoff.startswith("dg_")]


async def shown(here: Live, ids: list[str]) -> list[Row]:
    found = [await here.store.handoffs.load(each) for each in ids]
    return [Row(each.id, each.revision, each.digest) for each in found if each]


@pytest.mark.timeout(240)
async def test_a_thousand_asks_of_one_agent_make_as_many_cards_as_the_cap(house: House, board: Board) -> None:
    """T12: at most the cap of cards and one digest, none approved by itself, and another agent is asked as ever."""
    async with house.open("caps: {burst: 20, burst_within: 1h, cards_per_approver_hour: 30}") as here:
        made = await asks(here.agent, 1_000)
        await settled(here, within_s=150)

        assert len(cards(board)) <= 30
        assert len(digests(board)) == 1
        states = await asyncio.gather(*(here.store.handoffs.load(each["id"]) for each in made))
        assert {each.state.value for each in states if each} == {"pending"}
        assert len(states) == 1_000
        (digest,) = digests(board)
        waiting = 1_000 - len(cards(board)) - 10
        assert f"and {waiting} more" in digest.text

        other = await here.new_agent("other")
        asked = await other.ask(to=[OPS])
        note = await board.shows(asked["id"], "Waiting for a person")
        assert note.buttons == ["Approve", "Edit", "Reject"]


async def test_past_a_burst_the_agent_and_the_operators_are_told(
    house: House, board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    async with house.open("caps: {burst: 3}") as here:
        made = await asks(here.agent, 5)
        await settled(here)
        assert [bool(each.get("crowded")) for each in made] == [False, False, False, True, True]
        assert len(cards(board)) == 3
        assert caplog.text.count("mailer asks faster than people can read: 4 in 60 s") == 1
        notices = (await here.store.runs.notices(5))[0]
        assert "asks faster than people can read" in notices.text
        assert made[4]["expires_at"] > made[0]["expires_at"], "its time is as long as any other's"


async def test_past_so_many_open_asks_cards_are_gathered_until_there_is_room(house: House, board: Board) -> None:
    async with house.open("caps: {open_per_agent: 2}") as here:
        made = await asks(here.agent, 3)
        await settled(here)
        assert [bool(each.get("crowded")) for each in made] == [False, False, True]
        (await here.person.approve(made[0])).ok()
        (await here.person.approve(made[1])).ok()
        fresh = await here.agent.ask(to=[OPS])
        assert "crowded" not in fresh
        assert (await board.note(fresh["id"])).buttons


async def test_an_hour_has_so_many_cards_for_each_approver(house: House, board: Board) -> None:
    """Two rules, one approver in both: the cards are counted by who must read them."""
    policy = """
caps: {cards_per_approver_hour: 2}
rules:
  - {name: mail, tool: send_email, do: ask, approvers: [mira@example.com]}
  - {name: other, tool: "*", do: ask, approvers: [mira@example.com, ana@example.com]}
  - {name: rest, do: ask}
"""
    async with house.open(policy) as here:
        await asks(here.agent, 1)
        second = await here.agent.ask(to=[OPS], action={"tool": "x", "args": {}}, reversible=True)
        third = await here.agent.ask(to=[OPS], action={"tool": "x", "args": {"n": 1}}, reversible=True)
        await settled(here)
        assert len(cards(board)) == 2
        assert board.of(second["id"])
        assert not board.of(third["id"])
        assert third["state"] == "pending"
        assert len(digests(board)) == 1


async def test_a_digest_answers_what_it_shows_and_nothing_else(house: House, board: Board) -> None:
    """Each row exactly as it was shown; what changed or ended meanwhile is skipped, and told."""
    async with house.open("caps: {burst: 2, burst_within: 1h}") as here:
        made = await asks(here.agent, 7)
        await settled(here)
        gathered = made[2:]
        rows = await shown(here, [each["id"] for each in gathered])
        (await here.person.edit(gathered[0], {**MAIL, "subject": "New"}, approve=False)).ok()
        (await here.person.reject(gathered[1], "No")).ok()
        assert house.desk

        outcomes = await house.desk.answer_shown(rows, "approve", MIRA, answer_id="press 1")

        assert [each.counted for each in outcomes] == [False, False, True, True, True]
        assert "changed after it was shown" in outcomes[0].sentence
        assert "mira rejected this" in outcomes[1].sentence
        kinds = [(await here.agent.look(each["id"])).get("decision", {}).get("kind") for each in gathered]
        assert kinds == [None, "rejected", "approved", "approved", "approved"]
        await settled(here)
        (digest,) = digests(board)
        assert digest.text.count("approved this") == 3
        assert digest.text.count("rejected this") == 1

        again = await house.desk.answer_shown(rows, "approve", MIRA, answer_id="press 1")
        assert [each.counted for each in again] == [False, False, True, True, True], "the same press is the same answer"


@pytest.mark.parametrize(
    "policy, changes, why",
    [
        ("defaults: {quorum: 2}", {}, "more than one person"),
        ("defaults: {step_up: number}", {}, "more care"),
        ("defaults: {stages: [{approvers: [mira@example.com]}, {approvers: [bob@example.com]}]}", {}, "more than one"),
        ("{}", {"reversible": False}, "cannot be undone"),
        ("{}", {"action": {"tool": "send_email", "args": {**MAIL, "body": "x" * 2_000}}}, "too long"),
    ],
)
async def test_what_takes_more_than_a_press_is_never_among_all_shown(
    house: House, board: Board, policy: str, changes: Json, why: str
) -> None:
    """Whatever a press says: the desk refuses the row, and the digest has no button for it."""
    async with house.open(f"caps: {{burst: 2, burst_within: 1h}}\n{policy if policy != '{}' else ''}") as here:
        made = []
        for number in range(3):
            ask = {"to": [OPS], "reversible": True, "what": f"Send {number}", **changes}
            made.append(await here.agent.ask(**ask))
        await settled(here)
        (digest,) = digests(board)
        assert digest.buttons == []
        assert why in digest.text
        assert house.desk
        (outcome,) = await house.desk.answer_shown(
            await shown(here, [made[2]["id"]]), "approve", MIRA, answer_id="press 1"
        )
        assert not outcome.counted
        assert why in outcome.sentence
        assert (await here.agent.look(made[2]["id"]))["state"] == "pending"


async def test_who_may_not_answer_approves_no_row(house: House, board: Board) -> None:
    async with house.open("caps: {burst: 2, burst_within: 1h}\ndefaults: {approvers: [boss@example.com]}") as here:
        made = await asks(here.agent, 4)
        await settled(here)
        assert house.desk
        rows = await shown(here, [each["id"] for each in made])
        outcomes = await house.desk.answer_shown(rows, "approve", MIRA, answer_id="press 1")
        assert [each.counted for each in outcomes] == [False] * 4
        assert "boss@example.com" in outcomes[0].sentence


async def test_the_next_digest_comes_when_all_of_one_has_ended(house: House, board: Board) -> None:
    """Ten rows at a time; what had ended before there was room for it takes none."""
    async with house.open("caps: {burst: 2, burst_within: 1h}") as here:
        made = await asks(here.agent, 17)
        await settled(here)
        (await here.agent.withdraw(made[13])).ok()
        await settled(here)
        (first,) = digests(board)
        assert first.text.count("Send e-mail") == 10
        assert "and 4 more" in first.text
        assert house.desk
        outcomes = await house.desk.answer_shown(
            await shown(here, [each["id"] for each in made[2:12]]), "reject", MIRA, answer_id="press 1"
        )
        assert all(each.counted for each in outcomes)
        await settled(here)
        _, second = digests(board)
        assert first.text.count("rejected this") == 10
        assert first.buttons == []
        assert second.text.count("Send e-mail") == 4
        assert "Send e-mail 13" not in second.text
        assert second.buttons == ["Approve the 4 shown", "Reject the 4 shown"]


async def test_two_replicas_make_one_digest(house: House, board: Board) -> None:
    policy = "caps: {burst: 2, burst_within: 1h}"
    async with house.open(policy) as here, house.open(policy, "second"):
        await asks(here.agent, 30)
        await settled(here)
        assert len(cards(board)) == 2
        assert len(digests(board)) == 1
        assert "and 18 more" in digests(board)[0].text


async def test_a_platform_that_was_down_shows_the_digest_once_it_is_up(house: House, board: Board) -> None:
    async with house.open("caps: {burst: 2, burst_within: 1h}") as here:
        board.is_down = True
        made = await asks(here.agent, 6)
        await asyncio.sleep(0.2)
        board.is_down = False
        await settled(here)
        assert len(cards(board)) == 2
        (digest,) = digests(board)
        assert digest.text.count("Send e-mail") == 4
        assert {(await here.agent.look(each["id"]))["state"] for each in made} == {"pending"}


async def test_a_place_that_cannot_show_a_digest_makes_its_asks_undeliverable(house: House, board: Board) -> None:
    """As with a card: an ask that reaches nobody says so, and is never taken for a no or a yes."""
    async with house.open("caps: {burst: 2, burst_within: 1h}") as here:
        await asks(here.agent, 2)
        gone = await here.agent.ask(to=[{"surface": "paper", "channel": "nowhere"}])
        assert (await here.agent.wait(gone["id"]))["decision"]["kind"] == "undeliverable"
