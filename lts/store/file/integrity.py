"""Whether the pages of the database hold together, every index says what its table does, and its tables are those that
this program makes; rebuilding indexes.

SQLite's own check, read-only and alongside the writer. What rows mean is compared by lts.store.replay.
"""

from __future__ import annotations

import contextlib
import functools
import os
from dataclasses import dataclass
from pathlib import Path

import apsw

from lts.errors import DatabaseDamaged
from lts.store.file.schema import MIGRATIONS
from lts.store.sql import rows, value

NAMED = 20
"""Faults named of one table."""
_ENDED = "it cannot be read to its end"
REBUILD = "stop the server and run `lts verify --rebuild-indexes`"
RESTORE = "run `lts restore BACKUP`"


@dataclass(frozen=True)
class DatabaseFault:
    """The damaged part: a table, or only an index, which can be rebuilt from its table."""

    words: str
    index: bool


def remedy(faults: list[DatabaseFault]) -> str:
    """What to do about them, as the end of a sentence."""
    return REBUILD if all(fault.index for fault in faults) else RESTORE


def faults(db: apsw.Connection) -> list[DatabaseFault]:
    """All faults of a whole database, none when it is in order. Takes about a second for 100 MiB."""
    if other := schema_faults(db):
        return other
    words = _check(db, "PRAGMA integrity_check(1)")
    if not words:
        return []
    found = [fault for table in tables(db) for fault in faults_of(db, table)]
    return found or [DatabaseFault(word, index=False) for word in words]


def schema_faults(db: apsw.Connection) -> list[DatabaseFault]:
    """Tables, indexes and triggers that this program did not make, or made otherwise, in a database of a schema that it
    knows: one flipped bit in their stored text changes a default, or the name of a column, and SQLite reads the rows by
    it without an error. Takes 0.1 ms, more at the first call. Raises apsw.CorruptError."""
    made, found = _made(value(db, "PRAGMA user_version")), _schema(db)
    texts = [f"schema: the {kind} {name} is {_AMISS[(kind, name) in found, (kind, name) in made]}"
            for kind, name in sorted(found.keys() | made.keys())
            if found.get((kind, name)) != made.get((kind, name))]  # fmt: skip
    return [DatabaseFault(words, index=False) for words in texts]


_AMISS = {
    (True, False): "not what this program makes",
    (False, True): "missing",
    (True, True): "not as this program makes it",
}


@functools.cache
def _made(version: int) -> dict[tuple[str, str], str]:
    """What the database of a schema holds before its first row."""
    with contextlib.closing(apsw.Connection(":memory:")) as db:
        for script in MIGRATIONS[:version]:
            db.execute(script)
        return _schema(db)


def _schema(db: apsw.Connection) -> dict[tuple[str, str], str]:
    """The text of each table, index and trigger by its type and name; damage may leave bytes that are no UTF-8."""
    of_sqlite = "name LIKE 'sqlite\\_%' ESCAPE '\\' AND type IN ('table', 'index')"
    found = rows(db, "SELECT CAST(type AS BLOB), CAST(name AS BLOB), CAST(coalesce(sql, '') AS BLOB)"  # noqa: S608
                     f" FROM main.sqlite_schema WHERE NOT ({of_sqlite})")  # fmt: skip
    texts = ([str(value, "utf-8", "replace") for value in row] for row in found)
    return {(kind, name): sql for kind, name, sql in texts}


def tables(db: apsw.Connection) -> list[str]:
    """Tables by name: what `faults_of` checks one at a time. Raises apsw.CorruptError."""
    return [name for (name,) in rows(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]


def faults_of(db: apsw.Connection, table: str) -> list[DatabaseFault]:
    """Faults of one table and of its indexes."""
    words = _check(db, f'PRAGMA integrity_check("{table}")')
    if not words:
        return []
    indexes = {
        name: f"Tree {root} "
        for name, root in rows(db, "SELECT name, rootpage FROM sqlite_schema WHERE tbl_name = ? AND type = 'index'",
                               (table,))
    }  # fmt: skip
    return [_fault(db, table, word, indexes) for word in words]


def _fault(db: apsw.Connection, table: str, word: str, indexes: dict[str, str]) -> DatabaseFault:
    for name, tree in indexes.items():
        if word.startswith(tree) or f" index {name} " in f" {word} ":
            return DatabaseFault(f"index {name}: {word}", index=True)
    if indexes and word == _ENDED and _can_be_read(db, table):
        return DatabaseFault(f"an index of table {table}: {word}", index=True)
    return DatabaseFault(f"table {table}: {word}", index=False)


def _check(db: apsw.Connection, pragma: str) -> list[str]:
    """Lines of SQLite's check; where the damage ends the check itself, its error is the last line."""
    words: list[str] = []
    try:
        for (line,) in db.execute(pragma):
            words += [part for part in str(line).splitlines() if not part.startswith("*** in database")]
    except apsw.CorruptError:
        words.append(_ENDED)
    return [] if words == ["ok"] else words[:NAMED]


def _can_be_read(db: apsw.Connection, table: str) -> bool:
    """Whether a table's own pages are in order: no index is read here."""
    try:
        for _ in db.execute(f'SELECT * FROM "{table}" NOT INDEXED'):  # noqa: S608 - a name of the schema
            pass
    except (apsw.CorruptError, UnicodeDecodeError):
        return False
    return True


def rebuild(path: Path) -> None:
    """Replace the database at `path` by one with the same tables and new indexes; nobody else has it open.

    Made separately and checked before it replaces the other: completely, or not at all. Raises apsw.Error, OSError,
    DatabaseDamaged where a table itself is damaged.
    """
    fresh = path.with_name(path.name + ".rebuilt")
    fresh.unlink(missing_ok=True)
    try:
        with contextlib.closing(apsw.Connection(str(fresh))) as made:
            fresh.chmod(0o600)
            _copy_tables(made, path)
            if left := faults(made):
                raise DatabaseDamaged(f"{path} is damaged ({left[0].words}); {RESTORE}.")
        if any(path.with_name(path.name + ending).exists() for ending in ("-wal", "-journal")):
            raise DatabaseDamaged(f"{path} cannot be closed properly; {RESTORE}.")
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _copy_tables(made: apsw.Connection, path: Path) -> None:
    made.execute("PRAGMA journal_mode = OFF").fetchall()
    made.execute("PRAGMA synchronous = OFF")
    made.execute("ATTACH ? AS old", (str(path),))
    made.execute("BEGIN")
    schema = rows(made, "SELECT type, name, sql FROM old.sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC")
    for kind, name, sql in schema:  # tables first
        try:
            made.execute(sql)
            if kind == "table":  # a plain copy would copy the old indexes, hence the condition
                made.execute(f'INSERT INTO main."{name}" SELECT * FROM old."{name}" NOT INDEXED WHERE true')  # noqa: S608 - a name of the schema
        except (apsw.CorruptError, apsw.ConstraintError) as error:
            raise DatabaseDamaged(f"{path} is damaged ({kind} {name}: {error}); {RESTORE}.") from error
    for pragma in ("application_id", "user_version"):
        made.execute(f"PRAGMA main.{pragma} = {int(rows(made, f'PRAGMA old.{pragma}')[0][0])}")
    made.execute("COMMIT")
    made.execute("DETACH old")
