"""The stand-in's Socket Mode and its installation by OAuth, driven by Slack's own packages."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import Channel, Message, Person, SlackCloud
from tests.fakes.slack.samples import CARD, modal
from tests.fakes.waiting import seen

Json = dict[str, Any]


@pytest.fixture
async def cloud() -> AsyncIterator[SlackCloud]:
    async with SlackCloud().serving() as cloud:
        yield cloud


@pytest.fixture
def mira(cloud: SlackCloud) -> Person:
    return cloud.user("mira", email="mira@example.com")


@pytest.fixture
def ops(cloud: SlackCloud, mira: Person) -> Channel:
    return cloud.channel("#ops", members=[mira])


@pytest.fixture
def client(cloud: SlackCloud) -> AsyncWebClient:
    return AsyncWebClient(token=cloud.token, base_url=cloud.api_url)


@pytest.fixture
def bolt(client: AsyncWebClient) -> AsyncApp:
    return AsyncApp(client=client)


@pytest.fixture
async def connected(cloud: SlackCloud, bolt: AsyncApp) -> AsyncIterator[AsyncSocketModeHandler]:
    web = AsyncWebClient(base_url=cloud.api_url)
    handler = AsyncSocketModeHandler(bolt, cloud.app.app_token, web_client=web)
    await handler.connect_async()  # type: ignore[no-untyped-call] # Bolt's own
    await seen(lambda: cloud.sockets.connections, within_s=5)
    yield handler
    await handler.close_async()  # type: ignore[no-untyped-call] # as above


@pytest.fixture
async def card(cloud: SlackCloud, client: AsyncWebClient, ops: Channel) -> Message:
    await client.chat_postMessage(channel=ops.id, text="Send this?", blocks=CARD)
    return cloud.cards(ops)[0]


@pytest.mark.usefixtures("connected")
async def test_bolt_plays_along_over_a_socket(
    cloud: SlackCloud, bolt: AsyncApp, mira: Person, ops: Channel, card: Message
) -> None:
    """Press, modal, errors in the ack, update of the card: all through Slack's own framework."""

    async def open_why(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal())

    bolt.action("approve")(open_why)

    async def send_why(ack: AsyncAck, view: Json, client: AsyncWebClient) -> None:
        reason = view["state"]["values"]["reason"]["value"]["value"]
        if reason == "no":
            await ack({"response_action": "errors", "errors": {"reason": "Say more"}})
            return
        await ack()
        await client.chat_update(channel=ops.id, ts=card.ts, text=f"Approved: {reason}")

    bolt.view("why")(send_why)

    async def cities(ack: AsyncAck) -> None:
        await ack({"options": [{"text": {"type": "plain_text", "text": "London"}, "value": "lon"}]})

    bolt.options("city")(cities)

    async def pending(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond("nothing is pending")

    bolt.command("/andon")(pending)

    async def mentioned(event: Json, client: AsyncWebClient) -> None:
        await client.chat_postMessage(channel=event["channel"], text="yes?", thread_ts=event["ts"])

    bolt.event("app_mention")(mentioned)

    async def hear() -> None:
        pass

    bolt.event("message")(hear)

    assert await mira.search(card, "Which city", "lon") == ["London"]
    opened = (await mira.press(card, "Approve")).modal
    assert opened
    await opened.fill("Reason", "no")
    assert (await opened.submit()).errors == {"Reason": "Say more"}
    await opened.fill("Reason", "it is safe")
    assert (await opened.submit()).closed
    await card.shows("Approved: it is safe")
    assert (await mira.command("/andon", "pending", channel=ops)).text == "nothing is pending"
    said = await mira.say(ops, f"{cloud.bot().mention} hello")
    await cloud.wait_for_card(ops, "yes?", thread=said)
    assert cloud.errors == []


@pytest.mark.usefixtures("connected")
async def test_client_comes_back_after_disconnect(cloud: SlackCloud, bolt: AsyncApp, mira: Person) -> None:
    heard: list[str] = []

    async def hear(event: Json) -> None:
        heard.append(event["text"])

    bolt.event("message")(hear)

    for n, reason in enumerate(("warning", "refresh_requested"), start=2):
        await cloud.sockets.disconnect(reason)
        assert await seen(lambda n=n: cloud.sockets.opened >= n, within_s=10)  # type: ignore[misc] # a default binds n
    await mira.dm("after")
    assert await seen(lambda: heard == ["after"], within_s=10), heard


async def test_without_a_connection_the_person_sees_an_error(cloud: SlackCloud, mira: Person, card: Message) -> None:
    outcome = await mira.press(card, "Approve")
    assert outcome.failed
    assert outcome.delivery
    assert outcome.delivery.ack.error == "connection_failed"


async def test_each_payload_goes_to_one_connection(cloud: SlackCloud, mira: Person) -> None:
    cloud.ack_within_s = 0.05
    async with aiohttp.ClientSession() as http:
        web = AsyncWebClient(base_url=cloud.api_url)
        urls = [(await web.apps_connections_open(app_token=cloud.app.app_token))["url"] for _ in range(2)]
        async with http.ws_connect(urls[0]) as first, http.ws_connect(urls[1]) as second:
            assert [(await ws.receive_json())["num_connections"] for ws in (first, second)] == [1, 2]
            assert not (await mira.command("/andon")).ok, "nobody acknowledged it"
            assert not (await mira.command("/andon")).ok
            assert [len(connection.sent) for connection in cloud.sockets.connections] == [1, 1]


async def test_socket_needs_an_app_token_and_a_fresh_ticket(cloud: SlackCloud, client: AsyncWebClient) -> None:
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        await client.apps_connections_open(app_token=cloud.token)
    cloud.app.app_token_scopes.clear()
    with pytest.raises(SlackApiError, match="missing_scope"):
        await client.apps_connections_open(app_token=cloud.app.app_token)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(f"{cloud.url}/link/?ticket=guessed")


# --- installation --------------------------------------------------------------------------------


async def authorize(cloud: SlackCloud, **query: str) -> dict[str, list[str]]:
    """What the authorize page sends back."""
    asked = {"client_id": cloud.app.client_id, "redirect_uri": "http://127.0.0.1:1/back", "state": "s1", **query}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{cloud.url}/oauth/v2/authorize", params=asked, allow_redirects=False) as response,
    ):
        assert response.status == 302, await response.text()
        return parse_qs(urlsplit(response.headers["Location"]).query)


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated")  # slack_sdk 3.47 on aiohttp 3.14
async def test_app_is_installed_by_oauth(cloud: SlackCloud) -> None:
    cloud.installs_to = cloud.team("T0SECOND", name="Second", enterprise_id="E0ORG")
    back = await authorize(cloud, scope="chat:write,users:read")
    assert back["state"] == ["s1"]
    web = AsyncWebClient(base_url=cloud.api_url)
    credentials = {"client_id": cloud.app.client_id, "client_secret": cloud.app.client_secret}
    with pytest.raises(SlackApiError, match="bad_client_secret"):
        await web.oauth_v2_access(client_id=cloud.app.client_id, client_secret="wrong", code=back["code"][0])
    told = await web.oauth_v2_access(**credentials, code=back["code"][0], redirect_uri="http://127.0.0.1:1/back")
    assert (told["team"]["id"], told["scope"], told["enterprise"]["id"]) == (
        "T0SECOND",
        "chat:write,users:read",
        "E0ORG",
    )
    with pytest.raises(SlackApiError, match="invalid_code"):
        await web.oauth_v2_access(**credentials, code=back["code"][0])
    client = AsyncWebClient(token=told["access_token"], base_url=cloud.api_url)
    assert (await client.auth_test())["team_id"] == "T0SECOND"


async def test_declined_installation_says_so(cloud: SlackCloud) -> None:
    cloud.declines = True
    assert (await authorize(cloud))["error"] == ["access_denied"]


@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated")  # slack_sdk 3.47 on aiohttp 3.14
async def test_rotated_tokens_end_and_are_refreshed_once(cloud: SlackCloud) -> None:
    cloud.app.rotates = True
    credentials = {"client_id": cloud.app.client_id, "client_secret": cloud.app.client_secret}
    web = AsyncWebClient(base_url=cloud.api_url)
    first = await web.oauth_v2_access(**credentials, code=(await authorize(cloud))["code"][0])
    assert first["expires_in"] == 43_200
    client = AsyncWebClient(token=first["access_token"], base_url=cloud.api_url)
    await client.auth_test()
    cloud.clock.advance(43_200)
    with pytest.raises(SlackApiError, match="token_expired"):
        await client.auth_test()
    grant = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = await web.oauth_v2_access(**credentials, **grant)
    await AsyncWebClient(token=second["access_token"], base_url=cloud.api_url).auth_test()
    with pytest.raises(SlackApiError, match="invalid_refresh_token"):
        await web.oauth_v2_access(**credentials, **grant)


async def test_uninstalling_is_told(cloud: SlackCloud) -> None:
    cloud.ack_within_s = 0.05
    await cloud.uninstall()
    assert [delivery.name for delivery in cloud.deliveries] == ["tokens_revoked", "app_uninstalled"]
