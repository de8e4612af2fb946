"""One handoff on Slack, Teams and the web at once: answered on one, settled on all; raced from two, decided once."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.config import Settings
from tests.adapters.slack_surface import slack_surface
from tests.adapters.surface import HOUR_PACE, Surface, Told, shows
from tests.adapters.teams_surface import teams_surface
from tests.adapters.web_surface import web_surface
from tests.people import MAIL, Agent, Json
from tests.servers import Live, live
from tests.store import asks

NAMES = ("slack", "teams", "web")
PAIRS = list(itertools.combinations(NAMES, 2))


@dataclass
class House:
    """The service, and every surface that it serves."""

    live: Live
    on: dict[str, Surface]

    @property
    def agent(self) -> Agent:
        return self.live.agent

    async def ask(self) -> Json:
        """Ask on all three, and wait until each shows it."""
        asked = await self.agent.ask(to=[each.place for each in self.on.values()])
        await self.all_show(asked, "send_email")
        return asked

    async def all_show(self, asked: Json, *parts: str) -> None:
        for surface in self.on.values():
            await shows(surface, asked, *parts)

    async def all_are_settled(self, asked: Json, *parts: str) -> None:
        """Every card says so, and can no longer be answered."""
        await self.all_show(asked, *parts)
        assert [await surface.can(asked) for surface in self.on.values()] == [frozenset()] * len(NAMES)


@asynccontextmanager
async def open_house(settings: Settings, policy: str = "") -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(slack_surface())
        teams = await stack.enter_async_context(teams_surface())
        web = await stack.enter_async_context(web_surface())
        on: dict[str, Surface] = {"slack": slack, "teams": teams, "web": web}
        for surface in on.values():
            settings = surface.settings(settings)
        if policy:
            path = Path(settings.state).parent / "policy.yaml"
            path.write_text(policy)
            settings = settings.model_copy(update={"policy": path})
        running = await stack.enter_async_context(live(settings, pace=HOUR_PACE))
        for surface in on.values():
            await surface.attach(running)
        yield House(running, on)


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with open_house(settings) as opened:
        yield opened


@pytest.mark.parametrize("name", NAMES)
async def test_answered_on_one_it_is_settled_on_all_three(house: House, name: str) -> None:
    asked = await house.ask()
    await house.on[name].approve(asked, by="mira")
    decision = (await house.agent.wait(asked["id"]))["decision"]
    assert (decision["kind"], decision["by"]["surface"]) == ("approved", name)
    await house.all_are_settled(asked, "Approved")
    permit = (await house.agent.claim(await house.agent.look(asked["id"]))).ok()
    await house.agent.report(
        await house.agent.look(asked["id"]), "executed", claimant=permit["claimant"], result="message 17"
    )
    await house.all_are_settled(asked, "Done", "message 17")


@pytest.mark.parametrize("name", NAMES)
async def test_rejected_on_one_all_three_say_why(house: House, name: str) -> None:
    asked = await house.ask()
    await house.on[name].reject(asked, "Not before Monday", by="ana")
    await house.all_are_settled(asked, "Rejected", "Not before Monday")


@pytest.mark.parametrize("name", NAMES)
async def test_an_edit_on_one_makes_the_cards_of_the_others_stale(house: House, name: str) -> None:
    asked = await house.ask()
    others = [each for each in NAMES if each != name]
    seen = {each: await house.on[each].remember(asked, by="ana") for each in others}
    await house.on[name].edit(asked, {"subject": "Figures"}, save=True, by="mira")
    await house.all_show(asked, "Figures")
    for each in others:
        stale = await house.on[each].approve_from(seen[each], asked, by="ana")
        assert "changed" in stale.private
    assert (await house.agent.look(asked["id"]))["state"] == "pending"
    await house.on[others[0]].approve(asked, by="ana")
    assert (await house.agent.wait(asked["id"], revision=2))["decision"]["args"] == {**MAIL, "subject": "Figures"}
    await house.all_are_settled(asked, "Approved")


@pytest.mark.parametrize("one, two", PAIRS)
async def test_raced_from_two_one_decision_stands_and_the_other_person_learns_whose(
    house: House, one: str, two: str
) -> None:
    """T27: whoever is first decides, for all; the other press changes nothing, and says so."""
    for _ in range(3):
        asked = await house.ask()
        cards = {"mira": await house.on[one].remember(asked), "ana": await house.on[two].remember(asked, by="ana")}
        presses: list[Awaitable[Told]] = [
            house.on[one].approve_from(cards["mira"], asked, by="mira"),
            house.on[two].approve_from(cards["ana"], asked, by="ana"),
        ]
        told = dict(zip(("mira", "ana"), await asyncio.gather(*presses), strict=True))
        decision = (await house.agent.wait(asked["id"]))["decision"]
        winner = decision["by"]["name"].lower()
        loser = "ana" if winner == "mira" else "mira"
        assert winner in {"mira", "ana"}
        assert told[winner].private == ""
        assert winner[1:] in told[loser].private
        assert "your press changed nothing" in told[loser].private
        await house.all_are_settled(asked, "Approved")
        assert (await house.agent.look(asked["id"]))["decision"] == decision


async def test_one_person_on_three_surfaces_is_one_vote(settings: Settings) -> None:
    """Two must agree: the same verified address on another surface is not the second."""
    policy = "rules:\n  - {name: mail, tool: send_email, do: ask, quorum: 2}\n"
    async with open_house(settings, policy) as house:
        asked = await house.ask()
        await house.on["teams"].approve(asked, by="mira")
        again = await house.on["slack"].approve(asked, by="mira")
        assert again.private
        assert (await house.agent.look(asked["id"]))["state"] == "pending"
        await house.all_show(asked, "Mira")
        await house.on["slack"].approve(asked, by="ana")
        decision = (await house.agent.wait(asked["id"]))["decision"]
        assert [vote["by"]["surface"] for vote in decision["votes"]] == ["teams", "slack"]
        await house.all_are_settled(asked, "Approved")


async def test_what_nobody_answers_or_the_agent_takes_back_ends_on_all_three(house: House) -> None:
    expired, withdrawn = await house.ask(), await house.ask()
    await asks.make_due(house.live.store, expired["id"])
    (await house.agent.withdraw(withdrawn, "Not needed any more")).ok()
    await house.all_are_settled(expired, "Nobody answered")
    await house.all_are_settled(withdrawn, "Taken back")


async def test_with_teams_away_the_others_are_answered_and_its_card_follows(house: House) -> None:
    asked = await house.ask()
    async with house.on["teams"].down():
        await house.on["slack"].approve(asked, by="mira")
        for name in ("slack", "web"):
            await shows(house.on[name], asked, "Approved")
    await house.all_are_settled(asked, "Approved")
