"""Several workspaces: people install the app, each has its own token, and tokens are seen by nobody."""

import json
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from bot.config import Settings
from tests.adapters.surface import HOUR_PACE
from tests.fakes.slack import SlackCloud, events
from tests.fakes.slack.model import Channel, Team
from tests.fakes.slack.people import Person
from tests.flows.slack_house import House, check, house, people_of, settings_for, workspace
from tests.people import Json
from tests.servers import Live, live, until

pytestmark = pytest.mark.filterwarnings(
    "ignore:BasicAuth is deprecated:DeprecationWarning"  # slack_sdk's way to exchange the code of an installation
)


@dataclass
class Worlds:
    """Two workspaces, each with a channel and somebody in it."""

    cloud: SlackCloud
    live: Live = field(repr=False)
    acme: Team
    other: Team
    ops: Channel
    dev: Channel
    mira: Person
    otto: Person

    @property
    def house(self) -> House:
        return House(self.cloud, self.ops, self.mira, self.mira, self.live)

    def place(self, channel: Channel) -> Json:
        return {"surface": "slack", "channel": f"{channel.team.id}/{channel.id}"}

    # --- as a browser ---

    async def begin(self) -> tuple[str, str]:
        """Open /slack/install; returns where Slack asks for consent, and the cookie that was set."""
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.live.url}/slack/install", allow_redirects=False) as said,
        ):
            assert said.status == 302
            return said.headers["Location"], said.headers["Set-Cookie"].partition(";")[0]

    async def agree(self, consent: str, team: Team) -> str:
        """Agree on Slack's page; returns the address that the browser is sent back to."""
        self.cloud.installs_to = team
        async with aiohttp.ClientSession() as http, http.get(consent, allow_redirects=False) as said:
            assert said.status == 302
            return said.headers["Location"]

    async def finish(self, back: str, cookie: str) -> int:
        async with (
            aiohttp.ClientSession() as http,
            http.get(back, headers={"Cookie": cookie} if cookie else {}, allow_redirects=False) as said,
        ):
            return said.status

    async def install(self, team: Team) -> None:
        consent, cookie = await self.begin()
        assert await self.finish(await self.agree(consent, team), cookie) == 200


def by_oauth(settings: Settings, cloud: SlackCloud, teams: str | None = "T0ANDON, T0OTHER") -> Settings:
    secret = SecretStr(cloud.app.client_secret)
    changes: Any = {"slack_client_id": cloud.app.client_id, "slack_client_secret": secret, "slack_bot_token": None}
    changes["slack_teams"] = teams
    return settings_for(settings, cloud, **changes)


@pytest.fixture
async def worlds(settings: Settings) -> AsyncIterator[Worlds]:
    async with workspace() as cloud:
        ops, mira, _ = people_of(cloud)
        other = cloud.team("T0OTHER", name="Other")
        otto = cloud.user("otto", team=other, display_name="Otto", email="otto@other.example")
        dev = cloud.channel("#dev", members=[otto], team=other)
        async with live(by_oauth(settings, cloud), pace=HOUR_PACE) as running:
            cloud.app.request_url = f"{running.url}/slack/events"
            yield Worlds(cloud, running, cloud.home, other, ops, dev, mira, otto)
            check(cloud, running.url)


async def test_each_workspace_has_its_own_token(worlds: Worlds) -> None:
    await worlds.install(worlds.acme)
    await worlds.install(worlds.other)
    asked = await worlds.house.ask(to=[worlds.place(worlds.ops), worlds.place(worlds.dev)])
    here, there = await worlds.house.card(asked, worlds.ops), await worlds.house.card(asked, worlds.dev)
    assert here.user is worlds.cloud.bot(worlds.acme)
    assert there.user is worlds.cloud.bot(worlds.other)
    await worlds.otto.press(there, "Approve")
    decision = (await worlds.live.agent.wait(asked["id"]))["decision"]
    assert decision["by"]["id"] == f"T0OTHER/{worlds.otto.id}"
    for card in (here, there):
        await card.shows("Otto approved")


async def test_a_place_that_names_no_workspace_is_told_which_there_are(worlds: Worlds) -> None:
    await worlds.install(worlds.acme)
    await worlds.install(worlds.other)
    asked = await worlds.house.ask(to=[{"surface": "slack", "channel": "#ops"}])
    decision = (await worlds.live.agent.wait(asked["id"]))["decision"]
    assert decision["kind"] == "undeliverable"
    assert "installed in 2 Slack workspaces, so say which: T…/C…" in decision["reason"]


async def test_a_place_in_a_workspace_without_the_app_is_told_to_the_agent(worlds: Worlds) -> None:
    await worlds.install(worlds.acme)
    asked = await worlds.house.ask(to=[worlds.place(worlds.dev)])
    decision = (await worlds.live.agent.wait(asked["id"]))["decision"]
    assert decision["kind"] == "undeliverable"
    assert "not installed in the Slack workspace T0OTHER" in decision["reason"]


# --- who may install ---


@pytest.mark.parametrize("how", ["missing", "empty", "made up", "of another browser", "no cookie", "used before"])
async def test_an_installation_that_this_browser_did_not_begin_is_refused(worlds: Worlds, how: str) -> None:
    """Else somebody could make a person install with a stranger's code."""
    consent, cookie = await worlds.begin()
    back = await worlds.agree(consent, worlds.other)
    state = re.search(r"state=([^&]+)", back)
    assert state
    if how == "used before":
        assert await worlds.finish(back, cookie) == 200
        await worlds.cloud.uninstall(worlds.other)
        back = re.sub(r"code=[^&]+", "", await worlds.agree(consent, worlds.other))
    match how:
        case "missing":
            back = re.sub(r"state=[^&]+&?", "", back)
        case "empty":
            back = back.replace(state[0], "state=")
        case "made up":
            back = back.replace(state[1], "A" * 43)
            cookie = f"{cookie.partition('=')[0]}={'A' * 43}"
        case "of another browser":
            _, cookie = await worlds.begin()
        case "no cookie":
            cookie = ""
    assert await worlds.finish(back, cookie) in {400, 401}
    assert await worlds.live.store.shelf.lasting("slack") == []


async def test_who_declines_is_told_and_nothing_is_installed(worlds: Worlds) -> None:
    worlds.cloud.declines = True
    consent, cookie = await worlds.begin()
    assert await worlds.finish(await worlds.agree(consent, worlds.other), cookie) in {200, 400, 401, 500}
    assert await worlds.live.store.shelf.lasting("slack") == []


# --- tokens that end ---


async def test_a_token_that_has_ended_is_renewed_and_the_card_arrives(worlds: Worlds) -> None:
    worlds.cloud.app.rotates = True
    await worlds.install(worlds.acme)
    await worlds.house.card(await worlds.house.ask(to=[worlds.place(worlds.ops)]))
    tokens = set(worlds.cloud.tokens)
    worlds.cloud.clock.advance(13 * 60 * 60)
    asked = await worlds.house.ask(to=[worlds.place(worlds.ops)])
    card = await worlds.house.card(asked)
    assert set(worlds.cloud.tokens) > tokens
    await worlds.mira.press(card, "Approve")
    assert await worlds.house.state(asked) == "decided"


async def test_an_uninstalled_workspace_is_forgotten_and_the_other_goes_on(worlds: Worlds) -> None:
    """Slack tells it twice, and the second time the workspace is unknown: it must not be taken for the only other."""
    await worlds.install(worlds.acme)
    await worlds.install(worlds.other)
    await worlds.cloud.uninstall(worlds.other)
    assert await worlds.live.store.shelf.lasting("slack") == ["install:none:T0ANDON"]
    asked = await worlds.house.ask(to=[worlds.place(worlds.ops)])
    await worlds.mira.press(await worlds.house.card(asked), "Approve")
    assert await worlds.house.state(asked) == "decided"
    await worlds.install(worlds.other)
    again = await worlds.house.ask(to=[worlds.place(worlds.dev)])
    await worlds.otto.press(await worlds.house.card(again), "Approve")
    assert await worlds.house.state(again) == "decided"


@pytest.mark.parametrize("team", [None, "", "T0NOWHERE", "E0NOWHERE"])
async def test_an_uninstallation_elsewhere_takes_nothing_away(worlds: Worlds, team: str | None) -> None:
    await worlds.install(worlds.acme)
    told = {"type": "event_callback", "team_id": team, "event": {"type": "app_uninstalled"}, "event_id": "Ev1"}
    await worlds.house.send_raw(json.dumps(told).encode(), content_type="application/json")
    assert await worlds.live.store.shelf.lasting("slack") == ["install:none:T0ANDON"]


async def test_a_revoked_token_of_a_person_takes_nothing_away(worlds: Worlds) -> None:
    await worlds.install(worlds.acme)
    revoked = {"type": "tokens_revoked", "tokens": {"oauth": [worlds.mira.id], "bot": []}}
    await events.tell(worlds.cloud, revoked, "tokens_revoked", user=worlds.mira)
    asked = await worlds.house.ask(to=[worlds.place(worlds.ops)])
    await worlds.mira.press(await worlds.house.card(asked), "Approve")
    assert await worlds.house.state(asked) == "decided"


async def test_a_press_from_a_workspace_that_is_not_installed_decides_nothing(worlds: Worlds) -> None:
    await worlds.install(worlds.acme)
    asked = await worlds.house.ask(to=[worlds.place(worlds.ops)])
    card = await worlds.house.card(asked)
    url, worlds.cloud.app.request_url = worlds.cloud.app.request_url, "http://127.0.0.1:9/"
    await worlds.mira.press(card, "Approve")
    worlds.cloud.app.request_url = url
    press = worlds.house.last("block_actions")
    press["team"]["id"] = press["user"]["team_id"] = "T0NOWHERE"
    assert (await worlds.house.send(press)).status in {200, 400, 401}
    assert await worlds.house.state(asked) == "pending"


# --- who sees them ---


async def test_tokens_and_secrets_are_in_no_line_of_the_log_and_not_readable_in_the_store(
    worlds: Worlds, caplog: pytest.LogCaptureFixture
) -> None:
    """T22: at every level, of every library."""
    caplog.set_level(logging.DEBUG)
    worlds.cloud.app.rotates = True
    await worlds.install(worlds.acme)
    await worlds.install(worlds.other)
    worlds.cloud.clock.advance(13 * 60 * 60)
    asked = await worlds.house.ask(to=[worlds.place(worlds.ops)])
    card = await worlds.house.card(asked)
    await worlds.mira.press(card, "Approve")
    await worlds.house.send_raw(b"payload={}", signed_with="another")
    await worlds.mira.dm("help")
    for token in worlds.cloud.tokens.values():
        token.is_revoked = True
    await worlds.house.ask(to=[worlds.place(worlds.ops)])

    async def failed() -> bool:
        return "token_revoked" in caplog.text or "invalid_auth" in caplog.text

    await until(failed)
    assert_no_secret(worlds.cloud, caplog.text, "the log")
    client = worlds.live.store._client
    assert len(await worlds.live.store.shelf.lasting("slack")) == 2
    async for key in client.scan_iter("*"):
        assert_no_secret(worlds.cloud, repr([key, await _value(client, key)]), f"the store, {key!r}")


async def test_over_a_socket_its_token_is_in_no_line_of_the_log(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with house(settings, socket_mode=True) as slack:
        asked, card = await slack.asked_card()

        async def connected() -> bool:
            return bool(slack.cloud.sockets.connections)

        await until(connected)
        await slack.mira.press(card, "Approve")
        assert await slack.state(asked) == "decided"
        await slack.cloud.sockets.disconnect()
        assert_no_secret(slack.cloud, caplog.text, "the log")


def assert_no_secret(cloud: SlackCloud, text: str, where: str) -> None:
    """None of Slack's tokens or secrets, whole or as a signature, can be read here."""
    named = [cloud.app.signing_secret, cloud.app.client_secret, cloud.app.app_token]
    for secret in (*named, *cloud.tokens, *cloud.refresh_tokens, "xoxb-", "xoxe", "xapp-"):
        at = text.find(secret)
        assert at < 0, f"{secret[:6]}… is in {where}: {text[max(0, at - 300) : at + 30]!r}"
    found = re.search(r"v0=[0-9a-f]{64}", text)
    assert not found, f"a signature is in {where}"


async def _value(client: Any, key: bytes) -> object:
    match (await client.type(key)).decode():
        case "string":
            return await client.get(key)
        case "hash":
            return await client.hgetall(key)
        case "zset":
            return await client.zrange(key, 0, -1)
        case "set":
            return await client.smembers(key)
        case "stream":
            return await client.xrange(key)
        case _:
            return await client.lrange(key, 0, -1)


@pytest.mark.parametrize("teams", [None, "T0ANDON", "T0ANDON,T0ELSE"])
async def test_a_stranger_s_workspace_cannot_install_itself_beside_ours(settings: Settings, teams: str | None) -> None:
    """Its people's addresses would count, and cards that name no workspace would go nowhere."""
    async with workspace() as cloud:
        ops, mira, _ = people_of(cloud)
        evil = cloud.team("T0EVIL", name="Evil")
        async with live(by_oauth(settings, cloud, teams), pace=HOUR_PACE) as running:
            cloud.app.request_url = f"{running.url}/slack/events"
            worlds = Worlds(cloud, running, cloud.home, evil, ops, ops, mira, mira)
            await worlds.install(cloud.home)
            consent, cookie = await worlds.begin()
            assert await worlds.finish(await worlds.agree(consent, evil), cookie) != 200
            asked = await running.agent.ask(to=[{"surface": "slack", "channel": ops.id}])
            await worlds.house.card(asked, ops)
            await worlds.install(cloud.home)
