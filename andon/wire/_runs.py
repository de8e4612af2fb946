"""Runs: one job of an agent, its conversation, its checkpoint and its brake."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue, StrictBool, StrictInt, StringConstraints

from andon.wire._asks import Place
from andon.wire._brakes import RUN_ID, Braked, BrakeScope, Conversation
from andon.wire._decisions import Actor
from andon.wire._models import Line, Prose, Received, Sent

HandoffId = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class RunStart(Sent):
    """Start a run."""

    name: Line = Field(examples=["weekly-report"])
    conversation: Conversation | None = Field(
        default=None, description="Where its cards go unless an ask says otherwise."
    )
    requester: Line | None = Field(default=None, description="The person it works for, e.g. an e-mail address.")
    parent: str | None = Field(default=None, pattern=RUN_ID)
    labels: dict[str, str] = Field(default_factory=dict, max_length=32)
    heartbeat_s: StrictInt | None = Field(
        default=None,
        ge=5,
        le=3_600,
        description="A promise: the agent calls `POST /v1/runs/{run}/heartbeat` at least so often, in seconds. Once "
        "three in a row have not come, the run is lost, and people are asked what became of what it was doing.",
    )


class Heartbeat(Sent):
    """The agent is still there. With `last`, the run is over, and no more of these come."""

    last: StrictBool = False
    acting: tuple[HandoffId, ...] | None = Field(
        default=None,
        max_length=1_000,
        description="The handoffs that this process has claimed and works on. People are asked about those of the run "
        "that no process names any more. Unset: all that the run has claimed.",
    )


class HeartbeatReceipt(Received):
    """The sign of life was heard."""

    lost_after: AwareDatetime | None = Field(
        default=None,
        description="If none comes until then, the run is lost. Unset: nothing more is expected, because the run "
        "promised none, or has said its last.",
    )
    was_lost_since: AwareDatetime | None = Field(
        default=None, description="Set when this found the run again: the last sign of life before it was lost."
    )


class Steer(Received):
    """A person's words to a run."""

    id: str
    text: str
    by: Actor
    at: AwareDatetime


class Run(Received):
    """A run as the service tells it."""

    id: str
    state: Literal["running", "held", "aborted"] = "running"
    brake: Braked | None = Field(default=None, description="What holds it, or ended it; the strongest of several.")
    agent: str
    name: str
    conversation: Conversation | None = None
    requester: str | None = None
    parent: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    started_at: AwareDatetime
    checkpoint: int = Field(default=0, description="Version of the latest checkpoint; 0: none yet.")
    scopes: tuple[BrakeScope, ...] = Field(
        default=(),
        description="All that holds it when it is stopped: itself, the runs it comes from, the nearest first, its "
        "conversation and theirs, its agent, and everything.",
    )
    heartbeat_s: int | None = Field(default=None, description="So often, in seconds, it promised a sign of life.")
    lost_since: AwareDatetime | None = Field(
        default=None,
        description="Set while it is lost: it broke that promise three times in a row. The last sign of life before.",
    )


class CheckpointSave(Sent):
    """Save where the run stands. `state` is opaque to the service."""

    name: Line = Field(examples=["plan finalised"])
    state: JsonValue = None
    if_version: StrictInt | None = Field(
        default=None, ge=0, description="Save only if the latest checkpoint has this version (0: none yet)."
    )


class CheckpointReceipt(Received):
    """The version that a save made."""

    run: str
    version: int
    steers: tuple[Steer, ...] = Field(
        default=(), description="What people told the run since the checkpoint before, oldest first."
    )
    handoff: str | None = Field(
        default=None, description="Set when the policy asks at this checkpoint: wait for its decision, and claim it."
    )
    brake: Braked | None = Field(default=None, description="Set when the run is held: it is saved; do not go on.")


class Checkpoint(Received):
    """The latest checkpoint of a run."""

    run: str
    version: int
    name: str
    saved_at: AwareDatetime
    state: JsonValue = None
    steers: tuple[Steer, ...] = Field(
        default=(), description="What its receipt carried, for a process that takes over and never saw the receipt."
    )
    handoff: str | None = Field(default=None, description="As on its receipt: go on from here once it is approved.")


class Notice(Sent):
    """Something people may want to know; nobody is asked and nobody waits."""

    text: Prose
    to: tuple[Place, ...] = Field(default=(), max_length=16)
