"""The Bot Connector: where a bot sends, changes and deletes messages, and asks who is there.

Source: Bot Framework REST API reference,
https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference, read 2026-11.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tests.fakes.teams import cards
from tests.fakes.teams.doors import size_utf16
from tests.fakes.teams.model import Channel, Conversation, Effect, Message, Team, mentions
from tests.fakes.teams.refusals import Refused

if TYPE_CHECKING:
    from tests.fakes.teams.cloud import TeamsCloud

Json = dict[str, Any]
MOST_BYTES: Final = 100 * 1024
"""A longer message is refused, its text counted in UTF-16.

Source: Format your bot messages, https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages,
read 2026-11.
"""
_PAGE: Final = (50, 500)


@dataclass
class Call:
    """One call of the bot's."""

    cloud: "TeamsCloud"
    request: web.Request
    body: Json

    def conversation(self) -> Conversation:
        """The conversation in the address, which the app must be in.

        Raises:
            Refused: There is none, or the app may not act there.
        """
        found = self.cloud.where(self.request.match_info["conversation"])
        if found is None:
            raise Refused("ConversationNotFound", "Conversation not found.")
        reachable(self.cloud, found)
        return found

    def message(self) -> Message:
        """The message in the address, which must be the bot's own."""
        found = self.conversation().find(self.request.match_info["activity"])
        if found is None:
            raise Refused("ActivityNotFoundInConversation", "The activity was not found in the conversation.")
        if not found.by_bot:
            raise Refused("NotEnoughPermissions", "The bot is not the author of this message.")
        return found


def reachable(cloud: "TeamsCloud", conversation: Conversation) -> None:
    """May the app act there?

    Raises:
        Refused: No.
    """
    if cloud.disabled_by_admin:
        raise Refused("BotDisabledByAdmin", "The tenant admin disabled this bot")
    if conversation.is_blocked:
        raise Refused("ConversationBlockedByUser", "User blocked the conversation with the bot.")
    if conversation.kind == "personal":
        if not cloud.may_reach(conversation.members[0]):
            raise Refused("ForbiddenOperationException", "Bot is not installed in user's personal scope")
    elif not conversation.has_app:
        raise Refused("BotNotInConversationRoster", "The bot is not part of the conversation roster.")


async def answer(cloud: "TeamsCloud", request: web.Request, kind: str, do: Callable[[Call], Json]) -> web.Response:
    """Check the token, the throttle and what tests want to go wrong; then do it."""
    cloud.calls[kind] += 1
    try:
        _authorized(cloud, request)
        text = await request.text()
        call = Call(cloud, request, json.loads(text) if text else {})
        if request.match_info["region"] != cloud.region:
            raise Refused("ConversationNotFound", "Conversation not found.")  # noqa: TRY301 - all refusals end alike
        if refusal := cloud.next_refusal(kind):
            raise refusal
        _throttled(call, kind)
        told = do(call)
    except ValueError:
        return _refused(cloud, kind, Refused("BadSyntax", "The body is not JSON."))
    except Refused as refused:
        return _refused(cloud, kind, refused)
    if cloud.loses_replies and kind in {"send", "create", "update", "delete"}:
        cloud.loses_replies -= 1
        if request.transport:
            request.transport.abort()
    await asyncio.sleep(0)
    return web.json_response(told, status=201 if kind in {"send", "create"} else 200)


def _refused(cloud: "TeamsCloud", kind: str, refused: Refused) -> web.Response:
    cloud.errors.append(f"{kind}: {refused}")
    headers = {"Retry-After": str(refused.retry_after_s)} if refused.retry_after_s else {}
    return web.json_response(refused.body, status=refused.status, headers=headers)


def _authorized(cloud: "TeamsCloud", request: web.Request) -> None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    until = cloud.bearers.get(value)
    if scheme != "Bearer" or until is None or cloud.clock.now() >= until:
        raise Refused("Unauthorized", "Authorization has been denied for this request.")


def _throttled(call: Call, kind: str) -> None:
    counted = {"send": "send", "create": "create", "update": "update", "delete": "update"}.get(
        kind, "conversations" if kind in {"team", "channels"} else "members"
    )
    id = str(call.request.match_info.get("conversation") or call.request.match_info.get("team") or "")
    if kind == "create":  # of whom, or of which channel, it is
        members = call.body.get("members") or [{}]
        id = str(members[0].get("id") or call.body.get("channelData", {}).get("channel", {}).get("id", ""))
    if wait_s := call.cloud.throttles.spend(counted, id.partition(";")[0], call.cloud.home.id):
        raise Refused("Throttled", "Too many requests.", retry_after_s=wait_s)


# --- messages ---


def send(call: Call) -> Json:
    """Post into a conversation, or into the thread that the address names."""
    conversation = call.conversation()
    id = call.request.match_info["conversation"]
    thread = id.partition(";messageid=")[2] or call.request.match_info.get("activity") or None
    return {"id": post(call.cloud, conversation, call.body, thread=thread).id}


def create(call: Call) -> Json:
    """Begin the chat with one person, or a thread in a channel. Nothing else can be begun.

    Source: CreateConversation API behavior, https://github.com/microsoft/teams.net, core/docs, read 2026-11.
    """
    cloud, body = call.cloud, call.body
    channel_id = ((body.get("channelData") or {}).get("channel") or {}).get("id")
    if channel_id:
        channel = cloud.conversations.get(channel_id)
        if not isinstance(channel, Channel):
            raise Refused("ConversationNotFound", "Conversation not found.")
        reachable(cloud, channel)
        if not body.get("activity"):
            raise Refused("BadSyntax", "A new thread needs its first activity.")
        message = post(cloud, channel, body["activity"])
        return {"id": f"{channel.id};messageid={message.id}", "activityId": message.id}
    members = body.get("members") or []
    if body.get("isGroup") or len(members) != 1:
        raise Refused("BadSyntax", "Incorrect conversation creation parameters")
    tenant = body.get("tenantId") or ((body.get("channelData") or {}).get("tenant") or {}).get("id")
    if tenant not in cloud.tenants:
        raise Refused("BadSyntax", "Bad format of conversation ID")
    named = str(members[0].get("id", ""))
    person = next((p for p in cloud.people.values() if named in {p.id, p.aad} and named), None)
    if person is None:
        raise Refused("BadSyntax", "Failed to decrypt pairwise id")
    chat = cloud.personal(person)
    reachable(cloud, chat)
    told: Json = {"id": chat.id}
    if body.get("activity"):
        told["activityId"] = post(cloud, chat, body["activity"]).id
    return told


def post(cloud: "TeamsCloud", conversation: Conversation, source: Json, *, thread: str | None = None) -> Message:
    """Put a message of the bot into a conversation."""
    _check(cloud, conversation, source)
    if conversation.kind == "channel":
        if thread and conversation.find(thread) is None:
            raise Refused("ActivityNotFoundInConversation", "The thread was not found.")
    else:
        thread = None
    message = Message(conversation, conversation.next_id(cloud.clock.now()), None, source, thread)
    conversation.messages.append(message)
    cloud.effects.append(Effect("message", message))
    return message


def update(call: Call) -> Json:
    """Let a message of the bot say something else."""
    message = call.message()
    _check(call.cloud, message.conversation, call.body)
    message.change(call.body)
    call.cloud.effects.append(Effect("update", message))
    return {"id": message.id}


def delete(call: Call) -> Json:
    """Take a message of the bot away."""
    message = call.message()
    message.is_deleted = True
    call.cloud.effects.append(Effect("delete", message))
    return {}


def _check(cloud: "TeamsCloud", conversation: Conversation, source: Json) -> None:
    size = size_utf16(source)
    cloud.largest_bytes = max(cloud.largest_bytes, size)
    if size > MOST_BYTES:
        raise Refused("MessageSizeTooBig", "Message size too large.")
    if source.get("type") == "typing":
        return
    if source.get("type") != "message":
        raise Refused("Bad Argument", f"activities of type {source.get('type')!r} cannot be sent")
    attachments = source.get("attachments") or []
    if not source.get("text") and not attachments:
        raise Refused("BadSyntax", "Activity must include non empty 'text' field or at least 1 attachment")
    for each in attachments:
        if each.get("contentType") == cards.CARD:
            cards.check(each.get("content"))
    _check_mentions(conversation, source)


def _check_mentions(conversation: Conversation, source: Json) -> None:
    people = {p.id for p in conversation.members} | {p.aad for p in conversation.members}
    for entity in mentions(source):
        if entity.get("type") == "mention":
            if str(entity.get("text")) not in _all_text(source):
                raise Refused("Bad Argument", "The text of a mention entity is not in the message.")
            if entity["mentioned"]["id"] not in people:
                raise Refused("BadSyntax", "Bot cannot mention somebody who is not in the conversation.")


def _all_text(source: Json) -> str:
    shown = [
        cards.words(each["content"], hidden=True) for each in source.get("attachments") or [] if each.get("content")
    ]
    return "\n".join([str(source.get("text") or ""), *shown])


# --- who is there ---


def members(call: Call) -> Json:
    """A page of a roster."""
    conversation = call.conversation()
    people = conversation.members
    least, most = _PAGE
    size = min(max(int(call.request.query.get("pageSize", most)), least), most)
    size = min(size, call.cloud.page_size or size)
    start = int(call.request.query.get("continuationToken") or 0)
    page = people[start : start + size] if conversation.kind == "channel" else people  # chats come whole
    more = conversation.kind == "channel" and start + size < len(people)
    return {
        "members": [person.in_roster for person in page],
        **({"continuationToken": str(start + size)} if more else {}),
    }


def member(call: Call) -> Json:
    """One person of a roster: by the id for this bot, the directory's, or what they sign in with."""
    named = call.request.match_info["member"]
    for person in call.conversation().members:
        ids = {person.id} if call.cloud.is_playground else {person.id, person.aad, person.upn.casefold()}
        if named in ids or named.casefold() in ids:
            return person.in_roster
    raise Refused("MemberNotFoundInConversation", "The member was not found in the conversation.")


def _team(call: Call) -> Team:
    found = call.cloud.teams.get(call.request.match_info["team"])
    if found is None:
        raise Refused("ConversationNotFound", "Team not found.")
    reachable(call.cloud, found.general)
    return found


def team(call: Call) -> Json:
    """A team: its name, its id in the directory, how many are in it."""
    found = _team(call)
    counts = {"memberCount": len(found.members), "channelCount": len(found.channels)}
    return {"id": found.id, "name": found.name, "aadGroupId": found.group_id, **counts}


def channels(call: Call) -> Json:
    """A team's channels; the first has no name of its own."""
    found = _team(call)
    listed = [{"id": each.id, "name": None if each is found.general else each.name} for each in found.channels]
    return {"conversations": listed}
