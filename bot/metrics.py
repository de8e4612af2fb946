"""Counters and gauges in Prometheus' text format. Labels are our own words, or few: their number is bounded."""

import platform
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from andon import wire
from bot.frequent import Counts, Spans
from bot.handoff import Handoff
from bot.store import Numbers
from bot.tracing import Traces

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
GATES: Final = 100
"""Gates with a label of their own: agents name them, so there may be any number."""
OTHER: Final = "other"

_HUMAN_S: Final = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
_MACHINE_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_WORK_S: Final = (0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600)
_STORE_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


class Metrics:
    """What this process has seen since it started, and how much waits in the store."""

    def __init__(
        self,
        *,
        waiting: Callable[[], int],
        streams: Callable[[], int],
        version: str = "",
        late_s: Callable[[], float] = float,
        traces: Traces | None = None,
    ) -> None:
        """`waiting` and `streams` tell how many agents wait on this process, `late_s` how late its loop is.

        `traces` hear of the same facts.
        """
        self._traces = traces or Traces()
        # Else every counter and histogram comes twice, the second time as when it began.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client's own gap
        registry = self._registry = CollectorRegistry()
        self._gates: set[str] = set()
        self._asks = Counter("andon_asks", "Asks opened here.", ["kind", "timing"], registry=registry)
        self._decisions = Counter("andon_decisions", "Decisions made here.", ["kind", "by"], registry=registry)
        self._gate_asks = Counter("andon_gate_asks", "Asks opened here, by gate.", ["gate"], registry=registry)
        self._gate_decisions = Counter(
            "andon_gate_decisions", "Decisions made here, by gate.", ["gate", "kind"], registry=registry
        )
        self._claims = Counter("andon_claims", "Claims made here.", ["result"], registry=registry)
        self._outcomes = Counter("andon_outcomes", "Outcomes reported here.", ["status"], registry=registry)
        self._lost = Counter("andon_runs_lost", "Runs that broke their promise and were lost.", registry=registry)
        self._card_s = self._histogram("andon_card", "From the ask to its card at a place.", _MACHINE_S, "surface")
        self._decision_s = self._histogram(
            "andon_decision", "From the ask to a person's answer.", _HUMAN_S, "kind", "surface"
        )
        self._told_s = self._histogram("andon_told", "From the decision to the poll that waits for it.", _MACHINE_S)
        self._claim_s = self._histogram("andon_claim", "From the decision to its claim.", _WORK_S)
        self._outcome_s = self._histogram("andon_outcome", "From the claim to the outcome.", _WORK_S, "status")
        self._deliveries = Counter(
            "andon_deliveries", "Calls that show people something.", ["surface", "result"], registry=registry
        )
        self._callbacks = Counter("andon_callbacks", "Callbacks sent here.", ["result"], registry=registry)
        self._brakes = Counter(
            "andon_brakes", "Orders to the brake taken here.", ["action", "result"], registry=registry
        )
        self._brake_s = self._histogram("andon_brake", "From an order to the brake to its reply.", _MACHINE_S)
        self._requests = Counts("andon_http_requests", "Requests answered here.", ["method", "route", "status"])
        self._request_s = Spans("andon_http_request_seconds", "Time to answer, waits included.", _MACHINE_S, ["route"])
        self._trip_s = Spans("andon_store_round_trip_seconds", "One batch of calls to Redis.", _STORE_S)
        self._troubles = Counter("andon_store_troubles", "Batches and reads that Redis failed.", registry=registry)
        Gauge("andon_waiting", "Polls waiting here.", registry=registry).set_function(waiting)
        Gauge("andon_streams", "Event streams open here.", registry=registry).set_function(streams)
        Gauge("andon_loop_lag_seconds", "The latest turn of the loop, of a minute.", registry=registry).set_function(
            late_s
        )
        self._policy_loads = Gauge("andon_policy_loads", "Policy files met here.", ["outcome"], registry=registry)
        self._policy_trouble = Gauge("andon_policy_trouble", "1: the policy file is broken or gone.", registry=registry)
        build = Gauge("andon_build_info", "What runs here.", ["version", "python"], registry=registry)
        build.labels(version, platform.python_version()).set(1)
        ProcessCollector(registry=registry)
        self._stored = _Stored()
        for collector in (self._requests, self._request_s, self._trip_s, self._stored):
            registry.register(collector)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{name}_seconds", about, labels, buckets=buckets, registry=self._registry)

    def watch_policy(self, *, loads: Callable[[], Mapping[str, int]], trouble: Callable[[], bool]) -> None:
        """Read at each scrape how often a policy file was taken, refused or missed, and whether one is amiss now."""
        for outcome in loads():
            self._policy_loads.labels(outcome).set_function(partial(_of, loads, outcome))
        self._policy_trouble.set_function(lambda: float(trouble()))

    # --- handoffs ---

    def opened(self, handoff: Handoff) -> None:
        """An ask was opened, perhaps decided at once."""
        timing = getattr(handoff.ask, "timing", "before")
        self._traces.opened(handoff)
        self._asks.labels(handoff.ask.kind, timing).inc()
        self._gate_asks.labels(self._gate(handoff)).inc()
        if handoff.decision:
            self._count(handoff, handoff.decision)

    def decided(self, handoff: Handoff) -> None:
        """A decision won."""
        decision = handoff.decision
        if decision:
            self._traces.decided(handoff)
            self._count(handoff, decision)
            if decision.by.kind == "person":
                waited = decision.at - handoff.opened_at
                self._decision_s.labels(decision.kind, decision.by.surface or OTHER).observe(_seconds(waited))

    def told(self, handoff: Handoff, at: datetime) -> None:
        """A poll that waited for the decision has it."""
        if handoff.decision and handoff.claim is None:
            self._told_s.observe(_seconds(at - handoff.decision.at))

    def claimed(self, handoff_id: str, handoff: Handoff | None, result: str, at: datetime | None) -> None:
        """A claim was answered: `permit`, or why not; `handoff` as it was known, if it was, and when it was claimed."""
        self._traces.claimed(handoff_id, handoff, result)
        self._claims.labels(result).inc()
        if handoff and handoff.decision and handoff.claim is None and at:
            self._claim_s.observe(_seconds(at - handoff.decision.at))

    def closed(self, status: str, handoff: Handoff | None, at: datetime | None) -> None:
        """An outcome was recorded; `handoff` as it was before, and when."""
        self._outcomes.labels(status).inc()
        if handoff:
            self._traces.closed(handoff, status)
        if handoff and handoff.claim and handoff.outcome is None and at:
            self._outcome_s.labels(status).observe(_seconds(at - handoff.claim.at))

    def lost(self) -> None:
        """A run was lost."""
        self._lost.inc()

    def called_back(self, result: str) -> None:
        """A callback was `delivered`, or a try `failed`; one is `dead` when given up, `dropped` without a handoff."""
        self._callbacks.labels(result).inc()

    def _count(self, handoff: Handoff, decision: wire.Decision) -> None:
        self._decisions.labels(decision.kind, decision.by.kind).inc()
        self._gate_decisions.labels(self._gate(handoff), decision.kind).inc()

    def _gate(self, handoff: Handoff) -> str:
        """The first hundred gates have a label each, the rest share one."""
        gate = handoff.ask.gate
        if gate not in self._gates:
            if len(self._gates) >= GATES:
                return OTHER
            self._gates.add(gate)
        return gate

    # --- what goes out ---

    def delivered(self, surface: str, result: str) -> None:
        """A surface was called: `posted`, `updated`, `told`, `throttled`, `refused`, `failed`; `dead`: given up."""
        self._deliveries.labels(surface, result).inc()

    def shown(self, handoff: Handoff, surface: str, since: datetime, at: datetime) -> None:
        """A card came to be at a place; the call that posted it began at `since`."""
        self._traces.shown(handoff, surface, since)
        self._card_s.labels(surface).observe(_seconds(at - handoff.opened_at))

    def braked(self, action: str, result: str, seconds: float) -> None:
        """An order to the brake was obeyed, or changed nothing."""
        self._brakes.labels(action, result).inc()
        self._brake_s.observe(seconds)

    # --- what comes in ---

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the template that it met."""
        self._requests.inc(method if method in _METHODS else OTHER, route, f"{status // 100}xx")
        self._request_s.observe(seconds, route)

    # --- the store ---

    def tripped(self, seconds: float) -> None:
        """A batch went to Redis and came back, or did not."""
        self._trip_s.observe(seconds)

    def troubled(self) -> None:
        """Redis failed this process."""
        self._troubles.inc()

    def text(self, numbers: Numbers | None) -> bytes:
        """Everything, for a scrape; `numbers` are None while the store is away."""
        self._stored.numbers = numbers
        return generate_latest(self._registry)


class _Stored(Collector):
    """What was counted in the store. While it is away nothing is told of it, rather than what was."""

    def __init__(self) -> None:
        self.numbers: Numbers | None = None

    def collect(self) -> Iterator[Metric]:
        now = self.numbers
        yield GaugeMetricFamily("andon_store_up", "1: the store answered.", value=float(now is not None))
        if now is None:
            return
        for name, about, value in (
            ("andon_pending", "Handoffs open in the store, held ones too.", now.open),
            ("andon_held", "Open handoffs that a brake holds.", now.held),
            ("andon_in_flight", "Handoffs that may be acted on and were not reported yet.", now.in_flight),
            ("andon_kept", "Handoffs in the store.", now.kept),
            ("andon_brakes_standing", "Brakes that are on.", now.brakes),
            ("andon_dead_cards", "Events that no card could be made to show.", now.dead_cards),
            ("andon_callbacks_waiting", "Callbacks not taken yet.", now.callbacks),
            ("andon_callbacks_late_seconds", "How long a callback has been due.", _seconds(now.callbacks_late)),
        ):
            yield GaugeMetricFamily(name, about, value=value)
        pending = GaugeMetricFamily("andon_outbox_pending", "Events in hand, not done.", labels=["queue"])
        waiting = GaugeMetricFamily("andon_outbox_waiting", "Events given to nobody yet.", labels=["queue"])
        oldest = GaugeMetricFamily("andon_outbox_oldest_seconds", "Age of the oldest of both.", labels=["queue"])
        for queue in now.read:
            pending.add_metric([queue.name], queue.pending)
            waiting.add_metric([queue.name], queue.waiting)
            oldest.add_metric([queue.name], _seconds(queue.oldest))
        yield from (pending, waiting, oldest)


def _seconds(span: timedelta) -> float:
    """Never below zero: two clocks may differ."""
    return max(0.0, span.total_seconds())


def _of(counts: Callable[[], Mapping[str, int]], name: str) -> float:
    return counts()[name]
