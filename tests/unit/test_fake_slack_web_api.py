"""What the stand-in for Slack answers to Slack's own client, and above all what it refuses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import Channel, Person, SlackCloud
from tests.fakes.slack.samples import CARD, button, field, modal

Json = dict[str, Any]


@pytest.fixture
async def cloud() -> AsyncIterator[SlackCloud]:
    async with SlackCloud().serving() as cloud:
        yield cloud


@pytest.fixture
def client(cloud: SlackCloud) -> AsyncWebClient:
    return AsyncWebClient(token=cloud.token, base_url=cloud.api_url)


@pytest.fixture
def mira(cloud: SlackCloud) -> Person:
    return cloud.user("mira", email="mira@example.com")


@pytest.fixture
def ops(cloud: SlackCloud, mira: Person) -> Channel:
    return cloud.channel("#ops", members=[mira])


async def refusal(call: Any) -> Any:
    """The answer to a call that is refused."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return caught.value.response


def section(text: str = "x", **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def rich(*parts: Json) -> Json:
    elements = list(parts) or [{"type": "text", "text": "x"}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": elements}]}


def options(count: int, chars: int = 1) -> list[Json]:
    return [{"text": {"type": "plain_text", "text": "o"}, "value": f"{n:0{chars}d}"} for n in range(count)]


def select(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "s", "options": options(2), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


# --- tokens and scopes ---------------------------------------------------------------------------


async def test_tokens_are_checked(cloud: SlackCloud, mira: Person) -> None:
    async def error(token: str | None) -> Any:
        return (await refusal(AsyncWebClient(token=token, base_url=cloud.api_url).auth_test()))["error"]

    assert await error(None) == "not_authed"
    assert await error("xoxb-nobody") == "invalid_auth"
    assert await error(cloud.app.app_token) == "not_allowed_token_type"
    await cloud.uninstall()
    assert await error(cloud.token) == "token_revoked"
    fresh = cloud.install()
    cloud.bot().deleted = True
    assert await error(fresh) == "account_inactive"


async def test_auth_test_tells_who_and_what(cloud: SlackCloud, client: AsyncWebClient) -> None:
    told = await client.auth_test()
    assert (told["team_id"], told["user_id"]) == (cloud.home.id, cloud.bot().id)
    assert told.headers["x-oauth-scopes"] == ",".join(cloud.app.scopes)


async def test_missing_scope_names_what_is_needed(cloud: SlackCloud, client: AsyncWebClient, mira: Person) -> None:
    cloud.install(scopes=["chat:write", "users:read"])
    told = await refusal(client.users_lookupByEmail(email="mira@example.com"))
    assert (told["error"], told["needed"], told["provided"]) == (
        "missing_scope",
        "users:read.email",
        "chat:write,users:read",
    )
    assert "email" not in (await client.users_info(user=mira.id))["user"]["profile"]


async def test_unknown_methods_and_arguments_are_refused(client: AsyncWebClient, ops: Channel) -> None:
    assert (await refusal(client.api_call("chat.shout")))["error"] == "unknown_method"
    told = await refusal(client.chat_postMessage(channel=ops.id, text="x", colour="red"))
    assert (told["error"], told["response_metadata"]["messages"]) == (
        "invalid_arguments",
        ["[ERROR] unsupported argument: colour"],
    )
    told = await refusal(client.conversations_history(channel=ops.id, limit="many"))  # type: ignore[arg-type] # wrong on purpose
    assert "must be a valid number" in told["response_metadata"]["messages"][0]


# --- messages ------------------------------------------------------------------------------------


async def test_message_lives(cloud: SlackCloud, client: AsyncWebClient, ops: Channel) -> None:
    posted = await client.chat_postMessage(channel=ops.id, text="one", blocks=CARD)
    ref = {"channel": ops.id, "ts": posted["ts"]}
    link = (await client.chat_getPermalink(channel=ops.id, message_ts=posted["ts"]))["permalink"]
    await client.chat_update(**ref, text="two")
    (card,) = ops.messages
    assert [version.text for version in card.versions] == ["one", "two"]
    assert card.blocks == [], "text alone drops the blocks"
    assert link.endswith(f"/archives/{ops.id}/p{posted['ts'].replace('.', '')}")
    await client.reactions_add(channel=ops.id, name="eyes", timestamp=posted["ts"])
    assert (await refusal(client.reactions_add(channel=ops.id, name="eyes", timestamp=posted["ts"])))["error"] == (
        "already_reacted"
    )
    await client.chat_delete(**ref)
    assert (await refusal(client.chat_update(**ref, text="three")))["error"] == "message_not_found"
    assert cloud.cards(ops) == []


async def test_timestamps_are_unique_and_rise(client: AsyncWebClient, ops: Channel) -> None:
    posts = [client.chat_postMessage(channel=ops.id, text=str(n)) for n in range(20)]
    sent = [told["ts"] for told in await asyncio.gather(*posts)]
    assert len(set(sent)) == 20
    assert [message.ts for message in ops.messages] == sorted(sent)


async def test_places_that_take_no_message(cloud: SlackCloud, client: AsyncWebClient, mira: Person) -> None:
    places = {
        "C0NOWHERE": "channel_not_found",
        cloud.channel("#secret", [mira], bot=False, private=True).id: "channel_not_found",
        cloud.channel("#random", [mira], bot=False).id: "not_in_channel",
        cloud.channel("#old", [mira], archived=True).id: "is_archived",
    }
    for place, error in places.items():
        assert (await refusal(client.chat_postMessage(channel=place, text="x")))["error"] == error
    await client.chat_postMessage(channel=mira.id, text="to a person")
    assert [message.text for message in mira.dms] == ["to a person"]


async def test_only_own_messages_change(client: AsyncWebClient, mira: Person, ops: Channel) -> None:
    said = await mira.say(ops, "mine")
    assert (await refusal(client.chat_update(channel=ops.id, ts=said.ts, text="x")))["error"] == "cant_update_message"
    assert (await refusal(client.chat_delete(channel=ops.id, ts=said.ts)))["error"] == "cant_delete_message"


async def test_ephemeral_needs_a_member(cloud: SlackCloud, client: AsyncWebClient, mira: Person, ops: Channel) -> None:
    ana = cloud.user("ana")
    told = await refusal(client.chat_postEphemeral(channel=ops.id, user=ana.id, text="x"))
    assert told["error"] == "user_not_in_channel"
    await client.chat_postEphemeral(channel=ops.id, user=mira.id, text="only you")
    assert (cloud.told(mira), ops.messages) == (["only you"], [])


async def test_rich_text_cannot_be_replaced_by_other_blocks(client: AsyncWebClient, ops: Channel) -> None:
    ref = {"channel": ops.id, "ts": (await client.chat_postMessage(channel=ops.id, text="x", blocks=[rich()]))["ts"]}
    assert (await refusal(client.chat_update(**ref, text="x", blocks=[section()])))["error"] == "block_mismatch"
    await client.chat_update(**ref, text="x", blocks=[section(), rich()])


async def test_sizes_of_messages(client: AsyncWebClient, ops: Channel) -> None:
    long = await client.chat_postMessage(channel=ops.id, text="x" * 50_000)
    assert len(ops.messages[0].text) == 40_000, "a post is cut"
    told = await refusal(client.chat_update(channel=ops.id, ts=long["ts"], text="x" * 4001))
    assert told["error"] == "msg_too_long", "an update is refused"
    many = [section("x" * 3000)] * 5
    told = await refusal(client.chat_postMessage(channel=ops.id, text="x", blocks=many))
    assert told["error"] == "msg_blocks_too_long"
    big = {"event_type": "ask", "event_payload": {"x": "x" * 9000}}
    assert (await refusal(client.chat_postMessage(channel=ops.id, text="x", metadata=big)))["error"] == (
        "metadata_too_large"
    )


async def test_post_is_found_again_by_its_metadata(client: AsyncWebClient, mira: Person, ops: Channel) -> None:
    """How a service finds a card whose reply was lost. Without the flag there is no metadata to look at."""
    mark = {"event_type": "andon_card", "event_payload": {"handoff": "hf_1"}}
    posted = await client.chat_postMessage(channel=ops.id, text="card", metadata=mark)
    await client.chat_postMessage(channel=ops.id, text="reply", thread_ts=posted["ts"], metadata=mark)
    for _ in range(5):
        await mira.say(ops, "noise")

    async def pages(**extra: Any) -> list[Json]:
        found: list[Json] = []
        async for page in await client.conversations_history(channel=ops.id, limit=2, **extra):
            found += page["messages"]
        return found

    assert [m["ts"] for m in await pages(include_all_metadata=True) if m.get("metadata") == mark] == [posted["ts"]]
    assert all("metadata" not in message for message in await pages())
    thread = await client.conversations_replies(channel=ops.id, ts=posted["ts"], include_all_metadata=True)
    assert [message["text"] for message in thread["messages"]] == ["card", "reply"]


# --- Block Kit -----------------------------------------------------------------------------------

_TEXT = {"type": "plain_text", "text": "x"}
TOO_MUCH: dict[str, tuple[list[Json], str]] = {
    "blocks": ([section()] * 51, "/blocks"),
    "section text": ([section("x" * 3001)], "/blocks/0/text/text"),
    "empty text": ([section("")], "/blocks/0/text/text"),
    "fields": ([section(fields=[_TEXT] * 11)], "/blocks/0/fields"),
    "field text": ([section(fields=[{"type": "mrkdwn", "text": "x" * 2001}])], "/blocks/0/fields/0/text"),
    "header": ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "/blocks/0/text/text"),
    "header in mrkdwn": ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "/blocks/0/text/type"),
    "no actions": ([actions()], "/blocks/0/elements"),
    "actions": ([actions(*[button("x", f"a{n}") for n in range(26)])], "/blocks/0/elements"),
    "one action_id twice": ([actions(button("x", "a"), button("y", "a"))], "/blocks/0/elements"),
    "context elements": ([{"type": "context", "elements": [_TEXT] * 11}], "/blocks/0/elements"),
    "button text": ([actions(button("x" * 76, "a"))], "/blocks/0/elements/0/text/text"),
    "button value": ([actions(button("x", "a", "v" * 2001))], "/blocks/0/elements/0/value"),
    "action_id": ([actions(button("x", "a" * 256))], "/blocks/0/elements/0/action_id"),
    "block_id": ([section(block_id="b" * 256)], "/blocks/0/block_id"),
    "one block_id twice": ([section(block_id="b"), section(block_id="b")], "/blocks/1/block_id"),
    "style": ([actions(button("x", "a") | {"style": "loud"})], "/blocks/0/elements/0/style"),
    "unknown field": ([section(colour="red")], "/blocks/0"),
    "unknown block": ([{"type": "marquee"}], "/blocks/0/type"),
    "unknown element": ([actions({"type": "lever"})], "/blocks/0/elements/0/type"),
    "input in a message": ([field("Reason", {"type": "plain_text_input"})], "/blocks/0/type"),
    "alert in a message": ([{"type": "alert", "text": _TEXT}], "/blocks/0/type"),
    "options": ([actions(select(options=options(101)))], "/blocks/0/elements/0/options"),
    "option value": ([actions(select(options=options(1, 151)))], "/blocks/0/elements/0/options/0/value"),
    "initial option": ([actions(select(initial_option=options(3)[2]))], "/blocks/0/elements/0/initial_option"),
    "overflow": ([actions({"type": "overflow", "options": options(6)})], "/blocks/0/elements/0/options"),
    "radio": ([actions({"type": "radio_buttons", "options": options(11)})], "/blocks/0/elements/0/options"),
    "placeholder": (
        [actions(select(placeholder={"type": "plain_text", "text": "x" * 151}))],
        "/blocks/0/elements/0/placeholder/text",
    ),
    "date": ([actions({"type": "datepicker", "initial_date": "1.5.26"})], "/blocks/0/elements/0/initial_date"),
    "confirm": (
        [
            actions(
                button("x", "a") | {"confirm": dict.fromkeys(("title", "text", "confirm", "deny"), _TEXT) | {"deny": 1}}
            )
        ],
        "/blocks/0/elements/0/confirm/deny",
    ),
    "rich part": ([rich({"type": "image", "text": "x"})], "/blocks/0/elements/0/elements/0/type"),
    "mention in preformatted": (
        [rich({"type": "user", "user_id": "U1"})],
        "/blocks/0/elements/0/elements/0/type",
    ),
    "table rows": ([{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * 101}], "/blocks/0/rows"),
    "markdown": ([{"type": "markdown", "text": "x" * 12_001}], "/blocks/0/text"),
}


@pytest.mark.parametrize("name", sorted(TOO_MUCH))
async def test_message_blocks_are_checked(name: str, client: AsyncWebClient, ops: Channel) -> None:
    blocks, pointer = TOO_MUCH[name]
    told = await refusal(client.chat_postMessage(channel=ops.id, text="x", blocks=blocks))
    assert told["error"] == "invalid_blocks"
    assert [m for m in told["response_metadata"]["messages"] if m.endswith(f"[json-pointer:{pointer}]")]
    assert ops.messages == []


async def test_blocks_at_their_limits_pass(client: AsyncWebClient, ops: Channel) -> None:
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "x" * 150}},
        section("x" * 3000, fields=[_TEXT] * 10),
        actions(*[button("x" * 75, f"a{n}", "v" * 2000) for n in range(25)]),
        {"type": "context", "elements": [_TEXT] * 10},
        actions(select(options=options(100, 150), initial_option=options(100, 150)[99])),
        rich({"type": "text", "text": "x" * 4000, "style": {"bold": True}}),
        *[{"type": "divider"}] * 44,
    ]
    await client.chat_postMessage(channel=ops.id, text="x", blocks=blocks)


VIEWS: dict[str, tuple[Json, str, str]] = {
    "title": (modal("x" * 25), "invalid_arguments", "/view/title/text"),
    "blocks": (modal("x", *[section()] * 101), "invalid_arguments", "/view/blocks"),
    "private_metadata": (modal(private_metadata="x" * 3001), "invalid_arguments", "/view/private_metadata"),
    "callback_id": (modal(callback_id="x" * 256), "invalid_arguments", "/view/callback_id"),
    "unknown field": (modal(colour="red"), "invalid_arguments", "/view"),
    "no submit": ({n: v for n, v in modal().items() if n != "submit"}, "invalid_arguments", "/view"),
    "label": (
        modal("x", field("L" * 2001, {"type": "plain_text_input"}, block_id="b")),
        "invalid_arguments",
        "/view/blocks/0/label/text",
    ),
    "initial_value": (
        modal("x", field("L", {"type": "plain_text_input", "initial_value": "x" * 3001})),
        "invalid_arguments",
        "/view/blocks/0/element/initial_value",
    ),
    "number": (
        modal(
            "x", field("L", {"type": "number_input", "is_decimal_allowed": False, "min_value": "9", "max_value": "1"})
        ),
        "invalid_arguments",
        "/view/blocks/0/element/min_value",
    ),
    "button as input": (modal("x", field("L", button("x", "a"))), "invalid_arguments", "/view/blocks/0/element/type"),
    "size": (
        modal("x", *[section("€" * 2900) for _ in range(29)]),
        "view_too_large",
        "",
    ),
}


@pytest.mark.parametrize("name", sorted(VIEWS))
async def test_views_are_checked(name: str, cloud: SlackCloud, client: AsyncWebClient, mira: Person) -> None:
    view, error, pointer = VIEWS[name]
    trigger = cloud.new_trigger(mira, cloud.home)
    told = await refusal(client.views_open(trigger_id=trigger.id, view=view))
    assert told["error"] == error
    if pointer:
        assert told["response_metadata"]["messages"][0].endswith(f"[json-pointer:{pointer}]")
    assert mira.modal is None


# --- views ---------------------------------------------------------------------------------------


async def test_triggers_are_for_once_and_three_seconds(cloud: SlackCloud, client: AsyncWebClient, mira: Person) -> None:
    async def error(trigger_id: str) -> Any:
        return (await refusal(client.views_open(trigger_id=trigger_id, view=modal())))["error"]

    trigger = cloud.new_trigger(mira, cloud.home)
    await client.views_open(trigger_id=trigger.id, view=modal())
    assert await error(trigger.id) == "exchanged_trigger_id"
    late = cloud.new_trigger(mira, cloud.home)
    cloud.clock.advance(3.1)
    assert await error(late.id) == "expired_trigger_id"
    assert await error("1.2.3") == "invalid_trigger_id"


async def test_modals_lie_three_deep(cloud: SlackCloud, client: AsyncWebClient, mira: Person) -> None:
    first = await client.views_open(trigger_id=cloud.new_trigger(mira, cloud.home).id, view=modal("1"))
    for title in "23":
        trigger = cloud.new_trigger(mira, cloud.home, mira.stack[-1])
        await client.views_push(trigger_id=trigger.id, view=modal(title))
    assert {view.root_id for view in mira.stack} == {first["view"]["id"]}
    trigger = cloud.new_trigger(mira, cloud.home, mira.stack[-1])
    assert (await refusal(client.views_push(trigger_id=trigger.id, view=modal("4"))))["error"] == "push_limit_reached"


async def test_update_needs_the_right_hash_and_an_open_view(
    cloud: SlackCloud, client: AsyncWebClient, mira: Person
) -> None:
    told = await client.views_open(trigger_id=cloud.new_trigger(mira, cloud.home).id, view=modal(external_id="mine"))
    id, first = told["view"]["id"], told["view"]["hash"]
    await client.views_update(external_id="mine", hash=first, view=modal("New"))
    assert mira.modal
    assert mira.modal.title == "New"
    assert (await refusal(client.views_update(view_id=id, hash=first, view=modal())))["error"] == "hash_conflict"
    await mira.modal.close()
    assert (await refusal(client.views_update(view_id=id, view=modal())))["error"] == "not_found"


# --- people, groups, channels --------------------------------------------------------------------


async def test_people_are_as_they_are(cloud: SlackCloud, client: AsyncWebClient, mira: Person) -> None:
    guest = cloud.user("guest", is_ultra_restricted=True)
    gone = cloud.user("gone", email="gone@example.com", deleted=True)
    far = cloud.user("far", email="far@other.example", team=cloud.team("T0OTHER", name="Other"))
    assert (await client.users_lookupByEmail(email="MIRA@example.com"))["user"]["id"] == mira.id
    assert (await client.users_info(user=guest.id))["user"]["is_ultra_restricted"]
    assert (await client.users_info(user=gone.id))["user"]["deleted"]
    for email in ("gone@example.com", "far@other.example", "nobody@example.com"):
        assert (await refusal(client.users_lookupByEmail(email=email)))["error"] == "users_not_found"
    assert (await refusal(client.users_info(user=far.id)))["error"] == "user_not_found"
    cloud.channel("#shared", [mira, far], shared=True)
    stranger = (await client.users_info(user=far.id))["user"]
    assert (stranger["is_stranger"], stranger["team_id"], "email" in stranger["profile"]) == (True, "T0OTHER", False)


async def test_groups_need_a_paid_plan(cloud: SlackCloud, client: AsyncWebClient, mira: Person) -> None:
    group = cloud.group("@dba", [mira])
    assert (await client.usergroups_users_list(usergroup=group.id))["users"] == [mira.id]
    assert (await client.usergroups_list())["usergroups"][0]["handle"] == "dba"
    assert (await refusal(client.usergroups_users_list(usergroup="S0NOBODY")))["error"] == "no_such_subteam"
    cloud.home.paid = False
    assert (await refusal(client.usergroups_list()))["error"] == "plan_upgrade_required"


async def test_channels_are_listed_by_the_page(cloud: SlackCloud, client: AsyncWebClient, mira: Person) -> None:
    people = [cloud.user(f"u{n}") for n in range(7)]
    for n in range(5):
        cloud.channel(f"#c{n}", people)
    cloud.channel("#private", bot=True, private=True)
    cloud.channel("#elsewhere", bot=False, private=True)
    names = []
    async for page in await client.conversations_list(limit=2, types="public_channel,private_channel"):
        names += [channel["name"] for channel in page["channels"]]
    assert names == ["c0", "c1", "c2", "c3", "c4", "private"]
    found = []
    id = next(channel.id for channel in cloud.channels.values())
    async for page in await client.conversations_members(channel=id, limit=3):
        found += page["members"]
    assert found == [*(user.id for user in people), cloud.bot().id]
    assert (await client.conversations_info(channel=id))["channel"]["is_member"]
    told = await client.users_conversations(user=people[0].id)
    assert len(told["channels"]) == 5
    direct = (await client.conversations_open(users=[mira.id]))["channel"]["id"]
    assert (await client.conversations_open(users=mira.id))["channel"]["id"] == direct == mira.direct.id


async def test_file_is_uploaded_and_shared(cloud: SlackCloud, client: AsyncWebClient, ops: Channel) -> None:
    await client.files_upload_v2(content="the whole payload", filename="payload.txt", channel=ops.id, title="Payload")
    (message,) = cloud.cards(ops)
    (file,) = message.files
    assert (file.title, file.content) == ("Payload", b"the whole payload")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {cloud.token}"}) as http:
        assert await (await http.get(file.url)).read() == file.content


# --- rates and faults ----------------------------------------------------------------------------


async def test_a_channel_takes_one_message_a_second(cloud: SlackCloud, client: AsyncWebClient, ops: Channel) -> None:
    cloud.rate_limits.strict()
    await client.chat_postMessage(channel=ops.id, text="one")
    told = await refusal(client.chat_postMessage(channel=ops.id, text="two"))
    assert (told.status_code, told["error"], told.headers["Retry-After"]) == (429, "ratelimited", "1")
    await client.chat_postMessage(channel=cloud.channel("#other").id, text="elsewhere")
    cloud.clock.advance(1)
    await client.chat_postMessage(channel=ops.id, text="three")


Calls = Callable[[AsyncWebClient, Person], Any]


@pytest.mark.parametrize(
    "call, a_minute",
    [(lambda c, _m: c.usergroups_list(), 20), (lambda c, m: c.users_info(user=m.id), 100)],
    ids=["tier 2", "tier 4"],
)
async def test_methods_have_tiers(
    *, call: Calls, a_minute: int, cloud: SlackCloud, client: AsyncWebClient, mira: Person
) -> None:
    for _ in range(a_minute):
        await call(client, mira)

    async def a_few_more() -> None:
        for _ in range(a_minute):  # while these calls are made, a slow machine earns some
            await call(client, mira)

    assert (await refusal(a_few_more())).status_code == 429
    cloud.clock.advance(60)
    await call(client, mira)
    cloud.rate_limits.off()
    for _ in range(a_minute + 1):
        await call(client, mira)


async def test_lost_reply_did_what_was_asked(cloud: SlackCloud, client: AsyncWebClient, ops: Channel) -> None:
    cloud.loses_replies = 1
    client.retry_handlers.clear()
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=ops.id, text="once")
    await client.chat_postMessage(channel=ops.id, text="twice")
    assert [message.text for message in ops.messages] == ["once", "twice"]


async def test_faults_of_the_service(cloud: SlackCloud, client: AsyncWebClient, ops: Channel) -> None:
    cloud.is_down = True
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=ops.id, text="x")
    assert caught.value.response.status_code == 503
    cloud.is_down = False
    cloud.refuses["chat.postMessage"] = "fatal_error"
    assert (await refusal(client.chat_postMessage(channel=ops.id, text="x")))["error"] == "fatal_error"
    del cloud.refuses["chat.postMessage"]
    cloud.hangs = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.chat_postMessage(channel=ops.id, text="x"), 0.1)
    assert ops.messages == []
    assert cloud.errors == ["chat.postMessage: fatal_error"]
