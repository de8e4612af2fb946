"""Who may answer, as people meet it: over HTTP, and on a surface with groups. It is looked up at the answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from andon import wire
from bot.cards.votes import vote_lines
from bot.config import Settings
from bot.errors import DirectoryDown, NotAnApprover
from bot.ports import Desk, Shelf, Standing
from tests.adapters.paper import paper
from tests.people import Json
from tests.servers import Live, live

POLICY = """
rules:
  - {name: mail, tool: "send_*", do: ask, approvers: [ana@example.com, "slack:T1/U024", "slack:S1", "slack:S2"]}
"""
ANA = wire.Actor(kind="person", id="T1/U024", name="Ana", surface="slack")
BOB = wire.Actor(kind="person", id="T1/U025", name="Bob", surface="slack")


@dataclass
class Rolls:
    """A directory: who is in which group, and which of them cannot be read now."""

    members: dict[str, set[str]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def belongs(self, person: wire.Actor, group: str) -> bool:
        self.asked.append((person.id, group))
        if group in self.down:
            raise DirectoryDown("the platform says ratelimited.")
        return person.id in self.members.get(group, set())


@pytest.fixture
def policy(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


@dataclass
class House:
    """A service with a surface that has groups."""

    service: Live
    desk: Desk
    rolls: Rolls

    async def ask(self) -> Json:
        return await self.service.agent.ask(to=[{"surface": "web"}])

    async def approve(self, asked: Json, by: wire.Actor, standing: Standing = "member") -> str:
        """What the answer came to: its kind, or the sentence that refuses it."""
        try:
            answer = wire.Approve(revision=asked["revision"], digest=asked["digest"])
            handoff = await self.desk.answer(asked["id"], answer, by, standing=standing)
        except NotAnApprover as error:
            return error.detail
        assert handoff.decision
        return handoff.decision.kind


@asynccontextmanager
async def house(settings: Settings, rolls: Rolls, *, read: bool = True) -> AsyncIterator[House]:
    desks: list[Desk] = []

    def meet(desk: Desk, _: Shelf) -> None:
        desks.append(desk)

    surface = paper("http://127.0.0.1:1", directory=rolls if read else None, meet=meet)
    async with live(settings, adapters={"slack": surface}) as running:
        yield House(running, desks[0], rolls)


async def test_who_is_listed_answers_and_nobody_else(policy: Settings) -> None:
    async with live(policy) as service:
        asked = await service.agent.ask()
        refused = await service.person.approve(asked)
        assert (refused.status, refused.problem) == (403, "not-an-approver")
        assert refused.body["detail"].startswith("mira")
        assert refused.body["detail"].endswith("lets only ana@example.com and 3 people or groups by id answer this.")
        assert (await service.agent.look(asked["id"]))["state"] == "pending"
        ana = await service.new_person("Ana@example.com")
        assert (await ana.approve(asked)).ok()["decision"]["kind"] == "approved"


async def test_every_kind_of_answer_is_for_those_who_are_listed(policy: Settings) -> None:
    """A rejection ends it as well, and an edit changes what others approve."""
    async with live(policy) as service:
        asked = await service.agent.ask()
        for said in (
            await service.person.reject(asked, "no"),
            await service.person.edit(asked, {"to": "x@example.com"}, approve=False),
            await service.person.edit(asked, {"to": "x@example.com"}),
        ):
            assert (said.status, said.problem) == (403, "not-an-approver")
        assert (await service.agent.look(asked["id"]))["revision"] == 1


async def test_a_rule_of_one_tool_leaves_the_others_to_everybody(policy: Settings) -> None:
    async with live(policy) as service:
        asked = await service.agent.ask(action={"tool": "read_mail", "args": {}})
        assert (await service.person.approve(asked)).status == 200


async def test_a_harmless_candidate_opens_no_way_round_the_list(policy: Settings) -> None:
    async with live(policy) as service:
        asked = await service.agent.choose(
            {"id": "a", "label": "Read it", "action": {"tool": "read_mail", "args": {}}},
            {"id": "b", "label": "Send it", "action": {"tool": "send_email", "args": {}}},
        )
        assert (await service.person.pick(asked, "b")).problem == "not-an-approver"


async def test_whoever_is_in_a_listed_group_may_answer(policy: Settings) -> None:
    async with house(policy, Rolls({"S2": {BOB.id}})) as home:
        assert await home.approve(await home.ask(), BOB) == "approved"
        assert home.rolls.asked == [(BOB.id, "S1"), (BOB.id, "S2")]


async def test_whoever_left_the_group_after_the_card_came_may_not_answer(policy: Settings) -> None:
    async with house(policy, Rolls({"S1": {BOB.id}})) as home:
        asked = await home.ask()
        home.rolls.members["S1"].clear()
        assert "lets only" in await home.approve(asked, BOB)
        home.rolls.members["S1"].add(BOB.id)
        assert await home.approve(asked, BOB) == "approved"


async def test_a_directory_that_does_not_answer_lets_nobody_through(policy: Settings) -> None:
    """And says so: they may be right to press, and should try again."""
    async with house(policy, Rolls({"S1": {BOB.id}}, down={"S1"})) as home:
        asked = await home.ask()
        assert await home.approve(asked, BOB) == (
            "Bob, nobody can tell now whether you may answer, so you may not yet. "
            "slack:S1: the platform says ratelimited."
        )
        home.rolls.down.clear()
        assert await home.approve(asked, BOB) == "approved"


async def test_one_group_that_cannot_be_read_keeps_out_nobody_whom_another_lets_in(policy: Settings) -> None:
    async with house(policy, Rolls({"S2": {BOB.id}}, down={"S1"})) as home:
        assert await home.approve(await home.ask(), BOB) == "approved"


async def test_who_is_listed_in_person_does_not_wait_for_a_directory(policy: Settings) -> None:
    async with house(policy, Rolls(down={"S1", "S2"})) as home:
        assert await home.approve(await home.ask(), ANA) == "approved"
        assert home.rolls.asked == []


async def test_without_a_directory_a_group_is_nobody(policy: Settings) -> None:
    async with house(policy, Rolls({"S1": {BOB.id}}), read=False) as home:
        assert "lets only" in await home.approve(await home.ask(), BOB)


async def test_another_surface_s_person_is_not_looked_up_in_the_groups(policy: Settings) -> None:
    async with house(policy, Rolls({"S1": {"T1/U025"}})) as home:
        stranger = BOB.model_copy(update={"surface": "web"})
        assert "lets only" in await home.approve(await home.ask(), stranger)
        assert home.rolls.asked == []


@pytest.mark.parametrize("standing", ["guest", "external"])
async def test_a_guest_in_a_listed_group_is_still_a_guest(policy: Settings, standing: Standing) -> None:
    async with house(policy, Rolls({"S1": {BOB.id}})) as home:
        assert "unless the policy lists them" in await home.approve(await home.ask(), BOB, standing)


@pytest.mark.parametrize("standing, may", [("member", True), ("guest", False), ("external", False), ("outside", False)])
async def test_without_a_policy_any_full_member_of_the_conversation_may_answer(
    settings: Settings, *, standing: Standing, may: bool
) -> None:
    async with house(settings, Rolls()) as home:
        assert (await home.approve(await home.ask(), BOB, standing) == "approved") == may


@pytest.mark.parametrize("requester", ["role:ops", "on_call:payments", "slack:S123", "teams:19:x", "Mira", ""])
async def test_a_requester_who_is_no_person_lets_nobody_through(
    settings: Settings, tmp_path: Path, requester: str
) -> None:
    """The agent says who it works for: that must not let in a group of its choice."""
    path = tmp_path / "policy.yaml"
    path.write_text("roles: {ops: [mira@example.com]}\ndefaults: {approvers: [requester], not_requester: false}\n")
    async with live(settings.model_copy(update={"policy": path})) as service:
        named = {"requester": requester} if requester else {}
        run = (await service.agent.call("POST", "/v1/runs", {"name": "weekly", **named})).ok()
        asked = await service.agent.ask(run=run["id"])
        assert (await service.person.approve(asked)).problem == "not-an-approver"
        kept = await service.store.handoffs.load(asked["id"])
        assert kept
        assert kept.route.approvers == ("requester",)
        assert any("names nobody" in line for line in vote_lines(kept))


async def test_a_requester_with_a_display_name_is_their_address(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("rules: [{name: mine, agent: '*', do: ask, not_requester: true}]\n")
    async with live(settings.model_copy(update={"policy": path})) as service:
        started = await service.agent.call("POST", "/v1/runs", {"name": "w", "requester": "Mira <Mira@example.com>"})
        asked = await service.agent.ask(run=started.ok()["id"])
        assert (await service.person.approve(asked)).problem == "not-an-approver"
