"""The stand-in for Slack in a real browser: what people try the product with, and what the docs' pictures show."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from bot.config import Settings
from tests.adapters.slack_surface import SlackSurface, slack_surface
from tests.adapters.surface import FLIGHTS, HOUR_PACE
from tests.servers import Live, live


@pytest.fixture
async def surface() -> AsyncIterator[SlackSurface]:
    async with slack_surface() as opened:
        yield opened


@pytest.fixture
async def service(surface: SlackSurface, settings: Settings) -> AsyncIterator[Live]:
    async with live(surface.settings(settings), pace=HOUR_PACE) as running:
        await surface.attach(running)
        yield running


@pytest.fixture
async def page(chromium: Browser) -> AsyncIterator[Page]:
    opened = await chromium.new_page()
    yield opened
    await opened.close()


async def test_a_flight_is_chosen_with_the_menu_of_the_card(surface: SlackSurface, service: Live, page: Page) -> None:
    asked = await service.agent.choose(*FLIGHTS, to=[surface.place])
    await surface.wait_for(asked)
    await page.goto(f"{surface.cloud.url}/?as=mira&place=ops")
    menu = page.get_by_role("combobox").last
    await expect(menu.locator("option")).to_have_text(["Choose…", "BA 286, direct", "UA 901, one stop"])
    await menu.select_option(label="UA 901, one stop")
    await page.get_by_role("dialog").get_by_role("button", name="Choose this one").click()
    assert (await service.agent.wait(asked["id"]))["decision"]["choice"] == "ua901"
    await expect(page.get_by_text("chose UA 901, one stop")).to_be_visible()


async def test_a_setting_of_the_home_tab_shows_what_is_set_and_keeps_what_is_picked(
    surface: SlackSurface, service: Live, page: Page
) -> None:
    await page.goto(f"{surface.cloud.url}/?as=mira&place=home")
    menu = page.get_by_role("main").get_by_role("combobox").first
    await expect(menu.locator("option:checked")).to_have_text("Only if it failed")
    await menu.select_option(label="Always")
    await page.reload()
    await expect(page.get_by_role("main").get_by_role("combobox").first.locator("option:checked")).to_have_text(
        "Always"
    )
