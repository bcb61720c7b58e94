"""The newest changes in memory, so that a standby in step costs no query: it asks a hundred times a second."""

from __future__ import annotations

import threading
from collections import deque

from lts.store.changes.feed import ChangeRow, Vector

KEPT, KEPT_BYTES = 20_000, 32 << 20
"""Changes that are kept, and bytes of their payloads."""


class Recent:
    """Recent changes in the order in which they were taken, and a signal at each commit."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._rows: deque[ChangeRow] = deque()
        self._bytes = 0
        self._vector: Vector = {}
        self._listening = False

    def listen(self, vector: Vector) -> None:
        """Begin to keep changes; `vector` is how far the feed is now."""
        with self._news:
            self._listening = True
            self._vector = dict(vector)

    def add(self, rows: list[ChangeRow]) -> None:
        """These were committed."""
        if not self._listening:
            return
        with self._news:
            self._rows.extend(rows)
            for row in rows:
                self._vector[row[0]] = row[1]
                self._bytes += len(row[4])
            while len(self._rows) > KEPT or self._bytes > KEPT_BYTES:
                self._bytes -= len(self._rows.popleft()[4])
            self._news.notify_all()

    def wait(self, known: Vector, seconds: float) -> None:
        """Sleep until some origin has gone beyond `known`, at most so long."""
        with self._news:
            self._news.wait_for(lambda: self._missing(known) > 0, seconds)

    def since(self, known: Vector, limit: int, most_bytes: int) -> list[ChangeRow] | None:
        """All changes beyond `known` in order; None if they are more than `limit` or their payloads have over
        `most_bytes`, or not all are kept here."""
        with self._news:
            missing = self._missing(known)
            if missing > min(limit, len(self._rows)):
                return None
            found: list[ChangeRow] = []
            size = 0
            for row in reversed(self._rows):
                if len(found) == missing or size > most_bytes:
                    break
                if row[1] > known.get(row[0], 0):
                    found.append(row)
                    size += len(row[4])
            return found[::-1] if len(found) == missing and size <= most_bytes else None

    def _missing(self, known: Vector) -> int:
        return sum(max(0, serial - known.get(origin, 0)) for origin, serial in self._vector.items())
