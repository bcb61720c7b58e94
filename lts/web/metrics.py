"""Counts of requests, and the page for Prometheus; counting costs a dictionary update under a lock."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lts.service.context import Context

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics(Collector):
    """What the client API did, with the store's own figures.

    `gauges` may be filled with more: name -> (help, function that gives the value now).
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self._lock = threading.Lock()
        self._requests: defaultdict[tuple[str, int | str], int] = defaultdict(int)
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def observe(self, call: str, code: int | str, seconds: float) -> None:
        """A call was answered after some seconds; `code` is the HTTP status, or the code of the refusal."""
        bucket = bisect_left(_BOUNDS, seconds)
        with self._lock:
            self._requests[call, code] += 1
            self._buckets[call][bucket] += 1
            self._seconds[call] += seconds

    def collect(self) -> Iterator[Metric]:
        """All figures, for prometheus_client."""
        with self._lock:
            requests = dict(self._requests)
            buckets = {call: list(counts) for call, counts in self._buckets.items()}
            seconds = dict(self._seconds)
        counter = CounterMetricFamily(
            "lts_requests", "Client calls by answer: HTTP status, or code of the refusal", labels=["call", "code"]
        )
        for (call, code), n in requests.items():
            counter.add_metric([call, str(code)], n)
        yield counter
        histogram = HistogramMetricFamily("lts_request_seconds", "Time to answer", labels=["call"])
        for call, counts in buckets.items():
            histogram.add_metric([call], _cumulative(counts), seconds[call])
        yield histogram
        yield from self._of_the_store()
        for name, (words, value) in self.gauges.items():
            yield GaugeMetricFamily(name, words, value())

    def _of_the_store(self) -> Iterator[Metric]:
        writer = self._ctx.store.writer
        yield GaugeMetricFamily("lts_writer_queue", "Operations waiting for the next commit", writer.queue_depth)
        yield CounterMetricFamily(
            "lts_writer_operations", "Operations run; divided by commits: the batch size", writer.operations
        )
        yield CounterMetricFamily("lts_writer_commits", "Commits of the writer", writer.commits)
        yield GaugeMetricFamily("lts_feed_serial", "Serial of the newest change", self._ctx.store.serial)
        yield GaugeMetricFamily("lts_serving", "1 while clients are served", int(self._ctx.status == "serving"))

    def page(self) -> bytes:
        """The figures in Prometheus' text format."""
        return generate_latest(self._registry)


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    total, rows = 0, []
    for bound, n in zip((*map(str, _BOUNDS), "+Inf"), counts, strict=True):
        total += n
        rows.append((bound, float(total)))
    return rows
