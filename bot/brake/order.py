"""What somebody wants of a brake. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from andon import wire


@dataclass(frozen=True, slots=True)
class BrakeOrder:
    """What somebody wants of a brake. The same `id` again is the same order: name it after the platform's event."""

    id: str
    scope: wire.BrakeScope
    action: Literal["stop", "pause", "steer", "abort", "resume"]
    by: wire.Actor
    text: str | None = None
    """Why; of a steer, the words for the agent."""
    said_at: datetime | None = None
    """When they said it, by the platform's clock; a run that started later is not meant. None: now."""
    epoch: int | None = None
    """Of `resume`: lift it only if this is the brake that stands."""
