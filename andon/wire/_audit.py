"""The fatigue audit and the learning export: what people made of the asks."""

from pydantic import AwareDatetime, Field

from andon.wire._decisions import Actor
from andon.wire._models import JsonObject, Received


class GateAudit(Received):
    """What became of one gate's asks in the period. Shares are of the asks that ended, 0 to 1."""

    gate: str
    asks: int = Field(description="Opened in the period, and no longer open.")
    by_people: int = Field(description="Decided by a person; the other figures of people's answers are shares of this.")
    approved: float = Field(description="Share of people's answers: approved, chosen or answered, unchanged.")
    edited: float = Field(description="Share of people's answers: approved with changes.")
    rejected: float = Field(description="Share of people's answers.")
    expired: float = Field(description="Share of all asks that nobody answered in time.")
    by_policy: float = Field(description="Share of all asks that the policy decided alone.")
    by_grant: float = Field(default=0.0, description="Share of all asks that a grant covered: nobody was asked.")
    median_s: float | None = Field(default=None, description="Seconds from the card to a person's answer, median.")
    p10_s: float | None = Field(default=None, description="The same, fastest tenth.")
    under_5_s: float = Field(description="Share of people's answers within five seconds.")
    last_rejected_at: AwareDatetime | None = Field(default=None, description="In the period; unset: not once.")
    findings: tuple[str, ...] = Field(default=(), description="What stands out, a sentence each; none for few asks.")


class AuditReport(Received):
    """Every gate's audit, most asks first."""

    since: AwareDatetime
    until: AwareDatetime
    handoffs: int = Field(description="How many were read.")
    complete: bool = Field(description="False when the period holds more handoffs than one report reads.")
    gates: tuple[GateAudit, ...]


class Correction(Received):
    """One thing that a person changed or refused: a line of the learning export."""

    handoff: str
    at: AwareDatetime
    agent: str
    gate: str
    kind: str = Field(description="`edited` or `rejected`.")
    what: str
    why: str
    tool: str | None = None
    proposed: JsonObject | None = Field(default=None, description="The arguments as the agent asked.")
    corrected: JsonObject | None = Field(default=None, description="The arguments as a person changed them.")
    reason: str | None = None
    by: Actor
