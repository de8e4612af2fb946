"""The two base models, and the problem document."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationInfo, model_validator

STORED: Mapping[str, bool] = MappingProxyType({"stored": True})
"""Context for reading what was checked when it was sent: under an earlier version, which let some asks through that
this refuses, or under a newer one, which knows more fields."""


def is_stored(info: ValidationInfo) -> bool:
    """Is it read back, rather than sent just now?"""
    return bool((info.context or {}).get("stored"))


class Sent(BaseModel):
    """A body that an agent or a person sends: an unknown field is an error, named in the answer.

    Numbers and flags are strict: `"reversible": "no"` or `"confidence": false` is a mistake, not a value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)


class Received(BaseModel):
    """A body that the service sends: unknown fields are ignored, so that older readers keep working."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class SentBack(Sent):
    """A part of what is sent that the service tells as well: read back, unknown fields are ignored."""

    @model_validator(mode="before")
    @classmethod
    def _leave_what_a_newer_one_knows(cls, given: object, info: ValidationInfo) -> object:
        if is_stored(info) and isinstance(given, Mapping):
            return {name: value for name, value in given.items() if name in cls.model_fields}
        return given


Line = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
    ),
]
"""One line of text, 1 to 300 characters, with no control characters and no line ends."""

Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=32_768)]
"""Text a person reads, up to 32,768 characters; a card shows as much as fits and says how much is missing."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,127}$")]
"""An identifier such as a gate, a tool or an agent: visible ASCII, so that two names never look alike."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lower-case hexadecimal."""

JsonObject = dict[str, JsonValue]


class ProblemFault(Received):
    """One thing wrong with a body."""

    field: str
    detail: str


class Problem(Received):
    """What went wrong, as RFC 9457 problem details (`application/problem+json`).

    Source: RFC 9457, https://www.rfc-editor.org/rfc/rfc9457, read 2026-11.
    """

    type: str = Field(description="A stable name for this kind of problem: a URI reference.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What was wrong, with which value, and what to do next.")
    field: str | None = Field(default=None, description="Where in the request, e.g. `action.args.to`.")
    errors: tuple[ProblemFault, ...] = Field(default=(), description="Every fault of a body.")
    decision: JsonObject | None = Field(default=None, description="The decision that stands, when one came first.")
    handoff: str | None = None
    reference: str | None = Field(default=None, description="Quote this to the operator: the log line carries it.")
