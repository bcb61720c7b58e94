"""What a group of operations adds to rollups and to activity: gathered, and written once for all of it."""

from __future__ import annotations

from array import array
from collections import defaultdict

import apsw

from lts.store.rows import activityrow, deviceunits, rollups

ActivityKey = tuple[int, int, int]
"""(scope, id, day); scope 0 = item, 1 = code."""


class Gathered:
    """Sums to be added to the rows of their tables, and rows of activity as they will be."""

    __slots__ = ("_activity", "_db", "_devices", "_hours", "_tallies")

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._hours: defaultdict[tuple[int, int, int, int], int] = defaultdict(int)
        self._devices: defaultdict[deviceunits.Key, int] = defaultdict(int)
        self._tallies: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        self._activity: dict[ActivityKey, array[int]] = {}

    def add_units(self, code: int, item: int, type_key: int, hour: int, units: int) -> None:
        """Add to the hourly rollup."""
        self._hours[code, item, type_key, hour] += units

    def add_device_units(self, key: deviceunits.Key, units: int) -> None:
        """Add to a device's day."""
        self._devices[key] += units

    def tally(self, code: int, what: int, hour: int, n: int = 1) -> None:
        """Count an authorization (0), a report (1) or a refusal (its code) of an hour."""
        self._tallies[code, what, hour] += n

    def activity(self, key: ActivityKey) -> array[int]:
        """Active instances by slot of a day, [480] = devices of the day; changed in place."""
        counts = self._activity.get(key)
        if counts is None:
            row = self._db.execute("SELECT data FROM activity WHERE scope = ? AND id = ? AND day = ?", key).fetchone()
            counts = self._activity[key] = activityrow.decode(row[0] if row else b"")
        return counts

    def write(self) -> None:
        """Write all to the tables, so that queries see it."""
        if self._hours:
            rollups.add_units(self._db, self._hours)
            deviceunits.add(self._db, self._devices)
        if self._tallies:
            rollups.add_tallies(self._db, self._tallies)
        if self._activity:
            self._db.executemany(
                "INSERT INTO activity VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data",
                [(*key, activityrow.encode(counts)) for key, counts in self._activity.items()],
            )
        self._hours.clear()
        self._devices.clear()
        self._tallies.clear()
        self._activity.clear()
