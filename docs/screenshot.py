# a script that people run, and that prints
"""Makes the README's pictures: the real service, a few real asks, a real browser.

    make screenshot        # writes docs/images/card.png and docs/images/inbox.png

Needs Chromium on the path (Debian: apt-get install chromium).
"""

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from andon import Andon, wire
from bot.app.local import sign_in_url
from bot.app.service import service
from bot.app.store import open_store
from bot.config import Settings

IMAGES = Path(__file__).parent / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

EMAIL: dict[str, Any] = {
    "kind": "confirmation",
    "gate": "send_email",
    "what": "Send the quarterly report to alice@example.com",
    "why": "She asked for it on Friday, and the figures are final since this morning.",
    "risks": ["It mentions Q4 numbers that are not public yet", "Alice may forward it outside the company"],
    "confidence": 0.8,
    "timeout_s": 1800,
    "action": {
        "tool": "send_email",
        "args": {
            "to": "alice@example.com",
            "subject": "The quarterly report",
            "body": "Dear Alice,\n\nthe report is ready: revenue grew by 12 % last quarter.\n\nBest wishes,\nAna",
            "attachments": ["report-q4.pdf"],
        },
    },
}
FLIGHT: dict[str, Any] = {
    "kind": "choice",
    "gate": "book_flight",
    "question": "Which flight should I book to Lisbon?",
    "reversible": True,
    "timeout_s": 5400,
    "candidates": [
        {"id": "tp571", "label": "TP 571, Sunday 08:10"},
        {"id": "lh1166", "label": "LH 1166, Sunday 14:20"},
    ],
}
SHELL: dict[str, Any] = {
    "kind": "confirmation",
    "gate": "shell",
    "what": "Delete the build folders of last month",
    "why": "The disk is 96 % full",
    "risks": ["A release may still need one of them"],
    "timeout_s": 300,
    "action": {"tool": "shell", "args": {"command": "rm -r build/2026-10-*", "folder": "/srv/builds"}},
}
DRAFT: dict[str, Any] = {
    "kind": "confirmation",
    "timing": "after",
    "gate": "draft_reply",
    "what": "Created a draft reply to Bob",
    "why": "Bob asked for the slides twice",
    "reversible": True,
    "timeout_s": 90_000,
    "result": "https://mail.example.com/drafts/42",
}


def find_browser() -> str:
    """The browser's path; ends the program when there is none."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"error: no browser found; looked for {', '.join(BROWSERS)}")
    return browser


def flags() -> list[str]:
    """Chromium's own sandbox does not work for root, and the pages are ours."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []


async def main() -> None:
    """Take both pictures."""
    browser = find_browser()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="andon-") as state:
        settings = Settings.model_validate({"state": state, "port": 0})
        async with service(settings) as running, open_store(settings, start=False) as opened:
            key = await opened.access.create_key("agent", "assistant")
            person = wire.Actor(kind="person", id="mira@example.com", name="Mira", surface="web")
            sign_in = sign_in_url(running.url, await opened.access.create_link(person))
            async with Andon(running.url, key) as andon, andon.run("weekly-report", requester="ana@example.com") as run:
                asked = [await run.open({**ask, "run": run.id}) for ask in (EMAIL, FLIGHT, SHELL, DRAFT)]
            await photograph(browser, sign_in, f"{running.url}/handoffs/{asked[0].id}")


async def photograph(browser: str, sign_in: str, card: str) -> None:
    """Sign in, and save the inbox and the card, twice as sharp as the page."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=browser, args=["--disable-gpu", *flags()])
        page = await chromium.new_page(viewport={"width": 900, "height": 560}, device_scale_factor=2)
        await page.goto(sign_in)
        await page.get_by_role("button", name="Sign in").click()
        await page.locator("#link-state.on").wait_for()
        await page.screenshot(path=IMAGES / "inbox.png", animations="disabled")
        await page.goto(card)
        await page.locator("#link-state.on").wait_for()
        await page.screenshot(path=IMAGES / "card.png", animations="disabled", full_page=True)
        await chromium.close()


if __name__ == "__main__":
    asyncio.run(main())
