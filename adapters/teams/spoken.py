"""What somebody typed, or the reaction that they put on a card, where it may be words to the brake. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.teams import words
from adapters.teams.ground import room_of
from adapters.teams.references import Reference
from bot.talk import Below


@dataclass(frozen=True, slots=True)
class Spoken:
    """Who said what, where and when."""

    activity: Mapping[str, Any]
    """As it came, verified."""
    where: Reference
    """The conversation, with its thread."""
    id: str
    """The same for each time that Teams tells of it."""
    typed: str
    """Without the mention of the bot."""
    to_bot: bool
    thread: str | None
    """The message at the top of the thread, or that was quoted, or that the sign was put on."""
    at: datetime | None
    below: Below = ""
    """Whose that message is."""
    is_plain: bool = False
    """Did it come without a mention, where people also talk to each other?"""

    @property
    def user(self) -> str:
        """Their id in the directory; empty for somebody who has none."""
        return str(self.activity["from"].get("aadObjectId") or "")

    @property
    def room(self) -> str:
        """The conversation, by a key that no other has."""
        return room_of(self.where)

    @property
    def noun(self) -> str:
        """What people call it."""
        return "channel" if self.where.kind == "channel" else "chat"

    @property
    def is_direct(self) -> bool:
        """Is it the chat of one person with the bot?"""
        return self.where.kind == "personal"

    @property
    def bot(self) -> str:
        """What the bot is called there."""
        return str(self.activity["recipient"].get("name") or "Andon")


def message(activity: Mapping[str, Any]) -> Spoken | None:
    """A message; None for what nobody just said, and for what has files."""
    if not words.is_by_person(activity) or words.has_files(activity):
        return None
    where, id = Reference.of(activity), str(activity.get("id") or "")
    is_called, is_direct = words.is_called(activity), where.kind == "personal"
    above = where.thread if where.kind == "channel" else words.quoted(activity)
    return Spoken(
        activity,
        where,
        id=f"{room_of(where)}/{id}",
        typed=words.addressed(activity),
        to_bot=is_called or is_direct,
        thread=above if above and above != id else None,
        at=said_at(activity),
        is_plain=not (is_called or is_direct),
    )


def reactions(activity: Mapping[str, Any]) -> list[Spoken]:
    """The signs that somebody put on a message of the bot, as if each were typed below it."""
    on, sender = str(activity.get("replyToId") or ""), activity.get("from") or {}
    if not on or not words.is_by_person(activity):
        return []
    where = Reference.of(activity)
    kinds = [str(each.get("type") or "") for each in activity.get("reactionsAdded") or () if isinstance(each, Mapping)]
    return [
        Spoken(
            activity,
            where,
            id=f"{room_of(where)}/{on}/{sender.get('aadObjectId') or sender.get('id')}/{activity.get('id')}/{kind}",
            typed=words.sign(kind),
            to_bot=False,
            thread=f"{where.thread}/{on}" if where.thread else on,
            at=said_at(activity),
            below="us",
        )
        for kind in kinds
        if kind
    ]


def said_at(activity: Mapping[str, Any]) -> datetime | None:
    """When it was said or pressed, by Teams' clock; None: it does not tell. To the store, what is yet to be is now."""
    try:
        at = datetime.fromisoformat(str(activity.get("timestamp")))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
