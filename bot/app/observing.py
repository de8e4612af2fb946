"""What is counted and traced."""

import os
from typing import Final

from bot.app.extras import packages_of
from bot.app.version import VERSION
from bot.config import Settings
from bot.hub import Hub
from bot.metrics import Metrics
from bot.policies import Policies
from bot.readiness import Pulse
from bot.store import Store
from bot.tracing import Traces

_OTLP: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def metrics_of(store: Store, hub: Hub, policies: Policies, pulse: Pulse, traces: Traces) -> Metrics:
    """Metrics that hear of what the store, the hub and the policy do; `traces` hear of the same facts."""
    metrics = Metrics(
        waiting=lambda: hub.waiting,
        streams=lambda: hub.streams,
        version=VERSION,
        late_s=lambda: pulse.late_s,
        traces=traces,
    )
    store.watch(tripped=metrics.tripped, troubled=metrics.troubled)
    metrics.watch_policy(loads=lambda: policies.loads, trouble=lambda: bool(policies.standing.trouble))
    return metrics


def traces_of(settings: Settings, store: Store) -> Traces:
    """Traces are recorded where an address for them is set: by our own setting, or by OpenTelemetry's standard ones."""
    standard = any(os.environ.get(name) for name in _OTLP)
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    if off or not (settings.otel_endpoint or standard):
        return Traces()
    with packages_of("otel", "tracing"):
        from bot.otel import OtelTraces

    return OtelTraces(endpoint=settings.otel_endpoint or "", version=VERSION, load=store.handoffs.load)
