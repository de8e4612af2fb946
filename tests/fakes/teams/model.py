"""What Teams is made of: tenants, people, teams, channels, chats, and the messages in them."""

import asyncio
import copy
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.fakes.teams import cards

if TYPE_CHECKING:
    from tests.fakes.teams.people import Person

Json = dict[str, Any]
Kind = Literal["personal", "groupChat", "channel"]


@dataclass(eq=False)
class Tenant:
    """An organisation."""

    id: str
    name: str
    domain: str


@dataclass(eq=False)
class Conversation:
    """A channel, a group chat, or the chat of one person with the bot."""

    id: str
    kind: Kind
    tenant: Tenant
    people: list["Person"]
    name: str = ""
    is_installed: bool = True
    """Is the app in it?"""
    rsc: bool = False
    """Did an owner consent that the app reads every message, not only those that mention it?"""
    is_blocked: bool = False
    """Did the person block the bot?"""
    messages: list["Message"] = field(default_factory=list)
    last_id: int = 0

    @property
    def members(self) -> list["Person"]:
        return self.people

    @property
    def has_app(self) -> bool:
        return self.is_installed

    @property
    def hears_all(self) -> bool:
        return self.kind == "personal" or self.rsc

    def find(self, id: str) -> "Message | None":
        """The message of this id, unless it was deleted."""
        return next((m for m in self.messages if m.id == id and not m.is_deleted), None)

    def next_id(self, now: float) -> str:
        """An id as Teams gives it: the time in milliseconds, later than every other here."""
        self.last_id = max(self.last_id + 1, int(now * 1000))
        return str(self.last_id)


@dataclass(eq=False)
class Team:
    """A team: its people, its channels, and the app in all of them or in none."""

    id: str
    name: str
    group_id: str
    """Its id in the directory."""
    tenant: Tenant
    members: list["Person"]
    is_installed: bool = True
    rsc: bool = False
    channels: list["Channel"] = field(default_factory=list)

    @property
    def general(self) -> "Channel":
        """The channel that every team has; its id is the team's."""
        return self.channels[0]

    def channel(self, name: str) -> "Channel":
        """The channel of this name."""
        return next(each for each in self.channels if each.name == name.removeprefix("#"))


@dataclass(eq=False)
class Channel(Conversation):
    """A channel of a team."""

    team: Team = field(kw_only=True)
    is_private: bool = False
    """Its people are then its own."""

    @property
    def members(self) -> list["Person"]:
        return self.people if self.is_private else self.team.members

    @property
    def has_app(self) -> bool:
        return self.team.is_installed

    @property
    def hears_all(self) -> bool:
        return self.team.rsc


@dataclass(frozen=True)
class Version:
    """What a message said at one time."""

    text: str
    attachments: list[Json]
    summary: str = ""

    @property
    def card(self) -> Json | None:
        """The card in it."""
        return next((each["content"] for each in self.attachments if each.get("contentType") == cards.CARD), None)

    @property
    def shown(self) -> str:
        return "\n".join(filter(None, [self.text, cards.words(self.card) if self.card else ""]))


@dataclass(eq=False)
class Message:
    """A message; its card may look different to somebody who pressed or refreshed it."""

    conversation: Conversation
    id: str
    sender: "Person | None"
    """None: the bot."""
    source: Json
    """The activity as it was sent."""
    thread: str | None = None
    """In a channel: the id of the post that it hangs from."""
    versions: list[Version] = field(default_factory=list)
    views: dict["Person", Json] = field(default_factory=dict)
    """The cards that single people have got in reply to a press or a refresh."""
    reactions: dict[str, list["Person"]] = field(default_factory=dict)
    is_deleted: bool = False

    def __post_init__(self) -> None:
        self.versions.append(_version(self.source))

    def change(self, source: Json) -> None:
        """Let it say something else, to everybody."""
        self.source = source
        self.versions.append(_version(source))
        self.views.clear()

    @property
    def by_bot(self) -> bool:
        return self.sender is None

    @property
    def text(self) -> str:
        return self.versions[-1].text

    @property
    def attachments(self) -> list[Json]:
        return self.versions[-1].attachments

    @property
    def card(self) -> Json | None:
        """The card as everybody has it."""
        return self.versions[-1].card

    def card_for(self, person: "Person") -> Json:
        """The card as this person has it, theirs to unfold and toggle."""
        if person not in self.views:
            assert self.card, f"the message has no card, but {self.text!r}"
            self.views[person] = copy.deepcopy(self.card)
        return self.views[person]

    @property
    def shown(self) -> str:
        """All that everybody can read in it, a line for each piece."""
        return self.versions[-1].shown

    def shown_to(self, person: "Person") -> str:
        """All that this person can read in it."""
        view = self.views.get(person)
        return "\n".join(filter(None, [self.text, cards.words(view)])) if view else self.shown

    @property
    def buttons(self) -> list[str]:
        """The titles of what everybody can press now."""
        return [each.title for each in cards.actions(self.card) if not each.hidden] if self.card else []

    def buttons_for(self, person: "Person") -> list[str]:
        """The titles of what this person can press now."""
        return [each.title for each in cards.actions(self.card_for(person)) if not each.hidden]

    @property
    def mentions(self) -> list[str]:
        """Whom it calls: the ids of its mention entities."""
        return [each["mentioned"]["id"] for each in mentions(self.source) if each.get("type") == "mention"]

    @property
    def replies(self) -> list["Message"]:
        """The messages that hang from it, the oldest first."""
        there = self.conversation.messages
        return [m for m in there if m.thread == self.id and m is not self and not m.is_deleted]

    async def shows(self, containing: str, *, within_s: float = 5) -> "Message":
        """Wait until everybody can read this in it."""
        deadline = time.monotonic() + within_s
        while containing not in self.shown:
            assert time.monotonic() < deadline, f"not within {within_s} s: {containing!r} in {self.shown!r}"
            await asyncio.sleep(0.01)
        return self


def mentions(source: Json) -> list[Json]:
    """The entities of a message, and those of the cards in it."""
    contents = [each.get("content") or {} for each in source.get("attachments") or []]
    inside = [each for content in contents for each in (content.get("msteams") or {}).get("entities") or []]
    return [*(source.get("entities") or []), *inside]


def _version(source: Json) -> Version:
    text = str(source.get("text") or "")
    return Version(text, list(source.get("attachments") or []), str(source.get("summary") or ""))


@dataclass(frozen=True)
class Effect:
    """Something that the app did, which somebody can see."""

    kind: Literal["message", "update", "delete"]
    message: Message
