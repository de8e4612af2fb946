"""Messages come, change and go: for the Web API, for response addresses and for people alike."""

import copy
import secrets
from typing import TYPE_CHECKING, Any, Final

from tests.fakes.slack import events
from tests.fakes.slack.app import Installation
from tests.fakes.slack.model import Channel, Effect, File, Message, User

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]
POSTED_CHARS: Final = 40_000


def with_ids(blocks: list[Json]) -> list[Json]:
    """The blocks with an id for each block and element that came without, as Slack gives them."""
    named = copy.deepcopy(blocks)
    for block in named:
        block.setdefault("block_id", secrets.token_urlsafe(4))
        if block["type"] not in {"section", "actions", "input", "context_actions"}:
            continue
        for element in (block.get("accessory"), block.get("element"), *block.get("elements", ())):
            if element and element["type"] != "image":
                element.setdefault("action_id", secrets.token_urlsafe(4))
    return named


def post(
    cloud: "SlackCloud",
    channel: Channel,
    installation: Installation,
    text: str,
    blocks: list[Json],
    *,
    thread_ts: str | None = None,
    metadata: Json | None = None,
    broadcast: bool = False,
    files: list[File] | None = None,
) -> Message:
    """A message by the bot. The app hears of it as of any other."""
    message = Message(
        channel=channel,
        ts=channel.next_ts(cloud.clock.now()),
        user=installation.bot,
        text=text[:POSTED_CHARS],
        blocks=with_ids(blocks),
        bot_id=installation.bot_id,
        app_id=cloud.app.id,
        thread_ts=thread_ts,
        metadata=metadata,
        is_broadcast=broadcast,
        files=files or [],
    )
    channel.messages.append(message)
    cloud.effects.append(Effect("message", channel=channel, message=message))
    cloud.in_background(events.message_posted(cloud, message))
    return message


def whisper(
    cloud: "SlackCloud",
    channel: Channel,
    installation: Installation,
    text: str,
    blocks: list[Json],
    *,
    to: User,
    thread_ts: str | None = None,
) -> Message:
    """A message that one person sees. It is stored nowhere and no event tells of it."""
    message = Message(
        channel=channel,
        ts=channel.next_ts(cloud.clock.now()),
        user=installation.bot,
        text=text,
        blocks=with_ids(blocks),
        bot_id=installation.bot_id,
        app_id=cloud.app.id,
        thread_ts=thread_ts,
        seen_by=to,
    )
    cloud.ephemerals.append(message)
    cloud.effects.append(Effect("ephemeral", channel=channel, user=to, message=message))
    return message


def change(cloud: "SlackCloud", message: Message, text: str, blocks: list[Json]) -> None:
    """Let a message of the bot say something else."""
    before = message.as_json()
    message.change(text, with_ids(blocks), f"{cloud.clock.now():.6f}")
    cloud.effects.append(Effect("update", channel=message.channel, user=message.seen_by, message=message))
    if message.seen_by is None:
        cloud.in_background(events.message_changed(cloud, message, before))


def delete(cloud: "SlackCloud", message: Message) -> None:
    """Take a message of the bot away."""
    before = message.as_json()
    message.is_deleted = True
    cloud.effects.append(Effect("delete", channel=message.channel, user=message.seen_by, message=message))
    if message.seen_by is None:
        cloud.in_background(events.message_deleted(cloud, message, before))
