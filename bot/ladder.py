"""The ladder: what happens, and when, while nobody answers. Pure; the store's clock runs it.

However often a file says to remind, people are called at most every `CALLS_APART_S`, and never so shortly before the
time is up that they could not read the card any more.
"""

from dataclasses import dataclass
from typing import Final, Literal

from bot.handoff import Route

CALLS_APART_S: Final = 300
"""Between two calls about one handoff. An escalation is never dropped for this; a reminder is."""

LAST_S: Final = 30
"""In the last seconds nobody is reminded any more."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: so long after the opening, this."""

    after_s: int
    kind: Literal["remind", "escalate"]


def steps(route: Route) -> tuple[Step, ...]:
    """The steps of a route in their order; those that could never happen are left out.

    An escalation at the moment of a reminder takes its place. Rungs keep their order, so that the n-th escalation is
    the n-th rung.
    """
    rungs = [Step(rung.after_s, "escalate") for rung in route.escalate if rung.after_s < route.timeout_s]
    kept: list[Step] = []
    for step in sorted(
        [*rungs, *(Step(s, "remind") for s in route.remind_s)], key=lambda each: (each.after_s, each.kind)
    ):
        too_late = step.after_s > route.timeout_s - LAST_S
        too_soon = bool(kept) and step.after_s - kept[-1].after_s < CALLS_APART_S
        if step.kind == "escalate" or not (too_late or too_soon):
            kept.append(step)
    return tuple(kept)
