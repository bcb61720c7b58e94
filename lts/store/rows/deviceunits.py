"""Units by device: one row for 64 days of a (code, device, item, type), a column for each day and one for their sum.

Few enough rows for SQL to sum up a year of every device, and a report changes one of them. Whole rows are read by
their sum, those at the ends of a range by its days. Written once a batch, like lts.store.rows.rollups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import apsw

from lts.store import sql
from lts.store.rows.dayrow import sums_of_day

SPAN = 64
"""Days a row holds, as migration 2 made it; the number of a span is day since 1970 // SPAN."""
Key = tuple[int, int, int, int, int]
"""(code, device, item, type, day since 1970)."""

_ADD = (
    "INSERT INTO usage_devices (code, span, device, item, type, units, d{0}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)"
    " ON CONFLICT DO UPDATE SET units = units + excluded.units, d{0} = d{0} + excluded.d{0}"
)
_ADD_OF_DAY = [_ADD.format(n) for n in range(SPAN)]
_EMPTY = "DELETE FROM usage_devices WHERE code = ? AND span = ? AND device = ? AND item = ? AND type = ? AND units = 0"


def add(db: apsw.Connection, sums: Mapping[Key, int]) -> None:
    rows: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    for (code, device, item, type_key, day), units in sums.items():
        rows[day % SPAN].append((code, day // SPAN, device, item, type_key, units))
    for day_of_span, values in rows.items():
        db.executemany(_ADD_OF_DAY[day_of_span], values)
        moved = [value[:5] for value in values if value[5] < 0]
        if moved:
            db.executemany(_EMPTY, moved)


def fill(db: apsw.Connection) -> None:
    """Compute the table from the day rows (migration 2), a day at a time."""
    for (day,) in sql.rows(db, "SELECT DISTINCT day FROM usage_days"):
        sums: defaultdict[Key, int] = defaultdict(int)
        for device, code, data in sql.each(db, "SELECT device, code, data FROM usage_days WHERE day = ?", (day,)):
            for item, type_key, units in sums_of_day(data):
                if isinstance(type_key, int) and type_key and units:
                    sums[code, device, item, type_key, day] += units
        add(db, sums)


def parts(first_day: int, last_day: int) -> list[tuple[str, int, int]]:
    """How days [first, last] are summed up: (expression, first span, last span) of rows that are treated alike."""
    first, last = first_day // SPAN, last_day // SPAN
    begin, end = first_day % SPAN, last_day % SPAN
    if first == last:
        return [(_sum(begin, end), first, last)]
    return [(_sum(begin, SPAN - 1), first, first), ("units", first + 1, last - 1), (_sum(0, end), last, last)]


def _sum(begin: int, end: int) -> str:
    """The units of some days of a row: summed up, or all minus the other days, whichever are fewer."""
    inside = [f"d{n}" for n in range(begin, end + 1)]
    outside = [f"d{n}" for n in range(SPAN) if not begin <= n <= end]
    return " + ".join(inside) if len(inside) < len(outside) else " - ".join(["units", *outside])
