"""What people meet on every surface, told as stories with the whole service: one suite, run against each of them.

A surface is driven by verbs that a person would use. What a story expects is the same everywhere; only how a person
presses, types and is told differs, and that is in each `Surface`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import pytest

from bot.config import Settings
from bot.outbox import Pace
from tests.people import MAIL, Agent, Json
from tests.servers import Live, live, until

HOUR_PACE = Pace(pause_s=0.02, longest_pause_s=0.05, call_s=5, taken_over=timedelta(seconds=1))
"""Sixty tries within three seconds: as many as an hour has at one a minute, the outbox's longest rest."""


@dataclass
class Told:
    """What became of a press, for the person who pressed."""

    private: str = ""
    """What they alone were told; empty when nothing was said."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Faults beside the fields of a form, by their labels."""
    later: Callable[[], str] = str
    """What they have been told in private meanwhile, where that comes by another way than the press."""

    async def hears(self, *either: str) -> None:
        """Wait until they have been told one of these."""

        async def heard() -> bool:
            said = self.private + self.later()
            return any(part in said for part in either)

        await until(heard, what=f"told one of {either}; they were told {self.private!r}, {self.later()!r}")


class Surface(Protocol):
    """One surface, its people, and the card of a handoff on it. People are `mira`, `ana`, and a `stranger`."""

    name: str
    place: Json
    can_be_down: bool
    """Can the platform fail on its own? The console cannot: it is the service."""

    def settings(self, settings: Settings) -> Settings:
        """What the service needs to serve this surface."""
        ...

    async def attach(self, service: Live) -> None:
        """The service is up, perhaps again: find it there."""
        ...

    async def text(self, asked: Json) -> str:
        """All that the card says now."""
        ...

    async def can(self, asked: Json) -> frozenset[str]:
        """Of `approve`, `edit`, `reject`, `choose` and `answer`: what can be pressed on the card now."""
        ...

    async def approve(self, asked: Json, *, by: str = "mira") -> Told: ...
    async def approve_from(self, card: object, asked: Json, *, by: str = "mira") -> Told:
        """Press Approve on a card as it was when `remember` gave it."""
        ...

    async def remember(self, asked: Json, *, by: str = "mira") -> object:
        """The card as it stands, to press on later."""
        ...

    async def reject(self, asked: Json, reason: str = "", *, by: str = "mira") -> Told: ...
    async def edit(self, asked: Json, changes: Mapping[str, str], *, save: bool = False, by: str = "mira") -> Told: ...
    async def choose(self, asked: Json, label: str, *, by: str = "mira") -> Told: ...
    async def answer(self, asked: Json, fields: Mapping[str, str], *, by: str = "mira") -> Told: ...

    async def send_again(self, card: object, asked: Json, *, by: str = "mira") -> Told:
        """Press “Try again” on a card as it was when `remember` gave it."""
        ...

    def down(self) -> AbstractAsyncContextManager[None]:
        """The platform does not answer, for as long as the block takes."""
        ...


FLIGHTS = (
    {"id": "ba286", "label": "BA 286, direct", "details": "Leaves at 14:15, arrives at 17:25."},
    {"id": "ua901", "label": "UA 901, one stop", "details": "Changes in Denver."},
)
MONEY = {
    "type": "object",
    "properties": {"amount": {"type": "number", "minimum": 1}, "currency": {"type": "string", "enum": ["EUR", "USD"]}},
    "required": ["amount", "currency"],
}


async def shows(surface: Surface, asked: Json, *parts: str, within_s: float = 10) -> str:
    """Wait until the card says all of this."""

    async def said() -> bool:
        text = await surface.text(asked)
        return all(part in text for part in parts)

    await until(said, within_s=within_s, what=f"the card says {parts}; it says {await surface.text(asked)!r}")
    return await surface.text(asked)


class SurfaceContract:
    """The stories. Subclass it and give it a fixture `surface`."""

    @pytest.fixture
    async def service(self, surface: Surface, settings: Settings) -> AsyncIterator[Live]:
        async with live(surface.settings(settings), pace=HOUR_PACE) as running:
            await surface.attach(running)
            yield running

    @pytest.fixture
    def agent(self, service: Live) -> Agent:
        return service.agent

    async def test_a_confirmation_is_approved_and_its_card_follows_the_agent(
        self, surface: Surface, agent: Agent
    ) -> None:
        asked = await agent.ask(to=[surface.place])
        await shows(surface, asked, "send_email", "alice@example.com", "Mentions numbers that are not public yet")
        assert {"approve", "edit", "reject"} <= await surface.can(asked)
        assert (await surface.approve(asked)).private == ""
        decided = await agent.wait(asked["id"])
        assert decided["decision"]["kind"] == "approved"
        assert decided["decision"]["by"]["surface"] == surface.name
        assert "Mira" in decided["decision"]["by"]["name"] or "mira" in decided["decision"]["by"]["name"]
        await shows(surface, asked, "Approved")
        assert await surface.can(asked) == frozenset()
        permit = (await agent.claim(decided)).ok()
        await shows(surface, asked, "Delivered")
        await agent.report(decided, "executed", claimant=permit["claimant"], result="message 17")
        await shows(surface, asked, "Done", "message 17")

    async def test_a_rejection_carries_its_reason(self, surface: Surface, agent: Agent) -> None:
        asked = await agent.ask(to=[surface.place])
        await shows(surface, asked, "send_email")
        await surface.reject(asked, "Not before Monday")
        decided = await agent.wait(asked["id"])
        assert (decided["decision"]["kind"], decided["decision"]["reason"]) == ("rejected", "Not before Monday")
        await shows(surface, asked, "Rejected", "Not before Monday")

    async def test_an_edit_changes_what_runs_and_is_shown_as_a_change(self, surface: Surface, agent: Agent) -> None:
        asked = await agent.ask(to=[surface.place])
        await shows(surface, asked, "send_email")
        assert (await surface.edit(asked, {"to": "bob@example.com"})).errors == {}
        decided = await agent.wait(asked["id"])
        assert decided["decision"]["kind"] == "edited"
        assert decided["decision"]["args"] == {**MAIL, "to": "bob@example.com"}
        await shows(surface, asked, "alice@example.com", "bob@example.com")

    async def test_an_edit_that_does_not_fit_is_told_beside_its_field_and_changes_nothing(
        self, surface: Surface, agent: Agent
    ) -> None:
        asked = await agent.ask(to=[surface.place])
        await shows(surface, asked, "send_email")
        told = await surface.edit(asked, {"to": "b"})
        assert "to" in told.errors
        assert (await agent.look(asked["id"]))["state"] == "pending"

    async def test_an_edit_that_is_saved_waits_for_somebody_else(self, surface: Surface, agent: Agent) -> None:
        asked = await agent.ask(to=[surface.place])
        await shows(surface, asked, "send_email")
        old = await surface.remember(asked, by="ana")
        await surface.edit(asked, {"subject": "Figures"}, save=True)
        await shows(surface, asked, "Figures")
        stale = await surface.approve_from(old, asked, by="ana")
        assert "changed" in stale.private
        assert (await agent.look(asked["id"]))["state"] == "pending"
        await surface.approve(asked, by="ana")
        decided = await agent.wait(asked["id"], revision=2)
        assert decided["decision"]["args"] == {**MAIL, "subject": "Figures"}

    async def test_a_choice_is_made(self, surface: Surface, agent: Agent) -> None:
        asked = await agent.choose(*FLIGHTS, to=[surface.place])
        await shows(surface, asked, "Which flight should I book?", "BA 286, direct")
        await surface.choose(asked, "UA 901, one stop")
        decided = await agent.wait(asked["id"])
        assert (decided["decision"]["kind"], decided["decision"]["choice"]) == ("chosen", "ua901")
        await shows(surface, asked, "UA 901, one stop", "Chosen")

    async def test_a_question_is_answered_with_its_type(self, surface: Surface, agent: Agent) -> None:
        asked = await agent.ask_for(answer_schema=MONEY, to=[surface.place])
        await shows(surface, asked, "What is the most to spend?")
        told = await surface.answer(asked, {"amount": "0", "currency": "EUR"})
        assert "amount" in told.errors
        assert (await surface.answer(asked, {"amount": "1200", "currency": "EUR"})).errors == {}
        decided = await agent.wait(asked["id"])
        assert decided["decision"]["answer"] == {"amount": 1200, "currency": "EUR"}
        await shows(surface, asked, "Answered", "1200")

    async def test_what_is_done_already_can_be_undone(self, surface: Surface, agent: Agent) -> None:
        asked = await agent.review(to=[surface.place])
        await shows(surface, asked, "draft-17")
        await surface.reject(asked, "The wrong template")
        decided = await agent.wait(asked["id"])
        assert decided["decision"]["kind"] == "rejected"
        await agent.report(decided, "undone")
        await shows(surface, asked, "Undone")

    async def test_a_late_press_learns_whose_decision_stands(self, surface: Surface, agent: Agent) -> None:
        asked = await agent.ask(to=[surface.place])
        await shows(surface, asked, "send_email")
        card = await surface.remember(asked, by="ana")
        await surface.approve(asked, by="mira")
        late = await surface.approve_from(card, asked, by="ana")
        assert "ira" in late.private
        assert "your press changed nothing" in late.private
        assert (await agent.look(asked["id"]))["decision"]["by"]["name"].lower().startswith("mira")

    async def test_a_stranger_is_refused_and_told_so(self, surface: Surface, agent: Agent) -> None:
        asked = await agent.ask(to=[surface.place])
        await shows(surface, asked, "send_email")
        told = await surface.approve(asked, by="stranger")
        assert len(told.private) > 20
        assert (await agent.look(asked["id"]))["state"] == "pending"

    async def test_an_expired_card_says_so_and_a_late_press_changes_nothing(
        self, surface: Surface, agent: Agent
    ) -> None:
        asked = await agent.ask(to=[surface.place], timeout_s=1)
        card = await surface.remember(asked)
        decided = await agent.wait(asked["id"])
        assert decided["decision"]["kind"] == "expired"
        late = await surface.approve_from(card, asked)
        assert "time was up" in late.private
        await shows(surface, asked, "Nobody answered")
        assert await surface.can(asked) == frozenset()

    async def test_an_ask_that_was_taken_back_says_so(self, surface: Surface, agent: Agent) -> None:
        asked = await agent.ask(to=[surface.place])
        card = await surface.remember(asked)
        (await agent.withdraw(asked, "Not needed any more")).ok()
        await shows(surface, asked, "Taken back")
        late = await surface.approve_from(card, asked)
        assert "your press changed nothing" in late.private

    async def test_a_card_posted_before_a_restart_can_be_answered_after_it(
        self, surface: Surface, settings: Settings
    ) -> None:
        async with live(surface.settings(settings), pace=HOUR_PACE) as first:
            await surface.attach(first)
            asked = await first.agent.ask(to=[surface.place])
            await shows(surface, asked, "send_email")
        async with live(surface.settings(settings), pace=HOUR_PACE) as second:
            await surface.attach(second)
            await surface.approve(asked)
            assert (await second.agent.look(asked["id"]))["decision"]["kind"] == "approved"
            await shows(surface, asked, "Approved")

    async def test_with_the_store_down_a_press_is_not_lost_in_silence(
        self, surface: Surface, own_valkey: "OwnStore", settings: Settings
    ) -> None:
        """It is told that nothing was recorded, and the same press counts once when the store is back."""
        own = settings.model_copy(update={"redis_url": own_valkey.url})
        async with live(surface.settings(own), pace=HOUR_PACE) as service:
            await surface.attach(service)
            asked = await service.agent.ask(to=[surface.place])
            await shows(surface, asked, "send_email")
            card = await surface.remember(asked)
            async with own_valkey.gone():
                told = await surface.approve_from(card, asked)
                await told.hears("ress again", "repeating the call is safe")
            decided = await self._until_decided(surface, service, card, asked)
            assert decided["decision"]["kind"] == "approved"
            await shows(surface, asked, "Approved")

    @staticmethod
    async def _until_decided(surface: Surface, service: Live, card: object, asked: Json) -> Json:
        """The first press may have been recorded after all; if it was not, the second is."""
        found: list[Json] = []

        async def decided() -> bool:
            reply = await service.agent.call("GET", f"/v1/handoffs/{asked['id']}")
            if reply.status == 200 and reply.body["state"] == "decided":
                found.append(reply.body)
                return True
            if reply.status == 200:
                await surface.approve_from(card, asked)
            return False

        await until(decided, within_s=20, what="the press counts once the store is back")
        return found[0]

    async def test_with_the_platform_down_for_an_hour_nothing_is_lost(
        self, surface: Surface, service: Live, agent: Agent
    ) -> None:
        if not surface.can_be_down:
            pytest.skip("the console is down only when the service is")
        shown = await agent.ask(to=[surface.place])
        await shows(surface, shown, "send_email")
        async with surface.down():
            during = await agent.ask(to=[surface.place], what="Asked while nobody could read it")
            gone = await agent.ask(to=[surface.place], what="Taken back before anybody could read it")
            (await agent.withdraw(gone)).ok()
            (await service.person.approve(shown)).ok()
            await asyncio.sleep(3)  # sixty rests of the outbox: an hour, at its own pace
        await shows(surface, during, "Asked while nobody could read it", within_s=20)
        await shows(surface, shown, "Approved", within_s=20)
        assert await surface.can(shown) == frozenset()
        await surface.approve(during)
        assert (await agent.wait(during["id"]))["decision"]["kind"] == "approved"
        assert await surface.text(gone) == ""


class OwnStore(Protocol):
    """A store of one's own, which can go away."""

    url: Any

    def gone(self) -> AbstractAsyncContextManager[None]:
        """It is killed, and is back after the block with all that it had."""
        ...


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    """A block in which nothing is different."""
    yield
