"""Endpoints: where callbacks go, and what could not be delivered there."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from andon.wire._models import Received, Sent

EventType = Literal[
    "handoff.decided",
    "handoff.claimed",
    "handoff.closed",
    "handoff.revised",
    "handoff.held",
    "handoff.released",
    "handoff.questioned",
    "run.steered",
    "trust.reset",
    "brake.braked",
    "brake.lifted",
]
"""What an endpoint can be told of: the names of the event stream."""

DEFAULT_EVENTS: tuple[EventType, ...] = (
    "handoff.decided",
    "handoff.held",
    "handoff.released",
    "brake.braked",
    "brake.lifted",
)


class EndpointCreate(Sent):
    """A new endpoint."""

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_048)] = Field(
        description="Where to send: `https`, port 443 or 8443, a public host by its name."
    )
    agent: Annotated[str, StringConstraints(pattern=r"^(?:\*|[A-Za-z0-9][A-Za-z0-9_.-]{0,63})$")] = Field(
        default="*", description="Whose events: one agent's, by its exact name, or `*` for all."
    )
    events: tuple[EventType, ...] = Field(
        default=DEFAULT_EVENTS, min_length=1, max_length=20, description="What it is told of."
    )


class Endpoint(Received):
    """A place that is told of events by signed callbacks."""

    id: str
    url: str
    agent: str = Field(description="Whose events; `*`: every agent's.")
    events: tuple[str, ...]
    created_at: AwareDatetime
    created_by: str
    state: Literal["enabled", "disabled"]
    disabled_why: str | None = Field(default=None, description="Of a disabled one: why, in words.")
    disabled_at: AwareDatetime | None = None
    failing_since: AwareDatetime | None = Field(default=None, description="The first failed try since one succeeded.")
    last_error: str | None = Field(default=None, description="What the last failed try met, in words.")
    rotated_until: AwareDatetime | None = Field(
        default=None, description="Until then the secret before the current one signs too."
    )
    delivered: int = Field(default=0, description="Callbacks that it took.")
    failed: int = Field(default=0, description="Tries that failed.")
    waiting: int = Field(default=0, description="Callbacks that are under way or wait for their next try.")
    dead: int = Field(default=0, description="Callbacks that were given up and can be replayed.")


class EndpointCreated(Endpoint):
    """A new endpoint, or one with a new secret. The secret is shown this once."""

    secret: str = Field(description="`whsec_` and 32 bytes in base64; checks the signatures.")


class EndpointList(Received):
    """Every endpoint, the oldest first."""

    endpoints: tuple[Endpoint, ...]


class EndpointDisable(Sent):
    """Send nothing more to an endpoint, for now."""

    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)] | None = None


class EndpointTest(Received):
    """What came of a test callback. It is tried once."""

    delivered: bool
    status: int | None = Field(default=None, description="The HTTP status, if there was one.")
    error: str | None = Field(default=None, description="Why it was not delivered, in words.")
    took_ms: int


class DeadLetter(Received):
    """A callback that was given up. It is kept for 30 days."""

    id: str
    endpoint: str
    webhook_id: str = Field(description="As in the header `webhook-id`; a replay keeps it.")
    type: str
    handoff: str | None = Field(default=None, description="What it is about, unless it is about a brake or a run.")
    first_at: AwareDatetime | None = Field(default=None, description="The first try.")
    last_at: AwareDatetime | None = Field(default=None, description="The last one.")
    tries: int
    error: str = Field(description="What the last try met, in words.")
    dead_at: AwareDatetime


class DeadLetterList(Received):
    """Dead letters, the latest first."""

    dead_letters: tuple[DeadLetter, ...]
    total: int = Field(description="How many there are in all.")


class Replayed(Received):
    """Dead letters that are sent again."""

    count: int
