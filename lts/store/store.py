"""The store as the services see it: write an operation, read with a connection, ask the catalog."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import apsw

from lts.rules.catalog import Catalog
from lts.store import database, feed, seats, sql, usage
from lts.store.apply import apply
from lts.store.records import Origin
from lts.store.transaction import BuildCatalog, Memory, Transaction
from lts.store.writer import Writer

T = TypeVar("T")
DATABASE = "lts.db"
_READERS = 8


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
        create: bool = True,
        on_fault: Callable[[Exception | None], None] = lambda error: None,
    ) -> None:
        self.path = folder / DATABASE
        db = database.open_writer(self.path, create=create)
        self._memory = Memory(build_catalog, apply)
        self.highest_time = feed.highest_time(db)
        load_memory(db, self._memory, origin)
        self._writer = Writer(db, self._memory, on_fault)
        self._readers: queue.LifoQueue[apsw.Connection] = queue.LifoQueue()
        self._open_readers = 0
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

    def refresh_catalog(self) -> None:
        """Build the catalog anew (a vendor key came or went) without any change of the feed."""

        def operation(tx: Transaction) -> None:
            tx.forget_catalog()
            usage.load_overdraft(tx)

        self.write(operation)

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
