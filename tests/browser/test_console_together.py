"""Many asks on one page: each row alone, those that are ticked together, page by page, and what became of each."""

from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import Reader, Tab
from tests.browser.test_console import CONTRAST
from tests.people import MAIL, Agent, Json, Person


async def small(agent: Agent, count: int, **more: Any) -> list[Json]:
    """So many asks that can be answered from a row, the first of them the most urgent."""
    return [
        await agent.ask(
            **{
                "what": f"Send e-mail {number:02}",
                "reversible": True,
                "timeout_s": 600 + number,
                "action": {"tool": "send_email", "args": {**MAIL, "subject": f"Report {number}"}},
                **more,
            }
        )
        for number in range(count)
    ]


def row(tab: Tab, asked: Json) -> Locator:
    return tab.page.locator(f"ul.together > li#{asked['id']}")


def outcome(tab: Tab, asked: Json) -> Locator:
    """What the page says became of it."""
    section = tab.page.get_by_role("region", name="What became of it")
    return section.get_by_role("listitem").filter(has=tab.page.get_by_role("link", name=asked["id"], exact=True))


async def verdict(agent: Agent, asked: Json) -> str:
    now = await agent.look(asked["id"])
    return str(now["decision"]["kind"] if "decision" in now else now["state"])


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_each_row_is_answered_alone(reader: Reader, agent: Agent, *, script: bool) -> None:
    first, second, third = await small(agent, 3)
    tab = await (await reader(java_script_enabled=script)).open("/digest", listening=False)
    await row(tab, second).get_by_role("button", name="Approve").click()
    await expect(outcome(tab, second)).to_contain_text("Approved.")
    await expect(row(tab, second)).to_have_count(0)
    await row(tab, third).get_by_role("button", name="Reject").click()
    await expect(outcome(tab, third)).to_contain_text("Rejected.")
    await expect(row(tab, first)).to_be_visible()
    assert [await verdict(agent, each) for each in (first, second, third)] == ["pending", "approved", "rejected"]


async def test_without_a_script_a_box_is_ticked_by_hand(reader: Reader, agent: Agent) -> None:
    first, second = await small(agent, 2)
    tab = await (await reader(java_script_enabled=False)).open("/digest", listening=False)
    await expect(tab.page.get_by_role("button", name="Tick all")).to_have_count(0)
    await row(tab, first).get_by_role("checkbox").check()
    await tab.press("Approve those that are ticked")
    await expect(outcome(tab, first)).to_contain_text("Approved.")
    assert [await verdict(agent, each) for each in (first, second)] == ["approved", "pending"]


async def test_those_that_are_ticked_are_answered_together_and_no_others(reader: Reader, agent: Agent) -> None:
    """What is not shown in full has no box, and nothing is ticked that nobody ticked: not after a press either."""
    first, second, third = await small(agent, 3)
    (hazard,) = await small(agent, 1, reversible=None, what="Send for ever")
    tab = await (await reader()).open("/digest", listening=False)
    await expect(row(tab, hazard)).to_contain_text("It cannot be undone.")
    await expect(row(tab, hazard).get_by_role("checkbox")).to_have_count(0)
    await expect(row(tab, hazard).get_by_role("button")).to_have_count(0)
    await tab.press("Approve those that are ticked")
    await expect(tab.page.get_by_role("alert")).to_contain_text("Nothing was ticked")
    await tab.press("Tick all that can be answered here")
    await row(tab, second).get_by_role("checkbox").uncheck()
    await tab.press("Approve those that are ticked")
    await expect(outcome(tab, first)).to_contain_text("Approved.")
    await expect(outcome(tab, third)).to_contain_text("Approved.")
    await expect(tab.page.locator("section.notices li")).to_have_count(2)
    await expect(row(tab, second).get_by_role("checkbox")).not_to_be_checked()
    await tab.press("Approve those that are ticked")
    said = [await verdict(agent, each) for each in (first, second, third, hazard)]
    assert said == ["approved", "pending", "approved", "pending"]


async def test_what_changed_or_was_decided_meanwhile_is_skipped_and_says_so(
    reader: Reader, agent: Agent, mira: Person
) -> None:
    first, changed, decided = await small(agent, 3)
    ana = await (await reader("ana@example.com")).open("/digest", listening=False)
    await mira.edit(changed, {**MAIL, "subject": "Another"}, approve=False)
    await mira.reject(decided)
    await ana.press("Tick all that can be answered here")
    await ana.press("Approve those that are ticked")
    await expect(outcome(ana, first)).to_contain_text("Approved.")
    await expect(outcome(ana, changed)).to_contain_text("It changed after it was shown")
    await expect(outcome(ana, decided)).to_contain_text("mira rejected this")
    await expect(row(ana, changed)).to_contain_text("Another")
    assert [await verdict(agent, each) for each in (first, changed, decided)] == ["approved", "pending", "rejected"]


async def test_there_are_pages_and_a_press_stays_on_its_own(reader: Reader, agent: Agent) -> None:
    asked = await small(agent, 12)
    tab = await (await reader()).open("/digest", listening=False)
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("12 asks wait for an answer")
    await expect(tab.page.locator("ul.together > li")).to_have_count(10)
    await tab.page.get_by_role("link", name="Less urgent").click()
    await expect(tab.page.locator("ul.together > li")).to_have_count(2)
    await row(tab, asked[10]).get_by_role("button", name="Reject").click()
    await expect(outcome(tab, asked[10])).to_contain_text("Rejected.")
    await expect(row(tab, asked[11])).to_be_visible()
    await expect(row(tab, asked[0])).to_have_count(0)
    await tab.page.get_by_role("link", name="The most urgent").click()
    await expect(row(tab, asked[0])).to_be_visible()
    await expect(tab.page.locator("main")).to_contain_text("1 more waits on other pages.")


async def test_what_became_of_it_stays_while_others_ask(reader: Reader, agent: Agent) -> None:
    """The page does not follow the store: what was ticked or told would be gone before anybody has read it."""
    first, second = await small(agent, 2)
    tab = await reader()
    fetched: list[str] = []
    tab.page.on("request", lambda request: fetched.append(f"{request.resource_type} {request.url}"))
    await tab.page.clock.install()
    await tab.open("/digest", listening=False)
    await row(tab, first).get_by_role("checkbox").check()
    await small(agent, 1)
    await tab.page.clock.run_for(5_000)
    await expect(row(tab, first).get_by_role("checkbox")).to_be_checked()
    await tab.press("Approve those that are ticked")
    await expect(outcome(tab, first)).to_contain_text("Approved.")
    await small(agent, 1)
    await tab.page.clock.run_for(5_000)
    await expect(outcome(tab, first)).to_contain_text("Approved.")
    assert [each for each in fetched if each.startswith("xhr") and "/digest" in each] == []
    assert [await verdict(agent, each) for each in (first, second)] == ["approved", "pending"]


async def test_a_row_is_laid_out_like_a_card(reader: Reader, agent: Agent) -> None:
    """The box stands before its title and not above it, a risk is no card of its own, and no line begins with a dot."""
    (asked,) = await small(agent, 1)
    for width in (390, 900):
        tab = await (await reader(viewport={"width": width, "height": 844})).open("/digest", listening=False)
        box = await row(tab, asked).get_by_role("checkbox").bounding_box()
        title = await row(tab, asked).get_by_text("Send e-mail 00").bounding_box()
        assert box
        assert title
        assert box["x"] < title["x"] < box["x"] + 60
        assert abs(box["y"] + box["height"] / 2 - title["y"] - title["height"] / 2) < 8
        risk = row(tab, asked).locator("ul.risks li")
        assert await risk.evaluate("each => getComputedStyle(each).borderTopWidth") == "0px"
        assert await tab.page.evaluate(BEGINS_WITH_A_DOT) == []


BEGINS_WITH_A_DOT = """() => {
  const found = [];
  for (const meta of document.querySelectorAll(".meta")) {
    const walker = document.createTreeWalker(meta, NodeFilter.SHOW_TEXT);
    const left = meta.getBoundingClientRect().left;
    while (walker.nextNode()) {
      const text = walker.currentNode;
      for (let at = text.data.indexOf("·"); at >= 0; at = text.data.indexOf("·", at + 1)) {
        const range = document.createRange();
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        if (range.getBoundingClientRect().left - left < 2) found.push(text.data);
      }
    }
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_a_phone_and_stands_out(reader: Reader, agent: Agent, scheme: str) -> None:
    await small(agent, 11)
    (hazard,) = await small(agent, 1, reversible=None, timeout_s=60, what="w" * 200)
    tab = await reader(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    await tab.open("/digest", listening=False)
    await expect(row(tab, hazard)).to_be_visible()
    assert await tab.width_beyond() <= 0
    await tab.press("Tick all that can be answered here")
    await tab.press("Reject those that are ticked")
    await expect(tab.page.locator("section.notices li")).to_have_count(9)
    assert await tab.width_beyond() <= 0
    assert await tab.page.evaluate(CONTRAST) == []
