"""What a rule may look at, gathered before the policy is asked. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from pydantic import JsonValue

from andon import wire
from bot.handoff import Risk

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Grant:
    """A standing "don't ask again", as far as the policy needs to know it."""

    id: str
    tool: str
    same: Mapping[str, JsonValue]
    """Arguments that must be these, types included."""
    scope: str = "run"
    age_s: float = 0.0
    """How long ago it was given."""
    by: wire.Actor | None = None
    """Who gave it."""
    standing: Literal["member", "guest", "external", "outside"] = "member"
    """What they were where they gave it."""
    gate: str | None = None
    """It stands at this gate alone; None: at any, as in a test."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One ask, and what is known around it."""

    ask: wire.Confirmation | wire.Choice | wire.Input
    handoff: str
    """Its id."""
    agent: str
    to: tuple[wire.Place, ...]
    """Where its cards go unless the policy says otherwise."""
    run_name: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    requester: str = ""
    checkpoint: str = ""
    """Name of the run's latest one."""
    passed: bool = True
    """May the run go on from there? Not until somebody has said yes, where that was asked."""
    failures: int = 0
    """What went wrong in the run so far: actions that failed, and asks below the policy's floor of confidence."""
    risk: Risk | None = None
    trusted: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    """Good ends so far, by the key of a trust ramp (`ramp_key`)."""
    draw: float | None = None
    """From 0 up to 1: of a sample when it is below the share. None: nobody drew, so that it is of every sample."""
    grants: tuple[Grant, ...] = ()
    """Those of this agent, run or requester that stand now."""
