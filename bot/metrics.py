"""Counters and gauges in Prometheus' text format. Labels come from our own words only, so their number is bounded."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.handoff import Handoff

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)


class Metrics:
    """What this process has seen since it started."""

    def __init__(self, *, waiting: Callable[[], int], streams: Callable[[], int]) -> None:
        """`waiting` and `streams` tell how many agents wait on this process, read at each scrape."""
        self._registry = CollectorRegistry()
        self._asks = Counter("andon_asks", "Asks opened here.", ["kind", "timing"], registry=self._registry)
        self._decisions = Counter("andon_decisions", "Decisions made here.", ["kind", "by"], registry=self._registry)
        self._seconds = Histogram(
            "andon_decision_seconds",
            "From the card to a person's answer.",
            ["kind"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._claims = Counter("andon_claims", "Claims made here.", ["result"], registry=self._registry)
        self._outcomes = Counter("andon_outcomes", "Outcomes reported here.", ["status"], registry=self._registry)
        self._pending = Gauge("andon_pending", "Handoffs open in the store.", registry=self._registry)
        self._callbacks = Counter("andon_callbacks", "Callbacks sent here.", ["result"], registry=self._registry)
        self._callbacks_waiting = Gauge("andon_callbacks_waiting", "Callbacks not taken yet.", registry=self._registry)
        self._callbacks_late = Gauge(
            "andon_callbacks_late_seconds", "How long a callback has been due.", registry=self._registry
        )
        Gauge("andon_waiting", "Polls waiting here.", registry=self._registry).set_function(waiting)
        Gauge("andon_streams", "Event streams open here.", registry=self._registry).set_function(streams)
        self._policy_loads = Gauge("andon_policy_loads", "Policy files met here.", ["outcome"], registry=self._registry)
        self._policy_trouble = Gauge(
            "andon_policy_trouble", "1: the policy file is broken or gone.", registry=self._registry
        )

    def watch_policy(self, *, loads: Callable[[], Mapping[str, int]], trouble: Callable[[], bool]) -> None:
        """Read at each scrape how often a policy file was taken, refused or missed, and whether one is amiss now."""
        for outcome in loads():
            self._policy_loads.labels(outcome).set_function(partial(_of, loads, outcome))
        self._policy_trouble.set_function(lambda: float(trouble()))

    def opened(self, handoff: Handoff) -> None:
        """An ask was opened, perhaps decided at once."""
        timing = getattr(handoff.ask, "timing", "before")
        self._asks.labels(handoff.ask.kind, timing).inc()
        if handoff.decision:
            self._decisions.labels(handoff.decision.kind, handoff.decision.by.kind).inc()

    def decided(self, handoff: Handoff) -> None:
        """A decision won."""
        decision = handoff.decision
        if decision:
            self._decisions.labels(decision.kind, decision.by.kind).inc()
            if decision.by.kind == "person":
                self._seconds.labels(decision.kind).observe((decision.at - handoff.opened_at).total_seconds())

    def claimed(self, result: str) -> None:
        """A claim was answered: `permit`, or why not."""
        self._claims.labels(result).inc()

    def closed(self, status: str) -> None:
        """An outcome was recorded."""
        self._outcomes.labels(status).inc()

    def called_back(self, result: str) -> None:
        """A callback was `delivered`, or a try `failed`; one is `dead` when given up, `dropped` without a handoff."""
        self._callbacks.labels(result).inc()

    def text(self, *, pending: int, callbacks: tuple[int, float] = (0, 0.0)) -> bytes:
        """Everything, for a scrape; `callbacks`: how many wait, and for how many seconds one has been due."""
        self._pending.set(pending)
        self._callbacks_waiting.set(callbacks[0])
        self._callbacks_late.set(callbacks[1])
        return generate_latest(self._registry)


def _of(counts: Callable[[], Mapping[str, int]], name: str) -> float:
    return counts()[name]
