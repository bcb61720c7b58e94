"""What an operation sees: the open transaction, the writer's memory, and `emit`, the one way to change anything."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import apsw

from lts.protocol import SLOTS_PER_DAY
from lts.rules.catalog import Catalog
from lts.store import feed
from lts.store.counters import Counters
from lts.store.records import KIND_OF, Record, encode_payload

BuildCatalog = Callable[[apsw.Connection], Catalog]
Apply = Callable[["Transaction", Record, int], Any]
"""Mutates the tables as a change says; `lts.store.apply.apply`, given from outside to keep imports one way."""
ActivityKey = tuple[int, int, int]
"""(scope, id, day); scope 0 = item, 1 = code."""


class Memory:
    """What the writer keeps between batches; everything here can be loaded from the tables again."""

    def __init__(self, build_catalog: BuildCatalog, apply: Apply) -> None:
        self.build_catalog = build_catalog
        self.apply = apply
        self.catalog = Catalog()
        self.counters = Counters()
        self.types: dict[str, int] = {}
        self.origin = 0
        self.serial = 0
        self.head = b""
        self.next_device = 1


class Transaction:
    """One open transaction of the writer. `batch_changes` are not durable until the writer has committed."""

    def __init__(self, db: apsw.Connection, memory: Memory) -> None:
        self.db = db
        self.execute = db.execute
        self.memory = memory
        self.counters = memory.counters
        self.serial = memory.serial
        self.head = memory.head
        self.next_device = memory.next_device
        self.types = memory.types
        self.catalog_changed = False
        self.housekeeping = False
        self._catalog: Catalog | None = memory.catalog
        self._rows: list[tuple[int, int, int, int, bytes, bytes]] = []
        self._hours: defaultdict[tuple[int, int, int, int], int] = defaultdict(int)
        self._tallies: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        self._activity: dict[ActivityKey, array[int]] = {}

    @property
    def catalog(self) -> Catalog:
        """Licences and codes as this transaction sees them."""
        if self._catalog is None:
            self._catalog = self.memory.build_catalog(self.db)
        return self._catalog

    @property
    def must_commit(self) -> bool:
        """Whether anything was written: changes, or housekeeping that the feed does not tell of."""
        return bool(self._rows) or self.housekeeping

    @property
    def changes_made(self) -> int:
        """How many changes this transaction holds."""
        return len(self._rows)

    def emit(self, record: Record, time: int) -> Any:
        """Append a change of this server and apply it; returns what applying it says."""
        self.serial += 1
        kind, payload = KIND_OF[type(record)], encode_payload(record)
        self.head = feed.chain_hash(self.head, self.serial, time, kind, payload)
        self._rows.append((self.memory.origin, self.serial, time, int(kind), payload, self.head))
        return self.memory.apply(self, record, time)

    def keep_head(self, signature: bytes, time: int) -> None:
        """Remember that the server signed the feed as it stands in this transaction."""
        self.housekeeping = True
        self.execute(
            "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?)",
            (self.memory.origin, self.serial, time, self.head, signature),
        )

    def forget_catalog(self) -> None:
        """A change touched licences, codes or settings: build the catalog anew when next asked for."""
        self._catalog = None
        self.catalog_changed = True

    def add_units(self, code: int, item: int, type_key: int, hour: int, units: int) -> None:
        """Add to the hourly rollup; written once a batch."""
        self._hours[code, item, type_key, hour] += units

    def tally(self, code: int, what: int, hour: int, n: int = 1) -> None:
        """Count an authorisation (0), a report (1) or a refusal (its code) of an hour."""
        self._tallies[code, what, hour] += n

    def activity(self, key: ActivityKey) -> array[int]:
        """Active instances by slot of a day, [480] = devices of the day; changed in place."""
        counts = self._activity.get(key)
        if counts is None:
            counts = self._activity[key] = array("I", bytes(4 * (SLOTS_PER_DAY + 1)))
            row = self.execute("SELECT data FROM activity WHERE scope = ? AND id = ? AND day = ?", key).fetchone()
            if row is not None:
                counts = self._activity[key] = array("I", row[0])
        return counts

    def flush(self) -> None:
        """Write what the batch gathered and its changes; the last thing that may fail before the commit."""
        self.write_gathered()
        if self.catalog_changed:
            self._catalog = self.catalog
        feed.append(self.db, self._rows)

    def write_gathered(self) -> None:
        """Write rollups and activity to their tables, so that queries see them."""
        if self._hours:
            self.db.executemany(
                "INSERT INTO usage_hours VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET units = units + excluded.units",
                [(*key, units) for key, units in self._hours.items()],
            )
        if self._tallies:
            self.db.executemany(
                "INSERT INTO tallies VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                [(*key, n) for key, n in self._tallies.items()],
            )
        if self._activity:
            self.db.executemany(
                "INSERT INTO activity VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data",
                [(*key, counts.tobytes()) for key, counts in self._activity.items()],
            )
        self._hours.clear()
        self._tallies.clear()
        self._activity.clear()

    def keep(self) -> None:
        """The commit is durable: make this transaction's memory the writer's."""
        memory = self.memory
        memory.serial, memory.head, memory.next_device = self.serial, self.head, self.next_device
        memory.types = self.types
        if self.catalog_changed:
            memory.catalog = self.catalog
        memory.counters.forget_undo()

    def drop(self) -> None:
        """The transaction failed: the writer's memory is as before."""
        self.memory.counters.undo()
