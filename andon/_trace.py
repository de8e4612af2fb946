"""Hands the trace of the agent's own work on to the service, where the agent's process uses OpenTelemetry."""

import sys
from typing import Any

__all__ = ["trace_headers"]


def trace_headers() -> dict[str, str]:
    """Return the W3C headers of the current span; nothing where there is none. Imports nothing, and needs nothing."""
    opentelemetry: Any = sys.modules.get("opentelemetry.trace")
    if opentelemetry is None or not hasattr(opentelemetry, "get_current_span"):
        return {}
    context = opentelemetry.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    found = {"traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"}
    state = context.trace_state.to_header()
    return {**found, "tracestate": state} if state else found
