"""In Slack and Teams: a channel hears that its run fell silent, and somebody says what became of what it was doing."""

from collections.abc import AsyncIterator

import pytest

from bot.config import Settings
from tests.flows import slack_house, teams_house
from tests.flows.test_heartbeats import claimed, fall_silent
from tests.servers import until


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[slack_house.House]:
    async with slack_house.house(settings) as opened:
        yield opened


async def test_the_channel_hears_of_it_and_somebody_says_what_became_of_it(slack: slack_house.House) -> None:
    start = {"name": "weekly-report", "heartbeat_s": 5, "conversation": slack.place()}
    run = str((await slack.agent.call("POST", "/v1/runs", start)).ok()["id"])
    asked = await claimed(slack.live, run)
    card = await slack.card(asked)
    await fall_silent(slack.live, run)

    async def unknown() -> bool:
        return "Unknown: the agent fell silent while doing this" in card.shown

    await until(unknown, within_s=30, what="the card says that nobody knows")
    question = {"id": (await slack.agent.look(asked["id"]))["question"]}
    asking = await slack.card(question)
    assert "Was send_email done? The agent fell silent" in asking.shown
    assert "may have run" in asking.shown
    assert "None of these" not in asking.buttons

    async def told() -> bool:
        shown = [message.shown for message in slack.cloud.cards(slack.ops)]
        return any("1 action may or may not have happened: people are asked about it." in each for each in shown)

    await until(told, within_s=30, what="the channel is told")

    picked = await slack.mira.select(asking, "Choose…", option="It was not done")
    assert (await (await picked.opened()).submit()).closed

    async def closed() -> bool:
        return "said that this was not done" in card.shown

    await until(closed, within_s=30, what="the card of the action says what was said")
    outcome = (await slack.agent.look(asked["id"]))["outcome"]
    assert (outcome["status"], outcome["by"]["surface"]) == ("failed", "slack")


@pytest.fixture
async def teams(settings: Settings) -> AsyncIterator[teams_house.House]:
    async with teams_house.house(settings) as opened:
        yield opened


async def test_in_teams_it_is_looked_at_and_then_said(teams: teams_house.House) -> None:
    start = {"name": "weekly-report", "heartbeat_s": 5, "conversation": teams.place()}
    run = str((await teams.agent.call("POST", "/v1/runs", start)).ok()["id"])
    asked = await claimed(teams.live, run)
    card = await teams.card(asked)
    await fall_silent(teams.live, run)

    async def unknown() -> bool:
        return "Unknown: the agent fell silent while doing this" in card.shown

    await until(unknown, within_s=30, what="the card says that nobody knows")
    question = {"id": (await teams.agent.look(asked["id"]))["question"]}
    asking = await teams.card(question)
    assert "Was send_email done? The agent fell silent" in asking.shown
    looked = await teams.mira.press(asking, "Look at it, then choose…", {"choice": "0"})
    assert "It was done" in looked.shown
    said = await teams.mira.press(asking, "Say so")
    assert "It was done" in said.shown

    async def closed() -> bool:
        return "said that this was done" in card.shown

    await until(closed, within_s=30, what="the card of the action says what was said")
    outcome = (await teams.agent.look(asked["id"]))["outcome"]
    assert (outcome["status"], outcome["by"]["surface"]) == ("executed", "teams")
