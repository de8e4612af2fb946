"""Metrics of what happens several times in each call: counted in plain numbers, put in Prometheus' form at a scrape.

`prometheus_client` locks and looks labels up at each count, for threads that this process has not; for these metrics
alone that was a thirtieth of a handoff's CPU time.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Counts(Collector):
    """A counter with labels."""

    def __init__(self, name: str, about: str, labels: Sequence[str]) -> None:
        """Name it as `prometheus_client.Counter` would be."""
        self._named = name, about
        self._labels = labels
        self._counts: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def inc(self, *values: str) -> None:
        """One more."""
        self._counts[values] += 1

    def collect(self) -> Iterator[Metric]:
        """What was counted."""
        family = CounterMetricFamily(*self._named, labels=self._labels)
        for values, count in self._counts.items():
            family.add_metric(values, count)
        yield family


class Spans(Collector):
    """A histogram of seconds with labels."""

    def __init__(self, name: str, about: str, buckets: Sequence[float], labels: Sequence[str] = ()) -> None:
        """Name it as `prometheus_client.Histogram` would be; `buckets` end with their bounds, in seconds."""
        self._named = name, about
        self._buckets = buckets
        self._labels = labels
        self._seen: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}
        if not labels:
            self._add(())

    def observe(self, seconds: float, *values: str) -> None:
        """One more, and how long it took."""
        counts, total = self._seen.get(values) or self._add(values)
        counts[bisect_left(self._buckets, seconds)] += 1
        total[0] += seconds

    def _add(self, values: tuple[str, ...]) -> tuple[list[int], list[float]]:
        self._seen[values] = made = [0] * (len(self._buckets) + 1), [0.0]
        return made

    def collect(self) -> Iterator[Metric]:
        """What was seen."""
        family = HistogramMetricFamily(*self._named, labels=self._labels)
        bounds = [*(str(float(each)) for each in self._buckets), "+Inf"]
        for values, (counts, (total,)) in self._seen.items():
            family.add_metric(values, list(zip(bounds, accumulate(counts), strict=True)), total)
        yield family
