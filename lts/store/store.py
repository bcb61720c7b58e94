"""The store as the services see it: write an operation, read with a connection, ask the catalog."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import apsw

from lts.protocol import DAY_SECONDS
from lts.rules.catalog import Catalog
from lts.store import database, feed, meta, seats, sql, usage
from lts.store.apply import apply
from lts.store.records import Origin
from lts.store.transaction import BuildCatalog, Memory, Transaction
from lts.store.writer import Waiting, Writer

T = TypeVar("T")
DATABASE = "lts.db"
_READERS = 8


def prepare(folder: Path, *, create: bool) -> bool:
    """Check the database of a data folder, make it when `create`; whether it has been in use.

    Raises what `database.open_writer` raises.
    """
    db = database.open_writer(folder / DATABASE, create=create)
    try:
        return bool(sql.value(db, "SELECT count(*) FROM origins"))
    finally:
        db.close()


class Store:
    """An open data folder's database.

    `origin` is (LTS UUID, incarnation): the feed that this server writes. `now` (UTC seconds) dates its
    first change. Raises what `database.open_writer` raises.
    """

    def __init__(
        self,
        folder: Path,
        origin: tuple[str, str],
        build_catalog: BuildCatalog,
        now: int,
        *,
        version: str = "",
        on_fault: Callable[[Exception | None], None] = lambda error: None,
    ) -> None:
        self.path = folder / DATABASE
        db = database.open_writer(self.path, create=False)
        self._memory = Memory(build_catalog, apply)
        self.highest_time = meta.highest_time(db) or feed.highest_time(db)
        self._served = meta.served_days(db)
        load_memory(db, self._memory, origin)
        self._writer = Writer(db, self._memory, on_fault)
        self._readers: queue.LifoQueue[apsw.Connection] = queue.LifoQueue()
        if not self._memory.serial:
            self.write(lambda tx: tx.emit(Origin(*origin, version), now))

    @property
    def catalog(self) -> Catalog:
        """Licences and codes as of the last commit."""
        return self._memory.catalog

    @property
    def serial(self) -> int:
        """Serial of this server's newest change."""
        return self._memory.serial

    @property
    def writer(self) -> Writer:
        """For metrics: queue depth, operations, commits."""
        return self._writer

    def write(self, operation: Callable[[Transaction], T]) -> T:
        """See Writer.run."""
        return self._writer.run(operation)

    def submit(self, operation: Callable[[Transaction], T]) -> Waiting[T]:
        """See Writer.submit."""
        return self._writer.submit(operation)

    def refresh_catalog(self) -> None:
        """Build the catalog anew (a vendor key came or went) without any change of the feed."""

        def operation(tx: Transaction) -> None:
            tx.forget_catalog()
            usage.load_overdraft(tx)

        self.write(operation)

    def keep_clock(self, highest: int, now: int) -> None:
        """Remember the highest time seen (UTC seconds), and the day on which this server ran.

        Written once a minute at most, and at once for a new day; a highest time taken back is kept too.
        """
        day = highest // DAY_SECONDS
        if abs(highest - self.highest_time) < 60 and day in self._served:
            return
        self.write(lambda tx: meta.keep_clock(tx, highest, day))
        self.highest_time = highest
        self._served.add(day)

    def served_days(self) -> list[int]:
        """Days (since 1970) on which this server ran, as far as it believed its clock."""
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

    def close(self) -> None:
        """Finish what waits and close everything."""
        while True:
            try:
                self._readers.get_nowait().close()
            except queue.Empty:
                break
        self._writer.stop()


def load_memory(db: apsw.Connection, memory: Memory, origin: tuple[str, str]) -> None:
    """Fill the writer's memory from the tables; registers the origin when it is new."""
    memory.origin = sql.value(
        db,
        "INSERT INTO origins (uuid, incarnation) VALUES (?, ?) ON CONFLICT DO UPDATE SET uuid = uuid RETURNING id",
        origin,
    )
    newest = feed.head(db, memory.origin)
    memory.serial, memory.head = (newest[0], newest[1]) if newest else (0, feed.first_hash(*origin))
    memory.next_device = sql.value(db, "SELECT coalesce(max(id), 0) + 1 FROM devices")
    memory.catalog = memory.build_catalog(db)
    memory.types = usage.load(db, memory.counters)
    seats.load(db, memory.counters)
    usage.load_overdraft(Transaction(db, memory))
    memory.counters.forget_undo()
