"""Opening the SQLite file: pragmas, damage, migrations, read-only connections, copies.

Knows nothing about what the tables mean. One connection writes and checkpoints (docs/design/architecture.md, The write
path).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw

from lts import plainfile
from lts.errors import DatabaseDamaged, DataFolderError
from lts.store.file import integrity
from lts.store.file.schema import APPLICATION_ID, FILLS, MIGRATIONS
from lts.store.sql import value
from lts.whoami import user_name

log = logging.getLogger("lts.database")
BUSY_MILLISECONDS = 15_000
_WAL_KEPT_BYTES = 64 << 20
"""What stays of a journal that grew while somebody read for long, as a copy of everything does."""
_COPIED_PAGES = 1000
"""Pages that are copied in one call, which Ctrl-C cannot end."""
ENDINGS = ("-wal", "-shm", "-journal")
"""Of the files that SQLite makes next to a database."""
_STATEMENTS = 400
"""How many compiled statements SQLite's wrapper keeps: those least recently used are dropped."""


def open_writer(path: Path, *, create: bool, checked_bytes: int = 0) -> apsw.Connection:
    """The writing connection, migrated to this program's schema; a small database is read completely first.

    Raises DatabaseDamaged (damage, a newer program's database, one that is missing while `create` is
    False), DataFolderError when the file cannot be opened.
    """
    fresh = not path.exists()
    check_plain(path)
    if not create:
        _check_there(path)
    with translating_errors(path):
        db = apsw.Connection(str(path), statementcachesize=_STATEMENTS)
        try:
            _prepare(db, path, checked_bytes)
        except (apsw.Error, DataFolderError):
            db.close()
            raise
    if os.name == "posix" and fresh:
        path.chmod(0o600)
    return db


def open_in_use(path: Path) -> apsw.Connection:
    """A read-only connection to the database of a data folder that was in use, of any schema this program knows.

    Raises what `open_writer` raises.
    """
    check_plain(path)
    _check_there(path)
    with translating_errors(path):
        db = open_reader(path)
        try:
            _check_identity(db, path)
            _check_schema(db, path)
            _check_length(db, path)
        except (apsw.Error, DataFolderError):
            db.close()
            raise
    return db


def check_plain(path: Path) -> None:
    """Raises DataFolderError where something else is in the place of the database, or of a file that SQLite keeps next
    to it: opening a pipe would wait for ever."""
    for name in (path.name, *(path.name + ending for ending in ENDINGS)):
        one = path.with_name(name)
        try:
            plainfile.check_free(one)
        except OSError as error:
            raise DataFolderError(plainfile.in_the_way(one, error)) from error


def _check_length(db: apsw.Connection, path: Path) -> None:
    """Every page of the database is in the file or in its log; a copy that was cut off lacks some."""
    there, wanted = _length(path), db.execute("PRAGMA page_count").get * db.execute("PRAGMA page_size").get
    if there < wanted:
        raise _cut_off(path, there, wanted)


def _length(path: Path) -> int:
    """Bytes of the file and its log."""
    log_file = path.with_name(f"{path.name}-wal")
    in_log = log_file.stat().st_size if log_file.exists() else 0  # first: what leaves it is in the file before
    return in_log + path.stat().st_size


def _cut_off(path: Path, there: int, wanted: int) -> DatabaseDamaged:
    return DatabaseDamaged(f"{path} is cut off after {there:,} of {wanted:,} bytes; run `lts restore BACKUP`.")


def _check_header(path: Path) -> None:
    """Raises DatabaseDamaged for a file that is shorter than it says in its beginning, which SQLite takes for an empty
    or a damaged one (https://sqlite.org/fileformat.html, The Database Header)."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
    except OSError:
        return  # SQLite says why
    if not _MAGIC.startswith(head[: len(_MAGIC)]):
        return
    if len(head) < _HEADER.size:
        raise _cut_off(path, len(head), _SMALLEST_PAGE)
    _, page_size, changes, pages, valid_for = _HEADER.unpack(head)
    wanted = pages * (_LARGEST_PAGE if page_size == 1 else page_size)  # 1: the largest has no room in two bytes
    if changes == valid_for and (there := _length(path)) < wanted:
        raise _cut_off(path, there, wanted)


_HEADER = struct.Struct(">16sH6xII60xI4x")
_MAGIC = b"SQLite format 3\0"
_SMALLEST_PAGE, _LARGEST_PAGE = 512, 65_536


def check(path: Path, *, but_indexes: bool = False) -> None:
    """Read the whole database of a data folder that was in use, `but_indexes`: which can be rebuilt. Raises what
    `open_writer` raises."""
    with contextlib.closing(open_in_use(path)) as db, translating_errors(path):
        found = integrity.faults(db)
    _raise_first([fault for fault in found if not (but_indexes and fault.index)], path)


def check_alone(path: Path) -> None:
    """The same without its log."""
    with translating_errors(path), contextlib.closing(open_alone(path)) as db:
        _check(db, path)


def _check(db: apsw.Connection, path: Path) -> None:
    _raise_first(integrity.faults(db), path)


def _check_schema(db: apsw.Connection, path: Path) -> None:
    """Every row is read by the schema, so this is checked before anything else."""
    _raise_first(integrity.schema_faults(db), path)


def _raise_first(found: list[integrity.DatabaseFault], path: Path) -> None:
    if found:
        raise DatabaseDamaged(f"{path} is damaged ({found[0].words}); {integrity.remedy(found)}.")


def _check_there(path: Path) -> None:
    if not path.exists():
        raise DatabaseDamaged(f"{path} is missing though this data folder was in use; run `lts restore BACKUP`.")
    if path.is_file() and path.stat().st_size == 0:
        raise DatabaseDamaged(f"{path} is empty though this data folder was in use; run `lts restore BACKUP`.")
    if path.is_file():
        _check_header(path)


@contextlib.contextmanager
def translating_errors(path: Path) -> Iterator[None]:
    """Turns what SQLite raises about the database at `path` into errors that say what to do. An error about a wrong
    statement passes unchanged if the tables are those it was written for: that is a bug in this program.

    Raises DatabaseDamaged, DataFolderError.
    """
    try:
        yield
    except apsw.CorruptError as error:
        raise DatabaseDamaged(f"{path} is damaged ({_said(error)}); run `lts restore BACKUP`.") from error
    except UnicodeDecodeError as error:
        raise DatabaseDamaged(f"{path} is damaged (it holds invalid text); run `lts restore BACKUP`.") from error
    except apsw.NotADBError as error:
        raise DatabaseDamaged(f"{path} is not a database; run `lts restore BACKUP`.") from error
    except apsw.SQLError as error:
        with contextlib.suppress(apsw.Error), contextlib.closing(open_reader(path)) as db:
            _check_schema(db, path)
        raise error
    except apsw.FullError as error:
        raise DataFolderError(f"{path} cannot be written (its disk is full); free some space there.") from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
        raise DataFolderError(_cannot_open(path, error)) from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise DataFolderError(
            f"{path} is in use by another program ({_said(error)}); try again when that is done."
        ) from error
    except apsw.IOError as error:
        raise _of_disk(path, error) from error


@contextlib.contextmanager
def translating_full_disk(folder: Path) -> Iterator[None]:
    """Turns a full disk into an error about `folder`, where a check makes a database; `translating_errors` would blame
    the database that is checked. Raises DataFolderError."""
    try:
        yield
    except apsw.FullError as error:
        raise DataFolderError(
            f"{folder} cannot be written (its disk is full): to verify, the change feed is replayed there into a second"
            " database, about as large as the first, which is removed at the end; free some space there."
        ) from error


def is_read_alone(folder: Path) -> bool:
    """Whether the disk of a folder was mounted read-only."""
    try:
        return sys.platform != "win32" and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
    except OSError:
        return False


_WRITING = frozenset({
    apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC, apsw.SQLITE_IOERR_TRUNCATE,
    apsw.SQLITE_IOERR_SHMOPEN, apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMMAP, apsw.SQLITE_IOERR_GETTEMPPATH,
})  # fmt: skip
"""If a disk takes nothing: in WAL mode, even reading needs a few pages of shared memory next to the database."""


def _said(error: Exception) -> str:
    """SQLite's message of an error, unless it says "not an error"."""
    return "the system refuses it" if str(error) in ("", "not an error") else str(error)


def _of_disk(path: Path, error: apsw.IOError) -> DataFolderError:
    if getattr(error, "extendedresult", 0) in _WRITING:
        return DataFolderError(
            f"{path} cannot be written ({_said(error)}); free some space on its disk, or check the disk."
        )
    return DatabaseDamaged(f"{path} is damaged ({_said(error)}); run `lts restore BACKUP`.")


def closed_files(path: Path) -> list[str]:
    """A sentence for each file of the database at `path`, and for its folder, that this user may not write, by their
    rights alone: nothing is written."""
    there = (path, *(path.with_name(path.name + ending) for ending in ENDINGS))
    return [
        _not_writable(one, os.strerror(errno.EACCES))
        for one in (*there, path.parent)
        if one.exists() and not os.access(one, os.W_OK)
    ]


def _cannot_open(path: Path, error: Exception) -> str:
    if is_read_alone(path.parent):
        return (
            f"{path} cannot be opened (its disk is read-only, and a database makes files next to it even to be read);"
            " mount the disk so that it can be written."
        )
    return _not_writable(path, _said(error))


def _not_writable(path: Path, why: str) -> str:
    return f"{path} cannot be written by {user_name()} ({why}); check the rights of the file and of its folder."


def _prepare(db: apsw.Connection, path: Path, checked_bytes: int) -> None:
    db.set_busy_timeout(BUSY_MILLISECONDS)
    _check_identity(db, path)
    _check_schema(db, path)
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute("PRAGMA synchronous = FULL")
    db.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}").fetchall()
    db.execute("PRAGMA cache_size = -32768")
    db.execute("PRAGMA temp_store = MEMORY")
    if path.stat().st_size < checked_bytes:
        _check(db, path)
    _migrate(db, path)


def is_newer(path: Path) -> bool:
    """Whether a database was written by a newer program than this one."""
    with translating_errors(path), contextlib.closing(open_alone(path)) as db:
        return bool(db.execute("PRAGMA user_version").get > len(MIGRATIONS))


def is_older(db: apsw.Connection) -> bool:
    """Whether a database was left by an older program than this one, which the start upgrades."""
    return bool(db.execute("PRAGMA user_version").get < len(MIGRATIONS))


def _check_identity(db: apsw.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").get
    application = db.execute("PRAGMA application_id").get
    holds_tables = "SELECT count(*) FROM sqlite_schema"
    if application != APPLICATION_ID and (version or db.execute(holds_tables).get):
        raise DatabaseDamaged(f"{path} is the database of another program.")
    if version > len(MIGRATIONS):
        raise DatabaseDamaged(
            f"{path} was written by a newer LTS (schema {version}, this program knows {len(MIGRATIONS)});"
            " start the newer program."
        )


def kept_copy(db: apsw.Connection, path: Path) -> Path | None:
    """Where the database of an older program is kept as it was once it is converted, None where nothing is to be."""
    version = db.execute("PRAGMA user_version").get
    return path.with_name(f"{path.stem}-schema{version}.db") if 0 < version < len(MIGRATIONS) else None


def _migrate(db: apsw.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").get
    if (kept := kept_copy(db, path)) is not None:
        log.info("upgrading %s from schema %d to %d; it stays as it was in %s", path, version, len(MIGRATIONS), kept)
        copy(db, kept)
        with kept.open("rb+") as file:
            os.fsync(file.fileno())
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
    """A read-only connection for the portal and the command line; never checkpoints. Raises DataFolderError,
    apsw.Error."""
    check_plain(path)
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(BUSY_MILLISECONDS)
    return db


def open_alone(path: Path) -> apsw.Connection:
    """A connection that reads the file as it is, without its journals, and makes none. Raises DatabaseDamaged
    where it is of a schema that this program knows and holds other tables, DataFolderError, apsw.Error."""
    check_plain(path)
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    db = apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)
    try:
        if value(db, "PRAGMA user_version") <= len(MIGRATIONS):
            _check_schema(db, path)
    except (apsw.Error, DataFolderError):
        db.close()
        raise
    return db


def copy(db: apsw.Connection, target: Path) -> None:
    """A copy of an open database as it is now, while others write: one read transaction, which holds up nobody.
    `target` is replaced; it is the caller's to make it durable. Raises DatabaseDamaged of one with other tables than
    this program's, apsw.Error, OSError; nothing is left then."""
    _check_schema(db, Path(db.filename))
    partial = target.with_name(target.name + ".part")
    partial.unlink(missing_ok=True)
    try:
        with contextlib.closing(apsw.Connection(str(partial))) as destination, _one_view(db):
            destination.execute("PRAGMA journal_mode = OFF").fetchall()
            destination.execute("PRAGMA synchronous = OFF")
            with destination.backup("main", db, "main") as backup:
                while not backup.done:
                    backup.step(_COPIED_PAGES)
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _one_view(db: apsw.Connection) -> Iterator[None]:
    """All reads in the block are of one moment: without it SQLite restarts a copy after every commit."""
    db.execute("BEGIN")
    try:
        db.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # a transaction begins with its first read
        yield
    finally:
        db.execute("ROLLBACK")
