"""Running sums that rules need on every request, kept in memory by the writer.

All of them are sums of rows and can be loaded again from the tables; each change is additive, so a batch
that fails is undone by adding the opposites.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable

SumKey = tuple[str, int, int]
"""("item", item, 0) units used; ("code", code, item) those by a code; ("overdraft", item, period)."""
SeatKey = tuple[int, int]
"""(item, 0) all live seats of an item; (item, code) those granted by a code."""


HOUR_SECONDS = 3600


def hour_of(unix_seconds: int) -> int:
    """Hour since 1970 of a moment."""
    return unix_seconds // HOUR_SECONDS


class Ends:
    """How many seats end at each moment (hours or seconds since 1970), and how many after a given one.

    The sum is kept current as time passes, so that each moment is added once.
    """

    __slots__ = ("_after", "_asked", "at")

    def __init__(self) -> None:
        self.at: dict[int, int] = {}
        self._asked = 0
        self._after = 0

    def add(self, moment: int, n: int) -> None:
        """`n` (may be negative) more seats end at a moment."""
        left = self.at.get(moment, 0) + n
        if left:
            self.at[moment] = left
        else:
            self.at.pop(moment, None)
        if moment > self._asked:
            self._after += n

    def after(self, moment: int) -> int:
        asked, at = self._asked, self.at
        if abs(moment - asked) > len(at):
            self._after = sum(n for end, n in at.items() if end > moment)
        elif moment > asked:
            self._after -= sum(at.get(passed, 0) for passed in range(asked + 1, moment + 1))
        elif moment < asked:
            self._after += sum(at.get(back, 0) for back in range(moment + 1, asked + 1))
        self._asked = moment
        return self._after


class SeatCounts:
    """Live seats by the hour in which they end, so that an ended seat is freed without a sweep.

    Hours keep the memory of a year's ends small; within the current hour exact ends decide, once they are loaded.
    """

    def __init__(self) -> None:
        self._hours: defaultdict[SeatKey, Ends] = defaultdict(Ends)
        self._known: dict[int, tuple[int, defaultdict[int, Ends]]] = {}

    def add(self, item: int, codes: tuple[int, ...], end: int, n: int) -> None:
        """Count `n` (may be negative) seats granted by these codes that end at `end` (UTC seconds)."""
        hour = hour_of(end)
        known = self._known.get(item)
        exact = known[1] if known is not None and known[0] == hour else None
        for code in (0, *codes):
            self._hours[item, code].add(hour, n)
            if exact is not None:
                exact[code].add(end, n)

    def move(self, item: int, codes: tuple[int, ...], before: int, end: int, n: int) -> None:
        """Count `n` seats that ended at `before` as ending at `end` (UTC seconds)."""
        hour, known = hour_of(end), self._known.get(item)
        if hour != hour_of(before) or (known is not None and known[0] == hour):
            self.add(item, codes, before, -n)
            self.add(item, codes, end, n)

    def learn(self, item: int, now: int, ends: Iterable[tuple[int, int, int]]) -> None:
        """Keep the exact ends of all seats of an item that end in the hour of `now`: (code, UTC seconds, how many)."""
        by_code: defaultdict[int, Ends] = defaultdict(Ends)
        for code, end, n in ends:
            by_code[code].add(end, n)
        self._known[item] = hour_of(now), by_code

    def live(self, key: SeatKey, now: int) -> int | None:
        """Seats that end after `now`; None if the exact ends in its hour are to be learned first."""
        hour, hours = hour_of(now), self._hours[key]
        later = hours.after(hour)
        if hour not in hours.at:
            return later
        known = self._known.get(key[0])
        return later + known[1][key[1]].after(now) if known is not None and known[0] == hour else None


class Counters:
    """Sums and seat counts with an undo log for the batch under way."""

    def __init__(self) -> None:
        self.sums: defaultdict[SumKey, int] = defaultdict(int)
        self.seats = SeatCounts()
        self.concurrent_seats = SeatCounts()
        self._learned: list[SumKey] = []
        self._undo: list[tuple[SumKey, int]] = []
        self._undo_seats: list[tuple[SeatCounts, int, tuple[int, ...], int, int]] = []

    def add(self, key: SumKey, n: int) -> None:
        self.sums[key] += n
        self._undo.append((key, n))

    def learn(self, key: SumKey, n: int) -> None:
        """Keep a sum that was read from the tables, with what this batch has written to them."""
        self.sums[key] = n
        self._learned.append(key)

    def forget(self, kind: str, items: Container[int] | None = None) -> None:
        """Sums of this kind, of these items or of all, must be learned again."""
        for key in [key for key in self.sums if key[0] == kind and (items is None or key[1] in items)]:
            del self.sums[key]

    def add_seats(self, counts: SeatCounts, item: int, codes: tuple[int, ...], end: int, n: int) -> None:
        """Count seats, or instances of concurrent ones, see SeatCounts.add."""
        counts.add(item, codes, end, n)
        self._undo_seats.append((counts, item, codes, end, n))

    def move_seats(self, counts: SeatCounts, item: int, codes: tuple[int, ...], before: int, end: int, n: int) -> None:
        """Seats, or instances of concurrent ones, end later, see SeatCounts.move."""
        counts.move(item, codes, before, end, n)
        self._undo_seats += ((counts, item, codes, before, -n), (counts, item, codes, end, n))

    def forget_undo(self) -> None:
        """The batch is committed."""
        self._undo.clear()
        self._undo_seats.clear()
        self._learned.clear()

    def undo(self) -> None:
        """The batch failed: take back everything since the last commit."""
        for key, n in self._undo:
            if key in self.sums:
                self.sums[key] -= n
        for counts, item, codes, end, n in self._undo_seats:
            counts.add(item, codes, end, -n)
        for key in self._learned:
            self.sums.pop(key, None)
        self.forget_undo()
