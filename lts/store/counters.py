"""Running sums that rules ask for on every request, kept in memory by the writer.

All of them are sums of rows and can be loaded again from the tables; each change is additive, so a batch
that fails is undone by adding the opposites.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict

SumKey = tuple[str, int, int]
"""("item", item, 0) units used; ("code", code, item) of which by a code; ("overdraft", item, period)."""
SeatKey = tuple[int, int]
"""(item, 0) all live seats of an item; (item, code) those that came by a code."""


HOUR_SECONDS = 3600


def hour_of(unix_seconds: int) -> int:
    """Hour since 1970 in which a moment lies."""
    return unix_seconds // HOUR_SECONDS


class SeatCounts:
    """Live seats by the hour in which they end, so that an ended seat frees itself without a sweep.

    Hours keep the memory of a year's ends small; within the hour of now exact ends decide.
    """

    def __init__(self) -> None:
        self._hours: defaultdict[SeatKey, dict[int, int]] = defaultdict(dict)
        self._ahead: dict[SeatKey, tuple[int, int]] = {}
        self._ends: dict[tuple[SeatKey, int], list[int]] = {}

    def add(self, key: SeatKey, end: int, n: int = 1) -> None:
        """Count `n` (may be negative) seats that end at `end` (UTC seconds)."""
        hour = hour_of(end)
        hours = self._hours[key]
        left = hours.get(hour, 0) + n
        if left:
            hours[hour] = left
        else:
            hours.pop(hour, None)
        ahead = self._ahead.get(key)
        if ahead is not None and hour > ahead[0]:
            self._ahead[key] = (ahead[0], ahead[1] + n)
        ends = self._ends.get((key, hour))
        if ends is not None:
            for _ in range(abs(n)):
                if n > 0:
                    insort(ends, end)
                else:
                    del ends[bisect_left(ends, end)]

    def beyond_hour(self, key: SeatKey, now: int) -> int:
        """Seats that end in a later hour than the one of `now`."""
        hour = hour_of(now)
        ahead = self._ahead.get(key)
        if ahead is None or ahead[0] != hour:
            count = sum(n for end_hour, n in self._hours[key].items() if end_hour > hour)
            ahead = self._ahead[key] = (hour, count)
            self._ends = {k: v for k, v in self._ends.items() if k[1] == hour}
        return ahead[1]

    def ending_in_hour(self, key: SeatKey, now: int) -> int:
        """Seats that end in the hour of `now`, before or after it."""
        return self._hours[key].get(hour_of(now), 0)

    def known_ends(self, key: SeatKey, now: int) -> int | None:
        """Of those, the ones that end after `now`; None when their ends have not been loaded."""
        ends = self._ends.get((key, hour_of(now)))
        return None if ends is None else len(ends) - bisect_right(ends, now)

    def learn_ends(self, key: SeatKey, now: int, ends: list[int]) -> None:
        """Keep the exact ends (UTC seconds) of the seats that end in the hour of `now`."""
        self._ends[key, hour_of(now)] = sorted(ends)


class Counters:
    """Sums and seat counts with an undo log for the batch under way."""

    def __init__(self) -> None:
        self.sums: defaultdict[SumKey, int] = defaultdict(int)
        self.seats = SeatCounts()
        self._undo: list[tuple[SumKey | None, SeatKey, int, int]] = []

    def add(self, key: SumKey, n: int) -> None:
        """Add `n` to a sum."""
        self.sums[key] += n
        self._undo.append((key, (0, 0), 0, n))

    def add_seat(self, key: SeatKey, end: int, n: int) -> None:
        """Count seats, see SeatCounts.add."""
        self.seats.add(key, end, n)
        self._undo.append((None, key, end, n))

    def forget_undo(self) -> None:
        """The batch is committed."""
        self._undo.clear()

    def undo(self) -> None:
        """The batch failed: take back everything since the last commit."""
        for sum_key, seat_key, end, n in reversed(self._undo):
            if sum_key is None:
                self.seats.add(seat_key, end, -n)
            else:
                self.sums[sum_key] -= n
        self._undo.clear()
