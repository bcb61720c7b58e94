"""The newest changes in memory, so that a standby in step costs no query: it asks a hundred times a second."""

from __future__ import annotations

import threading
from collections import deque

from lts.store.feed import Row, Vector

KEPT = 20_000


class Recent:
    """Changes in the order in which they were taken, and a bell that rings for each commit."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._rows: deque[Row] = deque(maxlen=KEPT)
        self._vector: Vector = {}
        self._listening = False

    def listen(self, vector: Vector) -> None:
        """Begin to keep changes; `vector` is how far the feed is now."""
        with self._news:
            self._listening = True
            self._vector = dict(vector)

    def add(self, rows: list[Row]) -> None:
        """These were committed."""
        if not self._listening:
            return
        with self._news:
            self._rows.extend(rows)
            for row in rows:
                self._vector[row[0]] = row[1]
            self._news.notify_all()

    def wait(self, known: Vector, seconds: float) -> None:
        """Sleep until some origin has gone beyond `known`, at most so long."""
        with self._news:
            self._news.wait_for(lambda: self._missing(known) > 0, seconds)

    def since(self, known: Vector, limit: int) -> list[Row] | None:
        """All changes beyond `known` in order; None when they are more than `limit`, or not all kept here."""
        with self._news:
            missing = self._missing(known)
            if missing > min(limit, len(self._rows)):
                return None
            found: list[Row] = []
            for row in reversed(self._rows):
                if len(found) == missing:
                    break
                if row[1] > known.get(row[0], 0):
                    found.append(row)
            return found[::-1] if len(found) == missing else None

    def _missing(self, known: Vector) -> int:
        return sum(max(0, serial - known.get(origin, 0)) for origin, serial in self._vector.items())
