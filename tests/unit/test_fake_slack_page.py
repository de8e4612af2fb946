"""The stand-in's page: what it is told to draw, and that what is done there goes through the same verbs."""

import re
import sys
from asyncio import create_subprocess_exec, subprocess, wait_for
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import SlackCloud
from tests.fakes.slack.__main__ import standing_cast
from tests.fakes.slack.samples import CARD, modal
from tests.fakes.slack.scripted import ScriptedApp
from tests.servers import ROOT, bare_environment

Json = dict[str, Any]


@pytest.fixture
async def cloud() -> AsyncIterator[SlackCloud]:
    cloud = SlackCloud()
    cloud.settle_s = 0.2
    standing_cast(cloud)
    async with cloud.serving(), ScriptedApp(cloud).serving():
        yield cloud


@pytest.fixture
async def http(cloud: SlackCloud) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cloud.url) as http:
        yield http


async def look(http: aiohttp.ClientSession, place: str = "ops", who: str = "mira") -> Json:
    async with http.get("/ui/state", params={"as": who, "place": place}) as response:
        return dict(await response.json())


async def do(http: aiohttp.ClientSession, verb: str, **said: Any) -> Json:
    async with http.post(f"/ui/{verb}", json={"as": "mira", **said}) as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


async def test_page_and_its_parts_are_served(http: aiohttp.ClientSession) -> None:
    async with http.get("/") as response:
        text = await response.text()
    assert "<title>A stand-in for Slack</title>" in text
    for name in ("/page/page.css", "/page/page.js", "/page/blocks.js"):
        async with http.get(name) as response:
            assert response.status == 200


async def test_what_is_done_on_the_page_reaches_the_app(cloud: SlackCloud, http: aiohttp.ClientSession) -> None:
    client = AsyncWebClient(token=cloud.token, base_url=cloud.api_url)
    app = ScriptedApp(cloud)

    async def show(payload: Json) -> None:
        await client.views_open(trigger_id=payload["trigger_id"], view=modal("Why"))

    app.answers["block_actions"] = show
    app.answers["view_submission"] = lambda payload: (
        None
        if payload["view"]["state"]["values"]["reason"]["value"]["value"] == "fine"
        else {"response_action": "errors", "errors": {"reason": "Say more"}}
    )
    app.answers["/andon"] = lambda _payload: "nothing is pending"
    async with app.serving():
        ops = next(channel for channel in cloud.channels.values() if channel.name == "ops")
        posted = await client.chat_postMessage(channel=ops.id, text="Send this?", blocks=CARD)
        (message,) = (await look(http))["messages"]
        spot = {"channel": ops.id, "ts": posted["ts"], "block_id": "answer"}
        assert message["blocks"][0]["text"]["text"] == "Send this?"
        await do(http, "act", **spot, action_id="flight", value="lh 1")
        view = (await look(http))["modal"]
        values = {"reason": {"value": "no"}}
        assert (await do(http, "submit", view=view["id"], values=values))["errors"] == {"Reason": "Say more"}
        values["reason"]["value"] = "fine"
        assert (await do(http, "submit", view=view["id"], values=values))["errors"] == {}
        assert (await look(http))["modal"] is None
        await do(http, "say", channel=ops.id, text="/andon pending")
        assert [m["text"] for m in (await look(http))["messages"] if m["is_ephemeral"]] == ["nothing is pending"]
        assert [m for m in (await look(http, who="ana"))["messages"] if m["is_ephemeral"]] == []
        await do(http, "say", channel=ops.id, text="@andon stop")
        assert app.heard_of("app_mention")[0]["event"]["text"] == f"{cloud.bot().mention} stop"


async def test_people_see_only_their_channels(http: aiohttp.ClientSession) -> None:
    assert [place["name"] for place in (await look(http, who="guest"))["places"]] == ["#ops", "Andon", "Home tab"]


async def test_command_says_how_to_point_the_service_at_it() -> None:
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "tests.fakes.slack", "--port", "0"),
        cwd=ROOT,
        env=bare_environment(),
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    try:
        said = (await wait_for(process.stdout.readuntil(b"SLACK_APP_TOKEN="), 30)).decode()
    finally:
        process.terminate()
        await process.communicate()
    settings = dict(re.findall(r"export (\w+)=(\S+)", said))
    assert set(settings) == {"SLACK_API_URL", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"}
    assert settings["SLACK_BOT_TOKEN"] == SlackCloud().token, "another start takes the same token"
    assert process.returncode == 0
