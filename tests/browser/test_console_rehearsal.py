"""A newcomer on the policy's page: reads the rules, tries an action, and sees what a looser file would have missed."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.config import Settings
from tests.browser.conftest import Reader
from tests.browser.test_console import CONTRAST
from tests.people import Agent, Person

POLICY = """
defaults: {timeout: 1h}
rules:
  - {name: reads, tool: "read_*", do: allow}
  - {name: shell, tool: bash, when: risk < 0.5, do: allow}
  - {name: mail, tool: send_email, do: ask}
"""


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_looser_file_is_tried_and_leads_to_what_it_would_have_missed(
    reader: Reader, agent: Agent, mira: Person, tmp_path: Path, *, script: bool
) -> None:
    asked = await agent.ask()
    await mira.reject(asked, "Wrong Alice")
    await agent.ask()
    looser = tmp_path / "looser.yaml"
    looser.write_text(POLICY.replace("do: ask", "do: notify"))
    tab = await (await reader(java_script_enabled=script)).open("/", listening=False)
    await tab.page.get_by_role("link", name="Policy").click()
    await expect(tab.page.locator("#version")).to_contain_text("with 3 rules")
    await tab.page.get_by_label("The changed file").set_input_files(looser)
    await tab.press("Replay")
    report = tab.page.locator("#replayed")
    await expect(report).to_contain_text("2 asks saved · 0 new · 1 rejection or edit would have been missed")
    await expect(report.get_by_role("row", name="send_email")).to_contain_text("1")
    await expect(report).to_contain_text("rejected by mira, “Wrong Alice”; now notify by mail")
    await report.get_by_role("link", name="Send this e-mail").click()
    await tab.reads("Rejected")


async def test_an_action_is_tried_as_the_service_would_see_it(reader: Reader) -> None:
    """The risk that nobody typed is the scorer's, as for an ask."""
    tab = await (await reader()).open("/policy", listening=False)
    for command, does in (("ls -l", "allow, by rule shell"), ("rm -rf /", "ask, by the defaults")):
        await tab.page.get_by_label("The action, as JSON").fill(
            f'{{"tool": "bash", "args": {{"command": "{command}"}}}}'
        )
        await tab.press("Explain")
        await expect(tab.page.locator("#explained")).to_contain_text(does)
        await expect(tab.page.locator("#explained")).to_contain_text("Risk ")
    await tab.page.get_by_label("The action, as JSON").fill("{")
    await tab.press("Explain")
    await expect(tab.page.locator("#ask-faults")).to_contain_text("It is not JSON")
    await expect(tab.page.get_by_label("The action, as JSON")).to_have_value("{")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_of_it_stands_out_and_fits_a_phone(reader: Reader, agent: Agent, mira: Person, scheme: str) -> None:
    await mira.reject(await agent.ask(), "no")
    tab = await reader(color_scheme=scheme, viewport={"width": 390, "height": 844})
    await tab.open("/policy", listening=False)
    await tab.page.get_by_label("or its text").fill(POLICY.replace("do: ask", "do: allow"))
    await tab.press("Replay")
    await expect(tab.page.locator("#replayed")).to_be_visible()
    assert await tab.page.evaluate(CONTRAST) == []
    assert await tab.width_beyond() <= 0
    await tab.press("Explain")
    await expect(tab.page.locator("#explained")).to_be_visible()
    assert await tab.page.evaluate(CONTRAST) == []
    assert await tab.width_beyond() <= 0
