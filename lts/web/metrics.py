"""Counts of requests, and the page for Prometheus; counting costs a dictionary update under a lock."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lts.service.context import Context

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics(Collector):
    """What the client API did, with the store's own figures."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def observe(self, path: str, status: int, seconds: float) -> None:
        """One request on a path was answered with a status after some seconds."""
        bucket = bisect_left(_BOUNDS, seconds)
        with self._lock:
            self._requests[path, status] += 1
            self._buckets[path][bucket] += 1
            self._seconds[path] += seconds

    def collect(self) -> Iterator[Metric]:
        """All figures, for prometheus_client."""
        with self._lock:
            requests = dict(self._requests)
            buckets = {path: list(counts) for path, counts in self._buckets.items()}
            seconds = dict(self._seconds)
        counter = CounterMetricFamily("lts_requests", "Client requests", labels=["path", "status"])
        for (path, status), n in requests.items():
            counter.add_metric([path, str(status)], n)
        yield counter
        histogram = HistogramMetricFamily("lts_request_seconds", "Time to answer", labels=["path"])
        for path, counts in buckets.items():
            histogram.add_metric([path], _cumulative(counts), seconds[path])
        yield histogram
        writer = self._ctx.store.writer
        yield GaugeMetricFamily(
            "lts_writer_queue", "Operations waiting for the next commit", writer.queue_depth
        )
        yield CounterMetricFamily("lts_writer_operations", "Operations run by the writer", writer.operations)
        yield CounterMetricFamily("lts_writer_commits", "Commits of the writer", writer.commits)
        yield GaugeMetricFamily("lts_feed_serial", "Serial of the newest change", self._ctx.store.serial)
        yield GaugeMetricFamily(
            "lts_serving", "1 while clients are served", int(self._ctx.status == "serving")
        )

    def page(self) -> bytes:
        """The figures in Prometheus' text format."""
        return generate_latest(self._registry)


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    total, rows = 0, []
    for bound, n in zip((*map(str, _BOUNDS), "+Inf"), counts, strict=True):
        total += n
        rows.append((bound, float(total)))
    return rows
