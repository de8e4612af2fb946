"""What a policy puts on the card: reasons that take one tap, and who alone may answer."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.config import Settings
from tests.browser.conftest import Reader
from tests.browser.test_console import CONTRAST
from tests.people import Agent

POLICY = """
rules:
  - name: mail
    tool: send_email
    do: ask
    reject_reasons:
      - {label: Wrong person, text: This is not the Alice I meant.}
      - Not now
      - "A reason with many words that is as long as a button may be."
  - {name: pays, tool: pay, do: ask, approvers: [ana@example.com]}
"""


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_one_tap_rejects_and_says_why(reader: Reader, agent: Agent, *, script: bool) -> None:
    asked = await agent.ask()
    tab = await (await reader(java_script_enabled=script)).card(asked, listening=script)
    await tab.press("Wrong person")
    await tab.reads("Rejected")
    await tab.has_no_buttons()
    decision = (await agent.look(asked["id"]))["decision"]
    assert (decision["kind"], decision["reason"]) == ("rejected", "This is not the Alice I meant.")
    assert "This is not the Alice I meant." in decision["message_for_agent"]


async def test_a_reason_is_reached_and_pressed_by_keyboard(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).card(asked)
    group = tab.page.get_by_role("group", name="Reject, because:")
    await expect(group.get_by_role("button")).to_have_count(3)
    await tab.button("Reject").focus()
    await tab.page.keyboard.press("Tab")
    await tab.page.keyboard.press("Tab")
    assert await tab.page.evaluate("document.activeElement.textContent") == "Not now"
    assert await tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await tab.page.keyboard.press("Enter")
    await tab.reads("Rejected")
    assert (await agent.look(asked["id"]))["decision"]["reason"] == "Not now"


async def test_reasons_fit_a_phone_and_a_thumb(reader: Reader, agent: Agent) -> None:
    tab = await (await reader(viewport={"width": 390, "height": 844}, has_touch=True)).card(await agent.ask())
    assert await tab.width_beyond() <= 0
    for button in await tab.page.get_by_role("group", name="Reject, because:").get_by_role("button").all():
        box = await button.bounding_box()
        assert box
        assert box["height"] >= 32
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    await tab.button("Not now").tap()
    await tab.reads("Rejected")


async def test_two_quick_taps_are_one_answer(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).card(asked)
    await tab.button("Not now").dblclick()
    await tab.reads("Rejected")
    await expect(tab.page.locator("#notice")).to_have_count(0)


async def test_whoever_may_not_answer_reads_it_before_and_after_pressing(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask(action={"tool": "pay", "args": {"eur": 5}})
    mira = await (await reader()).card(asked)
    await expect(mira.page.locator("#approvers")).to_have_text("Only ana@example.com may answer.")
    await mira.type("A reason or a remark", "fine by me")
    await mira.press("Approve")
    await expect(mira.page.locator("#notice")).to_contain_text("lets only ana@example.com answer this.")
    await expect(mira.page.locator("#notice")).to_contain_text("fine by me")
    assert (await agent.look(asked["id"]))["state"] == "pending"

    ana = await (await reader("ana@example.com")).card(asked)
    await ana.press("Approve")
    await ana.reads("Approved")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_reasons_and_approvers_stand_out_in_light_and_dark(reader: Reader, agent: Agent, scheme: str) -> None:
    tab = await reader(color_scheme=scheme)
    for asked in (await agent.ask(), await agent.ask(action={"tool": "pay", "args": {}})):
        await tab.card(asked)
        assert await tab.page.evaluate(CONTRAST) == []
