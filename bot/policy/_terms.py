"""The terms of a rule: how long, who, how many, where, and what a person may do besides yes and no."""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from andon import wire

_SPAN = re.compile(r"^(\d+)\s*(s|m|h|d)$")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_S = 7 * 86_400
DEFAULT_TIMEOUT_S = 3600
DEFAULT_GRANT_S = 3600


def _seconds(value: object) -> object:
    match = _SPAN.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        msg = f"{value!r} is not a span of time; write 45s, 30m, 2h or 7d"
        raise ValueError(msg)
    span = int(match[1]) * _UNITS[match[2]]
    if not 1 <= span <= _LONGEST_S:
        msg = f"{value!r} is {'no time at all' if not span else 'longer than 7d, the longest there is'}"
        raise ValueError(msg)
    return span


Seconds = Annotated[
    int,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "pattern": r"^\s*[0-9]+\s*[smhd]\s*$", "examples": ["45s", "30m", "2h", "7d"]}),
]

_SECONDS: TypeAdapter[int] = TypeAdapter(Seconds)


def seconds(text: str) -> int:
    """A span of time as the file writes it, in seconds.

    Raises:
        ValueError: It is none, or not between a second and seven days.
    """
    try:
        return _SECONDS.validate_python(text)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


_APPROVER = re.compile(
    r"[^@\s:/]+@[^@\s:/]+"  # an e-mail address
    r"|slack:(([TE][A-Z0-9]+/)?[UW][A-Z0-9]+|S[A-Z0-9]+)"  # a person, a user group
    r"|teams:[A-Za-z0-9:@._/-]+"  # a person, or a team's or channel's members
    r"|role:[A-Za-z0-9_.-]{1,64}|person:[A-Za-z0-9_.-]{1,64}|on_call:[A-Za-z0-9_.-]{1,64}"  # names of this file
    r"|requester"
)


def _approver(text: str) -> str:
    """One who may answer."""
    if not _APPROVER.fullmatch(text):
        msg = (
            f"{text!r} names nobody; write an e-mail address, `slack:U024BE7LH` or `slack:T012AB3C4/U024BE7LH` for a "
            "person, `slack:S0614TZR7` for a user group, `teams:` and an object id of Entra for a person or a team's "
            "members, `role:dba` or `person:mira` for a name of this file, "
            "`on_call:payments`, or `requester`"
        )
        raise ValueError(msg)
    return text.casefold() if "@" in text and ":" not in text else text


def _somebody(value: object) -> object:
    """The list of those who may answer. Nothing in it is a slip, and must not come to mean everybody."""
    if not value:
        msg = (
            "an empty list is nobody, so nothing could ever be answered; list at least one, "
            "or leave `approvers` out, so that any full member may answer"
        )
        raise ValueError(msg)
    if not isinstance(value, list | tuple):
        msg = f"{value!r} is not a list; write [ana@example.com]"
        raise ValueError(msg)  # noqa: TRY004  # pydantic collects these
    return value


_Name = Annotated[
    str,
    AfterValidator(_approver),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({_APPROVER.pattern})$",
            "examples": ["ana@example.com", "slack:S0614TZR7", "role:dba", "on_call:payments", "requester"],
        }
    ),
]
Names = Annotated[tuple[_Name, ...], BeforeValidator(_somebody), Field(json_schema_extra={"minItems": 1})]
Approvers = Annotated[tuple[_Name, ...] | None, BeforeValidator(_somebody)]


class Part(BaseModel):
    """Everything in the file: unknown keys are refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _reason(value: object) -> object:
    return {"label": value, "text": value} if isinstance(value, str) else value


class RejectReason(Part):
    """A reject reason that takes one tap; a plain text is both its button and what the agent reads."""

    model_config = ConfigDict(str_strip_whitespace=True)

    label: str = Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
    text: str = Field(min_length=1, max_length=2_000)


def _differ(reasons: tuple[RejectReason, ...]) -> tuple[RejectReason, ...]:
    labels = [reason.label for reason in reasons]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        msg = f"two buttons say {', '.join(map(repr, twice))}; a person could not tell them apart"
        raise ValueError(msg)
    return reasons


Reasons = Annotated[
    tuple[Annotated[RejectReason, BeforeValidator(_reason, json_schema_input_type=str | RejectReason)], ...],
    AfterValidator(_differ),
]


def _place(value: object) -> object:
    """`slack:#ops` for short, or a mapping."""
    if isinstance(value, str):
        surface, _, channel = value.partition(":")
        return {"surface": surface, "channel": channel} if channel else {"surface": surface}
    return value


PolicyPlace = Annotated[wire.Place, BeforeValidator(_place, json_schema_input_type=str | wire.Place)]


class Stage(Part):
    """One step of an ordered approval."""

    approvers: Names
    quorum: int = Field(default=1, ge=1, le=20)


class Rung(Part):
    """What happens when nobody has answered for a while: the card goes to more places, and more people may answer."""

    after: Seconds
    to: tuple[PolicyPlace, ...] = Field(default=(), max_length=8)
    approvers: Names | None = None
    mention: Names | None = Field(default=None, description="Called by name in the card's thread.")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.to and not self.approvers and not self.mention:
            msg = "an escalation needs `to`, `approvers` or `mention`; a mere reminder is `remind`"
            raise ValueError(msg)
        return self


class Offer(Part):
    """A grant that a card may offer: "don't ask me again for …"."""

    label: str = Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
    same: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")], ...] = Field(
        default=(), max_length=8, description="Arguments that must be the same, by name; none: any arguments."
    )
    scope: Literal["run", "agent", "requester"] = "run"
    life: Seconds = DEFAULT_GRANT_S


class Ramp(Part):
    """Trust that grows: the first ones are asked, then reviewed, then sampled; one bad end starts over."""

    ask: int = Field(default=10, ge=1, le=10_000, description="So many are asked first.")
    review: int = Field(default=0, ge=0, le=10_000, description="So many are reviewed after that.")
    sample: float | None = Field(default=None, ge=0, le=1, description="From then on this share is reviewed.")
    per: tuple[Literal["agent", "tool", "requester"], ...] = Field(default=("agent", "tool"), min_length=1)


class Terms(Part):
    """What holds when a person is asked. On a rule, unset ones are those of `defaults`."""

    timeout: Seconds | None = Field(default=None, description="The longest wait; an ask may only make it shorter.")
    on_timeout: Literal["deny", "approve"] | None = Field(
        default=None,
        description="What silence means. `approve` holds only for what is reversible, where the ask says so too and "
        "waits as long as `timeout`, and where one press would do.",
    )
    approvers: Approvers = Field(
        default=None,
        description="Who alone may answer; left out: any full member of the conversation.",
        json_schema_extra={"minItems": 1},
    )
    quorum: int | None = Field(default=None, ge=1, le=20, description="So many people must say yes.")
    stages: tuple[Stage, ...] | None = Field(
        default=None, min_length=1, max_length=8, description="One after the other."
    )
    not_requester: bool | None = Field(
        default=None, description="The requester, the agent's owner and the last editor may reject and not approve."
    )
    reject: Literal["any", "quorum"] | None = Field(
        default=None, description="Does any reject end it (the default), or only as many as must approve?"
    )
    reassign: Literal["listed", "anyone"] | None = Field(
        default=None,
        description="To whom it may be handed on: those who may answer anyway (the default), or anyone, who then "
        "answers in the place of whoever asked them.",
    )
    to: tuple[PolicyPlace, ...] | None = Field(
        default=None, min_length=1, max_length=16, description="Where cards go, instead of where the ask says."
    )
    remind: tuple[Seconds, ...] | None = Field(
        default=None, max_length=8, description="After these times without an answer the card is called to mind."
    )
    escalate: tuple[Rung, ...] | None = Field(
        default=None, max_length=8, description="What happens when nobody answers for longer."
    )
    step_up: Literal["number", "critical"] | None = Field(
        default=None,
        description="`number`: two digits on the card must be typed. `critical`: and two people, and all of it opened.",
    )
    reject_reasons: Reasons | None = Field(
        default=None, max_length=8, description="Buttons that say no and why, in one tap."
    )
    grants: tuple[Offer, ...] | None = Field(
        default=None, max_length=6, description="What a card may offer: approve, and don't ask again for …"
    )
    no_grants: bool | None = Field(default=None, description="Nothing here is ever granted in advance.")
    ramp: Ramp | None = Field(
        default=None,
        description="For `do: ask`: the first ones are asked, later ones of what is reversible reviewed, then sampled.",
    )

    @model_validator(mode="after")
    def _stages_say_who(self) -> Self:
        if self.stages and (self.approvers or self.quorum):
            msg = "`stages` say who and how many; leave `approvers` and `quorum` out beside them"
            raise ValueError(msg)
        if self.grants and self.no_grants:
            msg = "`grants` and `no_grants` contradict each other; keep one"
            raise ValueError(msg)
        return self
