"""Which addresses sent too many new devices within the last day, for an administrator (docs/design/surface.md, Limits).

Kept in memory: a restart forgets it.
"""

from __future__ import annotations

import threading

from lts.protocol import DAY_SECONDS
from lts.rules.alerting.notices import WARNING, Notice

MOST = 10
"""Addresses that are remembered, the latest."""


class Newcomers:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], int] = {}

    def note(self, address: str, code: str, now: int) -> None:
        """A request of a new device was one too many, at `now` (UTC seconds)."""
        with self._lock:
            self._last.pop((address, code), None)
            self._last[address, code] = now
            if len(self._last) > MOST:
                del self._last[next(iter(self._last))]

    def notices(self, now: int) -> list[Notice]:
        """What an administrator should know of the last day."""
        with self._lock:
            return [_notice(*key) for key, last in self._last.items() if now - last < DAY_SECONDS]


def _notice(address: str, code: str) -> Notice:
    sentence = (
        f"Within a day very many new devices asked from {address} with the handshake code {code}, and some were asked"
        " to wait. If they are yours, they try again by themselves, and a proxy in between belongs in trustedProxies;"
        " otherwise give that code a session password, or a new name."
    )
    return Notice("many-new-devices", sentence, WARNING, {"address": address, "code": code})
