"""Questions about usage, answered from the hourly rollups, the activity and the day rows."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import apsw

from lts.protocol import SLOTS_PER_DAY
from lts.store import sql
from lts.store.dayrow import decode_day

HOURS_PER_DAY = 24
_SLOTS_PER_HOUR = SLOTS_PER_DAY // HOURS_PER_DAY
_GROUPS = {"hour": "hour", "day": "hour / 24", "type": "0"}


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
    column = _GROUPS[grouping]
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


def tallies_by(db: apsw.Connection, selection: Selection, grouping: str) -> dict[tuple[int, int], int]:
    """Authorizations, reports and refusals by (group, what), see lts.store.usage; `items` are not looked at."""
    where, values = _where(Selection(selection.codes, None, selection.first_day, selection.last_day))
    query = f"SELECT {_GROUPS[grouping]}, what, sum(n) FROM tallies WHERE {where} GROUP BY 1, 2"  # noqa: S608 - as above
    return {(group, what): n for group, what, n in sql.rows(db, query, values)}


def first_day(db: apsw.Connection, selection: Selection) -> int | None:
    """The first day with usage of the codes and items, whatever the days of the selection."""
    where, values = _where(Selection(selection.codes, selection.items, 0, 1 << 40))
    hour = sql.value(db, f"SELECT min(hour) FROM usage_hours WHERE {where}", values)  # noqa: S608 - as above
    return None if hour is None else int(hour) // HOURS_PER_DAY


@dataclass(frozen=True)
class Activity:
    """Devices that were active, and the highest number active in one slot."""

    devices: int
    peak: int


def activity(
    db: apsw.Connection, scope: int, keys: tuple[int, ...], first_day: int, last_day: int, *, by_hour: bool = False
) -> dict[int, Activity]:
    """Activity by day of items or codes; by hour the peak alone is known. Of several keys (a code's name used twice)
    devices are added up."""
    found: dict[int, Activity] = {}
    for key in keys:
        for day, data in sql.each(
            db,
            "SELECT day, data FROM activity WHERE scope = ? AND id = ? AND day >= ? AND day <= ?",
            (scope, key, first_day, last_day),
        ):
            counts = array("I", data)
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
    """Names of the usage types by number."""
    return dict(sql.rows(db, "SELECT id, name FROM types"))
