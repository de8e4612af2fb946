"""In Slack: the run's channel hears that it fell silent, and people say in a card what became of what it was doing."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.flows.slack_house import House, house
from tests.flows.test_heartbeats import claimed, fall_silent
from tests.servers import until


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as opened:
        yield opened


async def test_the_channel_hears_of_it_and_somebody_says_what_became_of_it(slack: House) -> None:
    start = {"name": "weekly-report", "heartbeat_s": 5, "conversation": slack.place()}
    run = str((await slack.agent.call("POST", "/v1/runs", start)).ok()["id"])
    asked = await claimed(slack.live, run)
    card = await slack.card(asked)
    await fall_silent(slack.live, run)

    async def unknown() -> bool:
        return "Unknown: the agent fell silent while doing this" in card.shown

    await until(unknown, what="the card says that nobody knows")
    question = {"id": (await slack.agent.look(asked["id"]))["question"]}
    asking = await slack.card(question)
    assert "Was send_email done? The agent fell silent" in asking.shown
    assert "may have run" in asking.shown
    assert "None of these" not in asking.buttons

    async def told() -> bool:
        shown = [message.shown for message in slack.cloud.cards(slack.ops)]
        return any("1 action may or may not have happened: people are asked about it." in each for each in shown)

    await until(told, what="the channel is told")

    picked = await slack.mira.select(asking, "Choose…", option="It was not done")
    assert (await (await picked.opened()).submit()).closed

    async def closed() -> bool:
        return "said that this was not done" in card.shown

    await until(closed, what="the card of the action says what was said")
    outcome = (await slack.agent.look(asked["id"]))["outcome"]
    assert (outcome["status"], outcome["by"]["surface"]) == ("failed", "slack")
