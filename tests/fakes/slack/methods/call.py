"""One call of the Web API: its arguments, checked, and whose token it came with."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from tests.fakes.slack.app import Installation
from tests.fakes.slack.model import Channel, Message, User
from tests.fakes.slack.refusals import Refused

if TYPE_CHECKING:
    from tests.fakes.slack.cloud import SlackCloud

Json = dict[str, Any]
Kind = Literal["text", "flag", "number", "json"]
HISTORY: Final = {"channel": "channels:history", "group": "groups:history", "im": "im:history", "mpim": "mpim:history"}
READ: Final = {"channel": "channels:read", "group": "groups:read", "im": "im:read", "mpim": "mpim:read"}


@dataclass
class Call:
    """One call.

    Attributes:
        cloud: The fake.
        installation: Whose token it came with; None for calls without a token and those with an app token.
        args: Its arguments, of the types that the method takes.
    """

    cloud: "SlackCloud"
    installation: Installation | None
    args: Json

    @property
    def by(self) -> Installation:
        assert self.installation
        return self.installation

    def require(self, scope: str) -> None:
        """Refuse a call whose token lacks a scope."""
        if scope not in self.by.scopes:
            raise Refused("missing_scope", needed=scope, provided=",".join(self.by.scopes))

    def channel(self, said: str | None = None) -> Channel:
        """The channel that is named, if the bot may know of it."""
        channel = self.cloud.find_channel(str(said or self.args["channel"]), self.by)
        if channel is None:
            raise Refused("channel_not_found")
        return channel

    def joined(self, said: str | None = None) -> Channel:
        """The channel that is named, if the bot is in it."""
        channel = self.channel(said)
        if self.by.bot not in channel.members:
            raise Refused("not_in_channel")
        return channel

    def user(self, said: str) -> User:
        """A person whom the bot may know: of its own workspace, or met in a shared channel."""
        user = self.cloud.users.get(said)
        if user is None or not (self.by.covers(user.team) or self.meets(user)):
            raise Refused("user_not_found")
        return user

    def meets(self, user: User) -> bool:
        """Do the bot and this person share a channel?"""
        return any({user, self.by.bot} <= set(channel.members) for channel in self.cloud.channels.values())

    def message(self, channel: Channel, ts: str) -> Message:
        """A message of a channel."""
        message = channel.find(ts)
        if message is None:
            raise Refused("message_not_found")
        return message

    def page(self, items: list[Any], *, default: int = 100, most: int = 1000) -> tuple[list[Any], str]:
        """The part of a list that `cursor` and `limit` ask for, and the cursor of the next part, or ""."""
        limit = self.args.get("limit") or default
        if not 1 <= limit <= most:
            raise Refused("invalid_limit")
        cursor = self.args.get("cursor") or "page:0"
        if not cursor.startswith("page:") or not cursor[5:].isdecimal():
            raise Refused("invalid_cursor")
        begin = int(cursor[5:])
        rest = begin + limit
        return items[begin:rest], f"page:{rest}" if rest < len(items) else ""


@dataclass(frozen=True)
class Method:
    """One method of the Web API.

    Attributes:
        run: Does it.
        takes: Its arguments and their types; any other is refused.
        needs: Those that must be there.
        scope: What the token must have been granted, whatever the arguments.
        tier: Its rate limit.
        token: Which kind of token it wants.
        writes: Does it change anything? A lost reply matters then.
    """

    run: Callable[[Call], Json]
    takes: Mapping[str, Kind]
    needs: tuple[str, ...] = ()
    scope: str | None = None
    tier: str = "tier3"
    token: Literal["bot", "app", "none"] = "bot"
    writes: bool = False


def checked(method: Method, raw: Mapping[str, Any]) -> Json:
    """The arguments, of the types that the method takes.

    Raises:
        Refused: `invalid_arguments`, which names each fault.
    """
    faults: list[str] = []
    args: Json = {}
    for name, value in raw.items():
        if name not in method.takes:
            faults.append(f"[ERROR] unsupported argument: {name}")
            continue
        try:
            args[name] = _READERS[method.takes[name]](value)
        except ValueError:
            faults.append(f"[ERROR] must be a valid {method.takes[name]} [json-pointer:/{name}]")
    faults += [f"[ERROR] missing required field: {name}" for name in method.needs if args.get(name) in (None, "")]
    if faults:
        raise Refused("invalid_arguments", messages=faults)
    return args


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - every reader says it so
    return value


def _flag(value: Any) -> bool:
    known = {"1": True, "true": True, "0": False, "false": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in known:
        raise ValueError(value)
    return known[str(value).lower()]


def _number(value: Any) -> int:
    if isinstance(value, bool | float):
        raise ValueError(value)  # noqa: TRY004 - as above
    return int(value)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value


_READERS: Final[dict[Kind, Callable[[Any], Any]]] = {"text": _text, "flag": _flag, "number": _number, "json": _json}
