"""Questions about usage, answered from the hourly rollups, the activity and the day rows."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import apsw

from lts.protocol import SLOTS_PER_DAY
from lts.store import sql
from lts.store.dayrow import decode_day

HOURS_PER_DAY = 24


@dataclass(frozen=True)
class Selection:
    """Which usage: codes and items by number (None = all), days [first, last] since 1970, UTC."""

    codes: tuple[int, ...] | None
    items: tuple[int, ...] | None
    first_day: int
    last_day: int


def _where(selection: Selection) -> tuple[str, tuple[int, ...]]:
    parts, values = (
        ["hour >= ?", "hour < ?"],
        [
            selection.first_day * HOURS_PER_DAY,
            (selection.last_day + 1) * HOURS_PER_DAY,
        ],
    )
    for column, keys in (("code", selection.codes), ("item", selection.items)):
        if keys is not None:
            parts.append(f"{column} IN ({','.join('?' * len(keys))})")
            values.extend(keys)
    return " AND ".join(parts), tuple(values)


def units_by(db: apsw.Connection, selection: Selection, grouping: str) -> dict[tuple[int, int], int]:
    """Units by (group, type): the group is the hour since 1970, the day since 1970, or 0 for all."""
    column = {"hour": "hour", "day": "hour / 24", "type": "0"}[grouping]
    where, values = _where(selection)
    query = f"SELECT {column}, type, sum(units) FROM usage_hours WHERE {where} GROUP BY 1, 2"  # noqa: S608 - fixed columns and question marks
    return {(group, type_key): units for group, type_key, units in sql.rows(db, query, values)}


def units_by_device(db: apsw.Connection, selection: Selection) -> dict[tuple[int, int], int]:
    """Units by (device number, type), from the day rows and the sums they keep."""
    totals: dict[tuple[int, int], int] = {}
    for device, code, data in sql.each(
        db,
        "SELECT device, code, data FROM usage_days WHERE day >= ? AND day <= ?",
        (selection.first_day, selection.last_day),
    ):
        if selection.codes is not None and code not in selection.codes:
            continue
        for (_, item, type_key), series in decode_day(data).items():
            if type_key and (selection.items is None or item in selection.items):
                key = (device, type_key)
                totals[key] = totals.get(key, 0) + series.total()
    return totals


def activity(db: apsw.Connection, scope: int, key: int, first_day: int, last_day: int) -> dict[int, tuple[int, int]]:
    """(active devices, highest concurrency of a slot) by day, for an item (scope 0) or a code (scope 1)."""
    found = {}
    for day, data in sql.each(
        db,
        "SELECT day, data FROM activity WHERE scope = ? AND id = ? AND day >= ? AND day <= ?",
        (scope, key, first_day, last_day),
    ):
        counts = array("I", data)
        found[day] = (counts[SLOTS_PER_DAY], max(counts[:SLOTS_PER_DAY]))
    return found


def type_names(db: apsw.Connection) -> dict[int, str]:
    """Names of the usage types by number."""
    return dict(sql.rows(db, "SELECT id, name FROM types"))
