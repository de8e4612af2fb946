"""Forms and dialogs of cards in Teams: what they change, what must be read before anybody agrees, and what is found."""

import re
from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.fakes.teams import Message, Person, payloads
from tests.fakes.teams.cards import actions, elements
from tests.flows.teams_house import House, button, house, late
from tests.people import MAIL, Json
from tests.servers import until


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


async def test_what_is_wrong_with_an_edit_stands_beside_its_field_with_what_was_typed(teams: House) -> None:
    asked, card = await teams.asked_card()
    typed = {"to (required)": "b", "subject (required)": "Figures"}
    pressed = await teams.mira.press(card, "Approve with changes", typed)
    assert "Figures" in str(pressed.view), "nothing typed is lost"
    assert "⚠" in pressed.shown
    assert await teams.state(asked) == "pending"
    mended = await teams.mira.press(card, "Approve with changes", {"to (required)": "bob@example.com"})
    assert "Mira approved" in mended.shown
    decision = (await teams.agent.wait(asked["id"]))["decision"]
    assert decision["args"] == {**MAIL, "to": "bob@example.com", "subject": "Figures"}


async def test_a_form_that_nobody_touched_changes_nothing(teams: House) -> None:
    odd = {"to": " alice@example.com ", "subject": "a\tb", "body": "one\r\ntwo\n\n\n\u200b"}
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in odd}}
    asked, card = await teams.asked_card(action={"tool": "send_email", "args": odd, "schema": schema})
    await teams.mira.press(card, "Approve with changes")
    assert (await teams.agent.wait(asked["id"]))["decision"]["args"] == odd


LETTER = "".join(f"{n:05d} a line of a long letter\n" for n in range(600))


def long_mail(body: str) -> Json:
    return {"action": {"tool": "send_email", "args": {**MAIL, "body": body}}}


async def test_what_is_too_long_to_show_is_read_in_a_dialog_before_it_is_approved(teams: House) -> None:
    """T2: nothing that is not on the card is one press from a yes."""
    asked, card = await teams.asked_card(**long_mail(LETTER))
    assert "Approve" not in card.buttons
    opened = await teams.mira.press(card, "Read it all, then decide")
    assert opened.dialog
    shown, dialog = opened.dialog.shown, opened.dialog
    while turn := next((each for each in dialog.buttons if each.startswith("Go on reading")), None):
        assert "Approve" not in dialog.buttons, "before the last page nobody agrees"
        turned = await dialog.submit(turn)
        assert turned.dialog
        dialog = turned.dialog
        shown += dialog.shown
    assert all(line in shown for line in LETTER.replace(" ", " ").splitlines())
    assert await teams.state(asked) == "pending"
    await dialog.submit("Approve")
    decision = (await teams.agent.wait(asked["id"]))["decision"]
    assert (decision["kind"], decision["args"]["body"]) == ("approved", LETTER)


async def test_a_press_on_approve_that_the_card_does_not_have_approves_nothing(teams: House) -> None:
    """A card that an edit made longer, or a forged request: the check is at the press."""
    asked, card = await teams.asked_card(**long_mail(LETTER))
    forged = button(card.card or {}, "Read it all, then decide")
    forged |= {"type": "Action.Execute", "data": {"andon": {**forged["data"]["andon"], "do": "approve"}}}
    pressed = await late(teams.mira, card, forged)
    assert "Part of this card was not shown: open it in full first." in pressed.said
    assert await teams.state(asked) == "pending"


@pytest.mark.parametrize("do", ["edit", "approve"])
async def test_nothing_that_was_not_shown_is_agreed_to_by_a_form_either(teams: House, do: str) -> None:
    asked, card = await teams.asked_card(**long_mail(LETTER))
    forged = button(card.card or {}, "Read it all, then decide")
    data = {
        "andon": {**forged["data"]["andon"], "do": do},
        "field-0": "bob@example.com",
        "field-1": "x",
        "field-2": "y",
    }
    pressed = await late(teams.mira, card, {"type": "Action.Execute", "title": "x", "data": data})
    assert "Part of this card was not shown: open it in full first." in f"{pressed.said}{pressed.view}"
    assert await teams.state(asked) == "pending"


async def test_a_dialog_that_comes_too_late_closes_with_the_reason(teams: House) -> None:
    asked, card = await teams.asked_card(**long_mail(LETTER))
    opened = await teams.ana.press(card, "Read it all, then decide")
    assert opened.dialog
    dialog = opened.dialog
    while turn := next((each for each in dialog.buttons if each.startswith("Go on reading")), None):
        turned = await dialog.submit(turn)
        assert turned.dialog
        dialog = turned.dialog
    (await teams.agent.withdraw(asked, "Not needed any more")).ok()
    closed = await dialog.submit("Approve")
    assert "mailer took this back at " in closed.said
    again = await late(teams.ana, card, {**button(card.versions[0].card or {}, "Read it all, then decide")})
    assert "mailer took this back at " in again.said


async def test_somebody_else_is_asked_and_the_agent_is_asked(teams: House) -> None:
    asked, card = await teams.asked_card()
    await teams.mira.press(card, "Ask the agent", {"What do you want to know?": "Which figures?"})
    await card.shows("Mira asked the agent")
    nobody = await teams.mira.press(card, "Ask")
    assert "Pick somebody, or type their address." in nobody.shown, nobody.shown[-600:]
    await teams.mira.press(card, "Ask", {"Or their e-mail address": "ana@example.com"})
    await card.shows("Mira asked ana@example.com")

    async def called() -> bool:
        return any(teams.ana.id in reply.mentions for reply in card.replies)

    await until(called, what=f"Ana is called below: {[each.source for each in card.replies]}")
    assert await teams.state(asked) == "pending"


async def test_a_question_that_teams_repeats_is_asked_once(teams: House) -> None:
    asked, card = await teams.asked_card()
    await teams.mira.press(card, "Ask the agent", {"What do you want to know?": "Which figures?"})
    for _ in range(2):
        await teams.cloud.redeliver_last("adaptiveCard/action")
    handoff = await teams.live.store.handoffs.load(asked["id"])
    assert handoff
    assert [aside.kind for aside in handoff.asides] == ["questioned"]


async def test_a_grant_goes_with_a_yes_that_was_read(settings: Settings) -> None:
    policy = """
rules:
  - {name: mail, tool: send_email, do: ask, grants: [{label: This address, life: 1h, same: [to]}]}
"""
    async with house(settings, policy=policy) as teams:
        asked, card = await teams.asked_card()
        offered = next(title for title in card_titles(card) if title.startswith("1 h"))
        opened = await teams.mira.press(card, offered)
        assert "You would approve this, and don't ask again" in opened.shown
        granted = await teams.mira.press(card, "Approve and grant")
        assert "Mira approved" in granted.shown
        decision = (await teams.agent.wait(asked["id"]))["decision"]
        assert decision["grant"]


def card_titles(card: Message) -> list[str]:

    return [each.title for each in actions(card.card or {})]


# --- candidates ---


async def search(teams: House, by: Person, card: Message, query: str, source: str = "") -> list[str]:
    """Type into the menu of a choice."""
    menu = next(each for each, _ in elements(card.card or {}) if each.get("id") == "choice")
    dataset = source or menu["choices.data"]["dataset"]
    value = {"queryText": query, "queryOptions": {"skip": 0, "top": 15}, "dataset": dataset}
    sent = await teams.cloud.courier.send(payloads.invoke(teams.cloud, "application/search", card, by, value))
    assert sent.ack.body["type"] == "application/vnd.microsoft.search.searchResponse"
    return [each["title"] for each in sent.ack.body["value"]["results"]]


async def test_one_of_very_many_candidates_is_found_by_typing_and_read_before_it_is_chosen(teams: House) -> None:
    flights = [{"id": f"f{n}", "label": f"Flight {n:03d}", "details": f"Gate {n}"} for n in range(200)]
    asked = await teams.agent.choose(*flights, to=[teams.place()])
    card = await teams.card(asked)
    found = await search(teams, teams.mira, card, "flight 17")
    assert found[:10] == [f"Flight {n}" for n in range(170, 180)]
    assert len(found) <= 15
    elsewhere = await teams.plant(teams.cloud.chat(teams.mira))
    elsewhere.versions[:] = card.versions
    assert await search(teams, teams.mira, elsewhere, "flight") == [], "it is told only where its card is"
    forged = button(card.card or {}, "Look at it, then choose…")
    forged["data"]["choice"] = "171"
    looked = await late(teams.mira, card, forged)
    assert "Gate 171" in looked.shown
    chosen = await late(teams.mira, card, button(looked.view or {}, "Choose this one"))
    assert "Mira chose Flight 171" in chosen.shown
    assert (await teams.agent.wait(asked["id"]))["decision"]["choice"] == "f171"


async def test_nothing_is_chosen_before_it_is_picked_and_looked_at(teams: House) -> None:
    flights = [{"id": f"f{n}", "label": f"Flight {n}"} for n in range(3)]
    asked = await teams.agent.choose(*flights, to=[teams.place()])
    card = await teams.card(asked)
    nothing = await teams.mira.press(card, "Look at it, then choose…")
    assert "Pick one first." in nothing.shown
    back = await teams.mira.press(card, "Look at it, then choose…", {"choice": "1"})
    assert "Choose this one?" in back.shown
    assert "Look at it, then choose…" in (await teams.mira.press(card, "Back")).shown
    assert await teams.state(asked) == "pending"


# --- more care ---


async def test_what_takes_more_care_is_read_and_its_number_typed(settings: Settings) -> None:
    policy = "rules:\n  - {name: mail, tool: send_email, do: ask, step_up: number}\n"
    async with house(settings, policy=policy) as teams:
        asked, card = await teams.asked_card()
        assert "Approve" not in card.buttons
        opened = await teams.mira.press(card, "Read it all, then decide")
        assert opened.dialog
        wrong = await opened.dialog.submit("Approve", {"code": "xx"})
        assert wrong.dialog
        assert "⚠" in wrong.dialog.shown
        assert await teams.state(asked) == "pending"
        number = re.search(r"The card says (\d\d)", wrong.dialog.shown)
        assert number
        done = await wrong.dialog.submit("Approve", {"code": number[1]})
        assert done.dialog is None
        assert await teams.state(asked) == "decided"
