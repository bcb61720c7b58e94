"""How many authorizations of a handshake code failed in the last 60 minutes.

See docs/design/administering.md, Usage alerts.

Kept in memory by the minute: a restart or take-over starts counting from zero, and says nothing until there are enough.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque

MINUTES = 60
_PAUSE = 5
"""Minutes between two questions after which this server was not in charge meanwhile."""
_Minute = list[int]
"""[minute since 1970, failed, all]."""


class RecentCalls:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: defaultdict[int, deque[_Minute]] = defaultdict(lambda: deque(maxlen=MINUTES))
        self._watching = range(0)
        """Minutes from the first question to the last one, without a pause."""

    def note(self, code: int, now: int, *, failed: bool) -> None:
        """An authorization of a code (its number) was answered."""
        minute = now // 60
        with self._lock:
            minutes = self._codes[code]
            counts = next((one for one in reversed(minutes) if one[0] == minute), None)  # calls of two minutes cross
            if counts is None:
                counts = [minute, 0, 0]
                minutes.append(counts)
            counts[1] += failed
            counts[2] += 1

    def granted_within(self, code: int, begin: int, end: int) -> int:
        """Authorizations that a code gave from the minute of `begin` to before that of `end` (UTC seconds), as far as
        is known."""
        minutes = range(begin // 60, end // 60)
        with self._lock:
            return sum(n - failed for minute, failed, n in self._codes.get(code, ()) if minute in minutes)

    def of_last_hour(self, code: int, now: int) -> tuple[int, int] | None:
        """(failed, all) of a code, for the server in charge, who asks every minute. None if nothing is known: it was
        not in charge for an hour, and has had no call since."""
        minute = now // 60
        first = minute - MINUTES + 1
        with self._lock:
            counted = [one for one in self._codes.get(code, ()) if first <= one[0] <= minute]
            goes_on = -1 <= minute - self._watching.stop < _PAUSE
            self._watching = range(self._watching.start if goes_on else minute, minute + 1)
        if not counted and self._watching.start > first:
            return None
        return sum(one[1] for one in counted), sum(one[2] for one in counted)
