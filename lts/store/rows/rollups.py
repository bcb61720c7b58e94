"""Units, authorizations, reports and refusals summed by hour and by day: what statistics read. Written once a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import apsw

from lts.protocol import HOURS_PER_DAY

_UNITS = "INSERT INTO {} VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET units = units + excluded.units"
_UNITS_OF_HOURS, _UNITS_OF_DAYS = _UNITS.format("usage_hours"), _UNITS.format("usage_dates")
_EMPTY = "DELETE FROM {} WHERE code = ? AND item = ? AND type = ? AND {} = ? AND units = 0"
_TALLIES = "INSERT INTO {} VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"
_TALLIES_OF_HOURS, _TALLIES_OF_DAYS = _TALLIES.format("tallies"), _TALLIES.format("tally_dates")


def add_units(db: apsw.Connection, sums: Mapping[tuple[int, int, int, int], int]) -> None:
    """`sums` are units by (code, item, type, hour since 1970)."""
    days: defaultdict[tuple[int, int, int, int], int] = defaultdict(int)
    for (code, item, type_key, hour), units in sums.items():
        days[code, item, type_key, hour // HOURS_PER_DAY] += units
    db.executemany(_UNITS_OF_HOURS, [(*key, units) for key, units in sums.items()])
    db.executemany(_UNITS_OF_DAYS, [(*key, units) for key, units in days.items()])
    moved = [key for key, units in sums.items() if units < 0]
    if moved:  # a name that counts under "(other)" after all: as if it never had counted by itself
        db.executemany(_EMPTY.format("usage_hours", "hour"), moved)
        db.executemany(_EMPTY.format("usage_dates", "day"), [(*key[:3], key[3] // HOURS_PER_DAY) for key in moved])


def add_tallies(db: apsw.Connection, sums: Mapping[tuple[int, int, int], int]) -> None:
    """`sums` are counts by (code, what, hour since 1970)."""
    days: defaultdict[tuple[int, int, int], int] = defaultdict(int)
    for (code, what, hour), n in sums.items():
        days[code, what, hour // HOURS_PER_DAY] += n
    db.executemany(_TALLIES_OF_HOURS, [(*key, n) for key, n in sums.items()])
    db.executemany(_TALLIES_OF_DAYS, [(*key, n) for key, n in days.items()])
