"""What an operation sees: the open transaction, the writer's memory, and `emit`, the one way to change anything."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import apsw

from lts.rules.catalog import Catalog
from lts.store import activityrow, deviceunits, feed, rollups, sql
from lts.store.counters import Counters, SumKey
from lts.store.records import KIND_OF, Record, decode_payload, encode_payload

BuildCatalog = Callable[[apsw.Connection], Catalog]
Apply = Callable[["Transaction", Record, int], Any]
"""Mutates the tables as a change says; `lts.store.apply.apply`, given from outside to keep imports one way."""
ActivityKey = tuple[int, int, int]
"""(scope, id, day); scope 0 = item, 1 = code."""
Head = tuple[int, bytes]
"""(serial, hash) of an origin's newest change."""
Position = tuple[str, str, int, bytes]
"""(LTS UUID, incarnation, serial, hash): how far a server has an origin."""
AliasKey = tuple[int, int]
"""(what, number), see lts.store.pair.add_alias."""
NUMBERS = 1 << 24
"""How many things of a kind an origin can number."""


class Epoch(NamedTuple):
    """Since when an origin serves: its number, whether as main, its place among those that continued one another, and
    the serials it had of other origins then."""

    number: int
    main: bool
    generation: int
    knows: dict[int, int]

    @property
    def weight(self) -> tuple[int, bool, int]:
        """What decides between changes of two origins; above that of every origin it knows."""
        return self.number, self.main, self.generation


FIRST_EPOCH = Epoch(0, True, 0, {})
"""That of a server that never was one of a pair."""


class Memory:
    """What the writer keeps between batches; all but `fewer` can be loaded from the tables again."""

    def __init__(self, build_catalog: BuildCatalog, apply: Apply) -> None:
        self.build_catalog = build_catalog
        self.apply = apply
        self.catalog = Catalog()
        self.catalog_moves = 0
        """Odd while a commit changes the catalog: between the two, tables and catalog are of two moments."""
        self.counters = Counters()
        self.types: dict[str, int] = {}
        self.origin = 0
        self.serial = 0
        self.head = b""
        self.numbers = 1
        self.next_device = 1
        self.intake_origin = 0
        self.heads: dict[int, Head] = {}
        self.epochs: dict[int, Epoch] = {}
        self.aliases: dict[AliasKey, int] = {}
        self.rounds: dict[int, int] = {}
        self.fewer: dict[tuple[int, int], int] = {}
        """Since when (UTC seconds) devices hold fewer instances than before, by (device, item); see seats.put."""


class Transaction:
    """One open transaction of the writer; nothing in it is durable until the writer has committed.

    `origin`, `serial` and `head` are this server's own; `writing` is (origin, serial) of the change being applied.
    """

    def __init__(self, db: apsw.Connection, memory: Memory) -> None:
        self.db = db
        self.execute = db.execute
        self.memory = memory
        self.counters = memory.counters
        self.origin = memory.origin
        self.numbers = memory.numbers
        self.serial = memory.serial
        self.head = memory.head
        self.next_device = memory.next_device
        self.types = memory.types
        self.epochs = memory.epochs
        self.aliases = memory.aliases
        self.rounds = memory.rounds
        self.fewer = memory.fewer
        self.writing = (memory.origin, memory.serial)
        self.catalog_changed = False
        self.housekeeping = False
        self._catalog: Catalog | None = memory.catalog
        self._heads: dict[int, Head] = {}
        self._intake_origin = memory.intake_origin
        self._intakes: list[tuple[int, int]] = []
        self.rows: list[feed.ChangeRow] = []
        self._hours: defaultdict[tuple[int, int, int, int], int] = defaultdict(int)
        self._devices: defaultdict[deviceunits.Key, int] = defaultdict(int)
        self._tallies: defaultdict[tuple[int, int, int], int] = defaultdict(int)
        self._activity: dict[ActivityKey, array[int]] = {}
        self._afterwards: list[Callable[[], None]] = []

    @property
    def catalog(self) -> Catalog:
        """Licenses and codes as this transaction sees them."""
        if self._catalog is None:
            self._catalog = self.memory.build_catalog(self.db)
        return self._catalog

    @property
    def sums(self) -> dict[SumKey, int]:
        """Running sums as this transaction sees them."""
        return self.counters.sums

    @property
    def must_commit(self) -> bool:
        """Whether anything was written: changes, or housekeeping that the feed does not tell of."""
        return bool(self.rows) or self.housekeeping

    def emit(self, record: Record, time: int) -> Any:
        """Append a change of this server and apply it; returns what applying it says."""
        self.serial += 1
        kind, payload = KIND_OF[type(record)], encode_payload(record)
        self.head = feed.chain_hash(self.head, self.serial, time, kind, payload)
        self._append((self.origin, self.serial, time, int(kind), payload, self.head))
        return self.memory.apply(self, record, time)

    def begin_origin(self, uuid: str, incarnation: str, numbers: int) -> None:
        """From now on this server writes a feed of its own under this name; things get numbers from `numbers` on."""
        self._heads[self.origin] = self.serial, self.head
        self.origin = self.origin_number(uuid, incarnation)
        self.execute("UPDATE origins SET numbers = ? WHERE id = ?", (numbers, self.origin))
        self.numbers = self.next_device = numbers
        self.serial, self.head = 0, feed.first_hash(uuid, incarnation)
        self.housekeeping = True

    def follow(self, origin: int, serial: int, time: int, kind: int, payload: bytes) -> bytes:
        """Append the next change of another origin and apply it; returns the hash of that origin's feed.

        Raises ValueError when it is not the next one, or of a kind or shape this program does not know.
        """
        have, head = self.head_of(origin)
        if serial != have + 1 or origin == self.origin:
            raise ValueError(f"serial {serial} follows {have} of origin {origin}")
        record = decode_payload(kind, payload)
        head = feed.chain_hash(head, serial, time, kind, payload)
        self._heads[origin] = serial, head
        self._append((origin, serial, time, kind, payload, head))
        self.memory.apply(self, record, time)
        return head

    def _append(self, row: feed.ChangeRow) -> None:
        origin, serial = self.writing = row[:2]
        if origin != self._intake_origin:
            self._intake_origin = origin
            self._intakes.append((origin, serial))
        self.rows.append(row)

    def head_of(self, origin: int) -> Head:
        """(serial, hash) of the newest change of an origin."""
        if origin == self.origin:
            return self.serial, self.head
        return self._heads.get(origin) or self.memory.heads[origin]

    def origin_number(self, uuid: str, incarnation: str) -> int:
        """The local number of an origin, given when it is met first."""
        key: int = sql.value(
            self.db,
            "INSERT INTO origins (uuid, incarnation) VALUES (?, ?) ON CONFLICT DO UPDATE SET uuid = uuid RETURNING id",
            (uuid, incarnation),
        )
        if key != self.origin and key not in self.memory.heads and key not in self._heads:
            self._heads[key] = 0, feed.first_hash(uuid, incarnation)
        return key

    def positions(self) -> list[Position]:
        """How far this database has every origin of which it has anything."""
        heads = {**self.memory.heads, **self._heads, self.origin: (self.serial, self.head)}
        names = {key: (uuid, incarnation) for key, uuid, incarnation in feed.origin_names(self.db)}
        return [(*names[key], serial, head) for key, (serial, head) in sorted(heads.items()) if serial]

    def others(self) -> list[int]:
        """Numbers of the other origins of which this database has anything."""
        heads = {**self.memory.heads, **self._heads}
        return [origin for origin, (serial, _) in heads.items() if serial and origin != self.origin]

    @property
    def epoch(self) -> Epoch:
        """The epoch of the origin whose change is being applied."""
        return self.epochs.get(self.writing[0], FIRST_EPOCH)

    def learn_type(self, name: str, number: int) -> None:
        """A usage type got its number; the names known before this transaction stay as they are until it is kept."""
        if self.types is self.memory.types:
            self.types = dict(self.types)
        self.types[name] = number

    def new_number(self, table: str) -> int:
        """The next number for a code, item or type, from this server's range."""
        first = self.numbers
        query = f"SELECT coalesce(max(id), ?1 - 1) + 1 FROM {table} WHERE id >= ?1 AND id < ?2"  # noqa: S608 - our own names
        return int(sql.value(self.db, query, (first, first + NUMBERS)))

    def keep_head(self, signature: bytes, time: int) -> None:
        """Remember that the server signed the feed as it stands in this transaction."""
        self.housekeeping = True
        self.execute(
            "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?)",
            (self.origin, self.serial, time, self.head, signature),
        )

    def forget_catalog(self) -> None:
        """A change touched licenses, codes or settings: build the catalog anew when next asked for."""
        self._catalog = None
        self.catalog_changed = True

    def add_units(self, code: int, item: int, type_key: int, hour: int, units: int) -> None:
        """Add to the hourly rollup; written once a batch."""
        self._hours[code, item, type_key, hour] += units

    def add_device_units(self, key: deviceunits.Key, units: int) -> None:
        """Add to a device's day; written once a batch."""
        self._devices[key] += units

    def tally(self, code: int, what: int, hour: int, n: int = 1) -> None:
        """Count an authorization (0), a report (1) or a refusal (its code) of an hour."""
        self._tallies[code, what, hour] += n

    def activity(self, key: ActivityKey) -> array[int]:
        """Active instances by slot of a day, [480] = devices of the day; changed in place."""
        counts = self._activity.get(key)
        if counts is None:
            row = self.execute("SELECT data FROM activity WHERE scope = ? AND id = ? AND day = ?", key).fetchone()
            counts = self._activity[key] = activityrow.decode(row[0] if row else b"")
        return counts

    def flush(self) -> None:
        """Write what the batch gathered and its changes; the last thing that may fail before the commit."""
        self.write_gathered()
        if self.catalog_changed:
            self._catalog = self.catalog
            self.memory.catalog_moves += 1
        if self._intakes:
            self.db.executemany("INSERT INTO turns (origin, first) VALUES (?, ?)", self._intakes)
        feed.append(self.db, self.rows)

    def write_gathered(self) -> None:
        """Write rollups and activity to their tables, so that queries see them."""
        if self._hours:
            rollups.add_units(self.db, self._hours)
            deviceunits.add(self.db, self._devices)
        if self._tallies:
            rollups.add_tallies(self.db, self._tallies)
        if self._activity:
            self.db.executemany(
                "INSERT INTO activity VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET data = excluded.data",
                [(*key, activityrow.encode(counts)) for key, counts in self._activity.items()],
            )
        self._hours.clear()
        self._devices.clear()
        self._tallies.clear()
        self._activity.clear()

    def afterwards(self, call: Callable[[], None]) -> None:
        """Call this once the commit is durable, and never when it fails; it must not raise."""
        self._afterwards.append(call)

    def keep(self) -> None:
        """The commit is durable: make this transaction's memory the writer's."""
        memory = self.memory
        memory.origin, memory.numbers = self.origin, self.numbers
        memory.serial, memory.head, memory.next_device = self.serial, self.head, self.next_device
        memory.types, memory.epochs, memory.aliases = self.types, self.epochs, self.aliases
        memory.rounds = self.rounds
        memory.heads.update(self._heads)
        memory.heads.pop(self.origin, None)
        memory.intake_origin = self._intake_origin
        if self.catalog_changed:
            memory.catalog = self.catalog
        memory.catalog_moves += memory.catalog_moves % 2
        memory.counters.forget_undo()
        for call in self._afterwards:
            call()

    def drop(self) -> None:
        """The transaction failed: the writer's memory is as before."""
        self.memory.catalog_moves += self.memory.catalog_moves % 2
        self.memory.counters.undo()
