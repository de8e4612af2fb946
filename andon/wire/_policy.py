"""What a policy says of an action, and why: for those who write policies."""

from typing import Literal

from pydantic import Field, JsonValue, StrictBool, StrictFloat, StrictInt, model_validator

from andon.wire._asks import MAX_TIMEOUT_S, Timing
from andon.wire._models import JsonObject, Name, Received, Sent


class PolicyQuestion(Sent):
    """An action to try on the policy. Nothing is opened, asked or counted."""

    tool: Name | None = Field(default=None, description="Unset: it runs nothing.", examples=["send_email"])
    args: JsonObject = Field(default_factory=dict)
    gate: Name = Field(default="test", examples=["send_email"])
    agent: Name = "agent"
    kind: Literal["confirmation", "choice", "input"] = "confirmation"
    timing: Timing = "before"
    run: str = Field(default="", max_length=300, description="The run's name.")
    labels: dict[str, str] = Field(default_factory=dict, description="The run's labels.")
    checkpoint: str = Field(default="", max_length=300, description="Name of the run's latest one.")
    requester: str = Field(default="", max_length=300)
    reversible: StrictBool = False
    confidence: StrictFloat | None = Field(default=None, ge=0, le=1)
    risk: StrictFloat | None = Field(default=None, ge=0, le=1, description="Unset: the scorer tells, if a rule looks.")
    failures: StrictInt = Field(default=0, ge=0, le=1_000_000, description="Of the run so far.")
    trusted: StrictInt = Field(default=0, ge=0, le=1_000_000, description="Good ends so far, for a trust ramp.")
    timeout_s: StrictInt | None = Field(default=None, ge=1, le=MAX_TIMEOUT_S)
    on_timeout: Literal["deny", "approve"] = "deny"
    handoff: str = Field(default="hf_example", max_length=100, description="The id by which samples are drawn.")

    @model_validator(mode="after")
    def _could_be_asked(self) -> "PolicyQuestion":
        if self.on_timeout == "approve" and (not self.reversible or self.kind != "confirmation"):
            msg = "`on_timeout: approve` needs `reversible: true`, and is for confirmations"
            raise ValueError(msg)
        if self.timing == "after" and not self.reversible:
            msg = "`timing: after` needs `reversible: true`: what cannot be undone is asked about before"
            raise ValueError(msg)
        if self.kind == "input" and self.tool:
            msg = "an input runs nothing; leave `tool` out"
            raise ValueError(msg)
        return self


class RuleTried(Received):
    """A rule that was tried, and why it matched or did not."""

    rule: str
    tool: str | None = None
    matched: bool
    why: str


class PolicyTerm(Received):
    """One of the terms that hold, and who said so."""

    name: str
    value: JsonValue = None
    source: str = Field(description="`rule …`, `defaults`, `ask`, or `built in`.")
    note: str = Field(default="", description="Why it is not what the rule says, when it is not.")


class Explanation(Received):
    """What the policy says of an action, and every reason."""

    policy: str = Field(description="The policy's version; `none`: there is none.")
    rule: str | None = Field(default=None, description="The rule that holds; unset: the defaults do.")
    do: Literal["allow", "notify", "review", "ask", "deny"]
    reason: str | None = Field(default=None, description="What the agent reads of a refusal.")
    risk: float | None = Field(default=None, description="As the scorer told it, where the policy looks at it.")
    risk_reasons: tuple[str, ...] = ()
    tried: tuple[RuleTried, ...] = Field(default=(), description="In order, up to the one that matched.")
    steps: tuple[str, ...] = Field(default=(), description="From what the rule says to what happens.")
    terms: tuple[PolicyTerm, ...] = ()
