"""chat.*: post, update, delete, whisper, link; and reactions."""

import json
from typing import Any, Final

from tests.fakes.slack import events
from tests.fakes.slack.kit import check_message
from tests.fakes.slack.methods.call import Call, Json, Method
from tests.fakes.slack.model import Channel
from tests.fakes.slack.posting import change, delete, post, whisper
from tests.fakes.slack.refusals import Refused

UPDATE_CHARS: Final = 4000
METADATA_BYTES: Final = 8 * 1024
"""`metadata_too_large` is documented, its number is not; 8 kB is what is commonly cited."""


def _content(call: Call) -> tuple[str, list[Json]]:
    text = call.args.get("text") or ""
    blocks: Any = call.args.get("blocks")
    if call.args.get("attachments"):
        raise Refused("invalid_attachments", messages=["[ERROR] the stand-in takes no legacy attachments"])
    if markdown := call.args.get("markdown_text"):
        if text or blocks:
            raise Refused("markdown_text_conflict")
        text = markdown
    if blocks is not None:
        check_message(blocks)
    if not text and not blocks:
        raise Refused("no_text")
    return text, list(blocks or [])


def _metadata(call: Call) -> Json | None:
    metadata = call.args.get("metadata")
    if metadata is None:
        return None
    if (
        not isinstance(metadata, dict)
        or set(metadata) != {"event_type", "event_payload"}
        or not isinstance(metadata["event_type"], str)
        or not isinstance(metadata["event_payload"], dict)
    ):
        raise Refused("invalid_metadata_format")
    if len(json.dumps(metadata, ensure_ascii=False).encode()) > METADATA_BYTES:
        raise Refused("metadata_too_large")
    return dict(metadata)


def _target(call: Call) -> Channel:
    said = str(call.args["channel"])
    person = call.cloud.users.get(said)
    if person is not None:
        if not call.by.covers(person.team) or person.deleted or person.is_bot:
            raise Refused("channel_not_found")
        return call.cloud.conversation(person, team=call.by.team)
    channel = call.channel(said)
    if channel.is_archived:
        raise Refused("is_archived")
    if call.by.bot not in channel.members and "chat:write.public" not in call.by.scopes:
        raise Refused("not_in_channel")
    return channel


def _post(call: Call) -> Json:
    channel = _target(call)
    text, blocks = _content(call)
    metadata = _metadata(call)
    thread_ts = call.args.get("thread_ts")
    if thread_ts and channel.find(thread_ts) is None:
        raise Refused("thread_not_found")
    call.cloud.rate_limits.spend("post", call.by.team.id, channel.id)
    message = post(
        call.cloud,
        channel,
        call.by,
        text,
        blocks,
        thread_ts=thread_ts,
        metadata=metadata,
        broadcast=bool(call.args.get("reply_broadcast")),
    )
    return {"channel": channel.id, "ts": message.ts, "message": message.as_json(with_metadata=True)}


def _update(call: Call) -> Json:
    channel = call.channel()
    message = call.message(channel, call.args["ts"])
    if message.user is not call.by.bot:
        raise Refused("cant_update_message")
    if channel.is_archived:
        raise Refused("is_archived")
    if len(call.args.get("text") or "") > UPDATE_CHARS:
        raise Refused("msg_too_long")
    text, blocks = _content(call)
    metadata = _metadata(call)
    had_rich = any(block["type"] == "rich_text" for block in message.blocks)
    if had_rich and blocks and not any(block["type"] == "rich_text" for block in blocks):
        raise Refused("block_mismatch")
    if metadata is not None:
        message.metadata = metadata or None
    # Text alone drops the blocks. Slack keeps what the blocks were only when neither is sent, which is no_text.
    change(call.cloud, message, text, blocks)
    told = message.as_json(with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": told}


def _delete(call: Call) -> Json:
    channel = call.channel()
    message = call.message(channel, call.args["ts"])
    if message.user is not call.by.bot:
        raise Refused("cant_delete_message")
    delete(call.cloud, message)
    return {"channel": channel.id, "ts": message.ts}


def _whisper(call: Call) -> Json:
    channel = call.joined()
    if channel.is_archived:
        raise Refused("is_archived")
    to = call.cloud.users.get(call.args["user"])
    if to is None or to not in channel.members:
        raise Refused("user_not_in_channel")
    text, blocks = _content(call)
    message = whisper(call.cloud, channel, call.by, text, blocks, to=to, thread_ts=call.args.get("thread_ts"))
    return {"message_ts": message.ts}


def _permalink(call: Call) -> Json:
    channel = call.channel()
    message = call.message(channel, call.args["message_ts"])
    address = f"https://{channel.team.domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        address += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": address}


def _react(call: Call) -> Json:
    message = call.message(call.joined(), call.args["timestamp"])
    name = call.args["name"].strip(":")
    if not name.replace("_", "").replace("-", "").replace("+", "").isalnum():
        raise Refused("invalid_name")
    users = message.reactions.setdefault(name, [])
    if call.by.bot.id in users:
        raise Refused("already_reacted")
    users.append(call.by.bot.id)
    call.cloud.in_background(events.reaction_added(call.cloud, message, call.by.bot, name))
    return {}


METHODS: Final[dict[str, Method]] = {
    "chat.postMessage": Method(
        _post,
        {
            "channel": "text",
            "text": "text",
            "blocks": "json",
            "attachments": "json",
            "thread_ts": "text",
            "reply_broadcast": "flag",
            "unfurl_links": "flag",
            "unfurl_media": "flag",
            "link_names": "flag",
            "parse": "text",
            "mrkdwn": "flag",
            "markdown_text": "text",
            "metadata": "json",
            "as_user": "flag",
            "icon_emoji": "text",
            "icon_url": "text",
            "username": "text",
            "container_id": "text",
        },
        ("channel",),
        "chat:write",
        "special",
        writes=True,
    ),
    "chat.update": Method(
        _update,
        {
            "channel": "text",
            "ts": "text",
            "text": "text",
            "blocks": "json",
            "attachments": "json",
            "link_names": "flag",
            "parse": "text",
            "markdown_text": "text",
            "metadata": "json",
            "as_user": "flag",
            "reply_broadcast": "flag",
            "file_ids": "json",
        },
        ("channel", "ts"),
        "chat:write",
        "tier3",
        writes=True,
    ),
    "chat.delete": Method(
        _delete,
        {"channel": "text", "ts": "text", "as_user": "flag"},
        ("channel", "ts"),
        "chat:write",
        "tier3",
        writes=True,
    ),
    "chat.postEphemeral": Method(
        _whisper,
        {
            "channel": "text",
            "user": "text",
            "text": "text",
            "blocks": "json",
            "attachments": "json",
            "thread_ts": "text",
            "link_names": "flag",
            "parse": "text",
            "markdown_text": "text",
            "as_user": "flag",
            "icon_emoji": "text",
            "icon_url": "text",
            "username": "text",
        },
        ("channel", "user"),
        "chat:write",
        "tier4",
        writes=True,
    ),
    "chat.getPermalink": Method(
        _permalink, {"channel": "text", "message_ts": "text"}, ("channel", "message_ts"), None, "special"
    ),
    "reactions.add": Method(
        _react,
        {"channel": "text", "name": "text", "timestamp": "text"},
        ("channel", "name", "timestamp"),
        "reactions:write",
        "tier3",
        writes=True,
    ),
}
