"""Rate limiting as one number per key: the generic cell rate algorithm, with a burst."""

from __future__ import annotations


def admit(due: float | None, now: float, interval: float, burst: int) -> tuple[float, float]:
    """One more request of a key at `now` (seconds of any steady clock).

    `due` is when the key's past requests are paid off (None: none yet); each request costs `interval` seconds, and
    up to `burst` may come at once. Returns (new due, 0.0) when it is admitted, else (due, seconds to wait).
    """
    start = now if due is None or due < now else due
    wait = start + interval - (now + interval * burst)
    if wait > 1e-9:
        return start, wait
    return start + interval, 0.0
