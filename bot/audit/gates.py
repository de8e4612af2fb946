"""The fatigue audit: per gate, what people answered and how fast, and what that suggests. Pure.

Thresholds: a gate where people always say yes teaches them to click. Findings are proposals and change no policy.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Final

from andon import wire
from bot.handoff import Handoff

ENOUGH: Final = 30
"""Answers below which no finding is made."""

_ALWAYS_YES: Final = 0.99
_REFLEX_S: Final = 5.0
_REFLEX_SHARE: Final = 0.5
_EXPIRED_SHARE: Final = 0.1
_LONG_AGO: Final = timedelta(days=90)


def audit(handoffs: Iterable[Handoff], *, since: datetime, until: datetime, complete: bool) -> wire.AuditReport:
    """The report on handoffs that were opened from `since` to `until`; open ones are left out."""
    gates: dict[str, list[Handoff]] = defaultdict(list)
    read = 0
    for handoff in handoffs:
        read += 1
        if handoff.decision and not handoff.settles:
            gates[handoff.ask.gate].append(handoff)
    found = [_gate(gate, ended, until) for gate, ended in gates.items()]
    return wire.AuditReport(
        since=since,
        until=until,
        handoffs=read,
        complete=complete,
        gates=tuple(sorted(found, key=lambda one: (-one.asks, one.gate))),
    )


def _gate(gate: str, ended: list[Handoff], until: datetime) -> wire.GateAudit:
    decisions = [(handoff, handoff.decision) for handoff in ended if handoff.decision]
    people = [(handoff, decision) for handoff, decision in decisions if decision.by.kind == "person"]
    took = [(decision.at - handoff.opened_at).total_seconds() for handoff, decision in people]
    rejections = [decision.at for _, decision in people if decision.kind == "rejected"]
    kinds = [decision.kind for _, decision in people]
    figures = wire.GateAudit(
        gate=gate,
        asks=len(ended),
        by_people=len(people),
        approved=_share(sum(kind in {"approved", "chosen", "answered"} for kind in kinds), len(people)),
        edited=_share(kinds.count("edited"), len(people)),
        rejected=_share(kinds.count("rejected"), len(people)),
        expired=_share(sum(decision.kind == "expired" for _, decision in decisions), len(ended)),
        by_grant=_share(sum(decision.by.kind == "grant" for _, decision in decisions), len(ended)),
        by_policy=_share(sum(decision.by.kind == "policy" for _, decision in decisions), len(ended)),
        median_s=round(median(took), 3) if took else None,
        p10_s=round(quantiles(took, n=10)[0], 3) if len(took) > 1 else None,
        under_5_s=_share(sum(seconds < _REFLEX_S for seconds in took), len(took)),
        last_rejected_at=max(rejections, default=None),
    )
    return figures.model_copy(update={"findings": tuple(_findings(figures, until))})


def _findings(gate: wire.GateAudit, until: datetime) -> Iterable[str]:
    if gate.by_people >= ENOUGH:
        quiet = gate.last_rejected_at is None or until - gate.last_rejected_at > _LONG_AGO
        if gate.approved >= _ALWAYS_YES and quiet:
            yield "People nearly always say yes here: consider asking about a sample, or not at all."
        if gate.under_5_s > _REFLEX_SHARE:
            yield "Most answers come within five seconds: people may be approving without reading."
    if gate.asks >= ENOUGH and gate.expired > _EXPIRED_SHARE:
        yield "Over a tenth expires unanswered: it may ask the wrong people, or too short a time."


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
