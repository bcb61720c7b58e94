"""Recomputing everything from the change feed, to compare it with the tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw

from lts.errors import DatabaseDamaged
from lts.rules.licensing.catalog import Catalog
from lts.store import sql
from lts.store.changes import feed
from lts.store.changes.feed import chain_hash, first_hash
from lts.store.changes.records import decode_payload
from lts.store.file import database
from lts.store.file.schema import DERIVED_TABLES, MIGRATIONS
from lts.store.history import archive
from lts.store.rows.dayrow import plain_day
from lts.store.tables.apply import apply
from lts.store.writing.transaction import Transaction
from lts.store.writing.writermemory import Memory

BATCH = 2000
FAULTS_NAMED = 20
NOT_COMPARED = "Rows cannot be compared with the change feed while a part of it cannot be read."


def compare(path: Path, archives: Path, target: Path, progress: Callable[[int], None] = lambda n: None) -> list[str]:
    """Replay the feed of the database at `path`, of this program's schema, into a new one at `target` and compare,
    while it is in use.

    `archives` is the folder of old stretches; `progress` gets the number of changes done so far. Returns faults,
    each naming table and row or serial; none = everything is as the feed says. Raises DatabaseDamaged,
    DataFolderError where the database cannot be read to its end.
    """
    db = database.open_in_use(path)
    try:
        _make_empty(target)
        db.execute("ATTACH ? AS replayed", (str(target),))
        db.execute("BEGIN")
        faults, whole = _replay(db, archives, target, progress)
        return faults + (_differences(db) if whole else [NOT_COMPARED])
    finally:
        db.close()


def _make_empty(target: Path) -> None:
    """A database without a row."""
    with contextlib.closing(apsw.Connection(str(target))) as copy:
        copy.execute("PRAGMA journal_mode = OFF").fetchall()
        copy.execute("PRAGMA synchronous = OFF")
        for script in MIGRATIONS:
            copy.execute(script)


def _replay(db: apsw.Connection, folder: Path, target: Path, progress: Callable[[int], None]) -> tuple[list[str], bool]:
    """Faults, and whether all of the feed could be read."""
    copy = apsw.Connection(str(target))
    try:
        copy.execute("PRAGMA journal_mode = OFF").fetchall()
        copy.execute("PRAGMA synchronous = OFF")
        copy.executemany("INSERT INTO origins (id, uuid, incarnation) VALUES (?, ?, ?)", feed.origin_names(db))
        replay = _Replay(db, folder, copy, progress)
        return replay.run(), replay.whole
    finally:
        copy.close()


class _Replay:
    """One run through all changes, in the order in which the database took them."""

    def __init__(self, db: apsw.Connection, folder: Path, copy: apsw.Connection, progress: Callable[[int], None]):
        self._db = db
        self._copy = copy
        self._progress = progress
        self._memory = Memory(lambda *_: Catalog(), apply)
        self._origins = {key: _OriginFeed(db, folder, key, *names) for key, *names in feed.origin_names(db)}
        self._faults: list[str] = []

    @property
    def whole(self) -> bool:
        """Whether every origin's changes were read as far as they go."""
        return not any(origin_feed.lost for origin_feed in self._origins.values())

    def run(self) -> list[str]:
        """All faults, up to FAULTS_NAMED."""
        tx = _begin(self._copy, self._memory)
        done = 0
        for intake in feed.intakes(self._db):
            origin_feed = self._origins.get(intake.origin)
            if origin_feed is None:
                self._faults.append(f"turns: nothing is known of origin {intake.origin}.")
                continue
            try:
                for serial, time, kind, payload in origin_feed.until(intake.last, self._faults):
                    tx.feed.writing = intake.origin, serial
                    _apply_one(tx, intake.origin, serial, time, kind, payload, self._faults)
                    done += 1
                    if done % BATCH == 0:
                        _end(tx, self._copy)
                        self._progress(done)
                        tx = _begin(self._copy, self._memory)
                    if len(self._faults) >= FAULTS_NAMED:
                        break
            except DatabaseDamaged as error:
                self._faults.append(error.detail)
                origin_feed.lost = True
        _end(tx, self._copy)
        if len(self._faults) < FAULTS_NAMED:
            for origin_feed in self._origins.values():
                self._faults += origin_feed.rest()
            for origin, serial in feed.strange(self._db, FAULTS_NAMED):
                self._faults.append(f"changes: origin {origin} serial {serial} is not a change that any server wrote.")
            for position in feed.strange_intakes(self._db)[:FAULTS_NAMED]:
                self._faults.append(f"turns: turn {position} is not one that this server took.")
        return self._faults


class _OriginFeed:
    """An origin's changes read in order, each compared with its hash and with the heads that were signed."""

    def __init__(self, db: apsw.Connection, folder: Path, key: int, uuid: str, incarnation: str):
        self._key = key
        self._changes = archive.feed_after(db, folder, key)
        self._expected, self._previous = 1, first_hash(uuid, incarnation)
        self._heads = {head.serial: head.hash for head in feed.heads(db) if head.origin == key}
        self._ends = archive.ends(db, key)
        self.lost = False

    def until(self, last: int | None, faults: list[str]) -> Iterator[tuple[int, int, int, bytes]]:
        """Up to serial `last` (None: all): serial, time, kind, payload. Raises DatabaseDamaged."""
        while not self.lost and (last is None or self._expected <= last):
            change = next(self._changes, None)
            if change is None:
                return
            serial, time, kind, payload, stored = change
            if serial != self._expected:
                faults.append(f"changes: origin {self._key} lacks serial {self._expected} to {serial - 1}.")
            self._previous = chain_hash(self._previous, serial, time, kind, payload)
            if stored is not None and stored != self._previous:
                faults.append(f"changes: the hash of origin {self._key} serial {serial} does not fit its content.")
                self._previous = stored
            if self._heads.pop(serial, self._previous) != self._previous:
                faults.append(f"heads: the signed head of origin {self._key} serial {serial} differs.")
            if self._ends.pop(serial, self._previous) != self._previous:
                faults.append(f"archives: what is recorded of origin {self._key} at serial {serial} is wrong.")
            self._expected = serial + 1
            yield serial, time, kind, payload

    def rest(self) -> list[str]:
        """Faults that show once everything was read."""
        if self.lost:
            return []
        if next(self._changes, None) is not None:
            return [f"turns: changes of origin {self._key} from serial {self._expected} on were taken in no turn."]
        if self._ends:
            return [f"archives: no stretch of origin {self._key} ends at serial {max(self._ends)}."]
        if self._heads:
            return [f"changes: origin {self._key} ends before serial {max(self._heads)}, whose head was signed."]
        return []


def _begin(copy: apsw.Connection, memory: Memory) -> Transaction:
    copy.execute("BEGIN")
    return Transaction(copy, memory)


def _end(tx: Transaction, copy: apsw.Connection) -> None:
    tx.gathered.write()
    tx.keep()
    copy.execute("COMMIT")


def _apply_one(
    tx: Transaction, origin: int, serial: int, time: int, kind: int, payload: bytes, faults: list[str]
) -> None:
    try:
        apply(tx, decode_payload(kind, payload), time)
    except (ValueError, apsw.Error) as error:
        faults.append(f"changes: origin {origin} serial {serial} cannot be applied ({error}).")


def _differences(db: apsw.Connection) -> list[str]:
    """Rows of derived tables that the feed does not give, or gives otherwise."""
    db.create_scalar_function("plain_day", _plain_day, 1)
    found: list[str] = []
    for table in DERIVED_TABLES:
        for here, there, words in (
            ("main", "replayed", "is not what the change feed says"),
            ("replayed", "main", "is missing or was changed"),
        ):
            cells = "day, device, code, plain_day(data)" if table == "usage_days" else "*"
            query = (
                f"SELECT {cells} FROM {here}.{table} EXCEPT SELECT {cells} FROM {there}.{table} LIMIT {FAULTS_NAMED}"  # noqa: S608 - names of our own tables
            )
            try:
                found += [f"{table}: row {_show(row)} {words}." for row in sql.rows(db, query)]
            except UnicodeDecodeError:
                found.append(f"{table}: a row holds invalid text.")
    return found


def _plain_day(*cells: Any) -> Any:
    """A day's row as this program would write it; anything else stays as it is."""
    (data,) = cells
    try:
        return plain_day(data) if isinstance(data, bytes) else data
    except (ValueError, LookupError, OverflowError, MemoryError):
        return data


def _show(row: tuple[object, ...]) -> str:
    cells = [value.hex()[:32] if isinstance(value, bytes) else str(value)[:40] for value in row]
    return "(" + ", ".join(cells[:6]) + ")"
