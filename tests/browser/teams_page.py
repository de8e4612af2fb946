"""Cards as Microsoft's own renderer draws them, dressed as Teams dresses them: in a browser, light and dark."""

import os
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.async_api import Browser, Page

NODE: Final = Path(__file__).parents[2] / ".venv" / "node" / "node_modules"
RENDERER: Final = NODE / "adaptivecards" / "dist" / "adaptivecards.min.js"
MARKDOWN: Final = NODE / "markdown-it" / "dist" / "markdown-it.min.js"
WIDTHS: Final = {"desktop": 720, "phone": 390}
Theme = Literal["light", "dark"]

# Of Teams' own design: https://developer.microsoft.com/fluentui, Teams tokens, read 2026-11.
_COLOURS: Final[dict[str, dict[str, str]]] = {
    "light": {
        "page": "#f5f5f5", "default": "#ffffff", "emphasis": "#f5f5f5", "text": "#242424", "subtle": "#616161",
        "line": "#e0e0e0", "good": "#e7f2da", "attention": "#fcf4f6", "warning": "#fbf6d9", "accent": "#e8ebfa",
        "good-text": "#13a10e", "attention-text": "#c4314b", "warning-text": "#835c00", "accent-text": "#5b5fc7",
        "button": "#ffffff",
    },
    "dark": {
        "page": "#141414", "default": "#292929", "emphasis": "#333333", "text": "#ffffff", "subtle": "#adadad",
        "line": "#424242", "good": "#0d2e0d", "attention": "#3e1f25", "warning": "#463100", "accent": "#2f2f4a",
        "good-text": "#92c353", "attention-text": "#f9526b", "warning-text": "#ffaa44", "accent-text": "#9ea2ff",
        "button": "#292929",
    },
}  # fmt: skip

_PAGE: Final = """<!doctype html><meta charset="utf-8"><style>
* { box-sizing: border-box }
body { margin: 0; padding: 12px; background: %(page)s; color: %(text)s; font-family: "Segoe UI", system-ui, sans-serif }
.card { background: %(default)s; border: 1px solid %(line)s; border-radius: 6px; overflow: hidden; max-width: 680px }
.ac-actionSet { flex-wrap: wrap; row-gap: 8px }
.ac-actionSet > div[style*="min-width"], .ac-actionSet > div:not(:has(button)) { display: block }
.ac-pushButton { background: %(button)s; color: %(text)s; border: 1px solid %(line)s; border-radius: 4px;
  padding: 5px 12px; font: 600 14px/20px "Segoe UI", system-ui, sans-serif; min-height: 32px; cursor: pointer }
.ac-pushButton.style-positive { background: #5b5fc7; border-color: #5b5fc7; color: #fff }
.ac-pushButton.style-destructive { background: #c4314b; border-color: #c4314b; color: #fff }
.ac-input { background: %(default)s; color: %(text)s; border: 1px solid %(line)s; border-radius: 4px; padding: 5px 8px;
  font: 14px/20px "Segoe UI", system-ui, sans-serif; max-width: 100%% }
textarea.ac-input { min-height: 84px; width: 100%% }
.ac-richTextBlock, .ac-textBlock { overflow-wrap: anywhere }
.ac-anchor { color: %(accent-text)s }
.ac-choiceSetInput-filtered-container, .ac-inputContainer { width: 100%%; position: relative }
</style><main class="card"></main>"""

_DRAW: Final = """([card, config]) => {
  const AC = window.AdaptiveCards;
  AC.AdaptiveCard.onProcessMarkdown = (text, result) => {
    result.outputHtml = window.markdownit({ linkify: true }).render(text);
    result.didProcess = true;
  };
  const drawn = new AC.AdaptiveCard();
  drawn.hostConfig = new AC.HostConfig(config);
  window.sent = [];
  drawn.onExecuteAction = action => window.sent.push({
    type: action.getJsonTypeName(), title: action.title, verb: action.verb, data: action.data, url: action.url });
  drawn.parse(card);
  const told = drawn.validateProperties().validationEvents.map(event => event.message);
  const place = document.querySelector("main");
  place.replaceChildren(drawn.render());
  return told;
}"""


def require_renderer() -> None:
    """Skip where npm's packages are missing; in CI, fail."""
    if RENDERER.exists() and MARKDOWN.exists():
        return
    missing = "Microsoft's renderer of cards is missing; `make node` installs it"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


def host_config(theme: Theme) -> dict[str, Any]:
    """As Teams has it: six buttons in a row, a card of its own look for each style of a container."""
    own = _COLOURS[theme]
    colours = {
        name: {"default": own[f"{name}-text"], "subtle": own[f"{name}-text"]}
        for name in ("good", "attention", "warning", "accent")
    }
    words = {"default": {"default": own["text"], "subtle": own["subtle"]}, **colours}
    words |= {each: {"default": own["text"], "subtle": own["subtle"]} for each in ("dark", "light")}
    letters = {
        "fontSizes": {"small": 12, "default": 14, "medium": 14, "large": 18, "extraLarge": 24},
        "fontWeights": {"lighter": 200, "default": 400, "bolder": 600},
    }
    bold = {"weight": "bolder"}
    return {
        "fontTypes": {
            "default": {"fontFamily": '"Segoe UI", system-ui, sans-serif', **letters},
            "monospace": {"fontFamily": '"Cascadia Mono", Consolas, monospace', **letters},
        },
        "spacing": {
            "small": 8,
            "default": 8,
            "medium": 12,
            "large": 16,
            "extraLarge": 20,
            "padding": 12,
        },
        "separator": {"lineThickness": 1, "lineColor": own["line"]},
        "supportsInteractivity": True,
        "imageSizes": {"small": 32, "medium": 52, "large": 100},
        "containerStyles": {
            name: {"backgroundColor": own[name], "foregroundColors": words}
            for name in ("default", "emphasis", "good", "attention", "warning", "accent")
        },
        "actions": {
            "maxActions": 6,
            "spacing": "default",
            "buttonSpacing": 8,
            "showCard": {"actionMode": "inline", "inlineTopMargin": 12},
            "actionsOrientation": "horizontal",
            "actionAlignment": "left",
        },
        "inputs": {"label": {"inputSpacing": 4, "requiredInputs": bold, "optionalInputs": bold}},
    }


class Drawn:
    """A card on a page."""

    def __init__(self, page: Page, complaints: list[str]) -> None:
        self.page = page
        self.complaints = complaints
        """What the renderer says against the card."""

    async def text(self) -> str:
        """All that can be seen."""
        return await self.page.locator("main").inner_text()

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).first.click()

    async def sent(self) -> list[dict[str, Any]]:
        """What was sent by presses, the latest last."""
        found: list[dict[str, Any]] = await self.page.evaluate("window.sent")
        return found

    async def live(self) -> list[str]:
        """Everything on it that is more than text: links, pictures, frames, handlers."""
        found: list[str] = await self.page.evaluate(
            "[...document.querySelectorAll('main a, main img, main iframe, main script, main object, main video,"
            " main svg, main at, main [onclick]')].map(each => each.href || each.outerHTML)"
        )
        return found

    async def width_beyond(self) -> int:
        """How far it is wider than the window."""
        found: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return found

    async def picture(self, path: Path) -> None:
        """What it looks like."""
        await self.page.screenshot(path=path, full_page=True)


async def easel(browser: Browser, theme: Theme = "light", width: str = "desktop") -> Page:
    """A page to draw cards on, one after another; it is closed with the browser."""
    page = await browser.new_page(viewport={"width": WIDTHS[width], "height": 700}, device_scale_factor=1)
    page.set_default_timeout(10_000)
    await page.set_content(_PAGE % _COLOURS[theme])
    await page.add_script_tag(path=RENDERER)
    await page.add_script_tag(path=MARKDOWN)
    return page


async def draw(page: Page, card: dict[str, Any], theme: Theme = "light") -> Drawn:
    """Draw a card as Teams would, in the place of the one before."""
    told: list[str] = await page.evaluate(_DRAW, [card, host_config(theme)])
    return Drawn(page, told)
