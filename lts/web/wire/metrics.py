"""Counts of requests; counting costs a dictionary update under a lock. metricspage.py makes a page of them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from lts.service.core.context import Context

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds, the upper ends of all ranges but the last."""


class Counts(NamedTuple):
    """Requests by call and answer (HTTP status or code of the refusal); by call, how many fell into each range of
    `BOUNDS`, and their seconds together."""

    requests: dict[tuple[str, int | str], int]
    buckets: dict[str, list[int]]
    seconds: dict[str, float]


class Metrics:
    """What the client API did. `gauges` may be filled with more: name -> (help, function that gives the value now)."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self._lock = threading.Lock()
        self._requests: defaultdict[tuple[str, int | str], int] = defaultdict(int)
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def observe(self, call: str, code: int | str, seconds: float) -> None:
        """A call was answered after some seconds; `code` is the HTTP status, or the code of the refusal."""
        bucket = bisect_left(BOUNDS, seconds)
        with self._lock:
            self._requests[call, code] += 1
            self._buckets[call][bucket] += 1
            self._seconds[call] += seconds

    def counts(self) -> Counts:
        with self._lock:
            buckets = {call: list(counts) for call, counts in self._buckets.items()}
            return Counts(dict(self._requests), buckets, dict(self._seconds))
