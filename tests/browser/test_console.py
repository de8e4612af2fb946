"""What people do in the console, and what they see when others do it first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import Reader, Tab
from tests.people import Agent

FLIGHTS: list[dict[str, Any]] = [
    {
        "id": "tp571",
        "label": "TP 571, Sunday 08:10",
        "details": "Direct, one bag",
        "action": {"tool": "book", "args": {"flight": "TP571", "price_eur": 214}},
    },
    {"id": "lh1166", "label": "LH 1166, Sunday 14:20", "details": "Direct, no bag"},
]
BUDGET = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 0},
        "currency": {"enum": ["EUR", "USD"]},
        "firm": {"type": "boolean"},
        "until": {"type": "string", "format": "date"},
    },
    "required": ["amount", "currency"],
}
RICH: dict[str, Any] = {
    "tool": "send_email",
    "args": {
        "to": "alice@example.com",
        "cc": None,
        "body": "one\r\ntwo\r\n",
        "n": 2,
        "tags": ["a", "b"],
        "deep": {"x": [1]},
    },
    "schema": {
        "properties": {
            "to": {"type": "string", "format": "email"},
            "cc": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "body": {"type": "string"},
            "n": {"type": "integer", "maximum": 5},
            "tags": {"type": "array", "items": {"type": "string"}},
            "deep": {"type": "object"},
        },
        "required": ["to"],
    },
}


# --- every kind of answer --------------------------------------------------------------------------------------------


async def test_approve(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).card(asked)
    await tab.type("A reason or a remark", "Go ahead")
    await tab.press("Approve")

    decision = (await agent.wait(asked["id"], revision=0))["decision"]
    assert (decision["kind"], decision["reason"], decision["by"]["id"]) == ("approved", "Go ahead", "mira@example.com")
    await tab.reads("Approved")
    await tab.has_no_buttons()


async def test_reject_with_a_reason(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).card(asked)
    await tab.type("A reason or a remark", "Wrong Alice")
    await tab.press("Reject")

    decision = (await agent.look(asked["id"]))["decision"]
    assert (decision["kind"], decision["reason"]) == ("rejected", "Wrong Alice")
    await tab.reads("Rejected")
    await expect(tab.page.locator("blockquote")).to_contain_text("Wrong Alice")


async def test_edit_with_an_invalid_value_then_a_good_one(reader: Reader, agent: Agent) -> None:
    """The error stands beside its field, nothing typed is lost, and what nobody touched keeps its type."""
    asked = await agent.ask(action=RICH)
    tab = await (await reader()).card(asked)
    await tab.page.get_by_role("link", name="Edit").click()
    await tab.type("to", "bob at example")
    await tab.type("n", "7")
    await tab.press("Approve with these changes")

    wrong = tab.page.locator(".field.wrong")
    await expect(wrong).to_have_count(2)
    await expect(wrong.nth(0)).to_contain_text("must be an e-mail address")
    await expect(wrong.nth(1)).to_contain_text("must be at most 5")
    await expect(tab.page.get_by_label("to", exact=True)).to_have_value("bob at example")

    await tab.type("to", "bob@example.com")
    await tab.type("n", "3")
    await tab.press("Approve with these changes")
    await tab.reads("Approved with changes")
    decision = (await agent.look(asked["id"]))["decision"]
    assert decision["kind"] == "edited"
    assert decision["args"] == {**RICH["args"], "to": "bob@example.com", "n": 3}
    await expect(tab.page.locator(".difference")).to_have_count(2)


async def test_save_a_revision_for_somebody_else_to_approve(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    mira, ana = await reader(), await reader("ana@example.com")
    await ana.card(asked)
    await mira.card(asked, "?edit=1")
    await mira.type("subject", "Report, corrected")
    await mira.press("Save as a new revision, somebody else approves")

    await expect(ana.page.locator(".diff ins")).to_have_text("Report, corrected")
    await ana.press("Approve")
    decision = (await agent.wait(asked["id"], revision=1))["decision"]
    assert (decision["kind"], decision["args"]["subject"]) == ("edited", "Report, corrected")


async def test_choose_and_see_the_details_of_what_is_marked(reader: Reader, agent: Agent) -> None:
    asked = await agent.choose(*FLIGHTS)
    tab = await (await reader()).card(asked)
    await expect(tab.page.locator(".candidate:visible")).to_have_count(2)
    await tab.page.get_by_label("Choose").select_option(label="TP 571, Sunday 08:10 (tp571)")
    await expect(tab.page.locator(".candidate:visible")).to_have_count(1)
    await expect(tab.page.locator(".candidate:visible")).to_contain_text("price_eur")
    await tab.press("Choose this one")
    await tab.reads("chose TP 571")
    assert (await agent.look(asked["id"]))["decision"]["choice"] == "tp571"


async def test_none_of_these(reader: Reader, agent: Agent) -> None:
    asked = await agent.choose(*FLIGHTS)
    tab = await (await reader()).card(asked)
    await tab.type("Anything to add?", "Take the train")
    await tab.press("None of these")
    await tab.reads("took none of these")
    assert (await agent.look(asked["id"]))["decision"]["reason"] == "Take the train"


async def test_a_typed_answer(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask_for(answer_schema=BUDGET)
    tab = await (await reader()).card(asked)
    await tab.type("amount", "a lot")
    await tab.page.get_by_label("currency").select_option("EUR")
    await tab.page.get_by_label("Yes").check()
    await tab.type("until", "2026-12-24")
    await tab.press("Answer")

    await expect(tab.page.locator(".field.wrong")).to_contain_text("must be a number, such as 12.50")
    await expect(tab.page.get_by_label("currency")).to_have_value('"EUR"')
    await expect(tab.page.get_by_label("Yes")).to_be_checked()
    await tab.type("amount", "250.5")
    await tab.press("Answer")
    await tab.reads("Answered")
    answer = (await agent.look(asked["id"]))["decision"]["answer"]
    assert answer == {"amount": 250.5, "currency": "EUR", "firm": True, "until": "2026-12-24"}


async def test_a_free_answer_keeps_its_lines(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask_for("What shall I tell her?")
    tab = await (await reader()).card(asked)
    await tab.type("Your answer", "\nDear Alice,\n\n  yes <b>\n")
    await tab.press("Answer")
    await tab.reads("Answered")
    assert (await agent.look(asked["id"]))["decision"]["answer"] == "\nDear Alice,\n\n  yes <b>\n"


async def test_undo_what_was_done_already(reader: Reader, agent: Agent) -> None:
    asked = await agent.review(reversible=True)
    tab = await (await reader()).card(asked)
    await expect(tab.page.get_by_label("Result")).to_contain_text("draft-17")
    await tab.press("Undo it")
    await tab.reads("wants this undone")
    assert (await agent.report(asked, "undone")).status == 200
    await tab.reads("Undone")


async def test_what_does_not_fit_is_opened_in_full_before_it_can_be_approved(reader: Reader, agent: Agent) -> None:
    script = "echo padding\n" * 600 + "rm -rf /"
    asked = await agent.ask(action={"tool": "shell", "args": {"script": script}})
    tab = await (await reader()).card(asked)
    await expect(tab.page.locator("main")).not_to_contain_text("rm -rf /")
    await expect(tab.button("Approve")).to_have_count(0)
    await tab.page.get_by_role("link", name="Show everything").click()
    await expect(tab.page.locator("main")).to_contain_text("rm -rf /")
    await tab.press("Approve")
    await tab.reads("Approved")
    assert (await agent.look(asked["id"]))["decision"]["args"]["script"] == script


# --- others are quicker, or the clock is -----------------------------------------------------------------------------


async def test_a_card_decided_elsewhere_changes_before_the_readers_eyes(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    mira, ana = await reader(), await reader("ana@example.com")
    await ana.card(asked)
    await mira.card(asked)
    await mira.press("Approve")
    await ana.reads("mira")
    await ana.reads("approved this")
    await ana.has_no_buttons()
    await expect(ana.page.locator("#said")).to_contain_text("Approved")


async def test_typed_text_is_never_lost_to_somebody_elses_decision(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    mira, ana = await reader(), await reader("ana@example.com")
    await ana.card(asked)
    await ana.type("A reason or a remark", "A long and careful reason")
    await mira.card(asked)
    await mira.press("Approve")

    banner = ana.page.locator("#banner")
    await expect(banner).to_contain_text("approved this")
    await expect(banner).to_contain_text("What you typed is still here")
    await expect(ana.page.get_by_label("A reason or a remark")).to_have_value("A long and careful reason")
    await expect(ana.button("Reject")).to_be_disabled()
    await banner.get_by_role("link").click()
    await ana.reads("Approved")
    await ana.has_no_buttons()


async def test_a_late_press_is_told_whose_decision_stands(reader: Reader, agent: Agent) -> None:
    """Without script the page cannot follow; then the press itself is told."""
    asked = await agent.ask()
    mira, ana = await reader(), await reader("ana@example.com", java_script_enabled=False)
    await ana.card(asked, listening=False)
    await mira.card(asked)
    await mira.press("Approve")
    await mira.reads("Approved")
    await ana.type("A reason or a remark", "No, because")
    await ana.press("Reject")

    notice = ana.page.get_by_role("alert").first
    await expect(notice).to_contain_text("mira")
    await expect(notice).to_contain_text("approved this at")
    await expect(notice).to_contain_text("so your press changed nothing")
    await expect(ana.page.locator("#notice dd")).to_have_text("No, because")
    assert (await agent.look(asked["id"]))["decision"]["kind"] == "approved"


async def test_of_two_presses_at_once_one_counts_and_the_other_is_told(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    mira = await reader(java_script_enabled=False)
    ana = await reader("ana@example.com", java_script_enabled=False)
    await asyncio.gather(mira.card(asked, listening=False), ana.card(asked, listening=False))
    await asyncio.gather(mira.press("Approve"), ana.press("Reject"))
    told = [await tab.page.locator("#notice").count() for tab in (mira, ana)]
    assert sorted(told) == [0, 1]
    winner = (await agent.look(asked["id"]))["decision"]["by"]["id"]
    assert winner == ("mira@example.com" if told[0] == 0 else "ana@example.com")


async def test_a_stale_edit_is_told_that_the_card_changed_and_how(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    mira = await reader()
    ana = await reader("ana@example.com", java_script_enabled=False)
    await ana.card(asked, "?edit=1", listening=False)
    await ana.type("subject", "Mine")
    await mira.card(asked, "?edit=1")
    await mira.type("body", "Corrected")
    await mira.press("Save as a new revision, somebody else approves")
    await expect(mira.page.locator(".diff")).to_be_visible()
    await ana.press("Approve with these changes")

    await expect(ana.page.locator("#notice")).to_contain_text("This card changed after you opened it")
    await expect(ana.page.locator(".diff ins")).to_have_text("Corrected")
    assert (await agent.look(asked["id"]))["state"] == "pending"


async def test_an_expiry_in_view_changes_the_page(reader: Reader, agent: Agent) -> None:
    tab = await reader()
    asked = await agent.ask(timeout_s=2)
    await tab.card(asked)
    await expect(tab.button("Approve")).to_be_visible()
    await tab.reads("Nobody answered")
    await tab.has_no_buttons()


async def test_time_left_counts_down(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask(timeout_s=90)
    tab = await (await reader()).card(asked)
    left = tab.page.locator("#headline .left")
    before = await left.text_content()
    await expect(left).not_to_have_text(before or "")


async def test_delivery_and_result_appear_as_they_happen(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).card(asked)
    await tab.press("Approve")
    decided = await agent.wait(asked["id"], revision=0)
    await agent.claim(decided)
    await expect(tab.page.locator(".steps")).to_contain_text("Delivered")
    await agent.report(asked, "executed", claimant="try-1", result={"message": "m-1842"})
    await tab.reads("Done")
    await expect(tab.page.locator(".steps")).to_contain_text("m-1842")


async def test_the_inbox_follows_by_itself(reader: Reader, agent: Agent) -> None:
    tab = await (await reader()).open("/")
    await expect(tab.page.locator(".empty")).to_contain_text("Nothing waits for you")
    late = await agent.ask(what="Later", timeout_s=900)
    soon = await agent.ask(what="Sooner", timeout_s=100)
    await expect(tab.page.locator(".item strong")).to_have_text(["Sooner", "Later"])
    await expect(tab.page).to_have_title("(2) Inbox · Andon")
    await agent.withdraw(soon)
    await expect(tab.page.locator(".item strong")).to_have_text(["Later"])
    await agent.withdraw(late)
    await expect(tab.page.locator(".empty")).to_be_visible()


@asynccontextmanager
async def deaf(tab: Tab) -> AsyncIterator[None]:
    """The page hears of no change while this lasts; then its stream begins."""
    over = asyncio.Event()

    async def hold(route: Route) -> None:
        await over.wait()
        await route.continue_()

    await tab.page.route("**/live", hold)
    try:
        yield
    finally:
        over.set()


async def test_a_notice_is_read_and_asks_nothing(reader: Reader, agent: Agent) -> None:
    """It appears by itself, as text, and there is nothing to press."""
    tab = await reader()
    told = {"text": "Nightly sync <b>finished</b>\u202e"}
    assert (await agent.call("POST", f"/v1/runs/{await agent.run()}/notices", told)).status == 202
    await expect(tab.page.locator(".notices li")).to_contain_text("Nightly sync <b>finished</b>⟦U+202E⟧")
    await expect(tab.page.locator("#main")).to_contain_text("Nothing waits for you")


async def test_a_change_before_the_stream_begins_is_caught_up(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await reader()
    async with deaf(tab):
        await tab.card(asked, listening=False)
        await agent.withdraw(asked)
        await tab.reads("Waiting for a person")
    await tab.reads("Taken back")


async def test_the_page_notices_by_itself_that_the_time_is_up(reader: Reader, agent: Agent) -> None:
    tab = await reader()
    asked = await agent.ask(timeout_s=2)
    async with deaf(tab):
        await tab.card(asked, listening=False)
        await expect(tab.button("Approve")).to_be_visible()
        await tab.has_no_buttons()


async def test_the_history_says_who_when_and_how_long(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask(what="Send the report")
    tab = await (await reader()).card(asked)
    await tab.press("Approve")
    await tab.open("/history")
    row = tab.page.get_by_role("row").nth(1)
    await expect(row).to_contain_text("Send the report")
    await expect(row).to_contain_text("Approved")
    await expect(row).to_contain_text("mira")
    await row.get_by_role("link").click()
    await tab.reads("Approved")


# --- everybody can use it --------------------------------------------------------------------------------------------


async def test_the_keyboard_is_enough(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).open("/")
    keys = tab.page.keyboard

    async def tab_to(name: str) -> None:
        for _ in range(30):
            await keys.press("Tab")
            if name in await tab.page.evaluate("document.activeElement.textContent + document.activeElement.id"):
                return
        pytest.fail(f"the Tab key does not reach {name}")

    await tab_to("Send this e-mail")
    await keys.press("Enter")
    await tab.reads("Waiting for a person")
    await tab_to("reason")
    await keys.type("typed with\nEnter")
    await tab_to("Edit")
    await keys.press("Enter")
    await expect(tab.button("Approve with these changes")).to_be_visible()
    await tab_to("field-0")
    await keys.press("End")
    await keys.type(".org")
    await keys.press("Enter")  # an accidental Enter in a field presses nothing
    await expect(tab.button("Approve with these changes")).to_be_visible()
    assert (await agent.look(asked["id"]))["state"] == "pending"
    await tab_to("Approve with these changes")
    outline = await tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    await keys.press("Enter")
    await tab.reads("Approved with changes")
    assert (await agent.look(asked["id"]))["decision"]["args"]["to"] == "alice@example.com.org"


async def test_it_works_without_script(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await reader(java_script_enabled=False)
    await tab.open("/", listening=False)
    await tab.page.get_by_role("link", name="Send this e-mail").click()
    await tab.page.get_by_role("link", name="Edit").click()
    await tab.type("to", "bob@example.com")
    await tab.press("Approve with these changes")
    await tab.reads("Approved with changes")
    assert (await agent.look(asked["id"]))["decision"]["args"]["to"] == "bob@example.com"


HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=document.title='owned'> \u202e\u200b"
    "https://evil.example/" + "averylongword" * 40
)


async def every_page(agent: Agent) -> list[str]:
    hostile = dict.fromkeys(("what", "why"), HOSTILE)
    args = {HOSTILE: HOSTILE, "long": "x" * 9_000, "deep": {"a": [HOSTILE]}}
    asked = await agent.ask(**hostile, risks=[HOSTILE], action={"tool": "t" * 100, "args": args})
    choice = await agent.choose({"id": "a" * 120, "label": "L" * 300, "details": HOSTILE}, why=HOSTILE)
    ended = await agent.ask(**hostile, risks=[HOSTILE])
    await agent.withdraw(ended, reason=HOSTILE)
    budget = await agent.ask_for(HOSTILE, answer_schema=BUDGET)
    paths = [f"/handoffs/{each['id']}" for each in (asked, choice, ended, budget)]
    return ["/", "/history", *paths, f"{paths[0]}?edit=1", f"{paths[0]}?full=1"]


@pytest.mark.parametrize("width", [390, 1280])
async def test_no_page_scrolls_sideways_or_runs_an_agents_text(reader: Reader, agent: Agent, width: int) -> None:
    tab = await reader(viewport={"width": width, "height": 844})
    for path in await every_page(agent):
        await tab.open(path)
        assert await tab.width_beyond() <= 0, path
        assert await tab.page.title() != "owned"
        assert await tab.page.locator("main img, main a[href^='http'], main script").count() == 0


CONTRAST = """() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data; };
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const found = rgba(getComputedStyle(node).backgroundColor);
      if (found[3] > 250) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const node of document.querySelectorAll("main *, header *")) {
    if (![...node.childNodes].some((each) => each.nodeType === 3 && each.textContent.trim())) continue;
    if (!node.checkVisibility() || node.closest("select")) continue;
    const [a, b] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const told = `${node.tagName}.${node.className} ${node.textContent.trim().slice(0, 30)}`;
    if (ratio < 4.5) faint.push(`${told} ${ratio.toFixed(2)}`);
  }
  return faint;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_text_stands_out_in_light_and_dark(reader: Reader, agent: Agent, scheme: str) -> None:
    """WCAG 2.2 AA asks for a contrast of 4.5 to 1."""
    tab = await reader(color_scheme=scheme)
    for path in await every_page(agent):
        await tab.open(path)
        assert await tab.page.evaluate(CONTRAST) == [], path
    ink = await tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ink == "rgb(18, 21, 24)") == (scheme == "dark")


async def test_signing_out_ends_it_in_every_tab(reader: Reader, agent: Agent) -> None:
    """Also in those that are open: nothing that happens later is shown there."""
    tab = await (await reader()).open("/")
    other = await tab.page.context.new_page()
    await other.goto(tab.url)
    await expect(other.locator("#link-state")).to_have_text("live")
    await tab.press("Sign out")
    await expect(tab.page.get_by_role("heading", level=1)).to_have_text("Sign in first")
    await agent.ask(what="Not for strangers")
    await expect(other.get_by_role("heading", level=1)).to_have_text("Sign in first")
    await expect(other.locator("body")).not_to_contain_text("Not for strangers")
