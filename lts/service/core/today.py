"""What happened today and is limited, or reported only so often, in a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from lts.protocol import DAY_SECONDS
from lts.store.writing.transaction import Transaction


class Today:
    """How often each thing happened in a day (UTC); starts over with the day, and with the process.

    Only for operations of the writer. An addition is visible at once to the same transaction, to all once that is
    durable, and is dropped if it fails.
    """

    def __init__(self) -> None:
        self._day = 0
        self._kept: Counter[Hashable] = Counter()
        self._open: tuple[Transaction | None, Counter[Hashable]] = (None, Counter())
        self._open_day = 0

    def count(self, tx: Transaction, thing: Hashable, now: int) -> int:
        """How often it happened on the day of `now` (UTC seconds)."""
        added, day = self._of(tx), now // DAY_SECONDS
        if day not in (self._open_day, self._open_day - 1):  # at midnight a call of the day before may come later
            self._open_day = day
        return added[thing] + (self._kept[thing] if self._open_day == self._day else 0)

    def add(self, tx: Transaction, *things: Hashable) -> None:
        """Each happened once more."""
        self._of(tx).update(things)

    def first(self, tx: Transaction, thing: Hashable, now: int) -> bool:
        """Whether it happens the first time on the day of `now` (UTC seconds); it has happened then."""
        if self.count(tx, thing, now):
            return False
        self.add(tx, thing)
        return True

    def _of(self, tx: Transaction) -> Counter[Hashable]:
        if self._open[0] is not tx:
            self._open, self._open_day = (tx, Counter()), self._day
            tx.afterwards(self._keep)
        return self._open[1]

    def _keep(self) -> None:
        if self._open_day != self._day:
            self._day = self._open_day
            self._kept.clear()
        self._kept.update(self._open[1])
        self._open = None, Counter()
