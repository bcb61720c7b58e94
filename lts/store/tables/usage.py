"""Usage: packed day rows, hourly rollups, activity by slot, and the sums compared with quotas."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection

import apsw

from lts.protocol import SLOT_SECONDS, SLOTS_PER_DAY, slot_of
from lts.rules.licensing.catalog import LicenseItem
from lts.rules.metering.terms import CONCURRENT_WAYS, OVERDRAFT_PERIOD_SECONDS, overdraft_period, overdraft_periods
from lts.rules.metering.usage import OF_0_1, PRESENCE, TOGETHER
from lts.store import sql
from lts.store.changes.records import Grown, ReportChange
from lts.store.rows import activityrow
from lts.store.rows.dayrow import (
    DaySeries,
    DaySeriesKey,
    TypeKey,
    decode_day,
    encode_day,
    kin_of,
    raise_among,
    units_by_slot,
)
from lts.store.tables.typenames import TypesOfRow
from lts.store.writing.counters import Counters, SumKey
from lts.store.writing.snapshot import View
from lts.store.writing.transaction import Transaction

SLOTS_PER_HOUR = 20
OF_ITEM, OF_CODE = 0, 1
GRANTED_TALLY, REPORTED_TALLY = 0, 1
DEVICES_OF_DAY = SLOTS_PER_DAY


def devices_by_code(db: apsw.Connection, code: int, first_day: int, last_day: int = 1 << 40) -> set[int]:
    """Numbers of the devices that reported by a code on days `first_day` to `last_day` (since 1970, UTC)."""
    query = "SELECT DISTINCT device FROM usage_days WHERE day >= ? AND day <= ? AND code = ?"
    return {device for (device,) in sql.each(db, query, (first_day, last_day, code))}


def devices_between(db: apsw.Connection, code: int, begin: int, end: int) -> set[int]:
    """Numbers of the devices that reported by a code for slots from that of `begin` to before that of `end` (UTC
    seconds). Of the days at both ends, none of them closed, every row is read."""
    first, last = slot_of(begin), slot_of(end) - 1
    if last < first:
        return set()
    days = first // SLOTS_PER_DAY, last // SLOTS_PER_DAY
    found = devices_by_code(db, code, days[0] + 1, days[1] - 1)
    query = "SELECT device, data FROM usage_days WHERE day = ? AND code = ?"
    for day in set(days):
        for device, data in sql.each(db, query, (day, code)):
            every = (day * SLOTS_PER_DAY + slot for series in decode_day(data).values() for slot, _ in series.slots())
            if any(first <= slot <= last for slot in every):
                found.add(device)
    return found


def merge(tx: Transaction, record: ReportChange, device: int, time: int) -> Grown:
    """Apply the counts of a report of a device: the highest count of each slot stays, sums grow by the difference."""
    grown = Grown([], [])
    newest, apart = slot_of(time), record.apart
    by_day: defaultdict[int, dict[DaySeriesKey, list[_Part]]] = defaultdict(dict)
    for run in record.runs:
        slot, counts = newest - run.back, run.counts
        while counts:
            day, begin = divmod(slot, SLOTS_PER_DAY)
            branch, n = record.branch, SLOTS_PER_DAY - begin
            if slot < apart:
                branch, n = TOGETHER, min(n, apart - slot)
            by_day[day].setdefault((branch, run.item, run.type), []).append((begin, counts[:n]))
            counts = counts[n:]
            slot += n
    for day, of_day in by_day.items():
        _merge_day(tx, record.code, device, day, of_day, grown)
    if record.given:
        tx.gathered.tally(record.code, REPORTED_TALLY, time // 3600)
    return grown


_Part = tuple[int, list[int]]
"""(first slot of the day, counts): the part of a run within one day and one branch."""


def _merge_day(
    tx: Transaction, code: int, device: int, day: int, of_day: dict[DaySeriesKey, list[_Part]], grown: Grown
) -> None:
    query = "SELECT code, data FROM usage_days WHERE day = ? AND device = ?"
    rows = {code: decode_day(data) for code, data in sql.rows(tx.db, query, (day, device))}
    own = rows.setdefault(code, {})
    presence = _Presence(tx, code, day, rows)
    units = _Units(tx, own, day)
    closed = {key[1:] for key, series in own.items() if series.closed_sum is not None}
    for (branch, item, type_key), parts in of_day.items():
        kind = units.in_row(branch, item, type_key) if type_key != PRESENCE else PRESENCE
        key = branch, item, kind
        series = own.get(key)
        if series is None:
            if closed and (item, kind) in closed and branch not in OF_0_1:
                continue
            series = own[key] = DaySeries()
            units.changed = True
        elif series.closed_sum is not None:
            continue
        if kind == PRESENCE:
            rises, raised = presence.raise_parts(series, item, parts), grown.presence
        else:
            rises, raised = units.raise_parts(key, series, parts), grown.units
        if rises:
            raised.append((item, type_key, rises))
    if not (units.changed or presence.changed):
        return
    units.add(code, device)
    tx.execute("INSERT OR REPLACE INTO usage_days VALUES (?, ?, ?, ?)", (day, device, code, encode_day(own)))


class _Units:
    """Units of one device's day by one code; their growth is gathered by item, type and hour."""

    def __init__(self, tx: Transaction, row: dict[DaySeriesKey, DaySeries], day: int) -> None:
        self._tx = tx
        self._row = row
        self._day = day
        self._types = TypesOfRow(tx, row)
        self._branches = set(self._types.branches)
        self._grown: defaultdict[tuple[int, int], defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self.changed = False
        """Whether the row has changed."""

    def in_row(self, branch: int, item: int, type_key: TypeKey) -> TypeKey:
        """The type under which the row counts a type."""
        kind = self._types.in_row(branch, item, type_key)
        while self._types.moved:
            self._move(*self._types.moved.pop())
        return kind

    def raise_parts(self, key: DaySeriesKey, series: DaySeries, parts: list[_Part]) -> dict[int, int]:
        """Raise slots of the day of a series of the row; by how much the units rose in each slot since 1970."""
        branch, item, kind = key
        self._branches.add(branch)
        kin = kin_of(self._row, self._branches, item, kind) if len(self._branches) > 1 else None
        first = self._day * SLOTS_PER_DAY
        by_hour = self._grown[item, self._types.counted_as(kind)]
        risen: dict[int, int] = {}
        for begin, counts in parts:
            rises = series.raise_run(begin, counts) if kin is None else raise_among(series, kin, begin, counts)
            if rises:
                self.changed = True
                if kin is not None:
                    rises = [(slot, rise) for slot, rise in rises if rise]
            for slot, rise in rises:
                slot += first
                risen[slot] = rise
                by_hour[slot // SLOTS_PER_HOUR] += rise
        return risen

    def _move(self, number: int, digest: bytes) -> None:
        """A name that another server put under "(other)" in this row: all of it counts there."""
        self.changed = True
        for key in [key for key in self._row if key[2] == number]:
            branch, item, _ = key
            series = self._row.pop(key)
            self._row[branch, item, digest] = series
        other = self._types.counted_as(digest)
        for item, kind, slot, units in units_by_slot(self._row):
            if kind == digest:
                self._grown[item, number][self._hour(slot)] -= units
                self._grown[item, other][self._hour(slot)] += units

    def _hour(self, slot: int) -> int:
        return (self._day * SLOTS_PER_DAY + slot) // SLOTS_PER_HOUR

    def add(self, code: int, device: int) -> None:
        for (item, type_number), by_hour in self._grown.items():
            if not by_hour:
                continue
            for hour, rise in by_hour.items():
                self._tx.gathered.add_units(code, item, type_number, hour, rise)
            risen = sum(by_hour.values())
            self._tx.gathered.add_device_units((code, device, item, type_number, self._day), risen)
            self._tx.counters.add(("item", item, 0), risen)
            self._tx.counters.add(("code", code, item), risen)


class _Presence:
    """Activity of one device's day: distinct over all its codes and branches for an item, over the code's
    items for a code."""

    def __init__(self, tx: Transaction, code: int, day: int, rows: dict[int, dict[DaySeriesKey, DaySeries]]) -> None:
        self._tx = tx
        self._code = code
        self._day = day
        self._of_item: defaultdict[int, list[DaySeries]] = defaultdict(list)
        self._in_code = 0
        """Slots in which the code was used, as bits."""
        self._known_in_code = False
        self._counts = False
        """Whether some series counts instances."""
        self.changed = False
        for row_code, row in rows.items():
            for (_, item, type_number), series in row.items():
                if type_number == PRESENCE:
                    self._of_item[item].append(series)
                    self._counts = self._counts or series.counts is not None
                    if row_code == code:
                        self._in_code |= series.slots_as_bits()
                        self._known_in_code = True

    def raise_parts(self, series: DaySeries, item: int, parts: list[_Part]) -> dict[int, int]:
        """Raise slots of the day, and the activity with them; by how much each slot since 1970 rose."""
        same_item = self._of_item[item]
        spends = self._spends(item)
        for _, counts in () if self._counts else parts:
            if max(counts) > 1:
                self._counts = True
                break
        if spends or self._counts:
            risen = self._raise_counts(series, item, parts, spends)
        else:
            risen = self._raise_ones(series, item, parts)
        if series not in same_item:
            same_item.append(series)
        return risen

    def _raise_ones(self, series: DaySeries, item: int, parts: list[_Part]) -> dict[int, int]:
        """Where every count of the day is 1."""
        first, in_item = self._day * SLOTS_PER_DAY, 0
        risen: dict[int, int] = {}
        for one in self._of_item[item]:
            in_item |= one.bits
        in_code = self._in_code
        for begin, counts in parts:
            slots = series.raise_ones(begin, counts)
            if not slots:
                continue
            if not risen:
                of_item, of_code = self._begin(item)
            for slot in slots:
                risen[first + slot] = 1
                if not in_item >> slot & 1:
                    of_item[slot] += 1
                if not in_code >> slot & 1:
                    of_code[slot] += 1
        self._in_code = in_code | series.bits
        return risen

    def _raise_counts(self, series: DaySeries, item: int, parts: list[_Part], spends: bool) -> dict[int, int]:
        same_item = [one for one in self._of_item[item] if one is not series]
        first = self._day * SLOTS_PER_DAY
        risen: dict[int, int] = {}
        for begin, counts in parts:
            higher = [(slot, count) for slot, count in enumerate(counts, begin) if count > series.get(slot)]
            if not higher:
                continue
            if not risen:
                of_item, of_code = self._begin(item)
            for slot, count in higher:
                before = max([series.get(slot), *[one.get(slot) for one in same_item]])
                risen[first + slot] = series.raise_to(slot, count)
                if count > before:
                    of_item[slot] += count - before
                    if spends:
                        _spend_overdraft(self._tx, item, self._day, slot, count - before)
                if not self._in_code >> slot & 1:
                    of_code[slot] += 1
                    self._in_code |= 1 << slot
        return risen

    def _begin(self, item: int) -> tuple[array[int], array[int]]:
        """The activity of an item and of the code, in which the device is active from now on if it was not."""
        self.changed = True
        of_item = self._tx.gathered.activity((OF_ITEM, item, self._day))
        of_code = self._tx.gathered.activity((OF_CODE, self._code, self._day))
        of_item[DEVICES_OF_DAY] += not self._of_item[item]
        of_code[DEVICES_OF_DAY] += not self._known_in_code
        self._known_in_code = True
        return of_item, of_code

    def _spends(self, item_key: int) -> bool:
        """Whether activity of the item spends an overdraft."""
        item = self._tx.catalog.items.get(item_key)
        return item is not None and item.terms.charge_way in CONCURRENT_WAYS


def _spend_overdraft(tx: Transaction, item_key: int, day: int, slot: int, more: int) -> None:
    item = tx.catalog.items.get(item_key)
    if item is None:
        return
    moment = (day * SLOTS_PER_DAY + slot) * SLOT_SECONDS
    key: SumKey = ("overdraft", item_key, overdraft_period(item.terms, moment))
    if key not in tx.sums:
        return  # the first to need it computes it from the activity
    active = tx.gathered.activity((OF_ITEM, item_key, day))[slot]
    quota = item.terms.quota
    excess = max(0, active - quota) - max(0, active - more - quota)
    if excess:
        tx.counters.add(key, excess)


def load(db: apsw.Connection, counters: Counters) -> dict[str, int]:
    """Fill the unit sums from the rollups at start; returns the types by name."""
    for code, item, units in sql.rows(db, "SELECT code, item, sum(units) FROM usage_dates GROUP BY 1, 2"):
        counters.sums["item", item, 0] += units
        counters.sums["code", code, item] += units
    return {name: key for key, name in sql.rows(db, "SELECT id, name FROM types")}


def overdraft_spent(view: View, item: LicenseItem, now: int, item_now: int) -> int:
    """What a concurrent item has spent of its overdraft at `now`; see lts.rules.metering.terms.overdraft_periods."""
    return sum(_spent(view, item, period) for period in overdraft_periods(item.terms, now, item_now))


def _spent(view: View, item: LicenseItem, period: int) -> int:
    """The overdraft spent in a period.

    Read from the activity of that period's days, when first needed; the writer keeps it current from then on.
    """
    key: SumKey = ("overdraft", item.key, period)
    spent = view.sums.get(key)
    if spent is None:
        if isinstance(view, Transaction):
            view.gathered.write()
        spent = _spent_in_period(view.db, item, period)
        if isinstance(view, Transaction):
            view.counters.learn(key, spent)
    return spent


def _spent_in_period(db: apsw.Connection, item: LicenseItem, period: int) -> int:
    quota, spent = item.terms.quota, 0
    begin = item.terms.starts_at + period * OVERDRAFT_PERIOD_SECONDS
    slots = range(-(-begin // SLOT_SECONDS), -(-(begin + OVERDRAFT_PERIOD_SECONDS) // SLOT_SECONDS))
    query = "SELECT day, data FROM activity WHERE scope = ? AND id = ? AND day >= ? AND day <= ?"
    days = slots[0] // SLOTS_PER_DAY, slots[-1] // SLOTS_PER_DAY
    for day, data in sql.each(db, query, (OF_ITEM, item.key, *days)):
        counts = activityrow.decode(data)[:SLOTS_PER_DAY]
        if max(counts) > quota:
            first = day * SLOTS_PER_DAY
            spent += sum(n - quota for slot, n in enumerate(counts, first) if n > quota and slot in slots)
    return spent


def forget_overdraft(tx: Transaction, items: Collection[int] | None = None) -> None:
    """The quotas of these items (None = all) may have changed: the spent overdraft must be recomputed."""
    tx.counters.forget("overdraft", None if items is None else frozenset(items))
