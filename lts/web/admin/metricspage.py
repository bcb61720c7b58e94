"""The page of metrics for Prometheus: the counts of requests, with the store's own figures."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lts.service.core.context import Context
from lts.web.wire.metrics import BOUNDS, Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def page(metrics: Metrics) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Figures(metrics))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        counts = self._metrics.counts()
        counter = CounterMetricFamily(
            "lts_requests", "Client calls by answer: HTTP status, or code of the refusal", labels=["call", "code"]
        )
        for (call, code), n in counts.requests.items():
            counter.add_metric([call, str(code)], n)
        yield counter
        histogram = HistogramMetricFamily("lts_request_seconds", "Time to answer", labels=["call"])
        for call, ranges in counts.buckets.items():
            histogram.add_metric([call], _cumulative(ranges), counts.seconds[call])
        yield histogram
        yield from _of_the_store(self._metrics.ctx)
        for name, (words, value) in self._metrics.gauges.items():
            yield GaugeMetricFamily(name, words, value())


def _of_the_store(ctx: Context) -> Iterator[Metric]:
    writer = ctx.store.writer
    yield GaugeMetricFamily("lts_writer_queue", "Operations waiting for the next commit", writer.queue_depth)
    yield CounterMetricFamily(
        "lts_writer_operations", "Operations run; divided by commits: the batch size", writer.operations
    )
    yield CounterMetricFamily("lts_writer_commits", "Commits of the writer", writer.commits)
    yield GaugeMetricFamily("lts_feed_serial", "Serial of the newest change", ctx.store.serial)
    yield GaugeMetricFamily("lts_serving", "1 while clients are served", int(ctx.running.serves))


def _cumulative(counts: list[int]) -> list[tuple[str, float]]:
    total, rows = 0, []
    for bound, n in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
        total += n
        rows.append((bound, float(total)))
    return rows
