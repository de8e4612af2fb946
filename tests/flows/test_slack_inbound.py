"""What comes in from Slack, and what only claims to: signatures, replays, junk, slowness, Socket Mode, restarts."""

import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from bot.config import Settings
from bot.errors import StoreUnavailable
from bot.flow import Flow
from bot.store import Store
from tests.adapters.surface import HOUR_PACE
from tests.fakes.slack import SlackCloud
from tests.fakes.slack.deliveries import Courier
from tests.flows.slack_house import House, house, people_of, settings_for, workspace
from tests.people import Agent, Json
from tests.servers import SECRET, ServiceProcess, live, until


@pytest.fixture
async def slack(settings: Settings) -> AsyncIterator[House]:
    async with house(settings) as running:
        yield running


async def pressed_before(slack: House) -> tuple[Json, Json]:
    """A pending handoff, and the payload of a press on Approve that was never sent."""
    asked, card = await slack.asked_card()
    url = slack.cloud.app.request_url
    slack.cloud.app.request_url = "http://127.0.0.1:9/"
    await slack.mira.press(card, "Approve")
    slack.cloud.app.request_url = url
    return asked, slack.last("block_actions")


# --- whose it is ---


async def test_a_press_of_slacks_own_is_taken(slack: House) -> None:
    asked, press = await pressed_before(slack)
    assert (await slack.send(press)).status == 200
    assert await slack.state(asked) == "decided"


@pytest.mark.parametrize(
    "how",
    [
        {"X_Slack_Signature": "-"},
        {"X_Slack_Request_Timestamp": "-"},
        {"X_Slack_Signature": "v0="},
        {"X_Slack_Signature": "v0=" + "0" * 64},
        {"X_Slack_Signature": "v1=é"},
        {"X_Slack_Request_Timestamp": ""},
        {"X_Slack_Request_Timestamp": "now"},
        {"X_Slack_Request_Timestamp": "-1"},
        {"X_Slack_Request_Timestamp": "1e9"},
        {"X_Slack_Request_Timestamp": "9" * 5_000},
        {"X_Slack_Request_Timestamp": "٣"},
        {"signed_with": "another secret"},
    ],
    ids=lambda how: f"{next(iter(how))}={next(iter(how.values()))[:12]}",
)
async def test_what_is_not_signed_by_slack_is_refused(slack: House, how: dict[str, Any]) -> None:
    asked, press = await pressed_before(slack)
    assert (await slack.send(press, **how)).status == 401
    assert await slack.state(asked) == "pending"


@pytest.mark.parametrize("off_s", [-302, 302])
async def test_a_press_that_is_too_old_or_from_the_future_is_refused(slack: House, off_s: int) -> None:
    asked, press = await pressed_before(slack)
    assert (await slack.send(press, at=time.time() + off_s)).status == 401
    assert await slack.state(asked) == "pending"
    assert (await slack.send(press, at=time.time() + off_s * 0.98)).status == 200, "within five minutes it is taken"
    assert await slack.state(asked) == "decided"


async def test_one_changed_byte_is_refused(slack: House) -> None:
    """The signature covers the bytes, not what they mean."""
    asked, _ = await pressed_before(slack)
    real = slack.cloud.deliveries[-1]
    for position in (0, len(real.body) // 2, len(real.body) - 1):
        changed = bytearray(real.body)
        changed[position] ^= 1
        assert (await slack.cloud.courier.post(bytes(changed), real.headers)).status == 401
    assert await slack.state(asked) == "pending"


async def test_a_replay_within_the_window_is_answered_and_changes_nothing(slack: House) -> None:
    """The first try may have died before it was recorded, so a replay is no crime; it counts once."""
    asked, press = await pressed_before(slack)
    async with slack.agent.events() as stream:
        acks = await asyncio.gather(*(slack.send(press) for _ in range(20)))
        assert {ack.status for ack in acks} == {200}
        (await slack.agent.claim(await slack.agent.wait(asked["id"]))).ok()
        assert [e.name for e in await stream.take(3)] == ["stream.open", "handoff.decided", "handoff.claimed"]
    assert slack.mira.told == []


# --- junk ---


JUNK: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "application/x-www-form-urlencoded"),
    "not utf-8": (b"payload=\xff\xfe\xfa", "application/x-www-form-urlencoded"),
    "not utf-8, as json": (b'{"type": "\xff"}', "application/json"),
    "no json in the payload": (b"payload=hello", "application/x-www-form-urlencoded"),
    "a cut payload": (b"payload=%7B%22type%22%3A", "application/x-www-form-urlencoded"),
    "a list": (b"payload=%5B1%5D", "application/x-www-form-urlencoded"),
    "a number": (b"payload=7", "application/x-www-form-urlencoded"),
    "null": (b"payload=null", "application/x-www-form-urlencoded"),
    "a json list": (b"[]", "application/json"),
    "json that is none": (b"{", "application/json"),
    "deep json": (b"[" * 100_000, "application/json"),
    "deep payload": (b"payload=" + b"[" * 100_000, "application/x-www-form-urlencoded"),
    "a json null": (b"null", "application/json"),
    "empty json": (b"{}", "application/json"),
    "an event without an event": (b'{"type": "event_callback"}', "application/json"),
    "an event that is a text": (b'{"type": "event_callback", "event": "x"}', "application/json"),
    "an event of no type": (b'{"type": "event_callback", "event": {}, "team_id": "T0ANDON"}', "application/json"),
    "another content type": (b"<xml/>", "text/xml"),
    "a press without actions": (
        b"payload=%7B%22type%22%3A%22block_actions%22%2C%22team%22%3A%7B%22id%22%3A%22T0ANDON%22%7D%7D",
        "application/x-www-form-urlencoded",
    ),
}


@pytest.mark.parametrize("kind", JUNK)
async def test_junk_is_refused_without_a_fault_of_ours(slack: House, kind: str) -> None:
    body, content_type = JUNK[kind]
    ack = await slack.send_raw(body, content_type=content_type)
    assert ack.status in {200, 400, 404}, ack
    unsigned = await slack.send_raw(body, content_type=content_type, signed_with="another")
    assert unsigned.status == 401, unsigned


def _without(payload: Json, path: str) -> Json:
    """The payload with one thing of it left out or made something else."""
    *parents, last = path.partition("=")[0].split(".")
    node: Any = payload
    for name in parents:
        node = node[int(name) if name.isdecimal() else name]
    key: Any = int(last) if last.isdecimal() else last
    if "=" in path:
        node[key] = {"list": [], "text": "x", "null": None, "dict": {}}[path.partition("=")[2]]
    else:
        del node[key]
    return payload


@pytest.mark.parametrize(
    "path",
    [
        *("user", "user=null", "user=text", "user.id", "user.id=dict", "channel", "channel=null", "channel=text"),
        *("container", "container=null", "container=text", "message", "message=null", "message=text"),
        *("actions", "actions=list", "actions=null", "actions=dict", "actions.0=null", "actions.0=text"),
        *("actions.0.action_id", "actions.0.action_id=null", "actions.0.action_id=list", "actions.0.block_id"),
        *("actions.0.value=list", "actions.0.value=text"),
        *("actions.0.type", "team", "team=null", "team=text", "team.id", "trigger_id", "trigger_id=null"),
        *("trigger_id=dict", "response_url", "response_url=dict", "response_url=text", "type", "type=null"),
        *("type=list", "state=null", "api_app_id"),
    ],
)
async def test_a_press_with_parts_missing_is_no_fault_of_ours(slack: House, path: str) -> None:
    """Slack does not send these; whoever does must have its secret, and still gets no more than a refusal."""
    asked, press = await pressed_before(slack)
    ack = await slack.send(_without(press, path))
    assert ack.status in {200, 400, 404}, ack
    if path.startswith(("user", "actions")):
        assert await slack.state(asked) == "pending"


@pytest.mark.parametrize(
    "action_id", ["andon:burn", "andon:", "approve", "andon:approve-all", "x" * 255, "andon:home:x"]
)
async def test_an_action_that_is_not_ours_changes_nothing(slack: House, action_id: str) -> None:
    asked, press = await pressed_before(slack)
    press["actions"][0]["action_id"] = action_id
    assert (await slack.send(press)).status == 200
    assert await slack.state(asked) == "pending"


@pytest.mark.parametrize("value", [None, "", "[]", "yes", {"value": "maybe"}, {"value": ["on"]}])
@pytest.mark.parametrize("key", ["twice", "outcomes", "burn", ""])
async def test_a_forged_setting_changes_nothing(slack: House, key: str, value: Any) -> None:
    asked, press = await pressed_before(slack)
    press["actions"][0] |= {"action_id": f"andon:setting:{key}", "selected_option": value}
    assert (await slack.send(press)).status in {200, 400}
    _, card = await slack.asked_card(reversible=False)
    assert (await slack.mira.press(card, "Approve")).modal is None
    assert await slack.state(asked) == "pending"


@pytest.mark.parametrize(
    "change, told",
    [
        ({"r": 2}, "changed"),
        ({"r": 0}, "none that a card of ours can send"),
        ({"r": -1}, "none that a card of ours can send"),
        ({"r": True}, "none that a card of ours can send"),
        ({"r": 10**30}, "none that a card of ours can send"),
        ({"d": "0" * 64}, "changed"),
        ({"d": "short"}, "none that a card of ours can send"),
        ({"h": "hf_doesnotexist00000000"}, "older than what Andon keeps"),
        ({"h": "../../x"}, "none that a card of ours can send"),
        ({"h": ["x"]}, "none that a card of ours can send"),
    ],
)
async def test_a_forged_value_changes_nothing_and_is_told(slack: House, change: Json, told: str) -> None:
    asked, press = await pressed_before(slack)
    value = json.loads(press["actions"][0]["value"]) | change
    press["actions"][0]["value"] = json.dumps(value)
    assert (await slack.send(press)).status == 200
    await slack.cloud.wait_for_told(slack.mira, told)
    assert await slack.state(asked) == "pending"


async def test_the_digest_of_another_handoff_decides_neither(slack: House) -> None:
    asked, press = await pressed_before(slack)
    other, _ = await slack.asked_card(action={"tool": "drop_table", "args": {"table": "orders"}})
    value = json.loads(press["actions"][0]["value"])
    press["actions"][0]["value"] = json.dumps(value | {"h": other["id"]})
    await slack.send(press)
    await slack.cloud.wait_for_told(slack.mira, "changed")
    assert (await slack.state(asked), await slack.state(other)) == ("pending", "pending")


async def test_a_huge_body_is_refused(slack: House) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    before = asyncio.all_tasks()
    async with aiohttp.ClientSession() as http:
        for body in (io.BytesIO(b"payload=" + b"x" * 2_000_000), stream()):
            with contextlib.suppress(aiohttp.ClientError):  # hung up on in the middle of it is fine too
                async with http.post(slack.cloud.app.request_url, data=body) as response:
                    assert response.status == 413

    async def read_to_the_end() -> bool:
        return asyncio.all_tasks() <= before

    await until(read_to_the_end)  # the rest of a refused body is read for a second


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_only_a_post_is_taken(slack: House, method: str) -> None:
    _, press = await pressed_before(slack)
    async with aiohttp.ClientSession() as http, http.request(method, slack.cloud.app.request_url, json=press) as said:
        assert said.status == 405


async def test_slacks_check_of_the_address_is_answered(slack: House) -> None:
    assert await slack.cloud.verify_request_url()


# --- twice, late, and in between ---


async def test_an_event_that_is_sent_again_is_done_once(slack: House) -> None:
    asked = await slack.agent.ask_for(reply_in_thread=True, to=[slack.place()])
    card = await slack.card(asked)
    await slack.mira.say(slack.ops, "about 300", thread=card)
    assert (await slack.agent.wait(asked["id"]))["decision"]["answer"] == "about 300"
    for _ in range(2):
        assert (await slack.cloud.redeliver_last("message")).ok
    await slack.until_settled()
    assert len([reply for reply in card.replies if "Recorded" in reply.text]) == 1


async def test_an_event_whose_reader_died_is_taken_at_the_retry(redis_url: str, tmp_path: Path) -> None:
    """Slack was told nothing, so it sends the event again; that another process began with it must not lose it."""
    async with workspace() as cloud:
        ops, mira, _ = people_of(cloud)
        process = ServiceProcess(tmp_path / "state", environment(cloud, redis_url))
        try:
            await process.start()
            cloud.app.request_url = f"{process.url}/slack/events"
            async with Agent(process.url, await process.make_key("agent", "mailer")) as agent:
                place = {"surface": "slack", "channel": ops.id}
                asked = await agent.ask_for(reply_in_thread=True, to=[place])
                card = await cloud.wait_for_card(ops, within_s=10)
                cloud.hangs = True
                saying = asyncio.create_task(mira.say(ops, "about 300", thread=card))
                async with process.store() as store:
                    await until(lambda: began(store))
                    await process.kill()
                    cloud.hangs = False
                    await saying
                    await process.start()
                    sent = next(each for each in cloud.deliveries if "about 300" in str(each.payload))
                    assert (await cloud.courier.again(sent)).ack_status == 503, "somebody may still be at it"
                    for key in await began(store):
                        await store._client.delete(key)  # fifty seconds later
                assert (await cloud.courier.again(sent)).ok
                assert (await agent.wait(asked["id"]))["decision"]["answer"] == "about 300"
        finally:
            await process.close()


async def began(store: Store) -> list[bytes]:
    """Of the events that are not done: the marks of whoever began with them."""
    keys = store._client
    marks = [key async for key in keys.scan_iter("*once:event:*")]
    return [mark for mark in marks if not await keys.exists(mark.replace(b"once:event:", b"done:event:"))]


def environment(cloud: Any, redis_url: str, **more: str) -> dict[str, str]:
    """Settings of a process that serves this workspace."""
    return {
        "ANDON_REDIS_URL": redis_url,
        "ANDON_SECRET": SECRET,
        "SLACK_BOT_TOKEN": cloud.token,
        "SLACK_SIGNING_SECRET": cloud.app.signing_secret,
        "SLACK_API_URL": cloud.api_url.rstrip("/"),
        **more,
    }


def slowly(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """From now on the store takes its time over an answer."""
    quick = Flow.answer

    async def slow(*args: Any, **more: Any) -> Any:
        await asyncio.sleep(seconds)
        return await quick(*args, **more)

    monkeypatch.setattr(Flow, "answer", slow)


async def test_a_press_is_acknowledged_in_time_however_slow_the_store_is(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, card = await slack.asked_card()
    slowly(monkeypatch, 2.6)
    pressed = await slack.mira.press(card, "Approve")
    assert pressed.ok
    assert pressed.delivery
    assert 1.9 < pressed.delivery.seconds < 2.5
    assert (await slack.agent.wait(asked["id"]))["decision"]["kind"] == "approved"


async def test_a_slow_submission_says_that_it_is_being_recorded_and_then_that_it_is(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.slack.inbound.ACK_S", 0.1)
    asked, card = await slack.asked_card()
    modal = await (await slack.mira.press(card, "Reject…")).opened()
    await modal.fill("Why?", "Not before Monday")
    slowly(monkeypatch, 0.3)
    submitted = await modal.submit()
    assert submitted.view
    assert submitted.view.title == "Recording…"
    assert (await slack.agent.wait(asked["id"]))["decision"]["reason"] == "Not before Monday"

    async def told() -> bool:
        return bool(slack.mira.modal and slack.mira.modal.title == "Recorded")

    await until(told)


async def test_what_is_recorded_at_the_last_moment_is_not_shown_as_being_recorded(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came of it must reach Slack after the acknowledgement that says to wait for it."""
    monkeypatch.setattr("adapters.slack.inbound.ACK_S", 0.05)
    asked, card = await slack.asked_card()
    modal = await (await slack.mira.press(card, "Reject…")).opened()
    slowly(monkeypatch, 0.06)
    at_once = Courier.ask

    async def far(*args: Any) -> Any:
        delivery = await at_once(*args)
        await asyncio.sleep(0.1)  # on its way back
        return delivery

    monkeypatch.setattr(Courier, "ask", far)
    submitting = asyncio.create_task(modal.submit())
    await slack.agent.wait(asked["id"])
    await submitting

    async def told() -> bool:
        return modal.title == "Recorded"

    await until(told, within_s=3, what=f"the modal says {modal.title!r}")


async def test_a_slow_submission_that_does_not_count_shows_what_was_typed(
    slack: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.slack.inbound.ACK_S", 0.1)
    asked, card = await slack.asked_card()
    modal = await (await slack.mira.press(card, "Edit")).opened()
    await modal.fill("to", "b")
    await modal.fill("body", "A long letter <!channel> that took an hour")
    slowly(monkeypatch, 0.3)
    await modal.submit()

    async def told() -> bool:
        return bool(slack.mira.modal and slack.mira.modal.title == "Not recorded")

    await until(told)
    assert slack.mira.modal
    assert "A long letter <!channel> that took an hour" in slack.mira.modal.shown
    assert await slack.state(asked) == "pending"


async def test_a_submission_that_the_store_lost_is_told(slack: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, card = await slack.asked_card()
    modal = await (await slack.mira.press(card, "Reject…")).opened()

    async def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(Flow, "answer", away)
    submitted = await modal.submit()
    assert submitted.view
    assert "could not record this" in submitted.view.shown
    pressed = await slack.mira.press(card, "Approve")
    await pressed.hears("could not record this")
    assert await slack.state(asked) == "pending"
    monkeypatch.undo()
    await slack.mira.press(card, "Approve")
    assert await slack.state(asked) == "decided"


# --- Socket Mode ---


@pytest.fixture
async def socket(settings: Settings) -> AsyncIterator[House]:
    async with house(settings, socket_mode=True, slack_signing_secret=None) as running:
        await connected(running.cloud)
        yield running


async def connected(cloud: SlackCloud, *, more_than: int = 0) -> None:
    async def is_there() -> bool:
        there = [each for each in cloud.sockets.connections if not each.is_leaving]
        return bool(there) and cloud.sockets.opened > more_than

    await until(is_there, within_s=20, what="the socket is open")


async def test_over_a_socket_everything_works_that_works_over_http(socket: House) -> None:
    asked, card = await socket.asked_card()
    modal = await (await socket.mira.press(card, "Edit")).opened()
    await modal.fill("to", "b")
    assert "to" in (await modal.submit()).errors
    await modal.fill("to", "bob@example.com")
    assert (await modal.submit()).closed
    assert (await socket.agent.wait(asked["id"]))["decision"]["args"]["to"] == "bob@example.com"
    many = [{"id": f"f{n}", "label": f"Flight {n:03d}"} for n in range(150)]
    choice = await socket.agent.choose(*many, to=[socket.place()])
    menu = await socket.card(choice)
    found = await socket.mira.search(menu, "Search and choose…", "flight 07")
    assert found[:10] == [f"Flight {n:03d}" for n in range(70, 80)]
    picked = await socket.mira.select(menu, "Search and choose…", option="Flight 149")
    assert (await (await picked.opened()).submit()).closed
    assert (await socket.agent.wait(choice["id"]))["decision"]["choice"] == "f149"


async def test_over_a_socket_nothing_is_taken_over_http(socket: House) -> None:
    async with aiohttp.ClientSession() as http, http.post(f"{socket.live.url}/slack/events", data=b"x") as said:
        assert said.status == 404


@pytest.mark.parametrize("how", ["refresh_requested", "without a word"])
async def test_after_a_disconnection_presses_arrive_again(socket: House, how: str) -> None:
    asked, card = await socket.asked_card()
    before = socket.cloud.sockets.opened
    if how == "refresh_requested":
        await socket.cloud.sockets.disconnect(how)
    else:
        await socket.cloud.sockets.drop()
    await connected(socket.cloud, more_than=before)
    assert (await socket.mira.press(card, "Approve")).ok
    assert await socket.state(asked) == "decided"


async def test_a_service_that_starts_while_slack_is_down_connects_later(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = partial(AsyncSocketModeHandler, ping_interval=0.2)
    monkeypatch.setattr("adapters.slack.inbound.AsyncSocketModeHandler", quick)  # it tries again as often as it pings
    async with workspace() as cloud:
        ops, mira, ana = people_of(cloud)
        cloud.app.socket_mode = cloud.is_down = True
        changes = {"slack_app_token": SecretStr(cloud.app.app_token), "slack_signing_secret": None}
        async with live(settings_for(settings, cloud, **changes), pace=HOUR_PACE) as running:
            slack = House(cloud, ops, mira, ana, running)
            asked = await slack.ask()

            async def tried() -> bool:
                return cloud.calls["down"] > 2

            await until(tried)
            cloud.is_down = False
            await connected(cloud)
            assert (await mira.press(await slack.card(asked), "Approve")).ok
            assert await slack.state(asked) == "decided"


# --- a restart ---


async def test_a_modal_outlives_the_service_that_opened_it(settings: Settings) -> None:
    async with workspace() as cloud:
        ops, mira, ana = people_of(cloud)
        given = settings_for(settings, cloud)
        async with live(given, pace=HOUR_PACE) as first:
            cloud.app.request_url = f"{first.url}/slack/events"
            slack = House(cloud, ops, mira, ana, first)
            asked, card = await slack.asked_card()
            modal = await (await mira.press(card, "Edit")).opened()
        async with live(given, pace=HOUR_PACE) as second:
            cloud.app.request_url = f"{second.url}/slack/events"
            await modal.fill("subject", "Figures")
            assert (await modal.submit()).closed
            found = await second.store.handoffs.load(asked["id"])
            assert found
            assert found.decision
            assert found.decision.kind == "edited"
            await card.shows("Figures")


# --- modals and menus of somebody's own making ---


SHEETS: dict[str, Json] = {
    "no metadata": {"private_metadata": ""},
    "metadata that is no json": {"private_metadata": "hello"},
    "metadata that is a list": {"private_metadata": "[]"},
    "deep metadata": {"private_metadata": "[" * 2_900},
    "an address that is none": {"a": "here"},
    "an address that is a number": {"a": 7},
    "another kind": {"k": "edit"},
    "another revision": {"r": 2},
    "revision nought": {"r": 0},
    "another digest": {"d": "0" * 64},
    "no such handoff": {"h": "hf_doesnotexist00000000"},
    "an unknown callback": {"callback_id": "andon:burn"},
    "somebody else's callback": {"callback_id": "other:thing"},
    "a choice": {"callback_id": "andon:choose", "k": "choose", "i": 0},
    "an answer": {"callback_id": "andon:answer", "k": "answer"},
    "an edit without its fields": {"callback_id": "andon:edit", "k": "edit"},
    "values that are a text": {"state": {"values": "x"}},
    "values of texts": {"state": {"values": {"andon:in:remark:x": "x"}}},
    "values of values of texts": {"state": {"values": {"andon:in:remark:x": {"y": "x"}}}},
    "a remark that is a list": {"state": {"values": {"andon:in:remark:x": {"y": {"value": ["a"]}}}}},
    "ticks that are texts": {"state": {"values": {"andon:in:save:x": {"y": {"selected_options": "save"}}}}},
    "no state": {"state": None},
}


@pytest.mark.parametrize("what", SHEETS)
async def test_a_forged_modal_is_no_fault_of_ours(slack: House, what: str) -> None:
    asked, card = await slack.asked_card()
    modal = await (await slack.mira.press(card, "Reject…")).opened()
    press = slack.last("block_actions")
    change = dict(SHEETS[what])
    view = {**modal.raw.source, "id": modal.raw.id, "state": {"values": {}}}
    view |= {name: change.pop(name) for name in list(change) if len(name) > 1}
    if change:
        view["private_metadata"] = json.dumps(json.loads(modal.private_metadata) | change)
    ack = await slack.send(
        {"type": "view_submission", "user": press["user"], "team": press["team"], "view": view, "trigger_id": "1.2.3"}
    )
    assert ack.status in {200, 400}, ack
    if what not in {"no state", "a remark that is a list", "ticks that are texts"}:
        assert await slack.state(asked) == "pending", ack


@pytest.mark.parametrize(
    "change",
    [
        {"action_id": "andon:burn"},
        {"action_id": "other"},
        {"block_id": "andon:answers:x"},
        {"block_id": ""},
        {"value": None},
        {"value": 7},
        {"value": "x" * 10_000},
        {"value": "(" * 500 + "\\"},
    ],
    ids=str,
)
async def test_a_forged_search_offers_nothing_or_what_fits(slack: House, change: Json) -> None:
    many = [{"id": f"f{n}", "label": f"Flight {n:03d}"} for n in range(150)]
    card = await slack.card(await slack.agent.choose(*many, to=[slack.place()]))
    await slack.mira.search(card, "Search and choose…", "flight")
    ack = await slack.send(slack.last("block_suggestion") | change)
    assert ack.status in {200, 400, 404}, ack
