"""The three asks: a confirmation, a choice, an input."""

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    JsonValue,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    model_validator,
)

from andon.wire._models import JsonObject, Line, Name, Prose, Sent, SentBack, is_stored

Timing = Literal["before", "after"]

DAY_S = 86_400
MAX_TIMEOUT_S = 7 * DAY_S
"""The longest a handoff may stay open: seven days."""

NO_RISKS = (
    "a confirmation must say what could go wrong: give at least one entry in `risks`, written for the person who "
    "decides. It is required because people who are shown only the benefit approve without reading. If you can think "
    "of nothing, the action probably needs no confirmation"
)


AFTER_IS_UNDONE = (
    "`timing: after` needs `reversible: true`: people are asked whether it stands, and what cannot be undone is asked "
    "about before; send it with timing `before`, or say that it is reversible if it is"
)


class Place(SentBack):
    """Where a card goes: a surface and, on it, a channel, a thread or a person; with none of them, its inbox."""

    surface: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$")] = Field(examples=["web", "slack"])
    channel: Line | None = None
    thread: Line | None = None
    person: Line | None = None


class Action(Sent):
    """What will be executed: a tool name and its arguments. This, exactly, is what an approval covers."""

    tool: Name = Field(examples=["send_email"])
    args: JsonObject = Field(default_factory=dict)
    schema_: JsonObject = Field(
        default_factory=dict,
        alias="schema",
        description="JSON Schema (2020-12) of `args`: edits are validated against it, the edit form is made of it.",
    )


class Candidate(Sent):
    """One of the things to choose from."""

    id: Name
    label: Line
    details: str = Field(default="", max_length=32_768)
    action: Action | None = Field(default=None, description="What choosing it will execute, if anything.")


class _Ask(Sent):
    gate: Name = Field(description="The named point where the agent stopped.", examples=["send_email"])
    run: str = Field(pattern=r"^run_[A-Za-z0-9_-]{22,64}$", description="As returned by `POST /v1/runs`.")
    reversible: StrictBool = Field(default=False, description="Can it be undone? Unless told, no.")
    confidence: StrictFloat | None = Field(default=None, ge=0, le=1, description="The agent's own estimate, 0 to 1.")
    timeout_s: StrictInt | None = Field(
        default=None, ge=1, le=MAX_TIMEOUT_S, description="Seconds to wait for a person; unset: the policy's default."
    )
    on_timeout: Literal["deny", "approve"] = Field(
        default="deny",
        description="What silence means. `approve` needs `reversible: true`, is for confirmations only, and holds only "
        "where the service's policy says so too.",
    )
    to: tuple[Place, ...] = Field(default=(), max_length=16, description="Where the card goes; empty: the web console.")

    @model_validator(mode="after")
    def _silence_is_consent_only_where_it_can_be_undone(self) -> Self:
        if self.on_timeout == "approve" and not self.reversible:
            msg = (
                "`on_timeout: approve` needs `reversible: true`: silence never approves what cannot be undone; "
                "leave `on_timeout` out, or say that the action is reversible if it is"
            )
            raise ValueError(msg)
        return self


class Confirmation(_Ask):
    """May I do this? Yes, no, or yes with edits. With timing `after`: I did this; shall it stand?"""

    kind: Literal["confirmation"] = "confirmation"
    timing: Timing = Field(
        default="before",
        description="`before`: nothing happens without consent. `after`: it is done; only where it is reversible.",
    )
    what: Prose = Field(examples=["Send this e-mail to alice@x.com"])
    why: Prose = Field(examples=["She asked about the report"])
    risks: tuple[Prose, ...] = Field(
        default=(), max_length=20, description="What could go wrong. Required with timing `before`."
    )
    action: Action | None = Field(default=None, description="Required with timing `before`.")
    result: JsonValue = Field(default=None, description="What came of it; with timing `after` only.")

    @model_validator(mode="after")
    def _after_can_be_undone(self, info: ValidationInfo) -> Self:
        if self.timing == "after" and not self.reversible and not is_stored(info):
            raise ValueError(AFTER_IS_UNDONE)
        return self

    @model_validator(mode="after")
    def _before_shows_its_risks_and_its_action(self) -> Self:
        if self.timing == "before":
            if not self.risks:
                raise ValueError(NO_RISKS)
            if self.action is None:
                msg = "a confirmation needs `action` ({tool, args}): an approval covers exactly those arguments"
                raise ValueError(msg)
            if self.result is not None:
                msg = "`result` goes with `timing: after`; before the action there is none yet"
                raise ValueError(msg)
        return self


class Choice(_Ask):
    """Which of these? One of 1 to 500 candidates, or none of them."""

    kind: Literal["choice"] = "choice"
    question: Prose
    why: str = Field(default="", max_length=32_768)
    risks: tuple[Prose, ...] = Field(default=(), max_length=20)
    candidates: tuple[Candidate, ...] = Field(min_length=1, max_length=500)

    @model_validator(mode="after")
    def _candidates_can_be_told_apart(self) -> Self:
        for what in ("id", "label"):
            seen: dict[str, str] = {}
            for candidate in self.candidates:
                value: str = getattr(candidate, what)
                looks = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
                if looks in seen:
                    msg = f"the {what}s {seen[looks]!r} and {value!r} look alike; a person could not tell them apart"
                    raise ValueError(msg)
                seen[looks] = value
        if self.on_timeout == "approve":
            msg = "`on_timeout: approve` is for confirmations: silence cannot choose a candidate"
            raise ValueError(msg)
        return self


def _any_text() -> JsonObject:
    return {"type": "string", "minLength": 1}


class Input(_Ask):
    """A question with a free or typed answer."""

    kind: Literal["input"] = "input"
    question: Prose
    why: str = Field(default="", max_length=32_768)
    risks: tuple[Prose, ...] = Field(default=(), max_length=20)
    answer_schema: JsonObject = Field(
        default_factory=_any_text,
        description="JSON Schema (2020-12) of the answer; unset: a non-empty text.",
    )
    reply_in_thread: StrictBool = Field(
        default=False,
        description="In chat, a message below the card from somebody who may answer counts as the answer.",
    )

    @model_validator(mode="after")
    def _silence_is_no_answer(self) -> Self:
        if self.on_timeout == "approve":
            msg = "`on_timeout: approve` is for confirmations: silence cannot answer a question"
            raise ValueError(msg)
        return self


Ask = Annotated[Confirmation | Choice | Input, Field(discriminator="kind")]

_ASK: TypeAdapter[Confirmation | Choice | Input] = TypeAdapter(Ask)


def parse_ask(value: object) -> Confirmation | Choice | Input:
    """Read an ask from plain JSON values.

    Raises:
        pydantic.ValidationError: With one entry per fault.
    """
    return _ASK.validate_python(value)
