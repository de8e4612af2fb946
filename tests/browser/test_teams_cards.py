"""Cards for Teams in Microsoft's own renderer: they draw, they can be pressed, and nobody's words are live on them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from adapters.teams.cards import For
from adapters.teams.carried import pressed
from adapters.teams.reading import arguments
from bot.cards import card
from tests.browser.teams_page import Drawn, Theme, draw, require_renderer
from tests.browser.teams_page import easel as easel_of
from tests.fakes.desk import BUDGET, EMAIL, FLIGHT, handoff
from tests.fakes.teams.cards import elements
from tests.golden.test_teams_cards import CARDS, NAMES, NOW, WRONG, made

Json = dict[str, Any]
Easel = Callable[..., Awaitable[Drawn]]

# A menu whose entries are asked for may begin with none, though the renderer's validator says otherwise. Source: People
# Picker, https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/people-picker, read 2026-11.
SEARCHED = "An Input.ChoiceSet must have at least one choice defined."


@pytest.fixture(scope="module", autouse=True)
def renderer() -> None:
    require_renderer()


@pytest.fixture
async def easel(chromium: Browser) -> Easel:
    """Draws cards, and fails the test for whatever the renderer says against one, and for a card that is too wide."""
    pages: dict[tuple[Theme, str], Page] = {}

    async def drawn(card: Json, *, theme: Theme = "light", width: str = "desktop") -> Drawn:
        page = pages.get((theme, width)) or await easel_of(chromium, theme, width)
        pages[theme, width] = page
        made = await draw(page, card, theme)
        assert [each for each in made.complaints if each != SEARCHED] == []
        assert await made.width_beyond() <= 0
        return made

    return drawn


def text_of(card: Json) -> list[str]:
    """Every literal text that is not folded away."""
    found = []
    for element, is_hidden in elements(card):
        if element.get("type") == "RichTextBlock" and not is_hidden:
            found.append("".join(each["text"] for each in element["inlines"]))
    return found


async def test_every_card_draws_whole_with_nothing_live_but_our_own_links(easel: Easel) -> None:
    """Whatever agents and people wrote: no link, picture, mention or script, on a desk and on a phone."""
    for index, name in enumerate(NAMES):
        card = made(name)
        wide = index % 2 == 0
        drawn = await easel(card, width="desktop" if wide else "phone", theme="dark" if index % 3 else "light")
        ours = ("https://andon.example", "https://teams.example/")
        assert [each for each in await drawn.live() if not each.startswith(ours)] == [], name
        shown = " ".join((await drawn.text()).replace("\u00a0", " ").split())
        for line in text_of(card):
            assert " ".join(line.replace("\u00a0", " ").split()) in shown, (name, line)
        assert "{{DATE(2026-11" not in shown, name


async def test_a_person_approves_with_one_press(easel: Easel) -> None:
    drawn = await easel(CARDS.message(handoff(EMAIL), now=NOW).card, width="phone")
    await drawn.press("Approve")
    (sent,) = await drawn.sent()
    assert (sent["type"], sent["verb"]) == ("Action.Execute", "approve")
    assert pressed(sent["data"]).do == "approve"
    assert set(sent["data"]) == {"andon"}


async def test_forms_open_one_at_a_time_and_an_untouched_edit_changes_nothing(easel: Easel) -> None:
    asked = handoff(EMAIL)
    assert asked.action
    drawn = await easel(CARDS.message(asked, now=NOW).card)
    await expect(drawn.page.get_by_label("subject (required)")).to_be_hidden()
    await drawn.press("Reject…")
    await expect(drawn.page.get_by_role("button", name="Reject", exact=True)).to_be_visible()
    await drawn.press("Edit…")
    await expect(drawn.page.get_by_role("button", name="Reject", exact=True)).to_be_hidden()
    await drawn.press("Approve with changes")
    form = card(asked, now=NOW, full=True).form
    press = pressed((await drawn.sent())[-1]["data"])
    assert arguments(asked, form, press) == asked.action.args

    await drawn.page.get_by_label("subject (required)").fill("The report")
    await drawn.page.get_by_label("cc").fill("bob@x.com")
    await drawn.page.get_by_label("priority").fill("4")
    await drawn.press("Approve with changes")
    press = pressed((await drawn.sent())[-1]["data"])
    changed = {"subject": "The report", "cc": "bob@x.com", "priority": 4}
    assert arguments(asked, form, press) == {**asked.action.args, **changed}


async def test_a_reason_goes_with_a_no(easel: Easel) -> None:
    drawn = await easel(CARDS.message(handoff(EMAIL), now=NOW).card, width="phone")
    await drawn.press("Reject…")
    await drawn.page.get_by_label("Why? (optional)").last.fill("Not this list")
    await drawn.press("Reject")
    press = pressed((await drawn.sent())[-1]["data"])
    assert (press.do, press.inputs["reason"]) == ("reject", "Not this list")


async def test_a_candidate_is_marked_and_then_looked_at(easel: Easel) -> None:
    drawn = await easel(CARDS.message(handoff(FLIGHT), now=NOW).card, width="phone")
    await drawn.page.get_by_label("Which one?").select_option("LH 1166, Sunday 14:20")
    await drawn.press("Look at it, then choose…")
    press = pressed((await drawn.sent())[-1]["data"])
    assert (press.do, press.inputs["choice"]) == ("look", "1")


async def test_among_many_candidates_one_is_found_by_typing(easel: Easel) -> None:
    drawn = await easel(made("choice-150"))
    await drawn.page.get_by_placeholder("Choose…").fill("Flight 42")
    await drawn.press("Look at it, then choose…")
    assert pressed((await drawn.sent())[-1]["data"]).inputs["choice"] == "42"


async def test_an_answer_is_typed_on_the_card(easel: Easel) -> None:
    drawn = await easel(CARDS.message(handoff(BUDGET), now=NOW).card, width="phone")
    await drawn.press("Answer…")
    await drawn.page.get_by_label("amount (required)").fill("120.5")
    await drawn.page.get_by_label("currency (required)").select_option("EUR")
    await drawn.press("Answer")
    press = pressed((await drawn.sent())[-1]["data"])
    assert (press.do, press.inputs) == ("answer", {"field-0": "120.5", "field-1": "1"})


async def test_what_is_wrong_stands_beside_its_input_and_what_was_typed_is_still_there(easel: Easel) -> None:
    drawn = await easel(CARDS.message(handoff(EMAIL), now=NOW, whom=For(filled=WRONG)).card, width="phone")
    await expect(drawn.page.get_by_label("priority")).to_have_value("many")
    mark, field = drawn.page.get_by_text("⚠ must be a whole number"), drawn.page.get_by_label("priority")
    below, above = await mark.bounding_box(), await field.bounding_box()
    assert below
    assert above
    assert 0 <= below["y"] - (above["y"] + above["height"]) < 30


async def test_a_toggle_and_a_dialog_send_what_teams_needs(easel: Easel) -> None:
    drawn = await easel(made("open-long"))
    await drawn.press("Read it all, then decide")
    (sent,) = await drawn.sent()
    assert sent["type"] == "Action.Submit"
    assert sent["data"]["msteams"] == {"type": "task/fetch"}
    assert pressed(sent["data"]).sheet == "read"


async def test_markdown_is_live_here_so_that_these_tests_would_see_it(easel: Easel) -> None:
    """The same words where they must never be: there they are a link, and a time."""
    hostile = {"type": "TextBlock", "text": "[x](https://evil.example) {{DATE(2026-11-22T12:00:00Z,SHORT)}}"}
    drawn = await easel({"type": "AdaptiveCard", "version": "1.5", "body": [hostile]})
    assert await drawn.live() == ["https://evil.example/"]
    assert "DATE" not in json.dumps(await drawn.text())
    run = {"type": "TextRun", "text": "{{DATE(2026-11-22T12:00:00Z,SHORT)}}"}
    body = [{"type": "RichTextBlock", "inlines": [run]}]
    drawn = await easel({"type": "AdaptiveCard", "version": "1.5", "body": body})
    assert "DATE" not in await drawn.text(), "this is why braces are split in literal text"
