"""So many requests a minute of each key (docs/design/surface.md, Limits); memory holds only keys still paying."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from lts.rules.metering.ratelimit import admit

SWEEP_SECONDS = 5.0


class Limiter:
    """So many requests a minute of each key."""

    def __init__(self, per_minute: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 60.0 / per_minute
        self._burst = burst
        self._clock = clock
        self._due: dict[Hashable, float] = {}
        self._lock = threading.Lock()
        self._next_sweep = 0.0

    def take(self, key: Hashable) -> float:
        """Count one request; returns the seconds to wait if it is too many, else 0."""
        now = self._clock()
        with self._lock:
            self._sweep(now)
            due, wait = admit(self._due.get(key), now, self._interval, self._burst)
            self._due[key] = due
        return wait

    def charge(self, key: Hashable, requests: int) -> None:
        """Count this many more requests, which were already admitted: later ones wait longer."""
        now = self._clock()
        with self._lock:
            self._sweep(now)
            self._due[key] = max(self._due.get(key, now), now) + self._interval * requests

    def wait_of(self, key: Hashable) -> float:
        """Seconds until a request of the key would be admitted, without counting one."""
        now = self._clock()
        return admit(self._due.get(key), now, self._interval, self._burst)[1]

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._due.pop(key, None)

    def __len__(self) -> int:
        return len(self._due)

    def _sweep(self, now: float) -> None:
        if now >= self._next_sweep:
            self._due = {key: due for key, due in self._due.items() if due > now}
            self._next_sweep = now + SWEEP_SECONDS
