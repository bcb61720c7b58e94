"""Recomputing everything from the change feed, to compare it with what the tables say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from lts.errors import DatabaseDamaged
from lts.rules.catalog import Catalog
from lts.store import archive, database, feed, sql
from lts.store.apply import apply
from lts.store.feed import chain_hash, first_hash
from lts.store.records import decode_payload
from lts.store.schema import DERIVED_TABLES, MIGRATIONS
from lts.store.transaction import Memory, Transaction

BATCH = 2000
FAULTS_NAMED = 20


def compare(path: Path, archives: Path, target: Path, progress: Callable[[int], None] = lambda n: None) -> list[str]:
    """Replay the feed of the database at `path` into a new one at `target` and compare, while it is in use.

    `archives` is the folder of old stretches; `progress` is told the changes done so far. Returns faults,
    each naming table and row or serial; none = everything is as the feed says.
    """
    db = database.open_reader(path)
    try:
        apsw.Connection(str(target)).close()
        db.execute("ATTACH ? AS replayed", (str(target),))
        db.execute("BEGIN")
        sql.value(db, "SELECT count(*) FROM meta")  # the view is fixed from here on
        return _replay(db, archives, target, progress) + _differences(db)
    finally:
        db.close()


def _replay(db: apsw.Connection, folder: Path, target: Path, progress: Callable[[int], None]) -> list[str]:
    copy = apsw.Connection(str(target))
    try:
        copy.execute("PRAGMA journal_mode = OFF").fetchall()
        copy.execute("PRAGMA synchronous = OFF")
        for script in MIGRATIONS:
            copy.execute(script)
        memory = Memory(lambda _: Catalog(), apply)
        faults: list[str] = []
        done = 0
        for origin, uuid, incarnation in feed.origin_names(db):
            done = _replay_origin(db, folder, copy, memory, (origin, uuid, incarnation), faults, done, progress)
        return faults
    finally:
        copy.close()


def _replay_origin(
    db: apsw.Connection,
    folder: Path,
    copy: apsw.Connection,
    memory: Memory,
    origin: tuple[int, str, str],
    faults: list[str],
    done: int,
    progress: Callable[[int], None],
) -> int:
    key, uuid, incarnation = origin
    expected, previous = 1, first_hash(uuid, incarnation)
    heads = {head.serial: head.hash for head in feed.heads(db) if head.origin == key}
    tx = _begin(copy, memory)
    try:
        for serial, time, kind, payload, stored in archive.whole_feed(db, folder, key):
            if serial != expected:
                faults.append(f"changes: origin {key} lacks serial {expected} to {serial - 1}.")
            previous = chain_hash(previous, serial, time, kind, payload)
            if stored is not None and stored != previous:
                faults.append(f"changes: the hash of origin {key} serial {serial} does not fit its content.")
                previous = stored
            if heads.pop(serial, previous) != previous:
                faults.append(f"heads: the signed head of origin {key} serial {serial} is another one.")
            _apply_one(tx, key, serial, time, kind, payload, faults)
            expected = serial + 1
            done += 1
            if done % BATCH == 0:
                _end(tx, copy)
                progress(done)
                tx = _begin(copy, memory)
            if len(faults) >= FAULTS_NAMED:
                break
    except DatabaseDamaged as error:
        faults.append(error.detail)
    else:
        if heads and len(faults) < FAULTS_NAMED:
            faults.append(f"changes: origin {key} ends before serial {max(heads)}, whose head was signed.")
    _end(tx, copy)
    return done


def _begin(copy: apsw.Connection, memory: Memory) -> Transaction:
    copy.execute("BEGIN")
    return Transaction(copy, memory)


def _end(tx: Transaction, copy: apsw.Connection) -> None:
    tx.write_gathered()
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
    found: list[str] = []
    for table in DERIVED_TABLES:
        for here, there, words in (
            ("main", "replayed", "is not what the change feed says"),
            ("replayed", "main", "is missing or was changed"),
        ):
            query = f"SELECT * FROM {here}.{table} EXCEPT SELECT * FROM {there}.{table} LIMIT {FAULTS_NAMED}"  # noqa: S608 - names of our own tables
            try:
                found += [f"{table}: row {_show(row)} {words}." for row in sql.rows(db, query)]
            except UnicodeDecodeError:
                found.append(f"{table}: a row holds text that is none.")
    return found


def _show(row: tuple[object, ...]) -> str:
    cells = [value.hex()[:32] if isinstance(value, bytes) else str(value)[:40] for value in row]
    return "(" + ", ".join(cells[:6]) + ")"
