"""Where things go that name no place: the channel of the settings, for cards, notices and the run itself."""

from bot.config import Settings
from tests.adapters.slack_surface import slack_surface
from tests.people import Agent
from tests.servers import live


async def test_what_names_no_place_goes_to_the_channel_of_the_settings(settings: Settings) -> None:
    """So that the run shows among those of the channel, where people see its cards."""
    async with slack_surface() as surface:
        named = surface.settings(settings).model_copy(update={"slack_channel": "#ops"})
        async with live(named) as service:
            await surface.attach(service)
            asked = await service.agent.ask()
            await surface.wait_for(asked)
            run = (await service.agent.call("GET", f"/v1/runs/{asked['run']}")).ok()
            assert run["conversation"] == {"surface": "slack", "channel": "#ops"}
            told = await service.agent.call("POST", f"/v1/runs/{asked['run']}/notices", {"text": "Half way"})
            assert told.status == 202
            await surface.cloud.wait_for_card(surface.ops, "Half way")


async def test_a_run_that_names_a_place_keeps_it(settings: Settings) -> None:
    async with slack_surface() as surface:
        named = surface.settings(settings).model_copy(update={"slack_channel": "#ops"})
        async with live(named) as service:
            await surface.attach(service)
            run = await _start(service.agent, {"surface": "web"})
            assert run["conversation"] == {"surface": "web"}


async def _start(agent: Agent, conversation: dict[str, str]) -> dict[str, object]:
    return (await agent.call("POST", "/v1/runs", {"name": "job", "conversation": conversation})).ok()


async def test_a_reply_counts_below_a_card_that_stands_in_a_thread_itself(settings: Settings) -> None:
    """Slack names only the message that the thread hangs from."""
    async with slack_surface() as surface, live(surface.settings(settings)) as service:
        await surface.attach(service)
        mira = surface.people["mira"]
        root = await mira.say(surface.ops, "The trip to Lisbon")
        place = {**surface.place, "thread": root.ts}
        asked = await service.agent.ask_for("Window or aisle?", reply_in_thread=True, to=[place])
        await surface.wait_for(asked)
        await mira.say(surface.ops, "Window", thread=root)
        assert (await service.agent.wait(asked["id"]))["decision"]["answer"] == "Window"
