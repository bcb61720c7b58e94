"""Opening the SQLite file: pragmas, damage, migrations, read-only connections, copies.

Knows nothing of what the tables mean. One connection writes and checkpoints (docs/design/architecture.md, The write
path).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import apsw

from lts.errors import DatabaseDamaged, DataFolderError
from lts.store.schema import APPLICATION_ID, FILLS, MIGRATIONS
from lts.store.whoami import user_name

log = logging.getLogger("lts.database")
BUSY_MILLISECONDS = 15_000
_WAL_PAGES = 4000


def open_writer(path: Path, *, create: bool) -> apsw.Connection:
    """The writing connection, migrated to this program's schema.

    Raises DatabaseDamaged (damage, a newer program's database, one that is missing while `create` is
    False), DataFolderError when the file cannot be opened.
    """
    fresh = not path.exists()
    if fresh and not create:
        raise DatabaseDamaged(f"{path} is missing though this data folder was in use; run `lts restore BACKUP`.")
    if not fresh and path.stat().st_size == 0 and not create:
        raise DatabaseDamaged(f"{path} is empty though this data folder was in use; run `lts restore BACKUP`.")
    try:
        db = apsw.Connection(str(path))
    except apsw.Error as error:
        raise DataFolderError(_cannot_open(path, error)) from error
    try:
        _prepare(db, path)
    except apsw.NotADBError as error:
        db.close()
        raise DatabaseDamaged(f"{path} is not a database; run `lts restore BACKUP`.") from error
    except (apsw.CorruptError, apsw.IOError) as error:
        db.close()
        raise DatabaseDamaged(f"{path} is damaged ({error}); run `lts restore BACKUP`.") from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, apsw.FullError) as error:
        db.close()
        raise DataFolderError(_cannot_open(path, error)) from error
    except DataFolderError:
        db.close()
        raise
    if os.name == "posix" and fresh:
        path.chmod(0o600)
    return db


def _cannot_open(path: Path, error: Exception) -> str:
    return f"{path} cannot be written by {user_name()} ({error}); check the rights of the file and of its folder."


def _prepare(db: apsw.Connection, path: Path) -> None:
    db.set_busy_timeout(BUSY_MILLISECONDS)
    _check_identity(db, path)
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}").fetchall()
    db.execute("PRAGMA cache_size = -32768")
    db.execute("PRAGMA temp_store = MEMORY")
    check = db.execute("PRAGMA quick_check(1)").get if path.stat().st_size < 64 << 20 else "ok"
    if check != "ok":
        raise DatabaseDamaged(f"{path} is damaged ({check}); run `lts restore BACKUP`.")
    _migrate(db, path)


def is_newer(path: Path) -> bool:
    """Whether a database was written by a newer program than this one."""
    db = open_reader(path)
    try:
        return bool(db.execute("PRAGMA user_version").get > len(MIGRATIONS))
    finally:
        db.close()


def _check_identity(db: apsw.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").get
    application = db.execute("PRAGMA application_id").get
    if version and application != APPLICATION_ID:
        raise DatabaseDamaged(f"{path} is the database of another program.")
    if version > len(MIGRATIONS):
        raise DatabaseDamaged(
            f"{path} was written by a newer LTS (schema {version}, this program knows {len(MIGRATIONS)});"
            " start the newer program."
        )


def _migrate(db: apsw.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").get
    if 0 < version < len(MIGRATIONS):
        kept = path.with_name(f"{path.stem}-schema{version}.db")
        log.info("upgrading %s from schema %d to %d; it stays as it was in %s", path, version, len(MIGRATIONS), kept)
        copy(db, kept)
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute(script)
            if number in FILLS:
                FILLS[number](db)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


def open_reader(path: Path) -> apsw.Connection:
    """A read-only connection for the portal and the command line; never checkpoints."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(BUSY_MILLISECONDS)
    return db


def copy(db: apsw.Connection, target: Path) -> None:
    """A consistent copy of an open database, made while it is in use; `target` is replaced."""
    partial = target.with_name(target.name + ".part")
    partial.unlink(missing_ok=True)
    destination = apsw.Connection(str(partial))
    try:
        destination.execute("PRAGMA journal_mode = DELETE").fetchall()
        with destination.backup("main", db, "main") as backup:
            while not backup.done:
                backup.step(1000)
    finally:
        destination.close()
    os.replace(partial, target)
