"""The replay: recorded history run through a changed policy."""

from typing import Literal

from pydantic import AwareDatetime, Field

from andon.wire._models import Received


class ReplayRow(Received):
    """What a changed policy would have made of the handoffs of one gate and tool."""

    gate: str
    tool: str | None = Field(default=None, description="Of a choice, all of them; unset: it runs nothing.")
    handoffs: int = Field(description="Opened in the period.")
    asked_then: int = Field(description="A person was asked first.")
    asked_now: int = Field(description="A person would be asked first.")
    saved: int = Field(description="Asked then; would run now without asking, some of it shown afterwards.")
    newly_asked: int = Field(description="Not asked then, and asked now.")
    denied_then: int = Field(description="The policy refused it.")
    denied_now: int = Field(description="The policy would refuse it.")
    let_run: int = Field(description="The policy refused it then, and would let it run now without asking.")
    missed: int = Field(description="A person rejected or changed it, and it would run now without asking.")
    unanswered: int = Field(description="Nobody answered it, and it would run now, without asking or by silence.")


class Missed(Received):
    """Something that a person rejected or changed, and that the changed policy would let run without asking."""

    handoff: str
    page: str = Field(description="Where the card is, below the service's address.")
    at: AwareDatetime = Field(description="When the person said so.")
    agent: str
    gate: str
    tool: str | None = None
    what: str
    kind: Literal["rejected", "edited"]
    by: str
    reason: str | None = None
    was: Literal["asked", "reviewed"] = Field(description="Asked about before, or shown after it had run.")
    now: Literal["allow", "notify", "review"] = Field(description="`review`: people would see it after it had run.")
    rule: str = Field(description="Of the changed policy; `default`: no rule.")


class Replay(Received):
    """What a changed policy would have made of the recorded history."""

    policy: str = Field(description="Version of the changed policy.")
    since: AwareDatetime
    until: AwareDatetime
    handoffs: int = Field(description="How many were run through it.")
    complete: bool = Field(description="False when the period holds more than one replay reads; the newest are read.")
    total: ReplayRow = Field(description="Of all gates together; its `gate` is `*`.")
    rows: tuple[ReplayRow, ...] = Field(description="By gate and tool, most handoffs first.")
    missed: tuple[Missed, ...] = Field(description="The newest first, at most 1,000.")
    notes: tuple[str, ...] = Field(description="What was not recorded, and what was taken in its place.")
    warnings: tuple[str, ...] = Field(default=(), description="What the loader thinks of the changed file.")
