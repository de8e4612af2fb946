"""The cord in Slack without words: signs on cards, buttons, the Home tab."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.fakes.slack.screens import Home
from tests.flows.cord import DENIED, becomes, brakes, cut_off, quiet, run_in, said, scopes, whispered
from tests.flows.slack_house import House, house, told_below
from tests.people import Json
from tests.servers import until


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


# --- emoji, buttons ---


@pytest.mark.parametrize("emoji, verb", [("octagonal_sign", "stopped"), ("double_vertical_bar", "paused")])
async def test_a_sign_on_a_card_stops_its_run(slack: House, emoji: str, verb: str) -> None:
    run = await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.react(card, emoji)
    await told_below(card, f"Ana {verb} this run.")
    assert [each["scope"]["run"] for each in await brakes(slack)] == [run]


@pytest.mark.parametrize("emoji", ["no_entry", "thumbsdown", "eyes", "x"])
async def test_other_signs_say_something_else(slack: House, emoji: str) -> None:
    await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.react(card, emoji)
    await quiet(slack)


async def test_a_sign_on_what_is_no_card_stops_nothing(slack: House) -> None:
    await run_in(slack)
    about = await slack.mira.say(slack.ops, "Who broke it?")
    await slack.ana.react(about, "octagonal_sign")
    await quiet(slack)


async def test_a_sign_on_the_message_that_a_run_hangs_from_stops_it(slack: House) -> None:
    root = await slack.mira.say(slack.ops, "Please send the weekly report")
    run = await run_in(slack, {**slack.place(), "thread": root.ts})
    await run_in(slack, name="another")
    await slack.ana.react(root, "octagonal_sign")
    await told_below(root, "Ana stopped this run.")
    assert await scopes(slack) == [{"stop": {"run": run}}]


async def test_the_menu_of_a_card_stops_its_run_and_the_button_lets_it_go_on(slack: House) -> None:
    await run_in(slack)
    asked, card = await slack.asked_card()
    assert card.menu[-1] == "Stop this run"
    await slack.ana.press(card, "Stop this run")
    told = await told_below(card, "Ana stopped this run.")
    assert "types resume in this thread, or presses Resume on the card" in told.shown
    await card.shows("On hold: stopped")
    await slack.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await becomes(slack, asked, "pending")
    await card.shows("Approve send_email?")


async def test_a_stale_resume_lifts_nothing_newer(slack: House) -> None:
    """The card was on Mira's screen when Ana stopped more."""
    await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.press(card, "Stop this run")
    await card.shows("Resume this run")
    async with cut_off(slack):
        await slack.mira.press(card, "Resume this run")
    stale = slack.last("block_actions")
    await slack.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await slack.ana.say(slack.ops, "stop", thread=card)
    await told_below(card, "Ana stopped this run.")
    await card.shows("Resume this run")
    assert (await slack.send(stale)).status == 200
    await whispered(slack, "Something else holds it now.")
    assert len(await brakes(slack)) == 1


async def test_a_resume_after_it_went_on_says_so(slack: House) -> None:
    await run_in(slack)
    _, card = await slack.asked_card()
    await slack.ana.press(card, "Stop this run")
    await card.shows("Resume this run")
    async with cut_off(slack):
        await slack.ana.press(card, "Resume this run")
    stale = slack.last("block_actions")
    await slack.mira.press(card, "Resume this run")
    await told_below(card, "Mira resumed this run.")
    await slack.send(stale)
    await whispered(slack, "This is not on hold any more. Your press changed nothing.")


async def test_a_press_on_stop_that_comes_after_the_resume_stops_nothing(slack: House) -> None:
    await run_in(slack)
    _, card = await slack.asked_card()
    async with cut_off(slack):
        await slack.ana.press(card, "Stop this run")
    late = slack.last("block_actions")
    await slack.mira.say(slack.ops, "stop", thread=card)
    await told_below(card, "Mira stopped this run.")
    await slack.mira.say(slack.ops, "resume", thread=card)
    await told_below(card, "Mira resumed this run.")
    await slack.send(late)
    await whispered(slack, "that reached me late")
    assert await brakes(slack) == []


async def test_home_shows_what_is_stopped_and_resumes_it(slack: House) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run")
    home = await slack.ana.open_home()
    assert "What is stopped" in home.shown
    assert "Mira stopped every run in its conversation" in home.shown
    assert "#ops" in home.shown
    assert "on hold" in home.shown
    outcome = await home.press("Resume every run in its conversation")
    await outcome.hears("Ana resumed every run in its conversation (#ops).")

    async def gone() -> bool:
        return slack.ana.home is not None and "What is stopped" not in slack.ana.home.shown

    await until(gone, what="the Home tab shows no brake")
    assert await brakes(slack) == []


async def test_home_shows_nothing_of_channels_that_i_am_not_in(slack: House) -> None:
    secret = slack.cloud.channel("#secret", members=[slack.mira], bot=True, private=True)
    await run_in(slack, slack.place(secret))
    await slack.mira.say(secret, "stop")
    await said(slack, "Mira stopped every run", secret)
    assert "What is stopped" not in (await slack.ana.open_home()).shown
    assert "#secret" in (await slack.mira.open_home()).shown
    assert "Nothing is stopped" in (await slack.ana.command("/andon", "brakes", channel=slack.ops)).shown


async def test_what_was_stopped_in_a_direct_message_is_resumed_from_home(slack: House) -> None:
    asked = await slack.ask(to=[{"surface": "slack", "person": "ana@example.com"}])
    await slack.ana.dm("stop")
    await slack.cloud.wait_for_card(slack.ana, "Ana stopped every run here.")
    assert "What is stopped" not in (await slack.mira.open_home()).shown
    await (await slack.ana.open_home()).press("Resume this run")
    await becomes(slack, asked, "pending")


async def test_nobody_resumes_from_home_what_they_do_not_see(slack: House) -> None:
    secret = slack.cloud.channel("#secret", members=[slack.mira], bot=True, private=True)
    await run_in(slack)
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run")
    home = await slack.ana.open_home()
    await run_in(slack, slack.place(secret))
    await slack.mira.say(secret, "stop")
    await said(slack, "Mira stopped every run", secret)
    hidden = max(each["epoch"] for each in await brakes(slack))
    await slack.cloud.courier.ask("interaction", await _pressed_on(slack, home, str(hidden)))
    await slack.cloud.wait_for_card(slack.ana, "That brake is not on any more, or holds nothing that you can see.")
    assert len(await brakes(slack)) == 2


async def test_whoever_stopped_what_they_are_not_in_sees_it_and_does_not_resume_it(slack: House) -> None:
    """A command is typed in any public channel; to approve there takes a member of it."""
    hall = slack.cloud.channel("#hall", members=[slack.mira], bot=True)
    await run_in(slack, slack.place(hall))
    asked = await slack.ask(to=[slack.place(hall)])
    await slack.card(asked, hall)
    await slack.ana.command("/andon", "stop", channel=hall)
    await said(slack, "Ana stopped every run", hall)
    outcome = await (await slack.ana.open_home()).press("Resume every run in its conversation")
    await outcome.hears(DENIED)
    assert await slack.state(asked) == "held"


async def _pressed_on(slack: House, home: Home, epoch: str) -> Json:
    """A press on Resume that names another brake than the one shown."""
    async with cut_off(slack):
        await home.press("Resume every run in its conversation")
    press = slack.last("block_actions")
    press["actions"][0] |= {"value": epoch, "action_id": f"andon:lift:{epoch}"}
    press["trigger_id"] = "another"
    return press


async def test_a_guest_sees_on_home_what_is_stopped_and_may_not_resume_it(slack: House) -> None:
    gwen = slack.cloud.user("gwen", display_name="Gwen", is_restricted=True)
    slack.ops.members.append(gwen)
    await run_in(slack)
    await slack.mira.say(slack.ops, "stop")
    await said(slack, "Mira stopped every run")
    outcome = await (await gwen.open_home()).press("Resume every run in its conversation")
    await outcome.hears(DENIED)
    assert len(await brakes(slack)) == 1


async def test_everything_that_is_stopped_is_on_every_home(slack: House) -> None:
    await run_in(slack)
    await slack.mira.say(slack.ops, "stop all")
    await said(slack, "Mira stopped every agent.")
    otto = slack.cloud.user("otto", display_name="Otto")
    outcome = await (await otto.open_home()).press("Resume every agent")
    await outcome.hears("Otto resumed every agent.")
    assert await brakes(slack) == []


@pytest.mark.parametrize("label", ["Stop this run", "Resume this run"])
async def test_a_press_at_a_place_that_has_no_such_card_does_nothing(slack: House, label: str) -> None:
    otto = slack.cloud.user("otto", display_name="Otto")
    dev = slack.cloud.channel("#dev", members=[otto], bot=True)
    await run_in(slack)
    _, card = await slack.asked_card()
    if label.startswith("Resume"):
        await slack.mira.press(card, "Stop this run")
        await card.shows("Resume this run")
    before = await brakes(slack)
    async with cut_off(slack):
        await slack.mira.press(card, label)
    press = slack.last("block_actions")
    press["channel"]["id"] = press["container"]["channel_id"] = dev.id
    await slack.send(press | {"user": {**press["user"], "id": otto.id}})
    await whispered(slack, "This card is not one of ours any more")
    assert await brakes(slack) == before
