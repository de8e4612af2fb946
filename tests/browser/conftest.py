"""A real Chromium in front of the real service. Where there is none the tests say so, and fail in CI."""

import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from tests.servers import Live

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FLAGS = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run")

Reader = Callable[..., Awaitable["Tab"]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


class Tab:
    """One person's page, with the verbs of a person."""

    def __init__(self, page: Page, url: str, complaints: list[str]) -> None:
        self.page = page
        self.url = url
        self.complaints = complaints
        """What the browser said against the page: script errors, and what the content policy stopped."""

    async def open(self, path: str = "/", *, listening: bool = True) -> "Tab":
        """Go there, and wait until changes would be seen."""
        await self.page.goto(f"{self.url}{path}")
        if listening:
            await expect(self.page.locator("#link-state")).to_have_text("live")
        return self

    async def card(self, handoff: dict[str, Any], query: str = "", *, listening: bool = True) -> "Tab":
        """Open the card of a handoff."""
        return await self.open(f"/handoffs/{handoff['id']}{query}", listening=listening)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def press(self, name: str) -> None:
        await self.button(name).click()

    async def type(self, field: str, text: str) -> None:
        await self.page.get_by_label(re.compile(f"^{re.escape(field)}( |$)")).fill(text)

    async def reads(self, text: str) -> None:
        """The card's headline comes to say this, without anything pressed."""
        await expect(self.page.locator("#headline")).to_contain_text(text)

    async def has_no_buttons(self) -> None:
        """Nothing can be answered; the brake of its run may have buttons all the same."""
        await expect(self.page.locator("main button[name=kind]")).to_have_count(0)

    async def width_beyond(self) -> int:
        """How far the page is wider than the window."""
        found: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return found


def installed() -> str | None:
    """The first browser on the path, or where macOS keeps them."""
    on_path = (shutil.which(name) for name in NAMES)
    return next((path for path in (*on_path, *(path for path in MAC if Path(path).exists())) if path), None)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    found = installed()
    if not found:
        missing = f"no browser found ({', '.join(NAMES)}); `make browser` installs one on Debian"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    # Chromium's own sandbox does not work for root, and the pages under test are ours.
    flags = [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else [*FLAGS]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=flags)
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def reader(chromium: Browser, service: Live) -> AsyncIterator[Reader]:
    """Signs people in, each in a browser of their own; fails the test for any script error or policy violation."""
    tabs: list[Tab] = []
    async with AsyncExitStack() as stack:

        async def sign_in(who: str = "mira@example.com", *, admin: bool = False, **options: Any) -> Tab:
            context = await chromium.new_context(**options)
            stack.push_async_callback(context.close)
            context.set_default_timeout(10_000)
            page = await context.new_page()
            tab = Tab(page, service.url, [])
            tabs.append(tab)
            page.on("pageerror", lambda error: tab.complaints.append(str(error)))
            page.on(
                "console",
                # A refused press is a page with status 409 or 422, which Chromium logs as a failed load.
                lambda told: (
                    tab.complaints.append(told.text)
                    if told.type == "error" and "Failed to load resource" not in told.text
                    else None
                ),
            )
            await page.goto(await service.sign_in(who, admin=admin))
            await page.get_by_role("button", name="Sign in").click()
            await page.wait_for_url(f"{service.url}/")
            return tab

        yield sign_in
    assert [complaint for tab in tabs for complaint in tab.complaints] == []
