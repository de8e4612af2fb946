"""The policy file: one YAML document, checked whole, every fault told at once."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator

from bot.errors import ConfigError
from bot.policy._conditions import Condition, Faulty
from bot.policy._terms import DEFAULT_TIMEOUT_S, Names, Part, Seconds, Terms

__all__ = ["DEFAULT_TIMEOUT_S", "Caps", "Example", "Policy", "Rule", "Scorer", "load", "parse"]

Do = Literal["allow", "notify", "sample", "review", "ask", "deny"]
"""From the loosest to the strictest."""


def _globs(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Globs = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=128)], ...], BeforeValidator(_globs), Field(min_length=1)
]


class Rule(Terms):
    """One rule: what it matches, and what it says. The first match wins."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    tool: Globs = ("*",)
    gate: Globs = ("*",)
    agent: Globs = ("*",)
    checkpoint: Globs | None = Field(
        default=None, description="The run's latest checkpoint, by name; unset: any or none."
    )
    labels: dict[str, str] = Field(default_factory=dict, description="Labels that the run must have, by value.")
    when: str | None = Field(default=None, max_length=4_000, description="A condition in CEL.")
    do: Do
    fraction: float | None = Field(
        default=None, ge=0, le=1, description="For `sample`: this share is shown afterwards."
    )
    reason: str | None = Field(default=None, min_length=1, description="For `deny`: what the agent reads.")

    _condition: Condition | None = PrivateAttr(default=None)

    @property
    def condition(self) -> Condition | None:
        """`when`, compiled."""
        return self._condition

    @model_validator(mode="after")
    def _says_what_it_must(self) -> Self:
        if self.do == "deny" and not self.reason:
            msg = "`do: deny` needs a `reason`: the agent reads it"
            raise ValueError(msg)
        if (self.do == "sample") != (self.fraction is not None):
            msg = "`fraction` goes with `do: sample`, which needs it: 0.1 shows one in ten"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _condition_compiles(self) -> Self:
        if self.when is not None:
            try:
                self._condition = Condition(self.when)
            except Faulty as error:
                msg = f"rule {self.name!r}, `when`, {error}"
                raise ValueError(msg) from error
        return self


class Defaults(Terms):
    """What no rule names, and the terms that rules leave open."""

    do: Literal["ask", "deny"] = "ask"


class Scorer(Part):
    """Who tells how risky an action is."""

    name: str = Field(default="rules", description="An entry point of the group `andon.scorers`; `rules` is ours.")
    url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$", description="Or an HTTP address that is asked.")
    timeout: Seconds = 2


class Caps(Part):
    """How much a person may be asked."""

    cards_per_approver_hour: int | None = Field(default=None, ge=1, le=10_000)
    open_per_agent: int | None = Field(default=None, ge=1, le=100_000)
    burst: int | None = Field(
        default=None, ge=2, le=10_000, description="So many asks of one agent within `burst_within`."
    )
    burst_within: Seconds = 60


class Who(Part):
    """One person on several surfaces."""

    email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    slack: str | None = Field(default=None, pattern=r"^([TE][A-Z0-9]+/)?[UW][A-Z0-9]+$")
    teams: str | None = Field(default=None, min_length=1, max_length=200)


class Expect(Part):
    """What an example must come to; what is left out is not compared."""

    do: Do | None = None
    rule: str | None = None
    approvers: tuple[str, ...] | None = None
    quorum: int | None = None
    timeout: Seconds | None = None
    on_timeout: Literal["deny", "approve"] | None = None


class Example(Part):
    """An action and what the policy must say of it; `python -m bot policy test` runs these."""

    name: str = Field(min_length=1, max_length=200)
    tool: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)
    gate: str = "test"
    agent: str = "agent"
    kind: Literal["confirmation", "choice", "input"] = "confirmation"
    labels: dict[str, str] = Field(default_factory=dict)
    checkpoint: str = ""
    requester: str = ""
    reversible: bool = False
    confidence: float | None = Field(default=None, ge=0, le=1)
    risk: float | None = Field(default=None, ge=0, le=1, description="Unset: the scorer is asked.")
    failures: int = Field(default=0, ge=0)
    trusted: int = Field(default=0, ge=0, description="Good ends so far, for a trust ramp.")
    timeout: Seconds | None = None
    on_timeout: Literal["deny", "approve"] = "deny"
    expect: Expect


class Policy(Part):
    """A whole policy. `version` names it in every decision: "none" when there is no file."""

    people: dict[str, Who] = Field(default_factory=dict)
    roles: dict[str, Names] = Field(default_factory=dict)
    defaults: Defaults = Defaults()
    confidence_floor: float | None = Field(
        default=None, gt=0, le=1, description="Below it whatever a rule allows, notifies, samples or reviews is asked."
    )
    escalate_on_failure: int | None = Field(
        default=None, ge=1, le=1_000, description="After so many failures in a run, likewise."
    )
    risk: Scorer | None = None
    caps: Caps = Caps()
    rules: tuple[Rule, ...] = ()
    examples: tuple[Example, ...] = ()
    version: str = "none"

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [rule.name for rule in self.rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            msg = f"two rules are called {', '.join(twice)}; a decision names its rule, so names must differ"
            raise ValueError(msg)
        return self


def parse(text: str) -> Policy:
    """Read a policy.

    Raises:
        ConfigError: With every fault: where, and what to write instead.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError([f"the policy is not YAML: {error}"]) from error
    if not isinstance(data, dict) or "version" in data:
        raise ConfigError(
            ["the policy must be a mapping with `rules` and `defaults`, and no `version`: that is its hash"]
        )
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    try:
        return Policy.model_validate({**data, "version": version})
    except ValidationError as error:
        raise ConfigError([_fault(".".join(map(str, e["loc"])), e["msg"]) for e in error.errors()]) from error


def _fault(where: str, message: str) -> str:
    return f"policy, {where or 'top level'}: {message.removeprefix('Value error, ')}"


def load(path: Path | None) -> Policy:
    """Read the policy file; without one, everything is asked.

    Raises:
        ConfigError: It cannot be read, or has faults.
    """
    if path is None:
        return Policy()
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"ANDON_POLICY: cannot read {path}: {error}"]) from error
