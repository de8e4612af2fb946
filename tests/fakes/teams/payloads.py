"""The activities that Teams sends: their common part, and what each kind adds.

Source: Conversation events in your Teams bot,
https://learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/subscribe-to-conversation-events, and
Activities, https://github.com/microsoft/botframework-sdk, specs/botframework-activity, read 2026-11.
"""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.fakes.teams.model import Channel, Conversation, Message

if TYPE_CHECKING:
    from tests.fakes.teams.cloud import TeamsCloud
    from tests.fakes.teams.people import Person

Json = dict[str, Any]


def activity(
    cloud: "TeamsCloud", kind: str, conversation: Conversation, by: "Person", *, thread: str | None = None
) -> Json:
    """The part that all have."""
    at = datetime.fromtimestamp(cloud.clock.now(), UTC)
    return {
        "type": kind,
        "id": f"f:{cloud.new_guid()}",
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "localTimestamp": at.astimezone().isoformat(timespec="milliseconds"),
        "channelId": "msteams",
        "serviceUrl": cloud.service_url,
        "from": by.as_account,
        "conversation": _conversation(conversation, thread),
        "recipient": {"id": cloud.bot_id, "name": cloud.app_name},
        "channelData": channel_data(conversation),
        "entities": [{"type": "clientInfo", "locale": "en-US", "country": "US", "platform": "Web", "timezone": "UTC"}],
        "locale": "en-US",
        "localTimezone": time.tzname[0],
    }


def _conversation(conversation: Conversation, thread: str | None) -> Json:
    id = f"{conversation.id};messageid={thread}" if thread and conversation.kind == "channel" else conversation.id
    told: Json = {"id": id, "conversationType": conversation.kind, "tenantId": conversation.tenant.id}
    if conversation.kind != "personal":
        told["isGroup"] = True
    if conversation.kind == "groupChat" and conversation.name:
        told["name"] = conversation.name
    return told


def channel_data(conversation: Conversation) -> Json:
    """The part that only Teams has."""
    told: Json = {"tenant": {"id": conversation.tenant.id}}
    if isinstance(conversation, Channel):
        team = conversation.team
        told |= {"teamsTeamId": team.id, "teamsChannelId": conversation.id}
        told |= {"team": {"id": team.id}, "channel": {"id": conversation.id}}
    return told


def message(cloud: "TeamsCloud", said: Message, by: "Person", mentions: list[Json]) -> Json:
    """Somebody wrote something."""
    root = said.thread or said.id
    told = activity(cloud, "message", said.conversation, by, thread=root)
    told |= {"id": said.id, "text": said.text, "textFormat": "plain", "attachments": []}
    told["entities"] = [*mentions, *told["entities"]]
    html = f"<p>{said.text}</p>"
    told["attachments"] = [{"contentType": "text/html", "content": html}]
    return told


def mention_of_bot(cloud: "TeamsCloud") -> Json:
    """The entity that makes a mention of `<at>…</at>`."""
    mentioned = {"id": cloud.bot_id, "name": cloud.app_name}
    return {"type": "mention", "mentioned": mentioned, "text": f"<at>{cloud.app_name}</at>"}


def invoke(cloud: "TeamsCloud", name: str, on: Message, by: "Person", value: Json) -> Json:
    """Something on a message was used."""
    told = activity(cloud, "invoke", on.conversation, by, thread=on.thread or on.id)
    told |= {"name": name, "value": value, "replyToId": on.id}
    told["channelData"] |= {"source": {"name": "message"}}
    if on.conversation.kind == "channel":
        told["channelData"] |= {"legacy": {"replyToId": on.id}}
    return told


def added(cloud: "TeamsCloud", conversation: Conversation, by: "Person", *, removed: bool = False) -> Json:
    """The bot came into a conversation, or left it."""
    told = activity(cloud, "conversationUpdate", conversation, by)
    told["membersRemoved" if removed else "membersAdded"] = [{"id": cloud.bot_id}]
    if isinstance(conversation, Channel):
        team = conversation.team
        told["channelData"]["team"] = {"id": team.id, "name": team.name, "aadGroupId": team.group_id}
        told["channelData"]["eventType"] = "teamMemberRemoved" if removed else "teamMemberAdded"
    del told["localTimestamp"]
    return told


def installed(cloud: "TeamsCloud", conversation: Conversation, by: "Person", *, removed: bool = False) -> Json:
    """The app was installed, or removed."""
    told = activity(cloud, "installationUpdate", conversation, by)
    told["action"] = "remove" if removed else "add"
    if isinstance(conversation, Channel):
        team = conversation.team
        told["channelData"]["team"] = {"id": team.id, "name": team.name, "aadGroupId": team.group_id}
        told["channelData"]["settings"] = {"selectedChannel": {"id": conversation.id}}
        del told["channelData"]["channel"]
    return told


def people_changed(
    cloud: "TeamsCloud", conversation: Conversation, by: "Person", people: list["Person"], *, removed: bool
) -> Json:
    """People came into a conversation, or left it."""
    told = activity(cloud, "conversationUpdate", conversation, by)
    told["membersRemoved" if removed else "membersAdded"] = [
        {"id": person.id, "aadObjectId": person.aad} for person in people
    ]
    if isinstance(conversation, Channel):
        team = conversation.team
        told["channelData"]["team"] = {"id": team.id, "name": team.name, "aadGroupId": team.group_id}
        told["channelData"]["eventType"] = "teamMemberRemoved" if removed else "teamMemberAdded"
    return told


def channel_changed(cloud: "TeamsCloud", channel: Channel, by: "Person", event: str) -> Json:
    """A channel was made, renamed or deleted: `channelCreated`, `channelRenamed`, `channelDeleted`."""
    told = activity(cloud, "conversationUpdate", channel, by)
    told["conversation"]["id"] = channel.team.id
    told["channelData"] |= {
        "eventType": event,
        "channel": {"id": channel.id, "name": channel.name},
        "team": {"id": channel.team.id, "name": channel.team.name, "aadGroupId": channel.team.group_id},
    }
    return told


def reacted(cloud: "TeamsCloud", on: Message, by: "Person", kind: str, *, removed: bool = False) -> Json:
    """Somebody put a reaction on a message of the bot, or took it away."""
    told = activity(cloud, "messageReaction", on.conversation, by, thread=on.thread or on.id)
    told |= {"reactionsRemoved" if removed else "reactionsAdded": [{"type": kind}], "replyToId": on.id}
    return told


def extended(cloud: "TeamsCloud", on: Message, command: str) -> Json:
    """What an action of a message extension tells of the message.

    Source: Respond to the dialog submit action, and MessageActionsPayload,
    https://learn.microsoft.com/microsoftteams/platform/messaging-extensions/how-to/action-commands, read 2026-11.
    """
    user = {"id": on.sender.aad, "displayName": on.sender.name, "userIdentityType": "aadUser"} if on.sender else None
    app = {"id": cloud.app_id, "displayName": cloud.app_name, "applicationIdentityType": "bot"} if on.by_bot else None
    payload: Json = {
        "id": on.id,
        "replyToId": on.thread,
        "messageType": "message",
        "from": {"user": user, "application": app},
        "body": {"contentType": "html", "content": f"<p>{on.text}</p>" if on.text else ""},
        "attachments": on.attachments,
    }
    return {"commandId": command, "commandContext": "message", "messagePayload": payload}
