"""What work costs as its input grows: thread CPU at n and at 8n, so that other programs matter little."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

LARGER = 8
MOST = 20
"""How often the cost of n that of 8n may be: 8 in linear work, 64 in quadratic work; caches take a share."""
LEAST_SECONDS = 0.002
"""Below it the clock's own grain and the caches decide."""
DEAR_SECONDS = 0.2
"""A try this dear needs no larger input: quadratic work shows before it holds up the tests."""
HARMLESS_SECONDS = 0.05
"""What costs less at its largest holds up nobody, however it grows."""
ROUNDS = 15


def seconds(work: Callable[[Any], Any], given: Any) -> float:
    """Thread CPU of one try; what the work raises is part of it."""
    begun = time.thread_time()
    with contextlib.suppress(Exception):
        work(given)
    return max(time.thread_time() - begun, LEAST_SECONDS)


def assert_linear(make: Callable[[int], Any], work: Callable[[Any], Any], largest: int) -> None:
    """`work` on what `make` gives for a size costs no more than linear work does, up to `largest`.

    The least of some rounds counts: a busy machine makes single tries dearer, and no try cheaper than it is.
    """
    gc.collect()
    gc.disable()
    try:
        largest = next((size for size in _up_to(largest) if seconds(work, make(size)) > DEAR_SECONDS), largest)
        small, large = make(largest // LARGER), make(largest)
        least_small = least_large = float("inf")
        for _ in range(ROUNDS):
            least_small = min(least_small, seconds(work, small))
            least_large = min(least_large, seconds(work, large))
            if least_large < max(least_small * MOST, HARMLESS_SECONDS):
                return
    finally:
        gc.enable()
    raise AssertionError(f"{least_small * 1000:.1f} ms at n, {least_large * 1000:.1f} ms at {LARGER}n")


def assert_all_linear(forms: Mapping[str, Callable[[int], Any]], work: Callable[[Any], Any], largest: int) -> None:
    """The same for many forms of input, of which most cost too little to be looked at more than once."""
    for name, make in forms.items():
        if seconds(work, make(largest)) < HARMLESS_SECONDS:
            continue
        try:
            assert_linear(make, work, largest)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def _up_to(largest: int) -> list[int]:
    """Sizes that double, the last one `largest`."""
    return [largest // share for share in (64, 32, 16, 8, 4, 2, 1)]
