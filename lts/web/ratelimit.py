"""Rate limits of devices and addresses (docs/design/surface.md, Limits); memory holds only keys still paying.

A request counts for the device that it proves to come from, at its address. A request that proves nothing counts
only for the address.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from lts.config import RateLimits
from lts.errors import Refusal, RefusalCode
from lts.rules.metering.ratelimit import admit

SWEEP_SECONDS = 5.0
UNPROVEN_PER_MINUTE = 600
UNPROVEN_BURST = 3000
"""Of one address with one handshake code: the first start of a large company's devices behind one address."""

WORK_PER_MINUTE = 5000
WORK_BURST = 2000
"""Of an address, with large reports and authorizations (lts.rules.metering.workload.units_of): a fifth of a core."""


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


class Limits:
    """The limits of the client API. Raise Refusal 130 with Retry-After."""

    def __init__(self, settings: RateLimits, clock: Callable[[], float] = time.monotonic) -> None:
        refusals = settings.address_refusals_per_minute
        self._devices = Limiter(settings.device_requests_per_minute, settings.device_burst, clock)
        self._addresses = Limiter(refusals, refusals, clock)
        self._unproven = Limiter(UNPROVEN_PER_MINUTE, UNPROVEN_BURST, clock)
        self._work = Limiter(WORK_PER_MINUTE, WORK_BURST, clock)

    def device(self, device: bytes, address: str) -> None:
        """One request that proved to come from a device. Anybody who knows a device's UUID and handshake code can get a
        lease and tokens for it: from another address that must delay nobody."""
        _refuse_while(self._devices.take((device, address)), "from this device")

    def charge(self, device: bytes, address: str, requests: int, *, proven: bool = True) -> None:
        """A request of a device, or one that only names it, counts as this many more."""
        self._devices.charge((device, address) if proven else (device, address, "named"), requests)

    def check_work(self, address: str) -> None:
        """An address with too much work in its large requests waits with further ones."""
        _refuse_while(self._work.wait_of(address), "with many items or large reports from this address")

    def work(self, address: str, units: int) -> None:
        """A request of an address was so much work."""
        self._work.charge(address, units)

    def named_device(self, device: bytes, address: str) -> None:
        """One request that only names a device: it delays neither another address nor the device itself."""
        _refuse_while(self._devices.take((device, address, "named")), "for this device")

    def unproven(self, address: str, code: str) -> None:
        """One request of a device that is new, or does not prove to be known, with a handshake code."""
        _refuse_while(
            self._unproven.take((address, code)), "of devices that are new, or send no clone token, from this address"
        )

    def check_address(self, address: str) -> None:
        """An address with too many refused requests waits."""
        _refuse_while(self._addresses.wait_of(address), "from this address")

    def refused(self, address: str) -> None:
        self._addresses.take(address)


def _refuse_while(wait: float, what: str) -> None:
    if wait:
        seconds = int(wait) + 1
        raise Refusal(
            RefusalCode.TOO_MANY_REQUESTS, f"Too many requests {what}; wait {seconds} s.", retry_after=seconds
        )
