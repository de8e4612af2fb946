"""Approve, and don't ask again: in a real browser, with and without script, by keyboard, on a phone."""

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
    grants:
      - {label: the same recipient, same: [to], scope: run}
      - {label: this exact mail, same: [to, subject, body], scope: agent, life: 10m}
"""


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_grant_is_given_seen_and_ended(reader: Reader, agent: Agent, *, script: bool) -> None:
    asked = await agent.ask()
    tab = await (await reader(java_script_enabled=script)).card(asked, listening=script)
    await expect(tab.page.get_by_role("radio", name="Ask again", exact=True)).to_be_checked()
    await tab.page.get_by_role("radio", name="don't ask again for 1 h").check()
    await tab.press("Approve")
    await tab.reads("Approved")
    assert (await agent.ask())["decision"]["by"]["name"] == "grant by mira"

    await tab.page.get_by_role("link", name="Grants", exact=True).click()
    await expect(tab.page.get_by_text("send_email with to = alice@example.com")).to_be_visible()
    await expect(tab.page.get_by_text("used once")).to_be_visible()
    await tab.page.get_by_role("button", name="End the grant for send_email").click()
    await expect(tab.page.get_by_role("heading", name="No grants stand")).to_be_visible()
    assert (await agent.ask())["state"] == "pending"


async def test_a_grant_is_reached_and_given_by_keyboard(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).card(asked)
    await tab.page.get_by_role("radio", name="Ask again", exact=True).focus()
    await tab.page.keyboard.press("ArrowDown")
    await tab.page.keyboard.press("ArrowDown")
    await tab.page.keyboard.press("Tab")
    assert await tab.page.evaluate("document.activeElement.textContent") == "Approve"
    await tab.page.keyboard.press("Enter")
    await tab.reads("Approved")
    (grant,) = (await agent.call("GET", "/v1/grants")).ok()["grants"]
    assert grant["label"] == "this exact mail"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_grants_fit_a_phone_and_can_be_read(reader: Reader, agent: Agent, scheme: str) -> None:
    asked = await agent.ask(action={"tool": "send_email", "args": {"to": "a" * 200, "subject": "s", "body": "b"}})
    tab = await (await reader(viewport={"width": 360, "height": 720}, color_scheme=scheme)).card(asked)
    assert await tab.width_beyond() <= 0
    await expect(tab.page.get_by_text("a" * 200).first).to_be_visible()
    assert await tab.page.evaluate(CONTRAST) == []
    await tab.page.get_by_role("radio", name="don't ask again for 1 h").check()
    await tab.press("Approve")
    await tab.reads("Approved")
    await tab.open("/grants")
    assert await tab.width_beyond() <= 0
    assert await tab.page.evaluate(CONTRAST) == []
