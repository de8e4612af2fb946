"""What happens is told to the app: Events API envelopes, for what it subscribed to and where its bot is."""

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from tests.fakes.slack.app import EVENT_SCOPES, Installation
from tests.fakes.slack.model import Channel, Message, User

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud
    from tests.fakes.slack.deliveries import Delivery

Json = dict[str, Any]
_MESSAGE: dict[str, str] = {
    "channel": "message.channels",
    "group": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}


def _ts(cloud: "SlackCloud") -> str:
    return f"{cloud.clock.now():.6f}"


def envelope(cloud: "SlackCloud", installation: Installation, event: Json, channel: Channel | None) -> Json:
    """The Events API's wrapping of one event for one installation."""
    team = installation.team
    return {
        "token": cloud.app.verification_token,
        "team_id": team.id,
        "enterprise_id": team.enterprise_id,
        "context_team_id": team.id,
        "context_enterprise_id": team.enterprise_id,
        "api_app_id": cloud.app.id,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{secrets.token_hex(5).upper()}",
        "event_time": int(cloud.clock.now()),
        "authorizations": [
            {
                "enterprise_id": team.enterprise_id,
                "team_id": None if installation.is_org_wide else team.id,
                "user_id": installation.bot.id,
                "is_bot": True,
                "is_enterprise_install": installation.is_org_wide,
            }
        ],
        "is_ext_shared_channel": bool(channel and channel.is_ext_shared),
        "event_context": f"4-{secrets.token_hex(12)}",
    }


async def tell(
    cloud: "SlackCloud", event: Json, subscription: str, *, channel: Channel | None = None, user: User | None = None
) -> list["Delivery"]:
    """Send an event to every installation that is to hear of it, and wait for the first attempts.

    Args:
        cloud: The fake.
        event: The inner event.
        subscription: What the app must have subscribed to.
        channel: Where it happened: only a bot in there hears of it.
        user: Whom it is about, when it happened in no channel.
    """
    if subscription not in cloud.app.events:
        return []
    needs = EVENT_SCOPES.get(subscription)
    heard = [
        item
        for item in cloud.bot_ids().values()
        if (needs is None or needs in item.scopes)
        and (channel is None or item.bot in channel.members)
        and (user is None or item.covers(user.team))
    ]
    sends = [cloud.courier.send_event(envelope(cloud, item, event, channel)) for item in heard]
    return list(await asyncio.gather(*sends))


def _of_message(message: Message) -> Json:
    channel = message.channel
    told = message.as_json() | {"channel": channel.id, "channel_type": channel.kind, "event_ts": message.ts}
    if message.user.team is not channel.team:
        told |= {"user_team": message.user.team.id, "source_team": message.user.team.id}
    if message.bot_id is None:
        told["client_msg_id"] = f"msg-{channel.id}-{message.ts}"
    return told


async def message_posted(cloud: "SlackCloud", message: Message) -> list["Delivery"]:
    """A `message` event, and for a mention of the bot outside a direct conversation an `app_mention` as well."""
    channel = message.channel
    told = _of_message(message)
    sent = [tell(cloud, told, _MESSAGE[channel.kind], channel=channel)]
    mentioned = any(f"<@{bot}>" in message.text for bot in cloud.bot_ids())
    if mentioned and channel.kind in {"channel", "group"} and message.bot_id is None:
        mention = {name: value for name, value in told.items() if name != "channel_type"}
        sent.append(tell(cloud, mention | {"type": "app_mention"}, "app_mention", channel=channel))
    return [delivery for group in await asyncio.gather(*sent) for delivery in group]


async def message_changed(cloud: "SlackCloud", message: Message, before: Json) -> list["Delivery"]:
    """A `message` event of subtype `message_changed`."""
    event = _hidden(cloud, message, "message_changed", before) | {"message": message.as_json()}
    return await tell(cloud, event, _MESSAGE[message.channel.kind], channel=message.channel)


async def message_deleted(cloud: "SlackCloud", message: Message, before: Json) -> list["Delivery"]:
    """A `message` event of subtype `message_deleted`."""
    event = _hidden(cloud, message, "message_deleted", before) | {"deleted_ts": message.ts}
    return await tell(cloud, event, _MESSAGE[message.channel.kind], channel=message.channel)


def _hidden(cloud: "SlackCloud", message: Message, subtype: str, before: Json) -> Json:
    ts = message.channel.next_ts(cloud.clock.now())
    return {
        "type": "message",
        "subtype": subtype,
        "previous_message": before,
        "channel": message.channel.id,
        "channel_type": message.channel.kind,
        "hidden": True,
        "ts": ts,
        "event_ts": ts,
    }


async def reaction_added(cloud: "SlackCloud", message: Message, user: User, name: str) -> list["Delivery"]:
    """A `reaction_added` event."""
    event = {
        "type": "reaction_added",
        "user": user.id,
        "reaction": name,
        "item_user": message.user.id,
        "item": {"type": "message", "channel": message.channel.id, "ts": message.ts},
        "event_ts": _ts(cloud),
    }
    return await tell(cloud, event, "reaction_added", channel=message.channel)


async def home_opened(cloud: "SlackCloud", user: User, view: Json | None) -> list["Delivery"]:
    """An `app_home_opened` event for the Home tab."""
    event: Json = {
        "type": "app_home_opened",
        "user": user.id,
        "channel": cloud.conversation(user).id,
        "tab": "home",
        "event_ts": _ts(cloud),
    }
    if view:
        event["view"] = view
    return await tell(cloud, event, "app_home_opened", user=user)
