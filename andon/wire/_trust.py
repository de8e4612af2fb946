"""Trust ramps as the service tells them: how often something ended well since it last did not."""

from typing import Literal

from pydantic import AwareDatetime, Field

from andon.wire._models import Received


class Trust(Received):
    """One trust ramp: of a rule, for each agent, tool or requester that the rule tells apart."""

    key: str = Field(description="Names it in `DELETE /v1/trust/{key}`.")
    rule: str = Field(description="The policy's rule; `default` for what no rule names.")
    agent: str | None = Field(default=None, description="Set when the rule tells agents apart.")
    tool: str | None = Field(default=None, description="Set when the rule tells tools apart.")
    requester: str | None = Field(default=None, description="Set when the rule tells requesters apart.")
    good: int = Field(description="Good ends since it last started over.")
    stage: Literal["asked", "reviewed", "sampled", "allowed"] | None = Field(
        default=None, description="What happens to the next one; unset: the policy has no such ramp any more."
    )
    next_stage_at: int | None = Field(default=None, description="Good ends at which the next stage begins.")
    moved_at: AwareDatetime = Field(description="When it last counted anything.")
    reset_at: AwareDatetime | None = Field(default=None, description="When it last started over.")
    reset_why: str | None = Field(
        default=None,
        description="`rejected`, `failed`, `undone`, `undo_failed`, `unreported`, or `person` when somebody reset it.",
    )
    reset_by: str | None = Field(default=None, description="The handoff that did, or the person.")


class TrustList(Received):
    """Every ramp that has moved in the last 400 days, the latest first."""

    ramps: tuple[Trust, ...]
