"""What work costs as its input grows: thread CPU at n and at 8n, so that other programs matter little."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

from lts.errors import LtsError

LARGER = 8
MOST = 2.6**3
"""How often the cost of n that of 8n may be: 2.6 for each doubling on average, where linear work has 2 and quadratic
work 4. A single doubling can show more, where what is worked on outgrows a cache."""
LEAST_SECONDS = 0.002
"""Below it the clock's own grain and the caches decide."""
DEAR_SECONDS = 0.2
"""A try this dear needs no larger input: quadratic work shows before it holds up the tests."""
HARMLESS_SECONDS = 0.02
"""What costs less at its largest holds up nobody, however it grows."""
ROUNDS = 15
REFUSING = (LtsError, ValueError)
"""What says that the input is bad; anything else is a fault of the test or of the program."""


def seconds(work: Callable[[Any], Any], given: Any) -> float:
    """Thread CPU of one try; that the input is refused is part of it."""
    begun = time.thread_time()
    with contextlib.suppress(*REFUSING):
        work(given)
    return max(time.thread_time() - begun, LEAST_SECONDS)


def assert_linear(make: Callable[[int], Any], work: Callable[[Any], Any], largest: int) -> None:
    """`work` on what `make` gives for a size costs no more than linear work does, up to `largest`.

    The least of some rounds counts: a busy machine makes single tries dearer, and no try cheaper than it is.
    """
    gc.disable()
    try:
        for size in _up_to(largest):
            cost = seconds(work, make(size))
            if cost > DEAR_SECONDS:
                largest = size
                break
        if cost < HARMLESS_SECONDS:
            return
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


def assert_no_dearer(dear: Callable[[], Any], cheap: Callable[[], Any], times: float) -> None:
    """`dear` takes at most so many times the thread CPU of `cheap`, by the least of some rounds of each."""
    least_dear = least_cheap = float("inf")
    for _ in range(ROUNDS):
        least_cheap = min(least_cheap, seconds(lambda _: cheap(), None))
        least_dear = min(least_dear, seconds(lambda _: dear(), None))
        if least_dear < least_cheap * times:
            return
    raise AssertionError(f"{least_dear * 1000:.1f} ms is over {times} times {least_cheap * 1000:.1f} ms")


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
    """Sizes that grow, the last one `largest`."""
    return [largest // share for share in (64, 16, 4, 1)]
