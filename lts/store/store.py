"""The store as the services see it: write an operation, read with a connection, ask the catalog."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import apsw

from lts.protocol import DAY_SECONDS
from lts.rules.licensing.catalog import Catalog
from lts.store import sql
from lts.store.changes import feed
from lts.store.changes.epochs import Epoch
from lts.store.changes.numbering import NUMBERS
from lts.store.changes.recent import Recent
from lts.store.changes.records import EventChange, OriginChange
from lts.store.file import database, watermark
from lts.store.file.checkpoints import Checkpointer
from lts.store.file.watermark import Watermark
from lts.store.tables import licenses, meta, pair, seats, usage
from lts.store.tables.apply import apply
from lts.store.writer import Writer
from lts.store.writing.openfeed import Position
from lts.store.writing.snapshot import Snapshot
from lts.store.writing.transaction import Transaction
from lts.store.writing.writermemory import BuildCatalog, Memory

DATABASE = "lts.db"
DATABASE_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
"""The database with the journals that belong to it while it is open, or after a crash."""
_READERS = 8
CHECKED_BYTES, CHECKED_AFTER_A_CRASH = 64 << 20, 512 << 20
"""Up to which size a database is read completely before the server starts; a larger one is checked while it serves."""


def prepare(folder: Path, *, create: bool, unclean: bool = False) -> bool:
    """Check the database of a data folder, make it when `create`; whether it has been in use.

    It is read completely unless that would take long: after an `unclean` end of the server that may be some seconds.
    Raises what `database.open_writer` raises.
    """
    checked_bytes = CHECKED_AFTER_A_CRASH if unclean else CHECKED_BYTES
    with contextlib.closing(database.open_writer(folder / DATABASE, create=create, checked_bytes=checked_bytes)) as db:
        return bool(sql.value(db, "SELECT count(*) FROM origins"))


class Store:
    """An open data folder's database.

    `origin` is (LTS UUID, incarnation): the feed that this server writes, begun by `begin_feed`. Raises what
    `database.open_writer` raises.
    """

    def __init__(
        self,
        folder: Path,
        origin: tuple[str, str],
        build_catalog: BuildCatalog,
        *,
        on_fault: Callable[[Exception | None], None] = lambda error: None,
        on_log: Callable[[], object] = lambda: None,
    ) -> None:
        self.path = folder / DATABASE
        db = database.open_writer(self.path, create=False)
        self._memory = Memory(build_catalog, apply)
        with database.translating_errors(self.path):
            self.highest_time = meta.highest_time(db) or feed.highest_time(db)
            self.least_time, self.newest_time = meta.least_time(db), feed.newest_time(db, *origin)
            self._served = meta.served_days(db)
            journal = Checkpointer(db)
            db.execute("BEGIN IMMEDIATE")
            load_memory(db, self._memory, origin)
            journal.before_commit()
            db.execute("COMMIT")
            journal.committed()
        self._names: dict[int, tuple[str, str]] = {}
        self.recent = Recent()
        self.writer = Writer(db, self._memory, on_fault, self.recent.add, journal=journal, on_log=on_log)
        self.write, self.submit = self.writer.run, self.writer.submit
        self._readers: queue.LifoQueue[apsw.Connection] = queue.LifoQueue()

    def begin_feed(self, origin: tuple[str, str], version: str, now: int, causes: Iterable[EventChange] = ()) -> None:
        """Continue the feed of this origin, or begin it: nothing may be written before (docs/design/pair.md, Restored
        and copied servers). `now` in UTC seconds; `causes` are recorded once, with the beginning.

        The first origin of a database numbers things from 1, every other from a range of its own.
        """

        def operation(tx: Transaction) -> None:
            if tx.feed.serial and tx.feed.origin_number(*origin) == tx.feed.origin:
                return
            tx.begin_origin(*origin, _range_of(origin[1]) if tx.feed.positions() else 1)
            if not tx.feed.serial:
                tx.emit(OriginChange(*origin, version, tx.numbering.first), now)
                for event in causes:
                    tx.emit(event, now)

        self.write(operation)

    def vector(self) -> feed.Vector:
        """How far this server has each origin at the last commit."""
        memory = self._memory
        heads = {origin: serial for origin, (serial, _) in memory.heads.copy().items() if serial}
        return {**heads, memory.origin: memory.serial} if memory.serial else heads

    def positions(self) -> list[Position]:
        """How far this server has each origin it knows at the last commit."""
        vector, memory, names = self.vector(), self._memory, self.origin_names()
        heads = {**memory.heads, memory.origin: (memory.serial, memory.head)}
        return [(*names[key], *heads[key]) for key in sorted(vector) if key in names]

    def watermark(self) -> Watermark:
        """How far the database is, at a commit that is durable."""
        with self.reader() as db:
            return watermark.of(db)

    def origin_names(self) -> dict[int, tuple[str, str]]:
        """(LTS UUID, incarnation) of every origin by its number here."""
        if self._memory.origin not in self._names or not self._names.keys() >= self._memory.heads.keys():
            with self.reader() as db:
                self._names = {key: (uuid, incarnation) for key, uuid, incarnation in feed.origin_names(db)}
        return self._names

    @property
    def origin(self) -> int:
        """Number of the origin that this server writes."""
        return self._memory.origin

    @property
    def epochs(self) -> dict[int, Epoch]:
        """The epoch of each origin at the last commit."""
        return self._memory.epochs

    @property
    def catalog(self) -> Catalog:
        """Licenses and codes at the last commit."""
        return self._memory.catalog

    @property
    def serial(self) -> int:
        """Serial of this server's newest change."""
        return self._memory.serial

    def refresh_catalog(self) -> None:
        """Rebuild the catalog without a change in the feed, when a vendor key was added or removed."""

        def operation(tx: Transaction) -> None:
            tx.forget_catalog()
            usage.forget_overdraft(tx)

        self.write(operation)

    def watch_clock(self, kept: Callable[[], tuple[int, int]]) -> None:
        """`keep_clock` once a minute at most, and at once for a new day; times taken back are kept too."""
        highest, least = kept()
        moved = max(abs(highest - self.highest_time), abs(least - self.least_time))
        if moved >= 60 or highest // DAY_SECONDS not in self._served:
            self.keep_clock(kept)

    def keep_clock(
        self, kept: Callable[[], tuple[int, int]], change: Callable[[Transaction], object] = lambda tx: None
    ) -> None:
        """Remember the highest time seen and the least that it is (UTC seconds), as `kept` returns once the `change`
        that is stored with it is made, and the day on which this server ran."""

        def operation(tx: Transaction) -> tuple[int, int]:
            change(tx)
            highest, least = kept()
            meta.keep_clock(tx, highest, least, highest // DAY_SECONDS)
            return highest, least

        self.highest_time, self.least_time = self.write(operation)
        day = self.highest_time // DAY_SECONDS
        self._served = {one for one in self._served if one < day} | {day}

    def wait_until_stored(self) -> None:
        """Return once everything submitted to the writer before is durable."""
        self.write(lambda tx: None)

    def try_storing(self) -> None:
        """Store something of no meaning. Raises CannotStore when nothing can be stored."""
        self.write(meta.try_storing)

    def served_days(self) -> list[int]:
        """Days (since 1970) on which this server ran, as far as it trusted its clock."""
        return sorted(self._served)

    @contextlib.contextmanager
    def reader(self) -> Iterator[apsw.Connection]:
        """A read-only connection with a consistent view for the time of the block."""
        try:
            db = self._readers.get_nowait()
        except queue.Empty:
            db = database.open_reader(self.path)
        try:
            db.execute("BEGIN")
            yield db
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if self._readers.qsize() < _READERS:
                self._readers.put(db)
            else:
                db.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The tables and the catalog of one moment for the time of the block, without the writer: for reads that grow
        with them."""
        with self.reader() as db:
            yield Snapshot(db, self._catalog_of(db), self._memory.counters.sums)

    def _catalog_of(self, db: apsw.Connection) -> Catalog:
        """The catalog of the moment that `db` shows from now. One that changes just now is built from the tables."""
        memory = self._memory
        moves, catalog = memory.catalog_moves, memory.catalog
        db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()  # with its first read a transaction begins
        return catalog if moves % 2 == 0 and moves == memory.catalog_moves else memory.build_catalog(db)

    def close(self) -> None:
        while True:
            try:
                self._readers.get_nowait().close()
            except queue.Empty:
                break
        self.writer.stop()


def _range_of(incarnation: str) -> int:
    """Where the numbers of an origin begin: incarnations are random, so ranges do not overlap."""
    return (1 + int(incarnation[:6], 16)) * NUMBERS


def load_memory(db: apsw.Connection, memory: Memory, origin: tuple[str, str]) -> None:
    """Fill the writer's memory from the tables; registers the origin when it is new."""
    memory.origin, memory.numbers = sql.rows(
        db,
        "INSERT INTO origins (uuid, incarnation) VALUES (?, ?) ON CONFLICT DO UPDATE SET uuid = uuid"
        " RETURNING id, numbers",
        origin,
    )[0]
    for key, uuid, incarnation in feed.origin_names(db):
        newest = feed.head(db, key)
        memory.heads[key] = (newest[0], newest[1]) if newest else (0, feed.first_hash(uuid, incarnation))
    memory.serial, memory.head = memory.heads.pop(memory.origin)
    memory.next_device = sql.value(
        db,
        "SELECT coalesce(max(id), ?1 - 1) + 1 FROM devices WHERE id >= ?1 AND id < ?2",
        (memory.numbers, memory.numbers + NUMBERS),
    )
    memory.intake_origin = sql.value(db, "SELECT origin FROM turns ORDER BY position DESC LIMIT 1") or 0
    memory.epochs, memory.aliases = pair.load_epochs(db), pair.load_aliases(db)
    memory.rounds = licenses.rounds(db)
    memory.catalog = memory.build_catalog(db)
    memory.types = usage.load(db, memory.counters)
    seats.load(db, memory.counters)
