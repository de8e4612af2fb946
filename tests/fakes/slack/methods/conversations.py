"""conversations.* and users.conversations: where people talk, and what they said."""

from typing import Final

from tests.fakes.slack.methods.call import HISTORY, READ, Call, Json, Kind, Method
from tests.fakes.slack.model import Channel, Message
from tests.fakes.slack.refusals import Refused

_TYPES: Final = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}
_MOST_PEOPLE: Final = 8


def _open(call: Call) -> Json:
    if said := call.args.get("channel"):
        channel = call.joined(said)
    else:
        ids = [id.strip() for id in (call.args.get("users") or "").split(",") if id.strip()]
        if not ids:
            raise Refused("users_list_not_supplied")
        if len(ids) > _MOST_PEOPLE:
            raise Refused("too_many_users")
        call.require("im:write" if len(ids) == 1 else "mpim:write")
        people = [call.user(id) for id in ids]
        if any(user.deleted for user in people):
            raise Refused("user_disabled")
        if any(user.is_bot for user in people):
            raise Refused("cannot_dm_bot")
        channel = call.cloud.conversation(*people, team=call.by.team)
    whole = call.args.get("return_im")
    return {"channel": channel.as_json() if whole else {"id": channel.id}}


def _info(call: Call) -> Json:
    channel = call.channel()
    call.require(READ[channel.kind])
    told = channel.as_json() | {"is_member": call.by.bot in channel.members}
    if call.args.get("include_num_members"):
        told["num_members"] = len(channel.members)
    return {"channel": told}


def _wanted(call: Call) -> list[Channel]:
    said = (call.args.get("types") or "public_channel").split(",")
    if any(kind.strip() not in _TYPES for kind in said):
        raise Refused("invalid_types")
    kinds = {_TYPES[kind.strip()] for kind in said}
    for kind in sorted(kinds):
        call.require(READ[kind])
    team = call.args.get("team_id")
    if call.by.is_org_wide and not team:
        raise Refused("missing_argument", messages=["[ERROR] missing required field: team_id"])
    return [
        channel
        for channel in call.cloud.channels.values()
        if channel.kind in kinds
        and (channel.kind == "channel" or call.by.bot in channel.members)
        and (channel.team.id == (team or call.by.team.id) or call.by.bot in channel.members)
        and not (call.args.get("exclude_archived") and channel.is_archived)
    ]


def _list(call: Call) -> Json:
    channels, cursor = call.page(_wanted(call))
    told = [channel.as_json() | {"is_member": call.by.bot in channel.members} for channel in channels]
    return {"channels": told, "response_metadata": {"next_cursor": cursor}}


def _of_user(call: Call) -> Json:
    user = call.user(call.args["user"]) if call.args.get("user") else call.by.bot
    shared = [channel for channel in _wanted(call) if user in channel.members]
    channels, cursor = call.page(shared)
    return {"channels": [channel.as_json() for channel in channels], "response_metadata": {"next_cursor": cursor}}


def _members(call: Call) -> Json:
    channel = call.channel()
    call.require(READ[channel.kind])
    members, cursor = call.page([user.id for user in channel.members])
    return {"members": members, "response_metadata": {"next_cursor": cursor}}


def _between(call: Call, messages: list[Message]) -> list[Message]:
    oldest, latest = call.args.get("oldest") or "0", call.args.get("latest") or "9999999999"
    ends = call.args.get("inclusive") or False

    def inside(message: Message) -> bool:
        ts = float(message.ts)
        return float(oldest) < ts < float(latest) or (ends and ts in {float(oldest), float(latest)})

    return [message for message in messages if inside(message)]


def _told(call: Call, messages: list[Message]) -> Json:
    part, cursor = call.page(messages, most=999)
    told: Json = {
        "messages": [m.as_json(with_metadata=bool(call.args.get("include_all_metadata"))) for m in part],
        "has_more": bool(cursor),
    }
    return told | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})


def _history(call: Call) -> Json:
    channel = call.joined()
    call.require(HISTORY[channel.kind])
    top = [m for m in channel.messages if not m.is_deleted and (m.thread_ts is None or m.is_broadcast)]
    return _told(call, _between(call, top[::-1]))


def _replies(call: Call) -> Json:
    channel = call.joined()
    call.require(HISTORY[channel.kind])
    parent = channel.find(call.args["ts"])
    if parent is None:
        raise Refused("thread_not_found")
    return _told(call, [parent, *_between(call, parent.replies)])


_paged: Final[dict[str, Kind]] = {"cursor": "text", "limit": "number"}
_listed: Final[dict[str, Kind]] = {**_paged, "exclude_archived": "flag", "types": "text", "team_id": "text"}
_read: Final[dict[str, Kind]] = {
    **_paged,
    "channel": "text",
    "latest": "text",
    "oldest": "text",
    "inclusive": "flag",
    "include_all_metadata": "flag",
}

METHODS: Final[dict[str, Method]] = {
    "conversations.open": Method(
        _open,
        {"channel": "text", "users": "text", "return_im": "flag", "prevent_creation": "flag"},
        tier="tier3",
        writes=True,
    ),
    "conversations.info": Method(
        _info, {"channel": "text", "include_locale": "flag", "include_num_members": "flag"}, ("channel",)
    ),
    "conversations.list": Method(_list, _listed, tier="tier2"),
    "users.conversations": Method(_of_user, {**_listed, "user": "text"}),
    "conversations.members": Method(_members, {**_paged, "channel": "text"}, ("channel",), tier="tier4"),
    "conversations.history": Method(_history, _read, ("channel",)),
    "conversations.replies": Method(_replies, {**_read, "ts": "text"}, ("channel", "ts")),
}
