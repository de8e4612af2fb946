"""Slack lets so many calls through each minute; nobody can use them up for those who press."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.config import Settings
from bot.shelf import SealedShelf
from tests.fakes.slack import interactions
from tests.flows.slack_house import House, house
from tests.servers import until


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


async def test_a_guest_cannot_use_up_what_approvers_need(slack: House) -> None:
    """Each reply once looked up twenty people, twice, before anybody asked who wrote it."""
    guest = slack.cloud.user("gus", is_restricted=True)
    slack.ops.members.append(guest)
    asked = await slack.agent.ask_for("Window or aisle?", reply_in_thread=True, to=[slack.place()])
    card = await slack.card(asked)
    for reply in range(10):
        mentions = " ".join(f"<@U0NOBODY{reply}{n}>" for n in range(20))
        await guest.say(slack.ops, mentions, thread=card)
    assert slack.cloud.calls["users.info"] == 1
    assert slack.cloud.calls["users.conversations"] == 0
    mail, mail_card = await slack.asked_card()
    await slack.mira.press(mail_card, "Approve")
    assert await slack.state(mail) == "decided"
    assert not [error for error in slack.cloud.errors if "ratelimited" in error]


async def test_names_are_looked_up_by_one_call_each_and_who_is_nobody_is_remembered(slack: House) -> None:
    asked = await slack.agent.ask_for("Who was there?", reply_in_thread=True, to=[slack.place()])
    card = await slack.card(asked)
    await slack.mira.say(slack.ops, f"<@{slack.ana.id}> and <@U0NOBODY>", thread=card)
    assert (await slack.agent.wait(asked["id"]))["decision"]["answer"] == "@Ana and @U0NOBODY"
    assert slack.cloud.calls["users.info"] == 3
    assert slack.cloud.calls["users.conversations"] == 1, "of the author alone"
    asked = await slack.agent.ask_for("And then?", reply_in_thread=True, to=[slack.place()])
    card = await slack.card(asked)
    await slack.mira.say(slack.ops, f"<@{slack.ana.id}> and <@U0NOBODY>", thread=card)
    assert (await slack.agent.wait(asked["id"]))["decision"]["answer"] == "@Ana and @U0NOBODY"
    assert slack.cloud.calls["users.info"] == 3


async def test_a_press_goes_through_while_sixty_home_tabs_want_to_be_shown(slack: House) -> None:
    """Slack takes 50 such calls at once; without a reserve the tabs would take them all."""
    people = [slack.cloud.user(f"watcher{n}") for n in range(60)]
    slack.ops.members += people
    shelf = SealedShelf(slack.live.store, slack.live.settings.key_material(), "slack")
    watching = {f"{slack.ops.team.id}/{person.id}": slack.cloud.clock.now() for person in people}
    await shelf.save("home:open", json.dumps(watching), timedelta(hours=1))
    asked, card = await slack.asked_card()

    async def many_looked_up() -> bool:
        return slack.cloud.calls["users.conversations"] >= 24

    await until(many_looked_up)
    await asyncio.sleep(0.5)  # as many more as are let through
    assert slack.cloud.calls["users.conversations"] <= 25
    await slack.mira.press(card, "Approve")
    assert await slack.state(asked) == "decided"
    assert not [error for error in slack.cloud.errors if "ratelimited" in error]


async def test_people_who_open_their_home_tabs_leave_enough_for_a_press(slack: House) -> None:
    people = [slack.cloud.user(f"curious{n}") for n in range(60)]
    slack.ops.members += people
    asked, card = await slack.asked_card()
    opening = asyncio.gather(*(interactions.open_home(person) for person in people))
    await asyncio.sleep(1)
    await slack.mira.press(card, "Approve")
    assert await slack.state(asked) == "decided"
    await opening
    events = [each for each in slack.cloud.deliveries if each.name == "app_home_opened"]
    assert len(events) == 60
    assert all(each.ok for each in events), "nothing is sent again"
    assert not [error for error in slack.cloud.errors if "users" in error]


@pytest.mark.parametrize("method", ["users.info", "users.conversations"])
async def test_a_home_tab_that_slack_does_not_let_us_show_is_shown_later(
    slack: House, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("adapters.slack.home._AGAIN_S", 0.5)
    slack.cloud.refuses[method] = "fatal_error"
    await slack.asked_card()
    await interactions.open_home(slack.ana)
    assert slack.ana.home is None
    assert slack.cloud.deliveries[-1].ok
    assert "Traceback" not in caplog.text
    slack.cloud.refuses.clear()

    async def is_shown() -> bool:
        return slack.ana.home is not None and "1 waiting" in slack.ana.home.shown

    await until(is_shown)


async def test_a_second_press_within_a_minute_asks_slack_nothing(slack: House) -> None:
    for _ in range(3):
        asked, card = await slack.asked_card()
        await slack.mira.press(card, "Approve")
        assert await slack.state(asked) == "decided"
    assert (slack.cloud.calls["users.info"], slack.cloud.calls["users.conversations"]) == (1, 1)
