"""The change feed within an open transaction: its appended changes, and how far it has every origin."""

from __future__ import annotations

import apsw

from lts.store import sql
from lts.store.changes import feed
from lts.store.writing.writermemory import Head, Memory

Position = tuple[str, str, int, bytes]
"""(LTS UUID, incarnation, serial, hash): how far a server has an origin."""


class OpenFeed:
    """`origin`, `serial` and `head` are this server's own; `writing` is (origin, serial) of the change being applied,
    `rows` are the changes appended."""

    __slots__ = (
        "_db",
        "_heads",
        "_intake_origin",
        "_intakes",
        "_memory",
        "head",
        "origin",
        "rows",
        "serial",
        "writing",
    )

    def __init__(self, db: apsw.Connection, memory: Memory) -> None:
        self._db = db
        self._memory = memory
        self.origin = memory.origin
        self.serial = memory.serial
        self.head = memory.head
        self.writing = (memory.origin, memory.serial)
        self.rows: list[feed.ChangeRow] = []
        self._heads: dict[int, Head] = {}
        self._intake_origin = memory.intake_origin
        self._intakes: list[tuple[int, int]] = []

    def append(self, time: int, kind: int, payload: bytes) -> None:
        """A change of this server."""
        origin, serial = self.origin, self.serial + 1
        self.head = feed.chain_hash(self.head, serial, time, kind, payload)
        self.serial, self.writing = serial, (origin, serial)
        if origin != self._intake_origin:
            self._begin_intake(origin, serial)
        self.rows.append((origin, serial, time, kind, payload, self.head))

    def check_next(self, origin: int, serial: int) -> None:
        """Raises ValueError unless this is the next change of another origin."""
        have = self.head_of(origin)[0]
        if serial != have + 1 or origin == self.origin:
            raise ValueError(f"serial {serial} follows {have} of origin {origin}")

    def append_next(self, origin: int, serial: int, time: int, kind: int, payload: bytes) -> bytes:
        """The next change of another origin, see `check_next`; returns the hash of that origin's feed."""
        head = feed.chain_hash(self.head_of(origin)[1], serial, time, kind, payload)
        self._heads[origin] = serial, head
        self.writing = origin, serial
        if origin != self._intake_origin:
            self._begin_intake(origin, serial)
        self.rows.append((origin, serial, time, kind, payload, head))
        return head

    def _begin_intake(self, origin: int, serial: int) -> None:
        """From here on changes of this origin are taken, where those before were of another."""
        self._intake_origin = origin
        self._intakes.append((origin, serial))

    def begin(self, uuid: str, incarnation: str) -> None:
        """From now on this server's own feed is this one."""
        self._heads[self.origin] = self.serial, self.head
        self.origin = self.origin_number(uuid, incarnation)
        self.serial, self.head = 0, feed.first_hash(uuid, incarnation)

    def head_of(self, origin: int) -> Head:
        """(serial, hash) of the newest change of an origin."""
        if origin == self.origin:
            return self.serial, self.head
        return self._heads.get(origin) or self._memory.heads[origin]

    def origin_number(self, uuid: str, incarnation: str) -> int:
        """The local number of an origin, given when it is first seen."""
        key: int = sql.value(
            self._db,
            "INSERT INTO origins (uuid, incarnation) VALUES (?, ?) ON CONFLICT DO UPDATE SET uuid = uuid RETURNING id",
            (uuid, incarnation),
        )
        if key != self.origin and key not in self._memory.heads and key not in self._heads:
            self._heads[key] = 0, feed.first_hash(uuid, incarnation)
        return key

    def positions(self) -> list[Position]:
        """How far this database has each origin it knows."""
        heads = {**self._memory.heads, **self._heads, self.origin: (self.serial, self.head)}
        names = {key: (uuid, incarnation) for key, uuid, incarnation in feed.origin_names(self._db)}
        return [(*names[key], serial, head) for key, (serial, head) in sorted(heads.items()) if serial]

    def others(self) -> list[int]:
        """Numbers of the other origins that this database knows."""
        heads = {**self._memory.heads, **self._heads}
        return [origin for origin, (serial, _) in heads.items() if serial and origin != self.origin]

    def write(self) -> None:
        """Write what was appended."""
        if self._intakes:
            self._db.executemany("INSERT INTO turns (origin, first) VALUES (?, ?)", self._intakes)
        feed.append(self._db, self.rows)

    def keep(self) -> None:
        """The commit is durable: the writer continues from here."""
        memory = self._memory
        memory.origin, memory.serial, memory.head = self.origin, self.serial, self.head
        memory.heads.update(self._heads)
        memory.heads.pop(self.origin, None)
        memory.intake_origin = self._intake_origin
