"""Slack is slow, or many people look on: what a person does counts all the same, and at once."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.slack.home import Home
from bot.config import Settings
from bot.errors import DirectoryDown
from bot.shelf import SealedShelf
from bot.store.outbox import Outbox
from tests.fakes.slack.people import Person
from tests.fakes.slack.screens import Modal
from tests.fakes.waiting import seen
from tests.flows.slack_house import House, house
from tests.servers import until


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


async def look_on(slack: House, count: int) -> list[Person]:
    """So many people of the channel have their Home tab open."""
    people = [slack.cloud.user(f"watcher{n}") for n in range(count)]
    slack.ops.members += people
    shelf = SealedShelf(slack.live.store, slack.live.settings.key_material(), "slack")
    now = slack.cloud.clock.now()
    watching = {f"{slack.ops.team.id}/{person.id}": now for person in people}
    await shelf.save("home:open", json.dumps(watching), timedelta(hours=1))
    return people


async def asks_for_a_line(slack: House) -> Any:
    return await slack.agent.ask_for("Window or aisle?", reply_in_thread=True, to=[slack.place()])


# --- those who look on ---


async def test_a_reply_counts_at_once_however_many_look_on(slack: House) -> None:
    """Their Home tabs once came before the card's address was stored, and a reply without one was lost for good."""
    await look_on(slack, 60)
    slack.cloud.slow_s = 0.15
    asked = await asks_for_a_line(slack)
    card = await slack.card(asked)
    await slack.mira.say(slack.ops, "Window", thread=card)

    async def is_decided() -> bool:
        return await slack.state(asked) == "decided"

    await until(is_decided, within_s=4, what="the reply is recorded")
    await card.shows("Window", within_s=4)


async def test_what_fails_for_those_who_look_on_fails_for_nobody_else(
    slack: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Home, "_watchers", fails)
    asked, card = await slack.asked_card()
    await slack.mira.press(card, "Approve")
    await card.shows("Approved")
    await slack.until_settled()
    assert len(slack.cards(asked)) == 1
    assert "slack.aftermath_failed" in caplog.text
    assert "cards.failed" not in caplog.text


async def test_what_slack_does_not_let_through_now_fails_no_card(slack: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise DirectoryDown("not now")

    monkeypatch.setattr(Home, "_watchers", fails)
    asked, card = await slack.asked_card()
    await slack.mira.press(card, "Approve")
    await card.shows("Approved")
    assert len(slack.cards(asked)) == 1


async def test_those_who_look_on_see_it_in_the_end(slack: House) -> None:
    people = await look_on(slack, 10)
    asked, _ = await slack.asked_card()

    async def all_see() -> bool:
        return all(person.home and "1 waiting" in person.home.shown for person in people)

    await until(all_see, what="every Home tab shows the card")
    assert await slack.state(asked) == "pending"


# --- before the address is known ---


async def test_a_reply_that_comes_before_the_address_is_stored_counts(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card says itself whose it is; a reply is sent once."""

    async def not_yet(*_: object) -> None:
        return None

    monkeypatch.setattr(Outbox, "card_at", not_yet)
    asked = await asks_for_a_line(slack)
    card = await slack.card(asked)
    await slack.mira.say(slack.ops, "Window", thread=card)
    assert (await slack.agent.wait(asked["id"]))["decision"]["answer"] == "Window"


async def test_a_thread_below_somebody_else_is_not_looked_at(slack: House) -> None:
    """People talk all day, and each look is a call."""
    root = await slack.mira.say(slack.ops, "Lunch?")
    await slack.ana.say(slack.ops, "Yes", thread=root)
    assert slack.cloud.calls["conversations.replies"] == 0


async def test_a_thread_below_another_message_of_ours_is_looked_at_once(slack: House) -> None:
    run = (await slack.agent.call("POST", "/v1/runs", {"name": "job", "conversation": slack.place()})).ok()
    await slack.agent.call("POST", f"/v1/runs/{run['id']}/notices", {"text": "Half way"})
    notice = await slack.cloud.wait_for_card(slack.ops, "Half way")
    for _ in range(5):
        await slack.ana.say(slack.ops, "Good", thread=notice)
    assert slack.cloud.calls["conversations.replies"] == 1


# --- a trigger lives three seconds ---


async def seen_in(modal: Modal, containing: str) -> Modal:
    """The modal, once this can be read in it."""

    async def there() -> bool:
        return containing in modal.shown

    await until(there, what=f"{containing!r} in {modal.shown!r}")
    return modal


@pytest.mark.parametrize("label, title", [("Edit", "Edit send_email"), ("Reject…", "Reject")])
async def test_a_form_opens_at_the_first_press_however_slow_slack_is(slack: House, label: str, title: str) -> None:
    """To ask who pressed takes two calls; the form was a third, and its trigger was over by then."""
    asked, card = await slack.asked_card()
    slack.cloud.slow_s = 1.2
    pressed = await slack.mira.press(card, label)
    waits = await seen(lambda: pressed.modal, within_s=3)
    assert waits
    assert waits.title == "One moment"
    modal = await pressed.opened()
    assert modal.title == title
    assert pressed.told == []
    assert (await modal.submit()).closed
    assert await slack.state(asked) == "decided"


async def test_who_may_not_answer_sees_why_in_the_modal_that_waited(slack: House) -> None:
    guest = slack.cloud.user("gus", display_name="Gus", is_restricted=True)
    slack.ops.members.append(guest)
    asked, card = await slack.asked_card()
    slack.cloud.slow_s = 1.2
    pressed = await guest.press(card, "Edit")
    modal = await pressed.opened()
    await seen_in(modal, "Gus, guests may not answer, unless the policy lists them.")
    assert modal.submit_label is None
    assert modal.fields == {}
    assert pressed.told == []
    assert await slack.state(asked) == "pending"


async def test_what_was_decided_meanwhile_is_said_in_the_modal_that_waited(slack: House) -> None:
    asked, card = await slack.asked_card()
    slack.cloud.slow_s = 1.2
    pressed = await slack.mira.press(card, "Edit")
    (await slack.live.person.reject(asked, "Not today")).ok()
    await seen_in(await pressed.opened(), "rejected this at")


async def test_with_slacks_directory_down_the_modal_that_waited_says_so(slack: House) -> None:
    _, card = await slack.asked_card()
    slack.cloud.slow_s = 0.7
    slack.cloud.refuses["users.info"] = "fatal_error"
    pressed = await slack.mira.press(card, "Edit")
    await seen_in(await pressed.opened(), "Slack does not say now who you are, so your press was not taken.")


async def test_who_closes_the_modal_that_waits_hears_nothing_more(slack: House) -> None:
    _, card = await slack.asked_card()
    slack.cloud.slow_s = 1.2
    pressed = await slack.mira.press(card, "Edit")
    waits = await seen(lambda: pressed.modal, within_s=3)
    assert waits
    await waits.close()
    slack.cloud.slow_s = 0

    async def is_over() -> bool:
        return any(error.startswith("views.update: not_found") for error in slack.cloud.errors)

    await until(is_over)
    assert not await seen(lambda: pressed.told, within_s=0.5)


async def test_one_tap_opens_nothing_however_slow_slack_is(slack: House) -> None:
    asked, card = await slack.asked_card()
    slack.cloud.slow_s = 1.2
    pressed = await slack.mira.press(card, "Approve")
    assert (await slack.agent.wait(asked["id"]))["decision"]["kind"] == "approved"
    assert pressed.modal is None


async def test_whom_slack_told_of_lately_gets_the_form_in_one_call(slack: House) -> None:
    _, card = await slack.asked_card()
    await (await slack.mira.press(card, "Edit")).opened()
    slack.cloud.slow_s = 1.2
    before = slack.cloud.calls.copy()
    pressed = await slack.mira.press(card, "Reject…")
    assert (await pressed.opened()).title == "Reject"
    assert slack.cloud.calls - before == {"views.open": 1}
