"""The policy file: one YAML document, checked whole, every fault told at once."""

import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bot.errors import ConfigError

_SPAN = re.compile(r"^(\d+)\s*(s|m|h|d)$")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_S = 7 * 86_400
DEFAULT_TIMEOUT_S = 3600


def _seconds(value: object) -> object:
    if isinstance(value, str) and (match := _SPAN.match(value.strip())):
        return int(match[1]) * _UNITS[match[2]]
    msg = f"{value!r} is not a span of time; write 45s, 30m, 2h or 7d"
    raise ValueError(msg)


Seconds = Annotated[int, BeforeValidator(_seconds), Field(ge=1, le=_LONGEST_S)]


_APPROVER = re.compile(r"[^@\s:/]+@[^@\s:/]+|slack:(([TE][A-Z0-9]+/)?[UW][A-Z0-9]+|S[A-Z0-9]+)")


def _approver(text: str) -> str:
    """One who may answer."""
    if not _APPROVER.fullmatch(text):
        msg = (
            f"{text!r} names nobody; write an e-mail address, `slack:U024BE7LH` or `slack:T012AB3C4/U024BE7LH` for a "
            "person, or `slack:S0614TZR7` for a user group"
        )
        raise ValueError(msg)
    return text.casefold() if "@" in text else text


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


Approvers = Annotated[tuple[Annotated[str, AfterValidator(_approver)], ...] | None, BeforeValidator(_somebody)]


def _reason(value: object) -> object:
    return {"label": value, "text": value} if isinstance(value, str) else value


class RejectReason(BaseModel):
    """A reject reason that takes one tap; a plain text is both its button and what the agent reads."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    label: str = Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
    text: str = Field(min_length=1, max_length=2_000)


def _differ(reasons: tuple[RejectReason, ...]) -> tuple[RejectReason, ...]:
    labels = [reason.label for reason in reasons]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        msg = f"two buttons say {', '.join(map(repr, twice))}; a person could not tell them apart"
        raise ValueError(msg)
    return reasons


Reasons = Annotated[tuple[Annotated[RejectReason, BeforeValidator(_reason)], ...], AfterValidator(_differ)]


class _Terms(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout: Seconds | None = None
    on_timeout: Literal["deny", "approve"] | None = None
    approvers: Approvers = None
    reject_reasons: Reasons | None = Field(default=None, max_length=8)


class Rule(_Terms):
    """One rule: what it matches (globs), and what it says. The first match wins."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    tool: str = "*"
    gate: str = "*"
    agent: str = "*"
    do: Literal["allow", "ask", "deny"]
    reason: str | None = Field(default=None, min_length=1, description="For `deny`: what the agent reads.")

    @model_validator(mode="after")
    def _a_refusal_says_why(self) -> Self:
        if self.do == "deny" and not self.reason:
            msg = "`do: deny` needs a `reason`: the agent reads it"
            raise ValueError(msg)
        return self


class _Defaults(_Terms):
    do: Literal["ask", "deny"] = "ask"


class Policy(BaseModel):
    """A whole policy. `version` names it in every decision: "none" when there is no file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    defaults: _Defaults = _Defaults()
    rules: tuple[Rule, ...] = ()
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
