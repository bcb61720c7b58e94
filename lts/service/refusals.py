"""Refused requests: counted for statistics, the last ones kept for "Why?" (docs/design/authorizing.md, Refusal codes).

A refused request changes nothing durable by itself; the counts go to the feed every few seconds.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from lts.store.records import Refused
from lts.store.store import Store

KEPT = 500


@dataclass(frozen=True)
class RefusedRequest:
    """One refused request; `asked` holds what was asked without secrets, `tried` (item id, code) in order."""

    time: int
    request_id: str
    code: int
    detail: str
    handshake_code: str | None
    asked: dict[str, Any]
    tried: tuple[tuple[str, int], ...]


class Refusals:
    """Thread-safe; counts wait here until `flush`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[int, int]] = Counter()
        self._latest: deque[RefusedRequest] = deque(maxlen=KEPT)

    def note(self, code_key: int, refused: RefusedRequest) -> None:
        """Keep a refusal; `code_key` is 0 when no handshake code was found."""
        with self._lock:
            self._counts[code_key, refused.code] += 1
            self._latest.appendleft(refused)

    def latest(self) -> list[RefusedRequest]:
        """The last refused requests, newest first."""
        with self._lock:
            return list(self._latest)

    def flush(self, store: Store, now: int) -> None:
        """Write the counts that wait; they stay when storing fails. Raises CannotStore."""
        with self._lock:
            counts = self._counts.copy()
        if not counts:
            return
        rows = tuple((code, what, n) for (code, what), n in sorted(counts.items()))
        store.write(lambda tx: tx.emit(Refused(rows), now))
        with self._lock:
            self._counts.subtract(counts)
            self._counts = +self._counts
