"""Endpoints and dead letters in a real browser: by keyboard, on a phone and wide, in light and dark."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import unused_port
from playwright.async_api import Page, expect

from bot.config import Settings
from tests.browser.conftest import Reader
from tests.browser.test_console import CONTRAST
from tests.people import Agent, Caller
from tests.servers import Live, live, until

PORT = unused_port()


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Live]:
    async with live(settings.model_copy(update={"callback_allow": f"127.0.0.1:{PORT}"})) as running:
        yield running


@pytest.fixture
async def admin(service: Live) -> AsyncIterator[Caller]:
    async with Caller(service.url, await service.access.create_key("admin", "ops")) as caller:
        yield caller


async def tab_to(page: Page, name: str, role: str = "button") -> None:
    """Go there with the Tab key alone."""
    wanted = page.get_by_role(role, name=name)  # type: ignore[arg-type] # a role's name
    for _ in range(80):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("each => each === document.activeElement"):
            return
    pytest.fail(f"Tab does not come to {name!r}")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_an_endpoint_is_created_rotated_disabled_and_removed_by_keyboard(
    reader: Reader, admin: Caller, *, script: bool
) -> None:
    tab = await reader(admin=True, java_script_enabled=script)
    page = tab.page
    await tab_to(page, "Endpoints", "link")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Endpoints")).to_be_visible()
    await tab_to(page, "Where to send", "textbox")
    await page.keyboard.type("http://agents.example.com/andon")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="https")).to_be_visible()
    await expect(page.get_by_label("Where to send")).to_have_value("http://agents.example.com/andon")
    await tab_to(page, "Where to send", "textbox")
    await page.keyboard.press("Control+A")
    await page.keyboard.type(f"http://127.0.0.1:{PORT}/andon")
    await tab_to(page, "Create it and show its secret")
    await page.keyboard.press("Enter")
    secret = page.locator("#secret pre")
    await expect(secret).to_contain_text("whsec_")
    first = await secret.inner_text()

    await page.get_by_text("Give it a new secret…").focus()
    await page.keyboard.press("Enter")
    await tab_to(page, "Make a new secret")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("It has a new secret")).to_be_visible()
    assert await secret.inner_text() != first

    await page.get_by_text("Disable it…").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("moving house")
    await page.keyboard.press("Enter")
    await expect(page.locator("#headline")).to_contain_text("moving house")
    await tab_to(page, "Enable it")
    await page.keyboard.press("Enter")
    await expect(page.locator("#headline")).to_contain_text("Enabled")
    if script:
        await page.reload()  # shows the page, and presses nothing again
        await expect(page.locator("#headline")).to_contain_text("Enabled")
        await expect(page.locator("#notice")).to_have_count(0)

    await page.get_by_text("Remove it…").focus()
    await page.keyboard.press("Enter")
    await tab_to(page, "Remove this endpoint")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Nobody is told of anything yet")).to_be_visible()
    assert (await admin.call("GET", "/v1/endpoints")).ok()["endpoints"] == []


@pytest.mark.parametrize("width", [390, 1200])
async def test_the_pages_fit_and_can_be_read(
    reader: Reader, agent: Agent, service: Live, admin: Caller, width: int
) -> None:
    """In light and in dark."""
    tab = await reader(admin=True, viewport={"width": width, "height": 900})

    async def fits(name: str) -> None:
        assert await tab.width_beyond() <= 0, name
        for scheme in ("light", "dark"):
            await tab.page.emulate_media(color_scheme=scheme)
            assert await tab.page.evaluate(CONTRAST) == [], (name, scheme)

    await tab.open("/endpoints", listening=False)
    await fits("nobody yet")
    await tab.page.get_by_label("Where to send").fill("https://user:word@" + "a" * 200 + ".example.com/")
    await tab.press("Create it and show its secret")
    await expect(tab.page.locator("#url-error")).to_be_visible()
    await fits("a mistake")
    await tab.page.get_by_label("Where to send").fill(f"http://127.0.0.1:{PORT}/" + "andon" * 40)
    await tab.press("Create it and show its secret")
    await expect(tab.page.locator("#secret")).to_be_visible()
    await fits("a secret")
    await tab.press("Send a test")
    await expect(tab.page.get_by_role("alert").filter(has_text="did not arrive")).to_be_visible()
    for each in ("Disable it…", "Give it a new secret…", "Remove it…"):
        await tab.page.get_by_text(each).click()
    await fits("a test")
    await tab.press("Send it nothing more")
    for _ in range(2):
        (await service.person.approve(await agent.ask())).ok()

    async def are_dead() -> bool:
        return bool((await admin.call("GET", "/v1/endpoints")).ok()["endpoints"][0]["dead"] == 2)

    await until(are_dead)
    await tab.page.get_by_role("link", name="All endpoints").click()
    await fits("a list")
    await tab.page.get_by_role("link", name="2", exact=True).click()
    await expect(tab.page.get_by_role("button", name="Send all 2 again")).to_be_visible()
    await fits("dead letters")


async def test_who_is_no_operator_is_told_what_to_do(reader: Reader) -> None:
    tab = await reader(viewport={"width": 390, "height": 900})
    await expect(tab.page.get_by_role("link", name="Endpoints")).to_have_count(0)
    await tab.open("/endpoints", listening=False)
    await expect(tab.page.get_by_text("python -m bot sign-in --admin")).to_be_visible()
    assert await tab.width_beyond() <= 0
