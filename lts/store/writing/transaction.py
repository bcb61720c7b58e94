"""What an operation sees: the open transaction, its parts, and the ways to change what the feed records: `emit` for
changes of this server, `follow` for those of another, `begin_origin` before the first of a feed.

What only this server needs (sessions, attempts to deliver a message, facts of the database) is written beside the feed,
as `housekeeping`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import overload

import apsw

from lts.rules.licensing.catalog import Catalog
from lts.rules.metering.seats import Seat
from lts.store.changes.epochs import FIRST_EPOCH, Epoch
from lts.store.changes.numbering import Numbering
from lts.store.changes.records import KIND_OF, Grown, Record, ReportChange, decode_payload, encode_payload
from lts.store.writing.counters import SumKey
from lts.store.writing.gathered import Gathered
from lts.store.writing.openfeed import OpenFeed
from lts.store.writing.writermemory import Forgotten, Memory


class Transaction:
    """One open transaction of the writer; nothing in it is durable until the writer has committed.

    `feed` is the change feed, `numbering` gives numbers to new things, `gathered` is written once for the whole group.
    """

    def __init__(self, db: apsw.Connection, memory: Memory) -> None:
        self.db = db
        self.execute = db.execute
        self.memory = memory
        self.counters = memory.counters
        self.feed = OpenFeed(db, memory)
        self._numbering: Numbering | None = None
        self.gathered = Gathered(db)
        self.types = memory.types
        self.epochs = memory.epochs
        self.aliases = memory.aliases
        self.rounds = memory.rounds
        self.seat_read: tuple[tuple[int, int, bool], Seat | None] | None = None
        """The seat that was read last, by (device, item, concurrent), until one is written."""
        self._fewer: dict[tuple[int, int], int] = {}
        self.catalog_changed = False
        self.housekeeping = False
        self._catalog = memory.catalog
        self._forgotten: Forgotten | None = None
        self._afterwards: list[Callable[[], None]] = []

    @overload
    def emit(self, record: ReportChange, time: int) -> Grown: ...

    @overload
    def emit(self, record: Record, time: int) -> object: ...

    def emit(self, record: Record, time: int) -> object:
        """Append a change of this server and apply it; returns what applying it says."""
        self.feed.append(time, KIND_OF[type(record)], encode_payload(record))
        return self.memory.apply(self, record, time)

    def follow(self, origin: int, serial: int, time: int, kind: int, payload: bytes) -> bytes:
        """Append the next change of another origin and apply it; returns the hash of that origin's feed.

        Raises ValueError when it is not the next one, or of a kind or shape this program does not know.
        """
        self.feed.check_next(origin, serial)
        record = decode_payload(kind, payload)
        head = self.feed.append_next(origin, serial, time, kind, payload)
        self.memory.apply(self, record, time)
        return head

    def begin_origin(self, uuid: str, incarnation: str, numbers: int) -> None:
        """From now on this server writes a feed of its own under this name; things get numbers from `numbers` on."""
        self.feed.begin(uuid, incarnation)
        self.execute("UPDATE origins SET numbers = ? WHERE id = ?", (numbers, self.feed.origin))
        self._numbering = Numbering(self.db, numbers, numbers)
        self.note_written_beside()

    def keep_head(self, signature: bytes, time: int) -> None:
        """Remember that the server signed the feed as it is in this transaction."""
        self.note_written_beside()
        own = self.feed
        self.execute(
            "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?)", (own.origin, own.serial, time, own.head, signature)
        )

    @property
    def numbering(self) -> Numbering:
        """Made when it is first asked for: most operations make nothing new."""
        if self._numbering is None:
            self._numbering = Numbering(self.db, self.memory.numbers, self.memory.next_device)
        return self._numbering

    @property
    def catalog(self) -> Catalog:
        """Licenses and codes as this transaction sees them."""
        if self._forgotten is not None:
            self._catalog = self.memory.build_catalog(self.db, self._catalog, self._forgotten)
            self._forgotten = None
        return self._catalog

    def forget_catalog(self, *, licenses: Iterable[int] = (), codes: Iterable[int] = ()) -> None:
        """A change touched settings, trust, or what these licenses or codes are, by number: the catalog is renewed when
        next asked for."""
        if self._forgotten is None:
            self._forgotten = Forgotten(set(), set())
        self._forgotten.licenses.update(licenses)
        self._forgotten.codes.update(codes)
        self.catalog_changed = True

    @property
    def sums(self) -> dict[SumKey, int]:
        """Running sums as this transaction sees them."""
        return self.counters.sums

    @property
    def epoch(self) -> Epoch:
        """The epoch of the origin whose change is being applied."""
        return self.epochs.get(self.feed.writing[0], FIRST_EPOCH)

    def learn_type(self, name: str, number: int) -> None:
        """A usage type got its number; the names known before this transaction stay as they are until it is kept."""
        if self.types is self.memory.types:
            self.types = dict(self.types)
        self.types[name] = number

    def note_fewer(self, place: tuple[int, int], time: int) -> None:
        """A device holds fewer instances of an item than before, since `time` (UTC seconds); `place` is (device,
        item)."""
        self._fewer[place] = time

    def fewer_since(self, place: tuple[int, int]) -> int | None:
        """Since when a device holds fewer instances of an item, as far as this server remembers."""
        found = self._fewer.get(place)
        return self.memory.fewer.get(place) if found is None else found

    def note_written_beside(self) -> None:
        """Something is written that is not in the feed, and is to be committed."""
        self.housekeeping = True

    @property
    def must_commit(self) -> bool:
        """Whether anything was written: changes, or housekeeping that is not in the feed."""
        return bool(self.feed.rows) or self.housekeeping

    def flush(self) -> None:
        """Write the group's gathered sums and its changes; the last step that may fail before the commit."""
        self.gathered.write()
        if self.catalog_changed:
            self._catalog = self.catalog  # what may fail comes before the commit
            self.memory.catalog_moves += 1
        self.feed.write()

    def afterwards(self, call: Callable[[], None]) -> None:
        """Call this once the commit is durable, and never when it fails; it must not raise."""
        self._afterwards.append(call)

    def keep(self) -> None:
        """The commit is durable: make this transaction's memory the writer's."""
        memory = self.memory
        self.feed.keep()
        if self._numbering is not None:
            memory.numbers, memory.next_device = self._numbering.first, self._numbering.next_device
        memory.types, memory.epochs, memory.aliases = self.types, self.epochs, self.aliases
        memory.rounds = self.rounds
        if self._fewer:
            for place, time in self._fewer.items():
                memory.note_fewer(place, time)
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
