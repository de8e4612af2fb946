"""What was known around an ask when it was made, as far as the record tells; told oldest first. Pure.

The store keeps an ask, its route and how it ended. Failures of a run and grown trust it counts as they stand now, so
they are counted again here from the ends in the record.
"""

import heapq
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from andon import wire
from bot.handoff import Handoff, Risk, Route
from bot.policy import CHECKPOINT, Grant, Policy, Situation, needs, stand_in
from bot.risk import RiskQuestion, highest, judge

_GROWING: Final = re.compile(r"Trust is still growing: (\d+) of \d+ ended well\.")
_FAILED: Final = re.compile(r"In this run (\d+) actions have failed or were unsure\.")
_FAILURES: Final = frozenset({"failed", "undo_failed"})
_BAD: Final = _FAILURES | {"undone"}
_FAR: Final = 1_000_000
"""Good ends that are enough for every ramp."""
_MOST_SCORED: Final = 50
"""Candidates of one choice, as when it is asked."""


@dataclass(slots=True, order=True)
class _End:
    """Something that ended, from when it counts."""

    at: datetime
    run: str = field(compare=False)
    failed: bool = field(compare=False)
    ramps: tuple[str, ...] = field(compare=False)
    good: bool | None = field(compare=False)
    """For trust; None: it says nothing."""


class Recall:
    """Makes the situations of recorded handoffs again, under another policy."""

    def __init__(self, policy: Policy, *, labels: Mapping[str, Mapping[str, str]]) -> None:
        """`labels` by run."""
        self._policy = policy
        self._labels = labels
        self._ends: list[_End] = []
        self._failures: Counter[str] = Counter()
        self._good: Counter[str] = Counter()
        self._ramps: dict[str, tuple[str, ...]] = {}
        """Of what has a review still to come, by its id."""

    def situation(self, handoff: Handoff, rules: Policy) -> Situation:
        """As it was when it was asked; `rules` are the policy's, or those for checkpoints. Each handoff once."""
        while self._ends and self._ends[0].at <= handoff.opened_at:
            self._count(heapq.heappop(self._ends))
        ask, told = handoff.ask, handoff.route
        situation = Situation(
            ask=ask,
            handoff=handoff.id,
            draw=stand_in(handoff.id),
            agent=handoff.agent,
            to=told.to,
            run_name=handoff.run_name,
            labels=self._labels.get(handoff.run, {}),
            requester=handoff.requester or "",
            checkpoint=_checkpoint(ask),
            failures=max(_said(_FAILED, told) or 0, self._failures[handoff.run]),
        )
        wanted = needs(rules, situation)
        if wanted.risk:
            situation = replace(situation, risk=told.risk or _scored(rules, handoff))
        trusted = {key: self._trust(key, told) for key in wanted.ramps}
        self._remember(handoff, wanted.ramps)
        return replace(situation, trusted=trusted)

    def _trust(self, key: str, told: Route) -> int:
        """What the route said of this very ramp then; else what the record shows."""
        if key == told.ramp:
            growing = _said(_GROWING, told)
            return _FAR if growing is None else growing
        return self._good[key]

    def reviewed(self, review: Handoff) -> None:
        """A review of what ran first: how it ends counts for trust. Told in its turn, like every handoff."""
        decision, ramps = review.decision, self._ramps.pop(review.follows, ())
        if decision and decision.by.kind == "person":
            self._ends_at(decision.at, review.run, ramps, good=decision.kind == "approved")

    def _remember(self, handoff: Handoff, ramps: tuple[str, ...]) -> None:
        """Its ends count for what is asked after them."""
        decision, outcome, floor = handoff.decision, handoff.outcome, self._policy.confidence_floor
        if floor is not None and handoff.ask.confidence is not None and handoff.ask.confidence < floor:
            self._failures[handoff.run] += 1
        if handoff.review:
            self._ramps[handoff.id] = ramps
        if isinstance(decision, wire.Rejected) and decision.by.kind == "person":
            self._ends_at(decision.at, handoff.run, ramps, good=False)
        if outcome:
            looked = isinstance(decision, wire.Approved) and decision.by.kind in {"person", "policy"}
            good = False if outcome.status in _BAD else True if looked and not handoff.review else None
            self._ends_at(outcome.at, handoff.run, ramps, good=good, failed=outcome.status in _FAILURES)

    def _ends_at(
        self, at: datetime, run: str, ramps: tuple[str, ...], *, good: bool | None, failed: bool = False
    ) -> None:
        heapq.heappush(self._ends, _End(at, run, failed, ramps, good))

    def _count(self, end: _End) -> None:
        self._failures[end.run] += end.failed
        for key in end.ramps:
            if end.good is not None:
                self._good[key] = self._good[key] + 1 if end.good else 0


def granted(handoff: Handoff, now: Route) -> Grant | None:
    """The grant that covered it then, if all that was offered then is offered still."""
    decision = handoff.decision
    if not isinstance(decision, wire.Approved) or decision.by.kind != "grant" or handoff.action is None:
        return None
    offered = {(each.same, each.scope) for each in now.offers}
    before = {(each.same, each.scope) for each in handoff.route.offers}
    if not before or not before <= offered:
        return None
    same, scope = min(before)
    args = handoff.action.args
    return Grant(decision.by.id, handoff.action.tool, {name: args[name] for name in same if name in args}, scope)


def _said(pattern: re.Pattern[str], told: Route) -> int | None:
    """The number in a sentence of the route's."""
    found = (pattern.fullmatch(each) for each in told.because)
    return next((int(each[1]) for each in found if each), None)


def _checkpoint(ask: wire.Confirmation | wire.Choice | wire.Input) -> str:
    """Only what is asked at a checkpoint says which one."""
    if ask.gate != CHECKPOINT or not isinstance(ask, wire.Confirmation) or ask.action is None:
        return ""
    return str(ask.action.args.get("name", ""))


def _scored(policy: Policy, handoff: Handoff) -> Risk | None:
    """By the scorer that comes with Andon. Another one is never told of what was recorded: then nobody knows."""
    if policy.risk and (policy.risk.url or policy.risk.name != "rules"):
        return None
    ask = handoff.ask
    actions = (
        [each.action for each in ask.candidates if each.action]
        if isinstance(ask, wire.Choice)
        else [ask.action]
        if isinstance(ask, wire.Confirmation) and ask.action
        else []
    )
    if len(actions) > _MOST_SCORED:
        return Risk(1.0)
    return highest(
        judge(RiskQuestion(each.tool, each.args, ask.gate, handoff.agent, ask.reversible, handoff.requester or ""))
        for each in actions
    )
