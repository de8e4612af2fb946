"""One trace from the ask to its outcome: taken over from the agent, kept in the store, and sent by OTLP."""

import asyncio
import logging
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator
from typing import Final

import pytest
from opentelemetry.sdk.trace import TracerProvider

from andon import Andon
from andon._trace import trace_headers
from bot import tracing
from bot.config import Settings
from bot.policy import CHECKPOINT
from tests.fakes.board import Board
from tests.fakes.collector import Collector
from tests.fakes.post_office import NEVER, QUICK
from tests.fakes.receiver import receiver, says
from tests.flows.paper_house import OPS, replica
from tests.people import Json
from tests.servers import ROOT, Live, bare_environment, live, until

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT: Final = f"00-{TRACE}-00f067aa0ba902b7-01"
WHOLE: Final = {
    "handoff.open",
    "handoff.policy",
    "card.post",
    "handoff.wait",
    "handoff.answer",
    "handoff.claim",
    "handoff.outcome",
}
STORY: Final = WHOLE - {"card.post"}


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with Collector().serving() as serving:
        yield serving


@pytest.fixture
def traced(settings: Settings, collector: Collector) -> Settings:
    return settings.model_copy(update={"otel_endpoint": collector.url})


async def open_traced(here: Live, parent: str = PARENT, **changes: object) -> Json:
    ask = await here.agent.confirmation(**changes)
    return (
        await here.agent.call("POST", "/v1/handoffs", ask, headers={"traceparent": parent, "tracestate": "a=1,b=2"})
    ).ok()


async def act(here: Live, asked: Json) -> None:
    """Approve, claim and report."""
    assert (await here.person.approve(asked)).status == 200
    decided = await here.agent.look(asked["id"])
    assert (await here.agent.claim(decided)).status == 200
    assert (await here.agent.report(decided, "executed", claimant="try-1")).status == 200


async def until_has(collector: Collector, *names: str) -> None:
    async def there() -> bool:
        return set(names) <= {span.name for span in collector.spans}

    await until(there, within_s=15, what=f"{names}; there are {[span.name for span in collector.spans]}")


async def test_one_trace_from_the_ask_to_its_outcome(traced: Settings, collector: Collector) -> None:
    async with Board("ops").serving() as board, replica(traced, board) as here:
        asked = await open_traced(here, to=[OPS])

        async def posted() -> bool:
            return bool(board.notes)

        await until(posted)
        await act(here, asked)
    await until_has(collector, *WHOLE)
    spans = collector.trace(asked["id"])
    assert set(spans) == WHOLE
    assert {span.trace for span in spans.values()} == {TRACE}
    root = spans.pop("handoff.open")
    assert root.parent == "00f067aa0ba902b7"
    assert {span.parent for span in spans.values()} == {root.id}
    assert {span.service for span in spans.values()} == {"andon"}
    assert spans["card.post"].attributes["andon.surface"] == "paper"
    assert spans["handoff.answer"].attributes["andon.decision"] == "approved"
    assert spans["handoff.claim"].attributes["andon.result"] == "permit"
    assert spans["handoff.wait"].ended_ns == spans["handoff.answer"].began_ns
    assert all(root.began_ns <= span.began_ns <= span.ended_ns for span in spans.values())


async def test_a_span_holds_no_arguments_and_nobodys_words(traced: Settings, collector: Collector) -> None:
    """Guard: traces go to yet another system, with other readers."""
    async with live(traced) as here:
        asked = await open_traced(
            here, what="the canary", why="the canary", action={"tool": "t", "args": {"a": "the canary"}}
        )
        await here.person.reject(asked, "the canary")
    await until_has(collector, "handoff.answer")
    assert b"canary" not in collector.raw
    assert asked["token"].encode() not in collector.raw


async def test_each_try_of_a_callback_is_a_span_that_the_receiver_goes_on_from(
    traced: Settings, collector: Collector
) -> None:
    settings = traced.model_copy(update={"callback_allow": "127.0.0.1"})
    async with receiver(says(503)) as hook, live(settings, schedule=QUICK) as here:
        admin = await here.new_admin()
        await admin.endpoint(hook.url, events=["handoff.decided"])
        asked = await open_traced(here)
        await here.person.approve(asked)
        await hook.got(1)
        hook.manner = says(200)
        await until_has(collector, "callback.post")

        async def taken() -> bool:
            return "200" in {span.attributes["andon.result"] for span in collector.named("callback.post")}

        await until(taken)
    (root,) = collector.named("handoff.open")
    tries = sorted(collector.named("callback.post"), key=lambda span: int(span.attributes["andon.try"]))
    assert tries[0].attributes["andon.result"] == "503"
    assert {(span.trace, span.parent) for span in tries} == {(TRACE, root.id)}
    assert {span.attributes["andon.handoff"] for span in tries} == {asked["id"]}
    sent = [request.headers["traceparent"] for request in hook.requests]
    assert sent == [f"00-{TRACE}-{span.id}-01" for span in tries]


async def test_a_callback_that_nobody_takes_is_a_span_that_says_so(traced: Settings, collector: Collector) -> None:
    settings = traced.model_copy(update={"callback_allow": "127.0.0.1"})
    async with receiver() as gone:
        url = gone.url
    async with live(settings, schedule=NEVER) as here:
        admin = await here.new_admin()
        await admin.endpoint(url)
        await here.person.approve(await open_traced(here))
        await until_has(collector, "callback.post")
    assert {span.attributes["andon.result"] for span in collector.named("callback.post")} == {"failed"}


async def test_it_goes_on_in_another_process_after_a_restart(traced: Settings, collector: Collector) -> None:
    """What links the spans is in the store, and not in anybody's memory."""
    async with live(traced) as first:
        asked = await open_traced(first)
    async with live(traced) as second, live(traced.model_copy(update={"state": traced.state / "third"})) as third:
        assert (await second.person.approve(asked)).status == 200
        decided = await third.agent.look(asked["id"])
        assert (await third.agent.claim(decided)).status == 200
        assert (await third.agent.report(decided, "executed", claimant="try-1")).status == 200
    await until_has(collector, *STORY)
    assert {span.trace for span in collector.spans} == {TRACE}


async def test_a_runs_trace_is_that_of_its_asks(traced: Settings, collector: Collector) -> None:
    async with live(traced) as here:
        run = (await here.agent.call("POST", "/v1/runs", {"name": "x"}, headers={"traceparent": PARENT})).ok()
        await here.agent.ask(run=run["id"])
    await until_has(collector, "handoff.open")
    assert [span.trace for span in collector.named("handoff.open")] == [TRACE]


async def test_without_a_trace_of_the_agents_it_begins_one(traced: Settings, collector: Collector) -> None:
    async with live(traced) as here:
        first, second = await here.agent.ask(), await here.agent.ask()
        await act(here, first)
    await until_has(collector, "handoff.outcome")
    roots = collector.named("handoff.open")
    assert [span.parent for span in roots] == ["", ""]
    assert len({span.trace for span in roots}) == 2
    assert set(collector.trace(first["id"])) == STORY
    assert set(collector.trace(second["id"])) == {"handoff.open", "handoff.policy"}


async def test_what_the_agent_does_not_sample_is_not_recorded(traced: Settings, collector: Collector) -> None:
    async with live(traced) as here:
        await open_traced(here, parent=PARENT.removesuffix("01") + "00")
        await here.agent.ask()
    await until_has(collector, "handoff.open")
    assert TRACE not in {span.trace for span in collector.spans}


async def test_an_open_that_is_refused_says_so(traced: Settings, collector: Collector) -> None:
    async with live(traced) as here:
        ask = await here.agent.confirmation(gate=CHECKPOINT)
        assert (await here.agent.open(ask)).status == 422
    await until_has(collector, "handoff.open")
    (span,) = collector.named("handoff.open")
    assert (span.failed, span.attributes["error.type"]) == (True, "InvalidBody")


async def kept(here: Live, asked: Json) -> str:
    found = await here.store.handoffs.load(asked["id"])
    assert found
    return found.trace


async def test_the_context_is_kept_where_nothing_is_recorded(service: Live) -> None:
    """So that what is called on the agent's behalf, such as a callback, goes on with its trace."""
    asked = await open_traced(service)
    assert tracing.headers(await kept(service, asked)) == {"traceparent": PARENT, "tracestate": "a=1,b=2"}
    assert await kept(service, await service.agent.ask()) == ""


async def test_a_handoff_of_no_trace_is_written_as_before(service: Live) -> None:
    """The version before this one finds nothing new in it."""
    asked = await service.agent.ask()
    packed = await service.store._client.hget(service.store.keys_of(asked["id"]).handoff(asked["id"]), "doc")
    assert isinstance(packed, bytes)
    assert b'"trace"' not in zlib.decompress(packed)


@pytest.mark.parametrize(
    "parent",
    [
        *("", "x", PARENT.upper(), PARENT[:-1], f"{PARENT}-more", f"ff{PARENT[2:]}", PARENT.replace(TRACE, "0" * 32)),
        *(PARENT.replace("00f067aa0ba902b7", "0" * 16), f"{PARENT}\x7f", PARENT.replace("-", "_")),
    ],
)
def test_a_malformed_context_is_none(parent: str) -> None:
    assert tracing.read({"traceparent": parent, "tracestate": "a=1"}) == ""


def test_a_later_version_may_have_more_parts() -> None:
    assert tracing.read({"traceparent": f"01{PARENT[2:]}-more"}) == f"01{PARENT[2:]}-more"
    assert tracing.read({"traceparent": PARENT, "tracestate": "x" * 513}) == PARENT
    assert tracing.read({"traceparent": PARENT, "tracestate": "a=\u00e9"}) == PARENT


async def test_lines_of_the_log_have_the_trace_of_their_handoff(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Those of a process that posts its card, too, which heard nothing of the agent."""
    caplog.set_level("INFO", "andon")
    seen: dict[str, str] = {}

    class Watching(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen[record.getMessage().partition(" ")[0]] = tracing.current_id()

    watching = Watching()
    logging.getLogger("andon").addHandler(watching)
    try:
        async with Board("ops").serving() as board, replica(settings, board) as here:
            await open_traced(here, to=[OPS])

            async def posted() -> bool:
                return "cards.posted" in seen

            await until(posted)
    finally:
        logging.getLogger("andon").removeHandler(watching)
    assert seen["cards.posted"] == TRACE
    assert tracing.current_id() == ""


# --- a collector that does not do its part ---


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its end the service waits half a second for the last spans."""
    monkeypatch.setattr("bot.otel._STOP_S", 0.5)


async def test_a_collector_that_hangs_holds_up_nobody(traced: Settings, collector: Collector, hasty: None) -> None:
    """Guard: neither calls nor the end of the service wait for it."""
    collector.hangs = asyncio.Event()
    async with live(traced) as here:
        slowest = 0.0
        for _ in range(30):
            began = time.monotonic()
            await act(here, await here.agent.ask())
            slowest = max(slowest, time.monotonic() - began)

        async def asked_for_it() -> bool:
            return collector.requests > 0

        await until(asked_for_it)
        began = time.monotonic()
        await act(here, await here.agent.ask())
        assert max(slowest, time.monotonic() - began) < 2
        began = time.monotonic()
    assert time.monotonic() - began < 4
    collector.hangs.set()


async def test_a_collector_that_is_gone_holds_up_nobody(settings: Settings, hasty: None) -> None:
    gone = settings.model_copy(update={"otel_endpoint": "http://127.0.0.1:9"})
    async with live(gone) as here:
        await act(here, await here.agent.ask())
        began = time.monotonic()
    assert time.monotonic() - began < 4


def test_what_waits_to_be_sent_is_bounded() -> None:
    from bot.otel import QUEUE, OtelTraces

    async def nobody(_: str) -> None:
        return None

    traces = OtelTraces(endpoint="http://127.0.0.1:9", version="1", load=nobody)
    processor = traces._provider._active_span_processor._span_processors[0]
    try:
        for _ in range(3 * QUEUE):
            with traces.opening(PARENT):
                pass
        assert len(processor._batch_processor._queue) <= QUEUE  # type: ignore[attr-defined]  # the SDK's own queue
    finally:
        processor.span_exporter.shutdown()  # type: ignore[attr-defined]  # likewise; else it tries for a while
        traces._provider.shutdown()


# --- where it is not set up ---


def test_nothing_of_it_is_imported_unless_it_is_set_up() -> None:
    """What Redis' client imports of OpenTelemetry by itself is its own affair."""
    code = """
import asyncio, sys
from bot.app.service import service
from bot.config import load_settings
async def run():
    async with service(load_settings(port=0)):
        pass
asyncio.run(run())
parts = ("bot.otel", "opentelemetry.exporter", "opentelemetry.sdk.trace")
ours = [name for name in sys.modules if name.startswith(parts)]
assert not ours, ours
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=bare_environment(), check=True, timeout=60)


def test_the_agents_package_imports_none_of_it() -> None:
    code = "import sys, andon; assert not [n for n in sys.modules if n.startswith('opentelemetry')]"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=bare_environment(), check=True, timeout=60)


# --- the agent's side ---


async def test_an_agent_hands_its_own_trace_on(service: Live) -> None:
    """An agent that uses OpenTelemetry finds its asks in its own trace; the package needs nothing for that."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("agent")
    assert trace_headers() == {}
    async with Andon(service.url, service.agent.key) as andon, andon.run("report") as run:
        ask = await service.agent.confirmation(run=run.id)
        with tracer.start_as_current_span("job") as span:
            mine = span.get_span_context()
            handoff = await run.open(ask)
        later = await run.open(ask)
    found = await service.store.handoffs.load(handoff.id)
    assert found
    assert found.trace == f"00-{mine.trace_id:032x}-{mine.span_id:016x}-{int(mine.trace_flags):02x}"
    assert await kept(service, {"id": later.id}) == ""
