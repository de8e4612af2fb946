"""What somebody typed, or the emoji that they put on a message, where it may be words to the brake. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from adapters.slack import words
from adapters.slack.inbound import Payload
from adapters.slack.saying import Listener
from adapters.slack.threads import is_by_person
from bot.talk import Below

_PLAIN: Final = frozenset({"", "thread_broadcast"})
"""Subtypes of what a person just said and everybody reads as text."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Who said what, where and when."""

    id: str
    """The same for each time that Slack tells of it."""
    team: str
    user: str
    user_team: str | None
    """Their own workspace; None where Slack does not say."""
    channel: str
    text: str
    """Without the mention of the bot, as Slack sends it."""
    to_bot: bool
    thread: str | None = None
    above: str = ""
    """Who wrote the message that the thread hangs from; empty where Slack does not say."""
    below: Below = ""
    """Whose that message is."""
    at: datetime | None = None
    is_emoji: bool = False
    response_url: str | None = None

    @property
    def room(self) -> str:
        """The conversation, by a key that no other has."""
        return f"{self.team}/{self.channel}"

    @property
    def noun(self) -> str:
        """What people call it."""
        return "channel"

    @property
    def typed(self) -> str:
        """As it was typed; people and channels stand there by their ids."""
        return words.typed(self.text, {})

    @property
    def is_direct(self) -> bool:
        """Was it said in a direct message?"""
        return self.channel.startswith("D")

    @property
    def listener(self) -> Listener:
        """To tell them something in private: in the thread only where they write in it."""
        thread = None if self.is_emoji else self.thread
        return Listener(self.team, self.user, self.channel or None, thread, self.response_url)


def message(payload: Payload, team: str, bot: str) -> Spoken | None:
    """A message, or a mention; None for what nobody just said, for what has files, and for what comes as a mention too.

    Args:
        payload: The event.
        team: The workspace whose installation it is about.
        bot: The app's user there.
    """
    event: Mapping[str, Any] = payload["event"]
    if not is_by_person(event) or (event.get("subtype") or "") not in _PLAIN or event.get("files"):
        return None
    text, channel, ts = str(event.get("text") or ""), str(event["channel"]), str(event["ts"])
    is_called = f"<@{bot}>" in text or f"<@{bot}|" in text
    is_direct = event.get("channel_type") == "im"
    if is_called and not is_direct and event.get("type") == "message":
        return None
    user_team = event.get("user_team") or event.get("source_team") or event.get("team")
    thread = str(event.get("thread_ts") or "")
    return Spoken(
        id=f"{team}/{channel}/{ts}",
        team=team,
        user=str(event["user"]),
        user_team=str(user_team) if user_team else None,
        channel=channel,
        text=words.addressed(text, bot),
        to_bot=is_called or is_direct,
        thread=thread if thread and thread != ts else None,
        above=(above := str(event.get("parent_user_id") or "")),
        below=_below(above, bot),
        at=datetime.fromtimestamp(float(ts), UTC),
    )


def command(payload: Payload, team: str) -> Spoken:
    """`/andon` with what follows it."""
    return Spoken(
        id=str(payload.get("trigger_id") or ""),
        team=team,
        user=str(payload["user_id"]),
        user_team=team,  # people of other organisations have no commands of ours
        channel=str(payload.get("channel_id") or ""),
        text=str(payload.get("text") or ""),
        to_bot=True,
        response_url=str(payload.get("response_url") or "") or None,
    )


def reaction(payload: Payload, team: str, bot: str) -> Spoken | None:
    """An emoji that somebody put on a message, as if it were typed below it."""
    event: Mapping[str, Any] = payload["event"]
    item = event.get("item") or {}
    if item.get("type") != "message" or event.get("user") in {None, "", bot}:
        return None
    channel, ts, at = str(item["channel"]), str(item["ts"]), str(event["event_ts"])
    return Spoken(
        id=f"{team}/{channel}/{ts}/{event['user']}/{at}",
        team=team,
        user=str(event["user"]),
        user_team=None if payload.get("is_ext_shared_channel") else team,
        channel=channel,
        text=f":{event.get('reaction')}:",
        to_bot=False,
        thread=ts,
        above=(above := str(event.get("item_user") or "")),
        below=_below(above, bot),
        at=datetime.fromtimestamp(float(at), UTC),
        is_emoji=True,
    )


def _below(above: str, bot: str) -> Below:
    return "us" if above == bot else "other" if above else ""
