"""Makes the pictures of `docs/slack.md`: the real service, the stand-in for Slack that the tests use, a real browser.

make screenshot        # writes docs/images/slack-*.png, among others
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page, async_playwright
from pydantic import SecretStr

from andon import Andon
from bot.app.service import service
from bot.app.store import open_store
from bot.config import Settings
from docs.screenshot import EMAIL, FLIGHT, IMAGES, find_browser, flags
from tests.fakes.slack import SlackCloud

POLICY = """\
rules:
  - name: outgoing-mail
    tool: send_email
    do: ask
    timeout: 30m
    approvers: [mira@example.com, ana@example.com]
    reject_reasons:
      - Wrong recipient
      - {label: Not now, text: "Not now. Ask again on Monday."}
"""
_WAIT_MS = 1_500


async def main() -> None:
    """Ask twice in a channel, and photograph what a person sees."""
    async with SlackCloud().serving() as cloud:
        mira = cloud.user("mira", email="mira@example.com", display_name="Mira")
        ops = cloud.channel("#ops", members=[mira], bot=True)
        with tempfile.TemporaryDirectory(prefix="andon-") as state:
            policy = Path(state) / "policy.yaml"
            policy.write_text(POLICY, encoding="utf-8")
            settings = Settings.model_validate(
                {
                    "state": state,
                    "port": 0,
                    "policy": policy,
                    "slack_bot_token": SecretStr(cloud.install(cloud.home)),
                    "slack_signing_secret": SecretStr(cloud.app.signing_secret),
                    "slack_channel": "#ops",
                    "slack_api_url": cloud.api_url,
                }
            )
            async with service(settings) as running, open_store(settings, start=False) as opened:
                cloud.app.request_url = f"{running.url}/slack/events"
                key = await opened.access.create_key("agent", "assistant")
                async with Andon(running.url, key) as andon, andon.run("weekly-report") as run:
                    handoff = await run.open({**EMAIL, "run": run.id})
                    await cloud.wait_for_card(ops, "alice@example.com")
                    await photograph(f"{cloud.url}/?as=mira&place=ops", lambda: run.open({**FLIGHT, "run": run.id}))
                    await handoff.wait()


async def photograph(url: str, more: Callable[[], Awaitable[object]]) -> None:
    """The card, the form, what became of it, a choice, and the Home tab."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=find_browser(), args=["--disable-gpu", *flags()])
        page = await chromium.new_page(viewport={"width": 860, "height": 1000}, device_scale_factor=1.5)
        await page.goto(url)
        await page.get_by_role("button", name="Edit").wait_for()
        await _take(page, "card")
        await page.get_by_role("button", name="Edit").click()
        await page.get_by_role("dialog").get_by_role("textbox").first.fill("bob@example.com")
        await _take(page, "edit")
        await page.get_by_role("button", name="Approve with changes").click()
        await page.get_by_text("Approved with changes").first.wait_for()
        await _take(page, "done")
        await more()
        await page.get_by_role("button", name="None of these").wait_for()
        await page.get_by_text("Home tab").click()
        await page.get_by_text("Your settings").wait_for()
        await _take(page, "home")
        await chromium.close()


async def _take(page: Page, name: str) -> None:
    await page.wait_for_timeout(_WAIT_MS)
    await page.screenshot(path=IMAGES / f"slack-{name}.png", animations="disabled")


if __name__ == "__main__":
    asyncio.run(main())
