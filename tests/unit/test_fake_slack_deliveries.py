"""What the stand-in for Slack sends: signed, on time, again when it was not taken; and it obeys what comes back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import Channel, Message, Modal, Person, SlackCloud, sign
from tests.fakes.slack.samples import CARD, field, modal
from tests.fakes.slack.scripted import ScriptedApp
from tests.fakes.waiting import seen

Json = dict[str, Any]

VECTOR_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


@pytest.fixture
async def cloud() -> AsyncIterator[SlackCloud]:
    cloud = SlackCloud()
    cloud.settle_s, cloud.reply_within_s = 0.3, 1.0
    async with cloud.serving():
        yield cloud


@pytest.fixture
async def app(cloud: SlackCloud) -> AsyncIterator[ScriptedApp]:
    async with ScriptedApp(cloud).serving() as app:
        yield app


@pytest.fixture
def client(cloud: SlackCloud) -> AsyncWebClient:
    return AsyncWebClient(token=cloud.token, base_url=cloud.api_url)


@pytest.fixture
def mira(cloud: SlackCloud) -> Person:
    return cloud.user("mira", email="mira@example.com")


@pytest.fixture
def ops(cloud: SlackCloud, mira: Person) -> Channel:
    return cloud.channel("#ops", members=[mira])


@pytest.fixture
async def card(cloud: SlackCloud, client: AsyncWebClient, ops: Channel) -> Message:
    await client.chat_postMessage(channel=ops.id, text="Send this?", blocks=CARD)
    return await cloud.wait_for_card(ops, containing="Send this")


def opens(client: AsyncWebClient, view: Json, app: ScriptedApp, on: str = "block_actions") -> None:
    """Let the app open a modal at once."""

    async def answer(payload: Json) -> None:
        await client.views_open(trigger_id=payload["trigger_id"], view=view)

    app.answers[on] = answer


async def opened(mira: Person, card: Message, client: AsyncWebClient, app: ScriptedApp, view: Json) -> Modal:
    opens(client, view, app)
    modal = (await mira.press(card, "Approve")).modal
    assert modal
    return modal


# --- signatures ----------------------------------------------------------------------------------


def test_signature_is_the_published_one() -> None:
    """Slack's own example, so that both this code and the fake's own reading of it are held to something outside."""
    expected = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert sign("8f742231b10e8888abcd99yyyzzz85a5", 1531420618, VECTOR_BODY) == expected


async def test_every_kind_is_signed_as_the_sdk_checks_it(
    cloud: SlackCloud, app: ScriptedApp, mira: Person, ops: Channel, card: Message
) -> None:
    await mira.say(ops, "hello")
    await mira.press(card, "Approve")
    await mira.search(card, "Which city", "lon")
    await mira.command("/andon", "pending", channel=ops)
    verifier = SignatureVerifier(cloud.app.signing_secret)
    assert {delivery.kind for delivery in cloud.deliveries} == {"event", "interaction", "options", "command"}
    for delivery in cloud.deliveries:
        assert verifier.is_valid_request(delivery.body, delivery.headers)
        assert delivery.ok


async def test_another_secret_is_refused_by_the_app(cloud: SlackCloud, app: ScriptedApp, mira: Person) -> None:
    outcome_before = len(app.heard)
    headers = {"X-Slack-Signature": "v0=00", "X-Slack-Request-Timestamp": "1531420618"}
    ack = await cloud.courier.post(b"payload={}", headers)
    assert (ack.status, len(app.heard)) == (401, outcome_before)


async def test_request_url_is_verified(cloud: SlackCloud, app: ScriptedApp) -> None:
    assert await cloud.verify_request_url()


# --- events --------------------------------------------------------------------------------------


async def test_mention_makes_two_events(cloud: SlackCloud, app: ScriptedApp, mira: Person, ops: Channel) -> None:
    """An app that answers both would answer twice."""
    said = await mira.say(ops, f"{cloud.bot().mention} pending")
    heard = [(p["event"]["type"], p["event"]["ts"]) for p in app.heard]
    assert sorted(heard) == [("app_mention", said.ts), ("message", said.ts)]
    assert len({payload["event_id"] for payload in app.heard}) == 2
    assert app.heard[0]["team_id"] == app.heard[0]["authorizations"][0]["team_id"] == cloud.home.id


async def test_nothing_is_heard_where_the_bot_is_not(cloud: SlackCloud, app: ScriptedApp, mira: Person) -> None:
    await mira.say(cloud.channel("#random", [mira], bot=False), "hello")
    assert app.heard == []


async def test_nothing_is_heard_without_subscription_or_scope(
    cloud: SlackCloud, app: ScriptedApp, mira: Person, ops: Channel
) -> None:
    cloud.app.events.discard("app_mention")
    cloud.install(scopes=["chat:write"])
    await mira.say(ops, f"{cloud.bot().mention} pending")
    assert app.heard == []


async def test_direct_message_edit_reaction_and_thread(
    cloud: SlackCloud, app: ScriptedApp, mira: Person, card: Message, ops: Channel
) -> None:
    said = await mira.dm("pending")
    await mira.edit(said, "help")
    await mira.react(card, "octagonal_sign")
    reply = await mira.say(ops, "why?", thread=card)
    events = [payload["event"] for payload in app.heard]
    shapes = [(e["type"], e.get("subtype"), e.get("channel_type")) for e in events if e.get("user") != cloud.bot().id]
    assert shapes == [
        ("message", None, "im"),
        ("message", "message_changed", "im"),
        ("reaction_added", None, None),
        ("message", None, "channel"),
    ]
    assert (card.replies, app.heard[-1]["event"]["thread_ts"]) == ([reply], card.ts)


async def test_event_that_is_not_taken_is_sent_again(
    cloud: SlackCloud, app: ScriptedApp, mira: Person, ops: Channel
) -> None:
    """Three more times, with the reason, and the same event_id."""
    cloud.retry_scale = 0
    app.answers["message"] = lambda _payload: web.Response(status=500)
    await mira.say(ops, "hello")
    (delivery,) = cloud.deliveries
    await seen(lambda: len(delivery.acks) == 4, within_s=5)
    assert [h.get("x-slack-retry-num") for h in app.headers] == [None, "1", "2", "3"]
    assert {h["x-slack-retry-reason"] for h in app.headers[1:]} == {"http_error"}
    assert len({payload["event_id"] for payload in app.heard}) == 1


async def test_slow_event_is_sent_again_as_a_timeout(
    cloud: SlackCloud, app: ScriptedApp, mira: Person, ops: Channel
) -> None:
    cloud.retry_scale, cloud.ack_within_s = 0, 0.1
    answered = 0

    async def slow_at_first(_payload: Json) -> None:
        nonlocal answered
        answered += 1
        await asyncio.sleep(0.3 if answered == 1 else 0)

    app.answers["message"] = slow_at_first
    await mira.say(ops, "hello")
    (delivery,) = cloud.deliveries
    await seen(lambda: delivery.ok, within_s=5)
    assert [ack.error for ack in delivery.acks] == ["http_timeout", ""]
    assert app.headers[-1]["x-slack-retry-reason"] == "http_timeout"


async def test_app_may_ask_for_no_retry(cloud: SlackCloud, app: ScriptedApp, mira: Person, ops: Channel) -> None:
    cloud.retry_scale = 0
    app.answers["message"] = lambda _payload: web.Response(status=500, headers={"x-slack-no-retry": "1"})
    await mira.say(ops, "hello")
    assert [len(delivery.acks) for delivery in cloud.deliveries] == [1]


async def test_redelivery_is_the_same_payload(cloud: SlackCloud, app: ScriptedApp, mira: Person, card: Message) -> None:
    await mira.press(card, "Approve")
    again = await cloud.redeliver_last("block_actions")
    first, second = app.heard_of("block_actions")
    assert (first, again.payload) == (second, first)
    await mira.dm("pending")
    await cloud.redeliver_last("message")
    assert app.headers[-1]["x-slack-retry-num"] == "1"


# --- interactivity -------------------------------------------------------------------------------


async def test_press_carries_what_slack_sends(
    cloud: SlackCloud, app: ScriptedApp, mira: Person, card: Message, ops: Channel
) -> None:
    outcome = await mira.press(card, "Reject")
    (payload,) = app.heard_of("block_actions")
    assert outcome.ok
    assert payload["actions"][0]["action_id"] == "reject"
    assert payload["actions"][0]["value"] == "hf_1"
    assert payload["container"] == {
        "type": "message",
        "message_ts": card.ts,
        "channel_id": ops.id,
        "is_ephemeral": False,
    }
    assert payload["user"]["id"] == mira.id
    assert payload["message"]["blocks"] == card.blocks
    assert card.buttons == ["Approve", "Reject"]
    assert card.menu == ["Mute"]
    assert "a <b> there" in card.shown


async def test_pressing_what_is_not_there_names_what_is(app: ScriptedApp, mira: Person, card: Message) -> None:
    with pytest.raises(AssertionError, match=r"no 'Launch'.*'Approve', 'Reject', 'Mute'"):
        await mira.press(card, "Launch")


async def test_choices_stand_in_state(app: ScriptedApp, mira: Person, card: Message) -> None:
    await mira.press(card, "Mute")
    await mira.select(card, "Which flight", option="LH 1")
    await mira.press(card, "Approve")
    mute, flight, approve = app.heard_of("block_actions")
    assert mute["actions"][0]["selected_option"]["value"] == "mute"
    assert flight["actions"][0]["selected_option"]["value"] == "lh 1"
    assert approve["state"]["values"]["answer"]["flight"]["selected_option"]["value"] == "lh 1"


async def test_external_select_asks_the_app(cloud: SlackCloud, app: ScriptedApp, mira: Person, card: Message) -> None:
    offered = [{"text": {"type": "plain_text", "text": "London"}, "value": "lon"}]
    app.answers["block_suggestion"] = lambda payload: {"options": offered if payload["value"] else []}
    assert await mira.search(card, "Which city", "lon") == ["London"]
    await mira.select(card, "city", option="London")
    assert app.heard_of("block_actions")[0]["actions"][0]["selected_option"] == offered[0]
    app.answers["block_suggestion"] = lambda _payload: {"options": offered * 101}
    assert await mira.search(card, "Which city", "lon") == []
    assert "no more than 100 items" in cloud.errors[-1]


async def test_unanswered_press_shows_an_error(
    cloud: SlackCloud, app: ScriptedApp, mira: Person, card: Message
) -> None:
    cloud.ack_within_s = 0.1
    app.answers["block_actions"] = lambda _payload: asyncio.sleep(0.3)
    outcome = await mira.press(card, "Approve")
    assert outcome.failed
    assert outcome.delivery
    assert outcome.delivery.ack.error == "http_timeout"


async def test_ephemeral_answers_are_told(
    cloud: SlackCloud, app: ScriptedApp, client: AsyncWebClient, mira: Person, card: Message
) -> None:
    async def whisper(payload: Json) -> None:
        await client.chat_postEphemeral(channel=card.channel.id, user=payload["user"]["id"], text="You may not")

    app.answers["block_actions"] = whisper
    outcome = await mira.press(card, "Approve")
    assert outcome.told == ["You may not"] == cloud.told(mira)
    assert await outcome.hears("may not") == "You may not"


# --- response addresses --------------------------------------------------------------------------


async def test_response_address_takes_five_answers(
    cloud: SlackCloud, app: ScriptedApp, mira: Person, card: Message, ops: Channel
) -> None:
    outcome = await mira.press(card, "Approve")
    url = app.heard[-1]["response_url"]
    answers: list[Json] = [
        {"text": "one"},
        {"text": "two", "response_type": "in_channel"},
        {"text": "three", "replace_original": True},
        {"text": "four"},
        {"delete_original": True},
        {"text": "six"},
    ]
    statuses = []
    async with aiohttp.ClientSession() as http:
        for answer in answers:
            async with http.post(url, json=answer) as response:
                statuses.append((response.status, (await response.json()).get("error")))
    assert statuses == [(200, None)] * 5 + [(404, "used_url")]
    assert outcome.told == ["one", "four"]
    assert [version.shown for version in card.versions][1:] == ["three"]
    assert card.is_deleted
    assert [message.text for message in cloud.cards(ops)] == ["two"]


async def test_response_address_ends_after_half_an_hour(
    cloud: SlackCloud, app: ScriptedApp, mira: Person, card: Message
) -> None:
    await mira.press(card, "Approve")
    cloud.clock.advance(31 * 60)
    async with aiohttp.ClientSession() as http, http.post(app.heard[-1]["response_url"], json={"text": "late"}) as r:
        assert (await r.json())["error"] == "expired_url"


# --- commands, shortcuts, Home -------------------------------------------------------------------


async def test_command_is_answered_in_the_ack_or_later(
    cloud: SlackCloud, app: ScriptedApp, client: AsyncWebClient, mira: Person, ops: Channel
) -> None:
    app.answers["/andon"] = lambda payload: f"heard {payload['text']}"
    assert (await mira.command("/andon", "pending", channel=ops)).text == "heard pending"
    app.answers["/andon"] = lambda _payload: {"response_type": "in_channel", "text": "all", "blocks": CARD}
    reply = (await mira.command("/andon", channel=ops)).reply
    assert reply
    assert reply.buttons == ["Approve", "Reject"]
    assert reply in ops.messages

    async def later(payload: Json) -> None:
        async with aiohttp.ClientSession() as http, http.post(payload["response_url"], json={"text": "here"}):
            pass

    app.answers["/andon"] = later
    assert (await mira.command("/andon", channel=ops)).text == "here"
    assert cloud.told(mira)[-1] == "here"


async def test_shortcut_on_a_message_opens_a_modal(
    app: ScriptedApp, client: AsyncWebClient, mira: Person, card: Message
) -> None:
    opens(client, modal("Ask"), app, "message_action")
    outcome = await mira.shortcut("ask_agent", card)
    assert outcome.modal
    assert outcome.modal.title == "Ask"
    assert app.heard[-1]["message"]["ts"] == card.ts


async def test_home_tab_is_published_when_opened(
    cloud: SlackCloud, app: ScriptedApp, client: AsyncWebClient, mira: Person
) -> None:
    async def publish(payload: Json) -> None:
        await client.views_publish(user_id=payload["event"]["user"], view={"type": "home", "blocks": CARD})

    app.answers["app_home_opened"] = publish
    home = await mira.open_home()
    assert home.buttons == ["Approve", "Reject"]
    await home.press("Approve")
    assert app.heard_of("block_actions")[0]["view"]["type"] == "home"


# --- modals --------------------------------------------------------------------------------------


async def test_submission_carries_what_was_filled_in(
    cloud: SlackCloud, app: ScriptedApp, client: AsyncWebClient, mira: Person, card: Message
) -> None:
    choices = [{"text": {"type": "plain_text", "text": name}, "value": name} for name in ("Red", "Blue")]
    view = modal(
        "Everything",
        field("Reason", {"type": "plain_text_input", "initial_value": "because"}),
        field("Count", {"type": "number_input", "is_decimal_allowed": False, "max_value": "9"}, optional=True),
        field("Day", {"type": "datepicker"}),
        field("Colour", {"type": "radio_buttons", "options": choices}),
        field("Colours", {"type": "checkboxes", "options": choices}),
        field("Who", {"type": "users_select"}),
    )
    screen = await opened(mira, card, client, app, view)
    assert screen.fields["Reason"] == "because"
    await screen.fill("Count", 12)
    await screen.fill("Day", "2026-05-01")
    await screen.fill("Colour", "Red")
    await screen.fill("Colours", ["Red", "Blue"])
    await screen.fill("Who", mira)
    refused = await screen.submit()
    assert refused.errors == {"Count": "Please enter a number that is at most 9."}
    assert refused.delivery is None, "Slack's own client says so before anything is sent"
    await screen.fill("Count", 3)
    result = await screen.submit()
    assert result.closed
    values = app.heard_of("view_submission")[0]["view"]["state"]["values"]
    assert values["count"]["value"]["value"] == "3"
    assert values["day"]["value"]["selected_date"] == "2026-05-01"
    assert values["colour"]["value"]["selected_option"]["value"] == "Red"
    assert [item["value"] for item in values["colours"]["value"]["selected_options"]] == ["Red", "Blue"]
    assert values["who"]["value"]["selected_user"] == mira.id


async def test_required_field_is_asked_for_before_sending(
    app: ScriptedApp, client: AsyncWebClient, mira: Person, card: Message
) -> None:
    screen = await opened(mira, card, client, app, modal())
    assert (await screen.submit()).errors == {"Reason": "Please complete this required field."}
    assert app.heard_of("view_submission") == []


async def test_submission_answers_are_obeyed(
    cloud: SlackCloud, app: ScriptedApp, client: AsyncWebClient, mira: Person, card: Message
) -> None:
    """Errors stay, an update keeps what was typed, a push lies on top, and clear takes all away."""
    screen = await opened(mira, card, client, app, modal())
    await screen.fill("Reason", "no")
    app.answers["view_submission"] = lambda _p: {"response_action": "errors", "errors": {"reason": "Say more"}}
    result = await screen.submit()
    assert (result.errors, result.closed, screen.is_open) == ({"Reason": "Say more"}, False, True)
    app.answers["view_submission"] = lambda _p: {"response_action": "update", "view": modal("Again")}
    result = await screen.submit()
    assert (screen.title, screen.fields) == ("Again", {"Reason": "no"})
    app.answers["view_submission"] = lambda _p: {"response_action": "push", "view": modal("Deeper")}
    result = await screen.submit()
    assert result.view
    assert (result.view.title, len(mira.stack)) == ("Deeper", 2)
    app.answers["view_submission"] = lambda _p: {"response_action": "clear"}
    await result.view.fill("Reason", "done")
    result = await result.view.submit()
    assert (result.closed, result.view, mira.stack) == (True, None, [])


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"nowhere": "Say more"}},
        {"response_action": "dance"},
        {"response_action": "update", "view": {"type": "modal"}},
        "fine",
    ],
)
async def test_submission_answer_that_slack_does_not_take_fails(
    *, answer: Any, cloud: SlackCloud, app: ScriptedApp, client: AsyncWebClient, mira: Person, card: Message
) -> None:
    screen = await opened(mira, card, client, app, modal())
    await screen.fill("Reason", "no")
    app.answers["view_submission"] = lambda _payload: answer
    result = await screen.submit()
    assert (result.failed, result.closed) == (True, False)
    assert "view_submission" in cloud.errors[-1]


async def test_closing_is_told_when_asked_for(
    app: ScriptedApp, client: AsyncWebClient, mira: Person, card: Message
) -> None:
    screen = await opened(mira, card, client, app, modal(notify_on_close=True))
    await screen.close()
    (payload,) = app.heard_of("view_closed")
    assert (payload["view"]["id"], payload["is_cleared"]) == (screen.raw.id, False)


async def test_cross_closes_all_that_lies_below(
    app: ScriptedApp, client: AsyncWebClient, mira: Person, card: Message
) -> None:
    screen = await opened(mira, card, client, app, modal(notify_on_close=True, private_metadata="hf_1"))
    await screen.fill("Reason", "no")
    app.answers["view_submission"] = lambda _p: {"response_action": "push", "view": modal("Deeper")}
    await screen.submit()
    assert (screen.submit_label, screen.private_metadata) == ("Send", "hf_1")
    await screen.close_all()
    assert mira.stack == []
    assert [payload["is_cleared"] for payload in app.heard_of("view_closed")] == [True]


# --- what changes about people -------------------------------------------------------------------


async def test_changes_of_people_and_groups_are_told(cloud: SlackCloud, app: ScriptedApp, mira: Person) -> None:
    ana = cloud.user("ana")
    group = cloud.group("@dba", [mira])
    await cloud.change_group(group, [ana])
    await cloud.deactivate(mira)
    changed, gone = [payload["event"] for payload in app.heard]
    assert (changed["added_users"], changed["removed_users"]) == ([ana.id], [mira.id])
    assert (gone["type"], gone["user"]["deleted"]) == ("user_change", True)
    assert [delivery.ack_status for delivery in cloud.deliveries] == [200, 200]


async def test_waiting_names_what_was_there_instead(cloud: SlackCloud, client: AsyncWebClient, mira: Person) -> None:
    """A test that fails on a wait must say what it saw."""
    ops = cloud.channel("#ops", [mira])
    await client.chat_postEphemeral(channel=ops.id, user=mira.id, text="You may not")
    assert await cloud.wait_for_told(mira, "may not") == "You may not"
    with pytest.raises(AssertionError, match=r"not told 'later' within 0 s, but .*You may not"):
        await cloud.wait_for_told(mira, "later", within_s=0)
    with pytest.raises(AssertionError, match="no card containing 'Drop'"):
        await cloud.wait_for_card(ops, "Drop", within_s=0)
