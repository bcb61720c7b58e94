"""Usage types by number, and where a device's day counts a type (docs/design/charging.md, Types)."""

from __future__ import annotations

from collections.abc import Iterable

from lts.rules.metering.usage import OF_0_1, OTHER_TYPE, PRESENCE, digest_of
from lts.store import sql
from lts.store.changes.records import TypeChange
from lts.store.rows.dayrow import DaySeries, DaySeriesKey, TypeKey, keys_of_day
from lts.store.tables import pair
from lts.store.writing.transaction import Transaction

MAX_NUMBERED = 50_000
"""Names with a number of their own, over all devices and forever: they stay in memory."""


def number_of(tx: Transaction, name: str, time: int) -> int:
    """The number of a usage type, given at first use."""
    key = tx.types.get(name)
    if key is None:
        key = tx.numbering.new("types")
        tx.emit(TypeChange(key, name), time)
    return key


def name_type(tx: Transaction, record: TypeChange) -> None:
    known = tx.types.get(record.name)
    if known is not None:
        pair.add_alias(tx, pair.TYPE, record.type, known)
        return
    tx.execute("INSERT INTO types VALUES (?, ?)", (record.type, record.name))
    tx.learn_type(record.name, record.type)


def series_of(tx: Transaction, device: int | None, code: int, day: int) -> Iterable[DaySeriesKey]:
    """What a device's day counts by a code; nothing of a device that is new (None)."""
    query = "SELECT data FROM usage_days WHERE day = ? AND device = ? AND code = ?"
    data = None if device is None else sql.value(tx.db, query, (day, device, code))
    return () if data is None else keys_of_day(data)


class TypesOfRow:
    """Under which type a row (one device's day by one code) counts each type of a report: under its own, or under what
    another server or LTS 0.1 counted it as before.

    `moved` holds (number, digest) of names with a number in the row that another server had put under "(other)";
    whoever calls `in_row` takes them from there, and moves their series.
    """

    def __init__(self, tx: Transaction, row: dict[DaySeriesKey, DaySeries]) -> None:
        self._tx = tx
        self._row = row
        self.branches: set[int] = set()
        self._digests: set[bytes] = set()
        self._other = tx.types.get(OTHER_TYPE)
        self._folded_by_0_1: set[int] = set()
        for branch, item, kind in row:
            self.branches.add(branch)
            if isinstance(kind, bytes):
                self._digests.add(kind)
            elif kind == self._other and branch in OF_0_1:
                self._folded_by_0_1.add(item)
        self._numbers: dict[bytes, int] | None = None
        self.moved: list[tuple[int, bytes]] = []

    def in_row(self, branch: int, item: int, type_key: TypeKey) -> TypeKey:
        """The type under which the row counts a type of an item on a branch."""
        if branch not in OF_0_1 and item in self._folded_by_0_1 and self._may_be_folded(item, type_key):
            return self._other or type_key
        if isinstance(type_key, bytes):
            if type_key not in self._digests:
                self._digests.add(type_key)
                number = self._numbers_by_digest().get(type_key)
                self.moved += [] if number is None else [(number, type_key)]
        elif self._digests and (digest := self._digest(type_key)) in self._digests:
            return digest
        return type_key

    def _may_be_folded(self, item: int, type_key: TypeKey) -> bool:
        """LTS 0.1 kept one highest count for all names beyond its limit, and gave them no numbers: such a row stays
        that way, since a repeated report may name one of them."""
        new = isinstance(type_key, bytes) or type_key > (self._other or 0)
        return new and not any((branch, item, type_key) in self._row for branch in self.branches)

    def counted_as(self, type_key: TypeKey) -> int:
        """The number of a type of the row in everything that is summed from it."""
        return type_key if isinstance(type_key, int) else self._tx.types[OTHER_TYPE]

    def _numbers_by_digest(self) -> dict[bytes, int]:
        if self._numbers is None:
            numbers = {kind for _, _, kind in self._row if isinstance(kind, int) and kind != PRESENCE}
            self._numbers = {self._digest(number): number for number in numbers}
        return self._numbers

    def _digest(self, number: int) -> bytes:
        return digest_of(str(sql.value(self._tx.db, "SELECT name FROM types WHERE id = ?", (number,))))
