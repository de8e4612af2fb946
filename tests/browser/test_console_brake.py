"""The brake in a real browser: pulled, lifted, refused, and seen by others who look at the same card."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from bot.braking import Braking
from bot.config import Settings
from tests.browser.conftest import Reader, Tab
from tests.browser.test_console import CONTRAST, HOSTILE
from tests.people import Agent, Json, Person
from tests.servers import Live

POLICY = """
rules:
  - {name: pays, tool: pay, do: ask, approvers: [ana@example.com]}
  - {name: mail, do: ask}
brake:
  resume: [ana@example.com, mira@example.com]
"""


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return settings.model_copy(update={"policy": path})


def receipt(tab: Tab) -> Locator:
    return tab.page.locator("#receipt .receipt")


def brake(tab: Tab) -> Locator:
    return tab.page.locator("#brake li")


async def run_page(tab: Tab, agent: Agent, *, listening: bool = True) -> Tab:
    return await tab.open(f"/runs/{await agent.run()}", listening=listening)


async def standing(mira: Person) -> list[Json]:
    found: list[Json] = (await mira.call("GET", "/v1/brakes")).ok()["brakes"]
    return found


# --- on a card -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_stop_takes_the_buttons_and_resume_gives_them_back_with_the_time(
    reader: Reader, agent: Agent, *, script: bool
) -> None:
    asked = await agent.ask()
    tab = await (await reader(java_script_enabled=script)).card(asked, listening=script)
    await tab.type("Why stop or pause it?", "These are the board's addresses")
    await tab.press("Stop this run")

    await expect(receipt(tab)).to_contain_text("1 ask is on hold, and nothing new can begin.")
    await tab.reads("On hold: stopped")
    await tab.reads("min")
    await tab.has_no_buttons()
    await expect(brake(tab).first).to_contain_text("mira stopped this run")
    await expect(brake(tab).first).to_contain_text("These are the board's addresses")
    held = await agent.look(asked["id"])
    assert (held["state"], held["brake"]["text"]) == ("held", "These are the board's addresses")
    assert 590 < held["left_s"] <= 600

    await tab.press("Resume this run")
    await expect(receipt(tab)).to_contain_text("1 ask waits again.")
    await tab.reads("Waiting for a person")
    left = re.compile("^(10|9) min")  # of ten, whatever the moment it was stopped at
    await expect(tab.page.locator("#headline .left")).to_contain_text(left)
    await expect(brake(tab)).to_have_count(0)
    await tab.press("Approve")
    await tab.reads("Approved")


async def test_others_see_it_at_once_and_the_receipt_stays(reader: Reader, agent: Agent, mira: Person) -> None:
    asked, other = await agent.ask(), await agent.ask(what="Another")
    tab, ana = await reader(), await reader("ana@example.com")
    await ana.card(other)
    await tab.card(asked)
    await tab.press("Pause")
    await ana.reads("On hold: paused")
    await ana.has_no_buttons()
    await expect(ana.page.locator("#to-brakes .count")).to_have_text("1")
    await expect(receipt(tab)).to_contain_text("2 asks are on hold")
    await expect(tab.page.locator("#link-state")).to_have_text("live")
    await agent.withdraw(other)  # a change that the page hears of
    await ana.reads("Taken back")
    await expect(receipt(tab)).to_contain_text("2 asks are on hold")
    assert tab.page.url == f"{tab.url}/handoffs/{asked['id']}"

    await ana.card(asked)
    await ana.press("Resume this run")
    await tab.reads("Waiting for a person")
    await expect(receipt(tab)).to_have_count(0)  # it is not true any more
    await expect(tab.page.locator("#to-brakes .count")).to_have_count(0)
    assert await standing(mira) == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_a_double_press_is_one_stop(reader: Reader, agent: Agent, mira: Person, *, script: bool) -> None:
    asked = await agent.ask()
    tab = await (await reader(java_script_enabled=script)).card(asked, listening=script)
    await tab.button("Stop this run").dblclick()
    await expect(receipt(tab)).to_contain_text("Stopped: this run")
    (on,) = await standing(mira)
    assert (on["action"], on["epoch"]) == ("stop", 1)


async def test_under_a_second_click_there_is_no_other_button(
    reader: Reader, agent: Agent, mira: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a press is on its way the page does not change: where Stop was, Resume may not appear."""
    await agent.ask()
    tab, ana = await run_page(await reader(), agent), await run_page(await reader("ana@example.com"), agent)
    obey, over = Braking.obey, asyncio.Event()

    async def answer_late(*args: Any, **given: Any) -> Any:
        receipt = await obey(*args, **given)
        await over.wait()
        return receipt

    monkeypatch.setattr(Braking, "obey", answer_late)
    # Nobody can ask a page that is being left, so it writes down itself what was there to be clicked.
    await tab.page.evaluate(
        """() => new MutationObserver(() => {
          for (const each of document.querySelectorAll("#resume")) sessionStorage.setItem("shown", each.id);
        }).observe(document.getElementById("main"), {childList: true, subtree: true})"""
    )
    await tab.button("Stop this run").click(no_wait_after=True)
    await ana.reads("On hold: stopped")  # all open pages were told
    await asyncio.sleep(0.5)  # and nothing may come of it on this one
    over.set()
    await expect(receipt(tab)).to_contain_text("Stopped: this run")
    await expect(tab.button("Resume this run")).to_be_visible()
    assert await tab.page.evaluate("sessionStorage.getItem('shown')") is None


async def test_what_was_typed_for_an_answer_outlives_a_stop(reader: Reader, agent: Agent, mira: Person) -> None:
    asked = await agent.ask()
    ana = await (await reader("ana@example.com")).card(asked)
    await ana.type("A reason or a remark", "A long and careful reason")
    path = f"/v1/runs/{await agent.run()}/brake"
    (await mira.call("POST", path, {"action": "stop"})).ok()
    banner = ana.page.locator("#banner")
    await expect(banner).to_contain_text("On hold: stopped")
    await expect(banner).to_contain_text("can be sent once it goes on")
    await expect(ana.button("Approve")).to_be_disabled()
    (await mira.call("POST", path, {"action": "resume"})).ok()
    await expect(banner).to_be_hidden()
    await expect(ana.page.get_by_label("A reason or a remark")).to_have_value("A long and careful reason")
    await ana.press("Approve")
    await ana.reads("Approved")
    assert (await agent.look(asked["id"]))["decision"]["reason"] == "A long and careful reason"


async def test_what_was_typed_beside_the_brake_outlives_every_change(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    mira, ana = await reader(), await reader("ana@example.com")
    await ana.card(asked)
    await ana.page.get_by_text("Tell the agent…").click()
    await ana.type("What should it know?", "Not before Monday")
    await ana.type("Why stop or pause it?", "Wrong list")
    await mira.card(asked)
    await mira.press("Approve")
    await ana.reads("Approved")
    await expect(ana.page.locator("#banner")).to_be_hidden()
    await expect(ana.page.get_by_label("What should it know?")).to_have_value("Not before Monday")
    await expect(ana.page.get_by_label("Why stop or pause it?")).to_have_value("Wrong list")
    await ana.press("Hold it and tell the agent")
    await expect(receipt(ana)).to_contain_text("The agent is told")
    brake = (await agent.call("GET", f"/v1/runs/{await agent.run()}")).ok()["brake"]
    assert (brake["action"], brake["text"]) == ("steer", "Not before Monday")


async def test_words_hold_the_run_until_its_agent_has_read_them(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).card(asked)
    await tab.page.get_by_text("Tell the agent…").click()
    await tab.type("What should it know?", "wait, change the recipient to Bob")
    await tab.press("Hold it and tell the agent")
    await tab.reads("On hold: the agent was told something")
    await expect(brake(tab).first).to_contain_text("“wait, change the recipient to Bob”")
    run = (await agent.call("GET", f"/v1/runs/{await agent.run()}")).ok()
    (await agent.call("POST", f"/v1/runs/{run['id']}/heard", {"steers": [run["brake"]["steer"]]})).ok()
    await tab.reads("Waiting for a person")
    await expect(brake(tab)).to_contain_text("The agent has heard mira: “wait, change the recipient to Bob”")
    await tab.press("Approve")
    await tab.reads("Approved")


async def test_second_words_are_shown_though_the_card_is_still_on_hold(
    reader: Reader, agent: Agent, mira: Person
) -> None:
    asked = await agent.ask()
    path = f"/v1/runs/{await agent.run()}/brake"
    (await mira.call("POST", path, {"action": "steer", "text": "first"})).ok()
    tab = await (await reader()).card(asked)
    await expect(brake(tab).first).to_contain_text("first")
    (await mira.call("POST", path, {"action": "steer", "text": "second"})).ok()
    await expect(brake(tab).first).to_contain_text("second")


async def test_an_approval_before_a_stop_counts_after_it(reader: Reader, agent: Agent) -> None:
    asked = await agent.ask()
    tab = await (await reader()).card(asked)
    await tab.press("Approve")
    await tab.reads("Approved")
    await tab.press("Stop this run")
    await expect(brake(tab).last).to_contain_text("Approvals given before count again once it goes on")
    decided = await agent.look(asked["id"])
    assert (await agent.claim(decided)).problem == "stopped"
    await tab.press("Resume this run")
    await expect(brake(tab)).to_have_count(0)
    (await agent.claim(decided)).ok()
    await tab.reads("Approved")


# --- who may, and what ends for good ---------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_anybody_stops_and_whoever_may_not_resume_or_end_it_is_told(
    reader: Reader, agent: Agent, mira: Person, *, script: bool
) -> None:
    asked = await agent.ask()
    bob = await (await reader("bob@example.com", java_script_enabled=script)).card(asked, listening=script)
    await bob.press("Stop this run")
    await bob.reads("On hold: stopped")
    await bob.press("Resume this run")
    notice = bob.page.locator("#notice")
    await expect(notice).to_contain_text("it takes somebody who may approve for it to resume this")
    await expect(notice).to_contain_text("Your press changed nothing.")
    await bob.page.get_by_text("End this run…").click()
    await bob.type("Why end it?", "It is the wrong customer")
    await bob.press("End it for good")
    await expect(notice).to_contain_text("to end this")
    await expect(bob.page.get_by_label("Why end it?")).to_have_value("It is the wrong customer")
    assert len(await standing(mira)) == 1

    ana = await (await reader("ana@example.com")).card(asked)
    await ana.press("Resume this run")
    await ana.reads("Waiting for a person")


async def test_a_run_is_ended_for_good_after_a_second_look(reader: Reader, agent: Agent) -> None:
    waiting, allowed = await agent.ask(), await agent.ask(what="Allowed before")
    tab = await (await reader()).card(allowed)
    await tab.press("Approve")
    await tab.reads("Approved")
    await run_page(tab, agent)
    await expect(tab.button("End it for good")).to_be_hidden()
    await tab.page.get_by_text("End this run…").click()
    await expect(tab.page.locator("#end")).to_contain_text("It cannot be taken back.")
    await tab.type("Why end it?", "Wrong customer")
    await tab.press("End it for good")
    await expect(receipt(tab)).to_contain_text("1 ask ended with it.")
    await tab.reads("Ended")
    await expect(tab.page.locator("main button[name=action]")).to_have_count(0)
    assert (await agent.look(waiting["id"]))["decision"]["kind"] == "aborted"
    assert (await agent.claim(await agent.look(allowed["id"]))).problem == "stopped"
    await tab.card(waiting)
    await tab.reads("Run ended")
    await tab.card(allowed)
    await expect(brake(tab).last).to_contain_text("The agent can never act on this decision.")


# --- a run's page ----------------------------------------------------------------------------------------------------


async def test_a_run_s_page_follows_its_run(reader: Reader, agent: Agent, mira: Person) -> None:
    started = await agent.call(
        "POST",
        "/v1/runs",
        {
            "name": "invitations",
            "requester": "ana@example.com",
            "labels": {"team": "events"},
            "parent": await agent.run(),
            "conversation": {"surface": "web", "channel": "#ops"},
        },
    )
    run = str(started.ok()["id"])
    asked = await agent.ask(run=run, what="Invite Carol")
    flying = await agent.ask(run=run, what="Invite Dan")
    (await mira.approve(flying)).ok()
    (await agent.claim(await agent.look(flying["id"]), claimant="worker-3")).ok()
    tab = await (await reader()).card(asked)
    await tab.page.locator("#to-run").click()
    await tab.reads("Not held")
    facts = tab.page.locator(".facts")
    for part in ("mailer", "ana@example.com", "#ops in web", "none yet", "events", "another run"):
        await expect(facts).to_contain_text(part)
    in_flight = tab.page.get_by_role("region", name="In flight")
    await expect(in_flight).to_contain_text("Invite Dan, claimed by worker-3 at")
    await expect(tab.page.get_by_role("region", name="Open")).to_contain_text("Invite Carol")

    await agent.ask(run=run, what="Invite Eve")
    await expect(tab.page.get_by_role("region", name="Open")).to_contain_text("Invite Eve")
    await agent.report(await agent.look(flying["id"]), "executed", claimant="worker-3")
    await expect(in_flight).to_have_count(0)
    await expect(tab.page.get_by_role("region", name="Lately")).to_contain_text("Invite Dan")

    (await mira.call("POST", f"/v1/runs/{await agent.run()}/brake", {"action": "stop", "text": "all of it"})).ok()
    await tab.reads("On hold: stopped")
    await expect(brake(tab)).to_contain_text("Stopped: the run weekly-report of mailer by mira")
    await tab.page.get_by_role("link", name="it is lifted there").click()
    await tab.press("Resume this run")
    await tab.reads("Not held")


async def test_what_a_press_did_stays_while_the_page_follows(reader: Reader, agent: Agent, mira: Person) -> None:
    flying = await agent.ask(what="Send it to Carol")
    (await mira.approve(flying)).ok()
    (await agent.claim(await agent.look(flying["id"]))).ok()
    tab = await run_page(await reader(), agent)
    await tab.press("Stop this run")
    await expect(receipt(tab)).to_contain_text("1 action is in flight")
    await expect(tab.page.locator("#link-state")).to_have_text("live")
    await agent.report(flying, "executed", claimant="try-1")
    await expect(tab.page.get_by_role("region", name="In flight")).to_have_count(0)
    await expect(receipt(tab)).to_contain_text("1 action is in flight")
    (await mira.call("POST", f"/v1/runs/{await agent.run()}/brake", {"action": "resume"})).ok()
    await tab.reads("Not held")
    await expect(receipt(tab)).to_have_count(0)


async def test_a_run_that_asks_nothing_hears_of_a_wide_brake(reader: Reader, agent: Agent, mira: Person) -> None:
    tab = await run_page(await reader(), agent)
    await tab.reads("Not held")
    for action, headline in (("stop", "On hold: stopped"), ("resume", "Not held")):
        (await mira.call("POST", "/v1/brakes", {"action": action, "scope": {"everything": True}})).ok()
        await tab.reads(headline)


async def test_two_brakes_hold_a_run_until_both_are_lifted(reader: Reader, agent: Agent, mira: Person) -> None:
    await agent.ask()
    (await mira.call("POST", "/v1/brakes", {"action": "pause", "scope": {"agent": "mailer"}})).ok()
    tab = await run_page(await reader(), agent)
    await tab.reads("On hold: paused")
    await expect(tab.button("Resume this run")).to_have_count(0)
    await tab.press("Stop this run")
    await expect(brake(tab)).to_have_count(2)
    await tab.press("Resume this run")
    await expect(receipt(tab)).to_contain_text("It is still held: mira paused all that mailer does")
    await tab.reads("On hold: paused")
    await tab.page.get_by_role("link", name="it is lifted there").click()
    await tab.page.get_by_role("button", name="Resume all that mailer does").click()
    await expect(receipt(tab)).to_contain_text("1 ask waits again.")
    await run_page(tab, agent)
    await tab.reads("Not held")


# --- all brakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_an_agent_is_stopped_and_no_other(reader: Reader, agent: Agent, service: Live, *, script: bool) -> None:
    asked, other = await agent.ask(), await service.new_agent("calendar")
    free = await other.ask()
    tab = await (await reader(java_script_enabled=script)).open("/", listening=script)
    await tab.page.get_by_role("link", name="Brakes").click()
    await expect(tab.page.locator("main")).to_contain_text("No brake is on.")
    await tab.press("Stop this agent")
    await expect(tab.page.locator("#notice")).to_have_text("Pick an agent first.")
    await tab.page.get_by_label("All runs of").select_option("mailer")
    await tab.type("Why stop or pause it?", "odd mails")
    await tab.press("Stop this agent")
    await expect(receipt(tab)).to_contain_text("Stopped: all that mailer does")
    await expect(receipt(tab)).to_contain_text("1 ask is on hold")
    assert (await agent.look(asked["id"]))["state"] == "held"
    assert (await other.look(free["id"]))["state"] == "pending"
    await expect(tab.page.locator("#to-brakes .count")).to_have_text("1")

    await tab.open("/", listening=script)
    await expect(tab.page.locator("#on-hold")).to_contain_text("One of these is on hold")
    item = tab.page.locator(f"#open-{asked['id']}")
    await expect(item.locator(".badge.held")).to_have_text("On hold")
    await expect(item.locator(".tower.held")).to_have_count(1)
    await expect(item.locator(".left")).to_have_count(0)
    await expect(tab.page.locator(f"#open-{free['id']} .left")).to_have_count(1)
    await tab.page.get_by_role("link", name="See what stopped it").click()
    await tab.page.get_by_role("button", name="Resume all that mailer does").click()
    await expect(tab.page.locator("main")).to_contain_text("No brake is on.")
    assert (await agent.look(asked["id"]))["state"] == "pending"


async def test_everything_is_stopped_what_flies_is_named_and_everything_goes_on(
    reader: Reader, agent: Agent, mira: Person, service: Live
) -> None:
    asked, other = await agent.ask(), await service.new_agent("calendar")
    await other.ask()
    flying = await agent.ask(what="Send it to Carol")
    (await mira.approve(flying)).ok()
    (await agent.claim(await agent.look(flying["id"]), claimant="worker-3")).ok()
    ana = await (await reader("ana@example.com")).open("/")
    tab = await (await reader()).open("/brakes")
    await expect(tab.button("Stop every agent now")).to_be_hidden()
    await tab.page.get_by_text("Stop everything…").click()
    await tab.type("Why stop everything?", "fire")
    await tab.press("Stop every agent now")
    await expect(receipt(tab)).to_contain_text("Stopped: everything")
    await expect(receipt(tab)).to_contain_text("2 asks are on hold")
    await expect(receipt(tab)).to_contain_text("1 action is in flight: claimed before")
    await expect(receipt(tab)).to_contain_text("Send it to Carol, claimed by worker-3 at")
    await expect(ana.page.locator("#on-hold")).to_contain_text("2 of these are on hold")
    ask = await agent.open(await agent.confirmation(what="A new one"))
    assert ask.problem == "stopped"
    await tab.card(asked)
    await expect(tab.page.locator("#cord")).to_contain_text("Held by a brake on everything: it is lifted there")
    await tab.page.get_by_role("link", name="it is lifted there").click()
    await tab.page.get_by_role("button", name="Resume everything").click()
    await expect(receipt(tab)).to_contain_text("2 asks wait again.")
    await expect(ana.page.locator("#on-hold")).to_have_count(0)


async def test_the_page_of_brakes_follows_by_itself_and_keeps_what_is_typed(
    reader: Reader, agent: Agent, mira: Person
) -> None:
    tab = await (await reader()).open("/brakes")
    await tab.page.get_by_text("Stop everything…").click()
    await tab.type("Why stop everything?", "half a sen")
    await tab.page.get_by_label("All runs of").select_option("mailer")
    (await mira.call("POST", f"/v1/runs/{await agent.run()}/brake", {"action": "pause"})).ok()
    await expect(tab.page.locator(".brakes li")).to_contain_text("Paused: the run weekly-report of mailer by mira")
    await expect(tab.page.get_by_label("Why stop everything?")).to_have_value("half a sen")
    await expect(tab.page.get_by_label("All runs of")).to_have_value("mailer")
    await expect(tab.button("Stop every agent now")).to_be_visible()


async def test_a_page_left_and_come_back_to_pulls_anew(reader: Reader, agent: Agent, mira: Person) -> None:
    """What was pressed on it counted once; after a resume the same button is another press."""
    await agent.ask()
    tab = await run_page(await reader(), agent)
    await tab.press("Stop this run")
    await tab.press("Resume this run")
    await expect(receipt(tab)).to_contain_text("Resumed")
    await tab.page.go_back()
    await tab.press("Stop this run")
    await expect(receipt(tab)).to_contain_text("Stopped: this run")
    assert len(await standing(mira)) == 1

    # Not every browser fetches the page again: some bring it back as it was.
    order_id = tab.page.locator("#resume-form input[name=order_id]")
    before = await order_id.get_attribute("value")
    await tab.page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert await order_id.input_value() != before


async def test_the_keyboard_stops_and_enter_in_a_field_does_not(reader: Reader, agent: Agent, mira: Person) -> None:
    await agent.ask()
    tab = await run_page(await reader(), agent)
    await tab.page.get_by_label("Why stop or pause it?").focus()
    await tab.page.keyboard.type("by keyboard")
    await tab.page.keyboard.press("Enter")
    await tab.page.keyboard.press("Tab")
    assert await tab.page.evaluate("document.activeElement.textContent") == "Stop this run"
    assert await tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert await standing(mira) == []
    await tab.page.keyboard.press("Enter")
    await expect(receipt(tab)).to_contain_text("Stopped: this run")
    assert [each["text"] for each in await standing(mira)] == ["by keyboard"]


# --- everybody can read it -------------------------------------------------------------------------------------------


async def every_page(agent: Agent, mira: Person) -> list[str]:
    """Pages of a run that is held twice, with hostile words everywhere, and of one that is not held."""
    hostile: dict[str, Any] = {
        "name": HOSTILE[:300].replace("\n", " "),
        "requester": "r" * 300,
        "labels": {HOSTILE: HOSTILE},
        "conversation": {"surface": "web", "channel": "c" * 300},
    }
    run = str((await agent.call("POST", "/v1/runs", hostile)).ok()["id"])
    asked = await agent.ask(run=run, what=HOSTILE)
    flying = await agent.ask(run=run, what=HOSTILE)
    (await mira.approve(flying)).ok()
    (await agent.claim(await agent.look(flying["id"]), claimant="w" * 128)).ok()
    free = await agent.ask()
    place = {"surface": "web", "channel": "c" * 300}
    (await mira.call("POST", f"/v1/runs/{run}/brake", {"action": "steer", "text": HOSTILE})).ok()
    wide = {"action": "pause", "text": HOSTILE, "scope": {"conversation": place}}
    (await mira.call("POST", "/v1/brakes", wide)).ok()
    cards = [f"/handoffs/{each['id']}" for each in (asked, flying, free)]
    return ["/", "/brakes", f"/runs/{run}", f"/runs/{await agent.run()}", *cards]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_fits_and_stands_out(
    reader: Reader, agent: Agent, mira: Person, scheme: str, width: int
) -> None:
    tab = await reader(viewport={"width": width, "height": 844}, color_scheme=scheme)
    for path in await every_page(agent, mira):
        await tab.open(path)
        for summary in await tab.page.locator("summary:visible").all():
            await summary.click()
        assert await tab.width_beyond() <= 0, path
        assert await tab.page.evaluate(CONTRAST) == [], path
        assert await tab.page.title() != "owned"
        assert await tab.page.locator("main img, main a[href^='http'], main script").count() == 0
        if width == 390 and path == "/brakes":
            boxes = [await each.bounding_box() for each in await tab.page.locator(".top nav a").all()]
            assert len({box["y"] for box in boxes if box}) == 1, "the navigation is one line on a phone"
    await tab.page.get_by_role("link", name="Brakes").click()
    await tab.page.get_by_label("All runs of").select_option("mailer")
    await tab.press("Stop this agent")
    await expect(receipt(tab)).to_be_visible()
    assert await tab.width_beyond() <= 0
    assert await tab.page.evaluate(CONTRAST) == []
