"""Waiting for what another thread, process or program does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(what: Callable[[], object], seconds: float, words: str) -> None:
    """Poll until `what()` is true; AssertionError with `words` otherwise."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"not within {seconds} s: {words}"
        time.sleep(0.05)
