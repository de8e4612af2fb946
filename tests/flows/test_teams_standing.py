"""What people set for themselves in Teams: what they are asked again, and of which outcomes they are told."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.shelf import SealedShelf
from tests.fakes.teams import Message, Person
from tests.flows.teams_cord import said, with_consent
from tests.flows.teams_house import House, button, house, late
from tests.people import Json
from tests.servers import until

YES, NO = "Yes", "No"
SHOWN = "What you are told and asked"


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, prepare=with_consent) as running:
        yield running


async def home(teams: House, person: Person) -> Message:
    await person.dm("home")
    return await said(teams, SHOWN, person)


def _button(message: Message, title: str) -> Json:
    """What is called this on the card that everybody sees."""
    assert message.card
    return button(message.card, title)


async def test_a_setting_is_shown_as_it_is_then(teams: House) -> None:
    card = await home(teams, teams.mira)
    assert {"✓ Only if it failed", "Always", "Never", "✓ No", "Yes"} <= set(card.buttons)
    pressed = await teams.mira.press(card, YES)
    assert "✓ Yes" in str(pressed.view)
    assert "✓ No" not in str(pressed.view)
    pressed = await teams.mira.press(card, "Never")
    assert "✓ Never" in str(pressed.view)
    assert "✓ Yes" in str(pressed.view), "the other stays as it was"
    pressed = await teams.mira.press(card, NO)
    assert "✓ No" in str(pressed.view)


async def test_a_card_that_is_out_of_date_changes_only_what_is_pressed(teams: House) -> None:
    card = await home(teams, teams.mira)
    never = _button(card, "Never")
    await teams.mira.press(card, YES)
    pressed = await late(teams.mira, card, never)
    assert "✓ Yes" in str(pressed.view)


async def test_who_asked_to_be_asked_again_reads_before_what_cannot_be_undone(teams: House) -> None:
    await teams.mira.press(await home(teams, teams.mira), YES)
    asked, card = await teams.asked_card(reversible=False)
    first = await teams.mira.press(card, "Approve")
    assert "Cannot be undone · All of it" in first.shown
    assert await teams.state(asked) == "pending"
    again = await late(teams.mira, card, _button(card, "Approve"))
    assert "Cannot be undone · All of it" in again.shown, "the same tap once more is no yes"
    assert await teams.state(asked) == "pending"
    done = await teams.mira.press(card, "Approve", {"Why? (optional)": "Ana agrees"})
    assert "Mira approved" in done.shown
    decision = (await teams.agent.wait(asked["id"]))["decision"]
    assert (decision["kind"], decision["reason"]) == ("approved", "Ana agrees")

    other, card = await teams.asked_card(reversible=False)
    await teams.ana.press(card, "Approve")
    assert await teams.state(other) == "decided", "others are asked once"
    mild, card = await teams.asked_card(reversible=True)
    await teams.mira.press(card, "Approve")
    assert await teams.state(mild) == "decided", "what can be undone takes one tap"


async def test_who_is_asked_again_may_go_back_or_say_no(teams: House) -> None:
    await teams.mira.press(await home(teams, teams.mira), YES)
    asked, card = await teams.asked_card(reversible=False)
    await teams.mira.press(card, "Approve")
    back = await teams.mira.press(card, "Back")
    assert "All of it" not in back.shown
    await teams.mira.press(card, "Approve")
    await teams.mira.press(card, "Reject", {"Why? (optional)": "Not today"})
    decision = (await teams.agent.wait(asked["id"]))["decision"]
    assert (decision["kind"], decision["reason"]) == ("rejected", "Not today")


async def test_nothing_is_approved_while_the_settings_are_not_known(
    teams: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, card = await teams.asked_card(reversible=False)
    load = SealedShelf.load

    async def down(self: SealedShelf, name: str) -> str | None:
        if name.startswith("standing:"):
            raise StoreUnavailable("The store does not answer.")
        return await load(self, name)

    monkeypatch.setattr(SealedShelf, "load", down)
    pressed = await teams.mira.press(card, "Approve")
    assert pressed.said
    assert await teams.state(asked) == "pending"


@pytest.mark.parametrize("wanted, told", [("Always", 2), ("✓ Only if it failed", 1), ("Never", 0)])
async def test_one_is_told_of_the_outcomes_that_one_wants_to_hear_of(teams: House, wanted: str, told: int) -> None:
    await teams.mira.press(await home(teams, teams.mira), wanted)
    for status in ("executed", "failed"):
        asked, card = await teams.asked_card()
        await teams.mira.press(card, "Approve")
        decided = await teams.agent.wait(asked["id"])
        permit = (await teams.agent.claim(decided)).ok()
        error = {"error": "no such host"} if status == "failed" else {"result": "sent"}
        await teams.agent.report(decided, status, claimant=permit["claimant"], **error)
        await card.shows("no such host" if status == "failed" else "Done")
        await teams.until_settled()

    def heard() -> list[str]:
        return [m.shown for m in teams.mira.dms if "What you decided" in m.shown]

    async def all_told() -> bool:
        return len(heard()) >= told

    await until(all_told, what="what came of it")
    assert len(heard()) == told


@pytest.mark.parametrize("id", ["twice-perhaps", "outcomes-on", "another-on", "twice"])
async def test_a_press_that_is_none_of_ours_sets_nothing(teams: House, id: str) -> None:
    card = await home(teams, teams.mira)
    forged = _button(card, YES)
    forged["data"]["andon"]["id"] = id
    refused = await late(teams.mira, card, forged)
    assert "setting" in refused.said
    assert "✓ No" in (await home(teams, teams.mira)).buttons


async def test_settings_are_changed_in_ones_own_chat_alone(teams: House) -> None:
    yes = _button(await home(teams, teams.mira), YES)
    _, card = await teams.asked_card()
    refused = await late(teams.mira, card, yes)
    assert "in your own chat" in refused.said
    assert refused.view is None
