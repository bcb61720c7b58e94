"""Waiting for what another thread, process or program does, however busy the machine is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

PATIENCE = 60.0
"""Seconds that a test waits for what must happen; only a test that fails ever waits so long."""
_T = TypeVar("_T")


def wait_until(what: Callable[[], object], words: str, seconds: float = PATIENCE) -> None:
    """Poll until `what()` is true; AssertionError with `words` otherwise."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"not within {seconds} s: {words}"
        time.sleep(0.02)


def stays(what: Callable[[], object], words: str, seconds: float) -> None:
    """Poll for `seconds`, in which `what()` must be true each time; AssertionError with `words` otherwise.

    For what must not happen, where the clock of another process decides when it would.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert what(), f"not for {seconds} s: {words}"
        time.sleep(0.05)


def ended(thread: threading.Thread) -> None:
    """Join a thread that must end; AssertionError when it does not."""
    thread.join(PATIENCE)
    assert not thread.is_alive(), f"{thread.name} does not end"


def in_time(call: Callable[[], _T]) -> _T:
    """What a call gives or raises; TimeoutError when it hangs."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised again below
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result(PATIENCE)
