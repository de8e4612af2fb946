"""Records handoffs' traces with OpenTelemetry and sends them by OTLP/HTTP. Imported only where that is set up.

A span tells ids, names of gates and surfaces, and kinds: never arguments, and nobody's words. Spans wait in a bounded
queue and are sent by a thread: a collector that is slow or gone costs spans, and nothing else.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from bot import tracing
from bot.handoff import Handoff
from bot.tracing import Calling, Traces

log = logging.getLogger("andon")

QUEUE: Final = 2_048
"""Spans that wait to be sent; of more, the oldest are dropped."""
_BATCH: Final = 512
_EVERY_MS: Final = 1_000.0
_SEND_S: Final = 5.0
_STOP_S: Final = 3.0

Load = Callable[[str], Awaitable[Handoff | None]]


class OtelTraces(Traces):
    """Spans of one process; each is linked to the others of its handoff by the context that the store keeps."""

    records = True

    def __init__(self, *, endpoint: str, version: str, load: Load) -> None:
        """`endpoint` is a collector's address without `/v1/traces`; empty: the standard variables say it."""
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "andon"}
        resource = Resource.create({"service.version": version, **named})
        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces" if endpoint else None, timeout=_SEND_S)
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter, max_queue_size=QUEUE, max_export_batch_size=_BATCH, schedule_delay_millis=_EVERY_MS
            )
        )
        self._tracer = self._provider.get_tracer("andon", version)
        self._load = load
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def opening(self, context: str) -> Iterator[None]:
        """A span of its own, which is the parent of all that follows, in whichever process."""
        span = self._tracer.start_span(
            "handoff.open", context=_parent(context), kind=SpanKind.SERVER, start_time=tracing.began_ns()
        )
        with tracing.working(_text(span.get_span_context())) as work:
            try:
                with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                    yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)  # its text may be anybody's words
                span.set_status(StatusCode.ERROR)
                raise
            finally:
                for name, began, ended in work.steps:
                    self._past(name, work.context, (began, ended))
                span.end()

    def opened(self, handoff: Handoff) -> None:
        """Say on the span at hand what was opened."""
        trace.get_current_span().set_attributes({**_about(handoff), **_decision(handoff)})

    def shown(self, handoff: Handoff, surface: str, since: datetime) -> None:
        """The call that posted the card."""
        self._past("card.post", handoff.trace, (_ns(since), time.time_ns()), handoff, {"andon.surface": surface})

    def decided(self, handoff: Handoff) -> None:
        """The wait for the decision, and, where a person made it, the answer."""
        decision = handoff.decision
        if decision is None:
            return
        now, about = time.time_ns(), _decision(handoff)
        began = tracing.began_ns() if decision.by.kind == "person" else _ns(decision.at)
        began = max(min(began, now), _ns(handoff.opened_at))
        self._past("handoff.wait", handoff.trace, (_ns(handoff.opened_at), began), handoff, about)
        if decision.by.kind == "person":
            self._past("handoff.answer", handoff.trace, (began, now), handoff, about)

    def claimed(self, handoff_id: str, handoff: Handoff | None, result: str) -> None:
        """The claim. A process that did not know the handoff reads it for this, beside the work."""
        began, now = tracing.began_ns(), time.time_ns()
        if handoff:
            self._past("handoff.claim", handoff.trace, (began, now), handoff, {"andon.result": result})
            return
        task = asyncio.create_task(self._claimed(handoff_id, result, began, now), name="trace of a claim")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _claimed(self, handoff_id: str, result: str, began: int, ended: int) -> None:
        try:
            handoff = await self._load(handoff_id)
        except Exception as error:  # noqa: BLE001  # a span is not worth more than a line
            log.debug("trace.lost id=%s error=%s", handoff_id, type(error).__name__)
            return
        if handoff:
            self._past("handoff.claim", handoff.trace, (began, ended), handoff, {"andon.result": result})

    def closed(self, handoff: Handoff, status: str) -> None:
        """The report of what came of it."""
        span = (tracing.began_ns(), time.time_ns())
        self._past("handoff.outcome", handoff.trace, span, handoff, {"andon.status": status})

    @contextmanager
    def calling(self, context: str, about: Mapping[str, str]) -> Iterator[Calling]:
        """One try of a callback. The receiver goes on from it."""
        parent = _parent(context)
        if parent is None:
            yield Calling(context)
            return
        span = self._tracer.start_span("callback.post", context=parent, kind=SpanKind.CLIENT, attributes=about)
        call = Calling(_text(span.get_span_context()), "failed")
        try:
            yield call
        finally:
            span.set_attribute("andon.result", call.result)
            span.end()

    def _past(
        self,
        name: str,
        context: str,
        lasted: tuple[int, int],
        handoff: Handoff | None = None,
        about: dict[str, str] | None = None,
    ) -> None:
        """A span of something that is over. What has no context belongs to no trace: it is of an older version."""
        parent = _parent(context)
        if parent is None:
            return
        attributes = {**(_about(handoff) if handoff else {}), **(about or {})}
        span = self._tracer.start_span(name, context=parent, start_time=lasted[0], attributes=attributes)
        span.end(max(lasted))

    async def close(self) -> None:
        """Send what is left. A thread does it, and is left alone when it takes too long."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.shutdown()
            if not loop.is_closed():
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=send, name="last traces", daemon=True).start()
        try:
            async with asyncio.timeout(_STOP_S):
                await done.wait()
        except TimeoutError:
            log.warning("trace.unsent seconds=%.0f", _STOP_S)


def _parent(context: str) -> Context | None:
    parent, _, state = context.partition("\n")
    if not parent:
        return None
    _, trace_id, span_id, flags, *_ = parent.split("-")
    known = SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16) & TraceFlags.SAMPLED),
        trace_state=TraceState.from_header([state] if state else []),
    )
    return trace.set_span_in_context(NonRecordingSpan(known), Context())


def _text(context: SpanContext) -> str:
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    state = context.trace_state.to_header()
    return f"{parent}\n{state}" if state else parent


def _about(handoff: Handoff) -> dict[str, str]:
    ask = handoff.ask
    return {
        "andon.handoff": handoff.id,
        "andon.run": handoff.run,
        "andon.agent": handoff.agent,
        "andon.gate": ask.gate,
        "andon.kind": ask.kind,
        "andon.timing": getattr(ask, "timing", "before"),
    }


def _decision(handoff: Handoff) -> dict[str, str]:
    decision = handoff.decision
    if decision is None:
        return {}
    return {"andon.decision": decision.kind, "andon.by": decision.by.kind, "andon.surface": decision.by.surface or ""}


def _ns(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1_000
