"""Makes the pictures of `docs/teams.md`: the real service, the tests' stand-in for Teams, Microsoft's own renderer.

make screenshot        # writes docs/images/teams-*.png, among others
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright
from pydantic import SecretStr

from andon import Andon
from bot.app.service import service
from bot.app.store import open_store
from bot.config import Settings
from docs.screenshot import EMAIL, IMAGES, find_browser, flags
from docs.slack_pictures import POLICY
from tests.browser.teams_page import MARKDOWN, RENDERER, draw, easel
from tests.fakes.teams import Message, Person, TeamsCloud
from tests.servers import until


async def main() -> None:
    """Ask once in a channel, and photograph what a person sees before and after."""
    if not RENDERER.exists() or not MARKDOWN.exists():
        sys.exit("error: Microsoft's renderer of cards is missing; `make node` installs it")
    async with TeamsCloud().serving() as cloud, async_playwright() as playwright:
        mira = cloud.person("Mira", email="mira@example.com")
        general = cloud.team("Operations", [mira]).general
        chromium = await playwright.chromium.launch(executable_path=find_browser(), args=["--disable-gpu", *flags()])
        page = await easel(chromium)
        with tempfile.TemporaryDirectory(prefix="andon-") as state:
            policy = Path(state) / "policy.yaml"
            policy.write_text(POLICY, encoding="utf-8")
            settings = Settings.model_validate(
                {
                    "state": state,
                    "port": 0,
                    "policy": policy,
                    "teams_app_id": cloud.app_id,
                    "teams_app_password": SecretStr(cloud.app_password),
                    "teams_tenant_id": cloud.home.id,
                    "teams_openid_metadata_url": cloud.metadata_url,
                    "teams_login_url": cloud.login_url,
                    "teams_channel": "Operations",
                }
            )
            async with service(settings) as running, open_store(settings, start=False) as opened:
                cloud.endpoint = f"{running.url}/api/messages"
                await cloud.announce()
                key = await opened.access.create_key("agent", "assistant")
                async with Andon(running.url, key) as andon, andon.run("weekly-report") as run:
                    handoff = await run.open({**EMAIL, "run": run.id})

                    def cards() -> list[Message]:
                        return [each for each in cloud.posts(general) if "alice@example.com" in each.shown]

                    async def posted() -> bool:
                        return bool(cards())

                    await until(posted, what="the card")
                    (card,) = cards()
                    await _photograph(page, card, mira, "card")
                    await _photograph(page, card, mira, "edit", press="Edit…")
                    await mira.press(card, "Approve with changes", {"to": "bob@example.com"})
                    await handoff.wait()
                    await card.shows("Approved with changes")
                    await _photograph(page, card, mira, "done")
        await chromium.close()


async def _photograph(page: Page, card: Message, person: Person, name: str, *, press: str = "") -> None:
    """The card as this person has it, as wide as on a desktop."""
    drawn = await draw(page, card.card_for(person))
    if press:
        await drawn.press(press)
    await drawn.picture(IMAGES / f"teams-{name}.png")


if __name__ == "__main__":
    asyncio.run(main())
