"""A yes that repeats the card's number, and edits that the policy refuses: nothing typed is lost on the way."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.config import Settings
from tests.browser.conftest import Reader, Tab
from tests.browser.test_console import CONTRAST
from tests.people import Agent, Json

POLICY = """
rules:
  - {name: mail, tool: send_email, do: ask, step_up: number}
  - {name: drops, tool: drop, do: ask, step_up: critical}
  - {name: closed, tool: pay, when: args.amount > 1000, do: deny, reason: Nothing over 1000 today.}
  - {name: pays, tool: pay, do: ask}
"""
PAY: Json = {
    "tool": "pay",
    "args": {"amount": 120, "to": "acme", "note": "May"},
    "schema": {"properties": {"amount": {"type": "number"}}, "required": ["amount", "to", "note"]},
}


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


async def number(tab: Tab) -> str:
    """The number, as it is read on the card."""
    return (await tab.page.locator("#number").inner_text()).strip()


def other(code: str) -> str:
    return "10" if code != "10" else "11"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_yes_takes_the_number_of_the_card(reader: Reader, agent: Agent, *, script: bool) -> None:
    """None and a wrong one change nothing, the fault stands at the field, and what else was typed is kept."""
    asked = await agent.ask()
    tab = await (await reader(java_script_enabled=script)).card(asked, listening=script)
    code = await number(tab)
    field = tab.page.get_by_label("Type the number to agree")
    await tab.type("A reason or a remark", "Go ahead")

    await tab.press("Approve")
    await expect(field).to_have_accessible_description(
        f"The number of this card is {code} ✕ Type the two digits that the card shows"
    )

    await field.fill(other(code))
    await tab.press("Approve")
    await expect(tab.page.locator(".field.wrong")).to_contain_text("That is not the card's number; 2 more tries")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_value("")
    await expect(tab.page.get_by_label("A reason or a remark")).to_have_value("Go ahead")
    assert (await agent.look(asked["id"]))["state"] == "pending"

    await field.fill(code)
    await tab.press("Approve")
    await tab.reads("Approved")
    decision = (await agent.look(asked["id"]))["decision"]
    assert (decision["kind"], decision["reason"]) == ("approved", "Go ahead")


async def test_a_no_takes_no_number(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).card(asked)
    await tab.press("Reject")
    await tab.reads("Rejected")
    await tab.has_no_buttons()


async def test_what_is_critical_is_opened_before_there_is_a_number(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask(action={"tool": "drop", "args": {"table": "orders"}})
    tab = await (await reader()).card(asked)
    await expect(tab.page.locator("#number")).to_have_count(0)
    await expect(tab.button("Approve")).to_have_count(0)
    await tab.page.get_by_role("link", name="Show everything").click()
    await tab.page.get_by_label("Type the number to agree").fill(await number(tab))
    await tab.press("Approve")
    await expect(tab.page.locator("#votes")).to_contain_text("1 of 2 said yes: mira")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_number_can_be_read_and_fits_a_phone(reader: Reader, agent: Agent, scheme: str) -> None:
    asked = await agent.ask()
    tab = await (await reader(viewport={"width": 360, "height": 720}, color_scheme=scheme)).card(asked)
    await tab.press("Approve")
    await expect(tab.page.locator(".field.wrong")).to_be_visible()
    assert await tab.width_beyond() <= 0
    assert await tab.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_an_edit_that_the_policy_refuses_keeps_what_was_typed(
    reader: Reader, agent: Agent, *, script: bool
) -> None:
    asked = await agent.ask(action=PAY)
    tab = await (await reader(java_script_enabled=script)).card(asked, "?edit=1", listening=script)
    await tab.type("amount", "5000")
    await tab.type("note", "May, with the rest of April")
    await tab.type("Why?", "They asked for both")
    for press in ("Approve with these changes", "Save as a new revision, somebody else approves"):
        await tab.press(press)
        await expect(tab.page.locator("#notice")).to_contain_text("Nothing over 1000 today.")
        await expect(tab.page.get_by_label("amount", exact=True)).to_have_value("5000")
        await expect(tab.page.get_by_label("note", exact=True)).to_have_value("May, with the rest of April")
        await expect(tab.page.get_by_label("to", exact=True)).to_have_value("acme")
        await expect(tab.page.get_by_label("Why?")).to_have_value("They asked for both")
        now = await agent.look(asked["id"])
        assert (now["state"], now["revision"]) == ("pending", 1)

    await tab.type("amount", "900")
    await tab.press("Approve with these changes")
    await tab.reads("Approved with changes")
    decision = (await agent.look(asked["id"]))["decision"]
    assert decision["args"] == {"amount": 900, "to": "acme", "note": "May, with the rest of April"}
    assert decision["reason"] == "They asked for both"
