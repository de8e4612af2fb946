"""Recorded history, run through another policy: what it would have asked, and what it would have missed. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

from andon import wire
from bot.handoff import Handoff
from bot.policy import CHECKPOINT, Policy, Read, Routed, Rule, route, rules_at_checkpoints
from bot.recall import Recall, granted

MOST: Final = 10_000
"""Handoffs that one replay reads."""
MOST_LISTED: Final = 1_000
"""Rejections and edits that are listed one by one; all of them are counted."""

_RUNS: Final = frozenset({"allow", "notify", "review"})
_WHAT: Final = 200
_COUNTED: Final = (
    "asked_then", "asked_now", "saved", "newly_asked", "denied_then", "denied_now", "let_run", "missed", "unanswered",
)  # fmt: skip

Then = Literal["asked", "reviewed", "granted", "ran", "denied"]
"""What the policy of the time did with it."""


class Replay:
    """Takes the handoffs of a period, oldest first, one at a time, so that its owner may rest in between."""

    def __init__(
        self, read: Read, *, reviews: Mapping[str, Handoff], labels: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        """`read` is the changed policy; `reviews` those of the period, by what they follow; `labels` by run."""
        self._read = read
        self._checkpoints = rules_at_checkpoints(read.policy) or _nothing_asked(read.policy)
        self._recall = Recall(read.policy, labels=labels or {})
        self._reviews = reviews
        self._rows: dict[tuple[str, str | None], Counter[str]] = {}
        self._missed: list[wire.Missed] = []
        self._read_in_all = 0

    def take(self, handoff: Handoff) -> None:
        """Run the next one through the policy."""
        self._read_in_all += 1
        if handoff.settles:  # asked by the service, whatever the policy says
            return
        if handoff.follows:
            self._recall.reviewed(handoff)
            return
        routed = self._routed(handoff)
        tool = _tool(handoff)
        then, runs = how_then(handoff), routed.do in _RUNS
        said = _objection(handoff, self._reviews.get(handoff.id))
        silent = handoff.decision is not None and handoff.decision.kind == "expired"
        row = self._rows.setdefault((handoff.ask.gate, tool), Counter())
        row.update(
            handoffs=1,
            asked_then=then == "asked",
            asked_now=routed.do == "ask",
            saved=then == "asked" and runs,
            newly_asked=then != "asked" and routed.do == "ask",
            denied_then=then == "denied",
            denied_now=routed.do == "deny",
            let_run=then == "denied" and runs,
            unanswered=silent and (runs or routed.route.on_timeout == "approve"),
        )
        if said and runs and not (then == "reviewed" and routed.do == "review"):
            row["missed"] += 1
            self._missed.append(_missed(handoff, said, routed, then))

    def report(self, *, since: datetime, until: datetime, complete: bool) -> wire.Replay:
        """What came of it."""
        rows = [_row(gate, tool, counts) for (gate, tool), counts in self._rows.items()]
        total: Counter[str] = Counter()
        for counts in self._rows.values():
            total.update(counts)
        return wire.Replay(
            policy=self._read.policy.version,
            since=since,
            until=until,
            handoffs=self._read_in_all,
            complete=complete,
            total=_row("*", None, total),
            rows=tuple(sorted(rows, key=lambda row: (-row.handoffs, row.gate, row.tool or ""))),
            missed=tuple(sorted(self._missed, key=lambda each: each.at, reverse=True)[:MOST_LISTED]),
            notes=tuple(notes(self._read.policy)),
            warnings=self._read.warnings,
        )

    def _routed(self, handoff: Handoff) -> Routed:
        rules = self._checkpoints if handoff.ask.gate == CHECKPOINT else self._read.policy
        situation = self._recall.situation(handoff, rules)
        routed = route(rules, situation)
        grant = granted(handoff, routed.route) if routed.do == "ask" else None
        return route(rules, replace(situation, grants=(grant,))) if grant else routed


def replayed(
    read: Read,
    handoffs: Iterable[Handoff],
    *,
    since: datetime,
    until: datetime,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    complete: bool = True,
) -> wire.Replay:
    """All of it at once; `handoffs` in any order."""
    found = sorted(handoffs, key=lambda each: each.opened_at)
    replay = Replay(read, reviews=reviews_of(found), labels=labels)
    for handoff in found:
        replay.take(handoff)
    return replay.report(since=since, until=until, complete=complete)


def reviews_of(handoffs: Iterable[Handoff]) -> dict[str, Handoff]:
    """Reviews, by what they follow."""
    return {each.follows: each for each in handoffs if each.follows}


def looks_at_labels(policy: Policy) -> bool:
    """Do the runs' labels make a difference to it?"""
    return any(rule.labels for rule in policy.rules) or _looks_at(policy, "labels")


def how_then(handoff: Handoff) -> Then:
    """What the policy of the time did with it: a person was asked, or who decided it at once."""
    decision = handoff.decision
    if decision is None or decision.by.kind not in {"policy", "grant"}:
        return "asked"
    if decision.by.kind == "grant":
        return "granted"
    if decision.kind == "rejected":
        return "denied"
    return "reviewed" if handoff.route.review else "ran"


def notes(policy: Policy) -> Iterable[str]:
    """What the record does not tell, as far as this policy looks at it."""
    rules = policy.rules
    yield "What is not asked about at all, because an agent has no gate there, is in no record."
    if policy.escalate_on_failure or _looks_at(policy, "failures"):
        yield "Failures of a run are counted from what ended badly in the period, or as the card said then."
    if any(rule.checkpoint for rule in rules) or _looks_at(policy, "checkpoint"):
        yield "A run's latest checkpoint is not recorded: only what was asked at one has it, the rest has none."
    if any(CHECKPOINT in rule.gate for rule in rules):
        yield "Checkpoints that a run passed without being asked are not recorded."
    if policy.defaults.ramp or any(rule.ramp for rule in rules):
        yield (
            "Trust begins at nothing, and grows with how the recorded actions ended; where the ramp of the time had "
            "let something run, it counts as grown."
        )
    if policy.risk and (policy.risk.url or policy.risk.name != "rules"):
        yield "Its risk scorer is not asked about what was recorded: a risk that the card did not say counts as 1."
    elif policy.risk or _looks_at(policy, "risk"):
        yield "Risk is what the card said then; where it said none, what the scorer of Andon says now."
    if looks_at_labels(policy):
        yield "Labels are those of runs that are still kept; others have none."
    if policy.defaults.grants or any(rule.grants for rule in rules):
        yield "What a grant covered then is covered still where all that was offered then is offered; no other is."


def _looks_at(policy: Policy, name: str) -> bool:
    return any(rule.condition and name in rule.condition.variables for rule in policy.rules)


def _nothing_asked(policy: Policy) -> Policy:
    """With no rule for checkpoints, a run goes on."""
    return policy.model_copy(update={"rules": (Rule(name="no_rule", do="allow"),)})


def _tool(handoff: Handoff) -> str | None:
    ask = handoff.ask
    if isinstance(ask, wire.Choice):
        return ", ".join(sorted({each.action.tool for each in ask.candidates if each.action})) or None
    return ask.action.tool if isinstance(ask, wire.Confirmation) and ask.action else None


def _objection(handoff: Handoff, review: Handoff | None) -> wire.Decision | wire.Revision | None:
    """What a person did not leave as it was: the rejection, of it or of its review, or the last edit."""
    for decision in (handoff.decision, review.decision if review else None):
        if isinstance(decision, wire.Rejected | wire.Edited) and decision.by.kind == "person":
            return decision
    agreed = isinstance(handoff.decision, wire.Approved)
    return handoff.revisions[-1] if agreed and handoff.revisions else None


def _missed(handoff: Handoff, said: wire.Decision | wire.Revision, routed: Routed, then: Then) -> wire.Missed:
    what = handoff.ask.what if isinstance(handoff.ask, wire.Confirmation) else handoff.ask.question
    return wire.Missed.model_validate(
        {
            "handoff": handoff.id,
            "page": f"/handoffs/{handoff.id}",
            "at": said.at,
            "agent": handoff.agent,
            "gate": handoff.ask.gate,
            "tool": _tool(handoff),
            "what": what if len(what) <= _WHAT else f"{what[:_WHAT]}…",
            "kind": "rejected" if isinstance(said, wire.Rejected) else "edited",
            "by": said.by.name,
            "reason": getattr(said, "reason", None),
            "was": "asked" if then == "asked" else "reviewed",
            "now": routed.do,
            "rule": routed.rule.name if routed.rule else "default",
        }
    )


def _row(gate: str, tool: str | None, counts: Counter[str]) -> wire.ReplayRow:
    return wire.ReplayRow(
        gate=gate, tool=tool, handoffs=counts["handoffs"], **{name: counts[name] for name in _COUNTED}
    )
