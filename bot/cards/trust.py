"""A trust ramp as a page shows it."""

from dataclasses import dataclass
from datetime import datetime

from andon import wire
from bot.cards.characters import visible
from bot.cards.summaries import Lamp

_LAMPS: dict[str, Lamp] = {"asked": "waiting", "reviewed": "held", "sampled": "go", "allowed": "go"}


@dataclass(frozen=True, slots=True)
class TrustLine:
    """One ramp."""

    key: str
    rule: str
    whose: str
    label: str
    stage: str
    lamp: Lamp
    good: int
    until: int | None
    reset_at: datetime | None
    reset_why: str
    reset_by: str
    handoff: str
    """The one that started it over, where one did."""


def trust_line(ramp: wire.Trust) -> TrustLine:
    """A ramp in words; what came from an agent is made visible."""
    named = (("agent", ramp.agent), ("tool", ramp.tool), ("requester", ramp.requester))
    whose = " · ".join(f"{name} {visible(value) or '-'}" for name, value in named if value is not None)
    by = ramp.reset_by or ""
    return TrustLine(
        key=ramp.key,
        rule=visible(ramp.rule),
        whose=whose,
        label=f"{whose}, rule {visible(ramp.rule)}",
        stage=ramp.stage or "no ramp any more",
        lamp=_LAMPS.get(ramp.stage or "", "off"),
        good=ramp.good,
        until=ramp.next_stage_at,
        reset_at=ramp.reset_at,
        reset_why=(ramp.reset_why or "").replace("_", " "),
        reset_by="" if by.startswith("hf_") else visible(by),
        handoff=by if by.startswith("hf_") else "",
    )
