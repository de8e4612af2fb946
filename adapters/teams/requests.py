"""Does what came have the shape of an activity of Teams? Pure. Nothing that comes in may be more than refused."""

import json
from collections.abc import Mapping
from typing import Any, Final

from botbuilder.schema import Activity
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import BadRequest

_DEPTH: Final = 64

Fields = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class _Account(_Part):
    id: str = Field(min_length=1, max_length=512)
    name: str | None = None
    aadObjectId: str | None = None  # noqa: N815  # Teams' name


class _Conversation(_Part):
    id: str = Field(min_length=1, max_length=512)
    conversationType: str | None = None  # noqa: N815  # Teams' name
    tenantId: str | None = None  # noqa: N815  # as above
    name: str | None = None


class _Named(_Part):
    id: str | None = None
    name: str | None = None
    aadGroupId: str | None = None  # noqa: N815  # Teams' name


class _ChannelData(_Part):
    tenant: _Named | None = None
    team: _Named | None = None
    channel: _Named | None = None
    teamsTeamId: str | None = None  # noqa: N815  # Teams' name
    eventType: str | None = None  # noqa: N815  # as above


class _Mentioned(_Part):
    type: str | None = None
    mentioned: Fields | None = None
    text: str | None = None


class _Activity(_Part):
    """What we read of every activity."""

    type: str = Field(min_length=1)
    id: str | None = None
    timestamp: str | None = None
    channelId: str = Field(min_length=1)  # noqa: N815  # Teams' name
    serviceUrl: str = Field(min_length=1, max_length=2048)  # noqa: N815  # as above
    from_: _Account = Field(alias="from")
    recipient: _Account
    conversation: _Conversation
    channelData: _ChannelData | None = None  # noqa: N815  # as above
    entities: list[_Mentioned] | None = None
    text: str | None = None
    name: str | None = None
    action: str | None = None
    replyToId: str | None = None  # noqa: N815  # as above
    value: Any = None
    membersAdded: list[_Account] | None = None  # noqa: N815  # as above
    membersRemoved: list[_Account] | None = None  # noqa: N815  # as above
    reactionsAdded: list[_Mentioned] | None = None  # noqa: N815  # as above


class _Action(_Part):
    type: str | None = None
    verb: str | None = None
    data: Fields | None = None


class _Pressed(_Part):
    action: _Action
    trigger: str | None = None


class _Task(_Part):
    data: Fields | None = None


class _Search(_Part):
    dataset: str = Field(max_length=512)
    queryText: str | None = Field(default=None, max_length=4096)  # noqa: N815  # Teams' name


_VALUES: Final[Mapping[str, type[BaseModel]]] = {
    "adaptiveCard/action": _Pressed,
    "application/search": _Search,
    "task/fetch": _Task,
    "task/submit": _Task,
}


def readable(body: bytes) -> tuple[dict[str, Any], Activity]:
    """The activity as Teams sent it, and as the Bot Framework takes it.

    Raises:
        BadRequest: It has no shape of Teams'.
    """
    try:
        sent = json.loads(body)
        _shallow(sent, _DEPTH)
        read = _Activity.model_validate(sent)
        if read.type == "invoke":
            if not read.name or not read.id:
                raise ValueError("an invoke without a name or an id")  # noqa: TRY301  # all faults end alike
            if shape := _VALUES.get(read.name):
                shape.model_validate(read.value)
        activity = Activity().deserialize(sent)
    except (ValueError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise BadRequest("the body is nothing that Teams sends") from error
    activity.delivery_mode = None  # replies are sent, not gathered for a sender who asks for them
    return sent, activity


def _shallow(value: object, left: int) -> None:
    """Deeper than anything that people fill in is refused: later readers would recurse into it."""
    if left == 0:
        raise ValueError("too deep")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _shallow(each, left - 1)
