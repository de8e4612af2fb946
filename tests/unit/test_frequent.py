"""What is counted in plain numbers reads at a scrape exactly as the library's own metrics do."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

from bot.frequent import Counts, Spans

BUCKETS = (0.005, 0.1, 1, 2.5)
LABELS = st.sampled_from(["/a", "/b", 'a"b\\c\nd', "ü"])
SECONDS = st.floats(0, 10) | st.sampled_from([*BUCKETS, 0.0])

disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client's own gap


@given(st.lists(st.tuples(LABELS, LABELS)), st.lists(st.tuples(SECONDS, LABELS)), st.lists(SECONDS))
def test_it_reads_as_the_library_s_own(
    counted: list[tuple[str, str]], seen: list[tuple[float, str]], bare: list[float]
) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counts = Counts("asks", "How many.", ["a", "b"])
    spans = Spans("trip_seconds", "How long.", BUCKETS, ["route"])
    alone = Spans("round_seconds", "How long.", BUCKETS)
    for each in (counts, spans, alone):
        ours.register(each)
    counter = Counter("asks", "How many.", ["a", "b"], registry=theirs)
    histogram = Histogram("trip_seconds", "How long.", ["route"], buckets=BUCKETS, registry=theirs)
    lone = Histogram("round_seconds", "How long.", buckets=BUCKETS, registry=theirs)
    for a, b in counted:
        counts.inc(a, b)
        counter.labels(a, b).inc()
    for seconds, route in seen:
        spans.observe(seconds, route)
        histogram.labels(route).observe(seconds)
    for seconds in bare:
        alone.observe(seconds)
        lone.observe(seconds)
    assert generate_latest(ours) == generate_latest(theirs)
