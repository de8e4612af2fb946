"""What a workspace is made of: people, channels, messages, files and views."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fakes.slack.kit import controls, plain_words, words

Json = dict[str, Any]
DEEPEST_STACK: Final = 3


@dataclass(eq=False)
class Team:
    """A workspace."""

    id: str
    name: str
    domain: str
    enterprise_id: str | None = None
    enterprise_name: str = ""
    paid: bool = True
    """Without a paid plan there are no user groups: `plan_upgrade_required`."""

    @property
    def enterprise(self) -> Json | None:
        """As payloads carry it."""
        return {"id": self.enterprise_id, "name": self.enterprise_name} if self.enterprise_id else None


@dataclass(eq=False)
class User:
    """Somebody in a workspace, or a bot."""

    id: str
    team: Team
    name: str
    real_name: str
    display_name: str
    email: str | None = None
    is_email_confirmed: bool = True
    is_bot: bool = False
    deleted: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    tz: str = "Europe/London"
    stack: list["View"] = field(default_factory=list)
    """The modals that are open before this person, the last on top."""

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    @property
    def shown_name(self) -> str:
        return self.display_name or self.real_name


@dataclass(eq=False)
class Group:
    """A user group."""

    id: str
    team: Team
    handle: str
    name: str
    members: list[User]
    disabled: bool = False


@dataclass(frozen=True)
class Version:
    """What a message said at one time."""

    text: str
    blocks: list[Json]

    @property
    def shown(self) -> str:
        return words(self.blocks) if self.blocks else plain_words(self.text)

    @property
    def buttons(self) -> list[str]:
        return [control.label for control in controls(self.blocks) if control.kind == "button"]


@dataclass(eq=False)
class Message:
    """A message in a channel, or an ephemeral one before one person."""

    channel: "Channel"
    ts: str
    user: User
    text: str
    blocks: list[Json]
    bot_id: str | None = None
    app_id: str | None = None
    thread_ts: str | None = None
    metadata: Json | None = None
    files: list["File"] = field(default_factory=list)
    edited: str | None = None
    """When it was last edited, as a ts."""
    versions: list[Version] = field(default_factory=list)
    """All that it has said, the present last."""
    reactions: dict[str, list[str]] = field(default_factory=dict)
    is_deleted: bool = False
    is_broadcast: bool = False
    seen_by: User | None = None
    """Set on an ephemeral message: the one person who sees it."""
    choices: dict[str, dict[str, dict[str, Json]]] = field(default_factory=dict)
    """What people have chosen in it, by user, block_id and action_id."""

    def __post_init__(self) -> None:
        self.versions.append(Version(self.text, self.blocks))

    def change(self, text: str, blocks: list[Json], edited: str) -> None:
        """Let it say something else; `versions` keeps what it said before."""
        self.text, self.blocks, self.edited = text, blocks, edited
        self.versions.append(Version(text, blocks))

    @property
    def shown(self) -> str:
        """All that can be read in it, in order, one line for each piece."""
        names = {user.id: user.shown_name for user in self.channel.members}
        return words(self.blocks, names) if self.blocks else plain_words(self.text, names)

    @property
    def buttons(self) -> list[str]:
        """The labels of its buttons, in order."""
        return self.versions[-1].buttons

    @property
    def menu(self) -> list[str]:
        """The options of its overflow menus, in order."""
        return [control.label for control in controls(self.blocks) if control.kind == "overflow"]

    @property
    def replies(self) -> list["Message"]:
        """The replies in its thread, the oldest first."""
        return [m for m in self.channel.messages if m.thread_ts == self.ts and m is not self and not m.is_deleted]

    async def shows(self, containing: str, *, within_s: float = 5) -> "Message":
        """Wait until this can be read in it."""
        deadline = time.monotonic() + within_s
        while containing not in self.shown:
            assert time.monotonic() < deadline, f"not within {within_s} s: {containing!r} in {self.shown!r}"
            await asyncio.sleep(0.01)
        return self

    def as_json(self, *, with_metadata: bool = False) -> Json:
        """As the Web API and events carry it."""
        told: Json = {"type": "message", "user": self.user.id, "team": self.user.team.id, "ts": self.ts}
        told["text"] = self.text
        optional = {
            "blocks": self.blocks,
            "bot_id": self.bot_id,
            "app_id": self.app_id,
            "metadata": self.metadata if with_metadata else None,
            "files": [file.as_json() for file in self.files],
            "edited": {"user": self.user.id, "ts": self.edited} if self.edited else None,
            "reactions": [{"name": name, "users": ids, "count": len(ids)} for name, ids in self.reactions.items()],
            **self._thread(),
        }
        return told | {name: value for name, value in optional.items() if value}

    def _thread(self) -> Json:
        if self.thread_ts and self.thread_ts != self.ts:
            parent = self.channel.find(self.thread_ts)
            return {"thread_ts": self.thread_ts, "parent_user_id": parent and parent.user.id}
        if replies := self.replies:
            return {"thread_ts": self.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
        return {}


@dataclass(eq=False)
class Channel:
    """A channel, or a direct conversation."""

    id: str
    team: Team
    name: str
    kind: str
    """`channel`, `group` (private), `im` or `mpim`, as `channel_type` says it."""
    members: list[User]
    is_archived: bool = False
    is_ext_shared: bool = False
    messages: list[Message] = field(default_factory=list)
    last_ts: int = 0

    def find(self, ts: str) -> Message | None:
        """The message of this ts, unless it was deleted."""
        return next((m for m in self.messages if m.ts == ts and not m.is_deleted), None)

    def next_ts(self, now: float) -> str:
        """A ts that is later than every other here."""
        self.last_ts = max(self.last_ts + 1, int(now * 1_000_000))
        return f"{self.last_ts // 1_000_000}.{self.last_ts % 1_000_000:06d}"

    @property
    def called(self) -> str:
        """Its name as payloads carry it."""
        return {"im": "directmessage", "group": "privategroup"}.get(self.kind, self.name)

    def as_json(self) -> Json:
        """As conversations.info answers it."""
        told: Json = {
            "id": self.id,
            "created": 1_700_000_000,
            "is_archived": self.is_archived,
            "is_channel": self.kind == "channel",
            "is_group": self.kind == "group",
            "is_im": self.kind == "im",
            "is_mpim": self.kind == "mpim",
            "is_private": self.kind != "channel",
            "is_shared": self.is_ext_shared,
            "is_ext_shared": self.is_ext_shared,
            "is_org_shared": False,
            "context_team_id": self.team.id,
        }
        if self.kind == "im":
            return told | {"user": next(user.id for user in self.members if not user.is_bot)}
        return told | {"name": self.name, "name_normalized": self.name}


@dataclass(eq=False)
class File:
    """A file: announced, uploaded, then shared."""

    id: str
    name: str
    length: int
    secret: str
    title: str = ""
    content: bytes | None = None
    url: str = ""

    def as_json(self) -> Json:
        """As messages carry it."""
        return {"id": self.id, "name": self.name, "title": self.title, "size": self.length, "url_private": self.url}


@dataclass(eq=False)
class View:
    """A modal before one person, or somebody's Home tab."""

    id: str
    user: User
    team: Team
    source: Json
    """As the app sent it, with the ids that Slack gave to blocks and elements."""
    hash: str
    root_id: str
    previous_id: str | None = None
    values: dict[str, dict[str, Json]] = field(default_factory=dict)
    """What stands in its elements, by block_id and action_id."""
    is_open: bool = True

    @property
    def kind(self) -> str:
        return str(self.source["type"])

    @property
    def blocks(self) -> list[Json]:
        return list(self.source["blocks"])


@dataclass(frozen=True)
class Effect:
    """Something that the app did, which somebody can see."""

    kind: str
    """`message`, `update`, `delete`, `ephemeral`, `view` or `home`."""
    channel: Channel | None = None
    user: User | None = None
    message: Message | None = None
    view: View | None = None
