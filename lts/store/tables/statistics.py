"""Questions about usage, answered from the rollups and the activity."""

from __future__ import annotations

from dataclasses import dataclass

import apsw

from lts.protocol import HOURS_PER_DAY, SLOTS_PER_DAY
from lts.store import sql
from lts.store.rows import activityrow, deviceunits

_SLOTS_PER_HOUR = SLOTS_PER_DAY // HOURS_PER_DAY
_GROUPS = {"hour": ("hour", HOURS_PER_DAY, "usage_hours", "tallies"),
           "day": ("day", 1, "usage_dates", "tally_dates"),
           "type": ("0", 1, "usage_dates", "tally_dates")}  # fmt: skip
"""By grouping: the column, how many of its steps a day has, and the rollups that answer soonest."""


@dataclass(frozen=True)
class Selection:
    """Which usage: codes and items by number (None = all), days [first, last] since 1970, UTC."""

    codes: tuple[int, ...] | None
    items: tuple[int, ...] | None
    first_day: int
    last_day: int


def _where(selection: Selection, column: str, first: int, last: int) -> tuple[str, tuple[int, ...]]:
    """The codes and items of a selection, and [first, last] of a column of time."""
    parts, values = [f"{column} >= ?", f"{column} <= ?"], [first, last]
    for name, keys in (("code", selection.codes), ("item", selection.items)):
        if keys is not None:
            parts.append(f"{name} IN ({','.join('?' * len(keys))})")
            values.extend(keys)
    return " AND ".join(parts), tuple(values)


def _where_days(selection: Selection, steps: int = 1) -> tuple[str, tuple[int, ...]]:
    """The rows of a rollup by day, or by hour with 24 `steps` a day."""
    column = "day" if steps == 1 else "hour"
    return _where(selection, column, selection.first_day * steps, (selection.last_day + 1) * steps - 1)


def units_by(db: apsw.Connection, selection: Selection, grouping: str) -> dict[tuple[int, int], int]:
    """Units by (group, type): the group is the hour since 1970, the day since 1970, or 0 for all."""
    column, steps, table, _ = _GROUPS[grouping]
    where, values = _where_days(selection, steps)
    query = f"SELECT {column}, type, sum(units) FROM {table} WHERE {where} GROUP BY 1, 2"  # noqa: S608 - fixed columns and question marks
    return {(group, type_key): units for group, type_key, units in sql.rows(db, query, values)}


def units_by_device(db: apsw.Connection, selection: Selection) -> dict[tuple[int, int], int]:
    """Units by (device number, type)."""
    selects: list[str] = []
    values: list[int] = []
    for units, first, last in deviceunits.parts(selection.first_day, selection.last_day):
        where, more = _where(selection, "span", first, last)
        selects.append(f"SELECT device, type, {units} AS n FROM usage_devices WHERE {where}")  # noqa: S608 - as above
        values.extend(more)
    query = f"SELECT device, type, sum(n) FROM ({' UNION ALL '.join(selects)}) GROUP BY 1, 2"  # noqa: S608 - as above
    return {(device, type_key): units for device, type_key, units in sql.rows(db, query, tuple(values)) if units}


def tallies_by(db: apsw.Connection, selection: Selection, grouping: str) -> dict[tuple[int, int], int]:
    """Authorizations, reports and refusals by (group, what), see lts.store.tables.usage; `items` are ignored."""
    column, steps, _, table = _GROUPS[grouping]
    where, values = _where_days(Selection(selection.codes, None, selection.first_day, selection.last_day), steps)
    query = f"SELECT {column}, what, sum(n) FROM {table} WHERE {where} GROUP BY 1, 2"  # noqa: S608 - as above
    return {(group, what): n for group, what, n in sql.rows(db, query, values)}


def first_day(db: apsw.Connection, selection: Selection) -> int | None:
    """The first day with usage of the codes and items, whatever the days of the selection."""
    where, values = _where_days(Selection(selection.codes, selection.items, 0, 1 << 40))
    day = sql.value(db, f"SELECT min(day) FROM usage_dates WHERE {where}", values)  # noqa: S608 - as above
    return None if day is None else int(day)


def first_days(db: apsw.Connection) -> dict[int, int]:
    return dict(sql.rows(db, "SELECT item, min(day) FROM usage_dates GROUP BY item"))


@dataclass(frozen=True)
class Activity:
    """Devices that were active, and the highest number active in one slot."""

    devices: int
    peak: int


def activity(
    db: apsw.Connection, scope: int, keys: tuple[int, ...], first_day: int, last_day: int, *, by_hour: bool = False
) -> dict[int, Activity]:
    """Activity by day of items or codes; by hour only the peak is known. Of several keys (an item id that two licenses
    use) devices are added up."""
    found: dict[int, Activity] = {}
    for key in keys:
        for day, data in sql.each(
            db,
            "SELECT day, data FROM activity WHERE scope = ? AND id = ? AND day >= ? AND day <= ?",
            (scope, key, first_day, last_day),
        ):
            counts = activityrow.decode(data)
            if not by_hour:
                _join(found, day, counts[SLOTS_PER_DAY], max(counts[:SLOTS_PER_DAY]))
                continue
            for hour in range(HOURS_PER_DAY):
                peak = max(counts[hour * _SLOTS_PER_HOUR : (hour + 1) * _SLOTS_PER_HOUR])
                if peak:
                    _join(found, day * HOURS_PER_DAY + hour, 0, peak)
    return found


def _join(found: dict[int, Activity], group: int, devices: int, peak: int) -> None:
    before = found.get(group, Activity(0, 0))
    found[group] = Activity(before.devices + devices, max(before.peak, peak))


def type_names(db: apsw.Connection) -> dict[int, str]:
    return dict(sql.rows(db, "SELECT id, name FROM types"))
