"""Whether the files of a data folder belong together and are all there (docs/design/machine.md, What a data folder says
of itself). Checked before anything in it is opened for writing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lts.errors import DatabaseDamaged, DataFolderError
from lts.protocol import iso
from lts.service.core import identity, pinned, vault
from lts.service.core.files import file_digest, not_read
from lts.service.folder import mark, places, placing
from lts.store.file import database, integrity, wal, watermark
from lts.store.file.watermark import OTHER, Watermark
from lts.store.history import archive
from lts.store.store import DATABASE, DATABASE_FILES
from lts.store.tables import meta

LOG = DATABASE_FILES[1]
_WAYS_OF_WHOLE = (
    "The database itself is whole: continue with it by `lts restore --accept-as-is`. If the folder was copied by hand"
    " or put together, rather copy all of it again (`lts backup` does so safely), or restore a backup (`lts restore"
    " BACKUP`)."
)
_WAYS = (
    "`lts backup` copies a data folder safely, also while the server runs. Copy all of the folder again, restore a"
    " backup (`lts restore BACKUP`), or continue with what is here: `lts restore --accept-as-is`."
)


@dataclass(frozen=True)
class Untrue:
    """What of a data folder cannot be: one sentence, and whether its log is the fault (`stray`), without which the
    database may continue; of one that is damaged in the middle, the bytes up to there (`whole_log`); what to do."""

    sentence: str
    stray: bool = False
    whole_log: int | None = None
    ways: str = _WAYS


def check(folder: Path) -> bool:
    """Whether a data folder holds no server yet, so that one may be made in it. Raises DataFolderError, which says what
    is wrong and what to do."""
    places.check(folder)
    if not (folder / identity.IDENTITY).exists():
        _check_unused(folder)
        return True
    found = untrue(folder)
    if found is not None:
        raise DataFolderError(found)
    return False


def untrue(folder: Path, *, in_use: bool = False) -> str | None:
    """What is wrong with a data folder and what to do, see `examine`. Raises DataFolderError."""
    found = examine(folder, in_use=in_use)
    return None if found is None else f"{found.sentence} {found.ways}"


def _check_unused(folder: Path) -> None:
    """A first start that was killed before it had an identity leaves a database without a feed, which
    `lts.store.store.prepare` distinguishes, and the keys."""
    kept = [f"{placing.REPLACED}{number}" for number in placing.numbers(folder)]
    names = [mark.FILE, pinned.FILE, "archive/*", "backups/*", "lts-schema*.db", *kept]
    if not (folder / DATABASE).exists():
        names += [LOG, identity.KEY, vault.FILE]
    left = [name for name in names if any(folder.glob(name))]
    if left:
        way = " or `lts restore --undo`, which puts back the newest content that was replaced" if kept else ""
        raise DataFolderError(
            f"{folder / identity.IDENTITY} is missing though this data folder was in use (there is {left[0]}); run"
            f" `lts restore BACKUP`{way}. A new server begins in an empty folder."
        )


def examine(folder: Path, *, in_use: bool = False) -> Untrue | None:
    """What is wrong with a data folder that has an identity, None if nothing is; `in_use` while a server writes it.

    Raises DataFolderError if it cannot be checked, which only a backup fixes.
    """
    if words := placing.unfinished(folder):
        raise DataFolderError(words)
    places.check(folder)
    me = identity.load(folder)
    pinned.PinnedFile(folder)
    try:
        said = mark.read(folder)
    except ValueError as error:
        words = f"{folder / mark.FILE} is damaged ({error}), so nobody can tell whether the database lacks changes."
        return Untrue(words, ways=_WAYS_OF_WHOLE if _is_whole(folder / DATABASE) else _WAYS)
    path = folder / DATABASE
    has_log = (folder / LOG).exists() and (folder / LOG).stat().st_size > 0
    if has_log and not in_use and (torn := _log_damage(folder)):
        return torn
    own = watermark.generation_of_file(path) if has_log and not in_use else None
    try:
        with contextlib.closing(database.open_in_use(path)) as db, database.translating_errors(path):
            here = watermark.of(db)
            lag = watermark.lag(db, here, said) if said else None
            damaged = meta.damage(db) if watermark.names(db) else None
    except DatabaseDamaged:
        if own is not None and said and _holds_without_log(path, said):
            return _stray(folder)
        raise
    if own is not None and not own <= here.generation <= own + 1:
        return _stray(folder)
    if lag and said:
        if has_log and _holds_without_log(path, said):
            return _stray(folder)
        return Untrue(_other(folder) if lag == OTHER else _older(folder, said, has_log=has_log))
    if damaged is not None:
        raise damaged
    found = _identity_fault(folder, me, here, said)
    if found is None:
        vault.Vault.load(folder)
    return found


def _is_whole(path: Path) -> bool:
    """Whether the database, with its log, has no damage that SQLite finds."""
    try:
        with contextlib.closing(database.open_in_use(path)) as db, database.translating_errors(path):
            return not integrity.faults(db)
    except DataFolderError:
        return False


def _log_damage(folder: Path) -> Untrue | None:
    """Checked before SQLite opens the database, and if nobody writes the log."""
    try:
        found = wal.damage(folder / LOG)
    except OSError as error:
        raise DataFolderError(not_read(folder / LOG, error)) from error
    if found is None:
        return None
    return Untrue(
        f"{folder / LOG} is damaged after {found.whole:,} of {found.size:,} bytes, and changes that were stored after"
        " that cannot be read.",
        stray=_is_further_alone(folder / DATABASE),
        whole_log=found.whole,
    )


def _is_further_alone(path: Path) -> bool:
    """Whether the database without its log has all that it shows with it, as where the log was put into it already."""
    with contextlib.closing(database.open_in_use(path)) as db, database.translating_errors(path):
        here = watermark.of(db)
    return _holds_without_log(path, here)


def _holds_without_log(path: Path, said: Watermark) -> bool:
    """Whether the database without its log is complete, and has all that the mark recorded."""
    try:
        with contextlib.closing(database.open_alone(path)) as db, database.translating_errors(path):
            return not integrity.faults(db) and watermark.lag(db, watermark.of(db), said) is None
    except DataFolderError:
        return False


def _stray(folder: Path) -> Untrue:
    return Untrue(
        f"{folder / LOG} does not belong to the {DATABASE} next to it: one of the two is from another time or"
        " another server.",
        stray=True,
    )


def _other(folder: Path) -> str:
    return f"{folder / DATABASE} is not the database that {mark.FILE} next to it describes."


def _older(folder: Path, said: Watermark, *, has_log: bool) -> str:
    lost = "" if has_log else f"; {LOG} is not there, and may have been left out when the folder was copied"
    when = f" of {iso(said.time)}" if said.time else ""
    return f"{folder / DATABASE} is older than {mark.FILE} next to it says: it lacks changes, the last{when}{lost}."


def _identity_fault(folder: Path, me: identity.Identity, here: Watermark, said: Watermark | None) -> Untrue | None:
    if me.feed == identity.BEGUN and said is None:
        return Untrue(
            f"{folder / mark.FILE} is missing though this data folder was in use, so nobody can tell whether the"
            " database is complete; it may have been left out when the folder was copied."
        )
    if me.feed == identity.BEGUN and not here.has(me.uuid, me.incarnation):
        return Untrue(f"{folder / identity.IDENTITY} and {DATABASE} do not belong together.")
    if not (folder / pinned.FILE).exists() and _went_on(me, here):  # of a pair, the other sends what was lost
        return Untrue(
            f"{folder / identity.IDENTITY} is older than the {DATABASE} next to it, which holds changes of a later"
            " incarnation of this server."
        )
    if me.feed or said is not None:
        return None
    return _fault_of_first_release(folder, me)


def _went_on(me: identity.Identity, here: Watermark) -> bool:
    """Whether the database holds an incarnation of this server that began after the identity's own."""
    own = [incarnation for uuid, incarnation, _, _ in here.positions if uuid == me.uuid]
    return me.incarnation in own[:-1]


def _fault_of_first_release(folder: Path, me: identity.Identity) -> Untrue | None:
    """LTS 0.1.0 wrote no mark, and named its origin in the database whenever it opened it."""
    with contextlib.closing(database.open_in_use(folder / DATABASE)) as db:
        known = {uuid for uuid, _ in watermark.names(db)}
    if not known:
        return Untrue(
            f"{folder / DATABASE} holds nothing though this data folder was in use; {LOG} may have been left out when"
            " the folder was copied."
        )
    if not known & {me.uuid, *me.previous}:
        return Untrue(f"{folder / identity.IDENTITY} and {DATABASE} do not belong together.")
    return None


def lost_archives(folder: Path) -> list[str]:
    """Names of the archives that the database counts on and that are gone. Raises DataFolderError."""
    return [name for name in wanted_archives(folder / DATABASE) if not (folder / "archive" / name).is_file()]


def damaged_archives(folder: Path) -> list[str]:
    """Names of archives that are there and differ from what the database records: each is read. Raises
    DataFolderError."""
    return unfit_archives(wanted_archives(folder / DATABASE), lambda name: _digest(folder / "archive" / name))[1]


def unfit_archives(
    wanted: Mapping[str, bytes], digest_of: Callable[[str], bytes | None]
) -> tuple[list[str], list[str]]:
    """(gone, damaged): names of the `wanted_archives` whose SHA-256, by `digest_of`, is None or another."""
    found = {name: (digest_of(name), digest) for name, digest in wanted.items()}
    gone = [name for name, (here, _) in found.items() if here is None]
    return gone, [name for name, (here, digest) in found.items() if here not in (None, digest)]


def wanted_archives(path: Path, *, alone: bool = False) -> dict[str, bytes]:
    """The SHA-256 of each archive that the database at `path` counts on, by its name; `alone` where no log belongs to
    it. Raises DataFolderError."""
    connect = database.open_alone if alone else database.open_in_use
    with database.translating_errors(path), contextlib.closing(connect(path)) as db:
        return archive.files(db)


def _digest(path: Path) -> bytes | None:
    """None for an archive that is gone, which is reported separately."""
    try:
        return file_digest(path) if path.is_file() else None
    except OSError as error:
        raise DataFolderError(not_read(path, error)) from error


def archive_words(folder: Path, names: list[str], fault: str = "gone") -> str:
    """One sentence of archives that are gone, or damaged."""
    more = f" and {len(names) - 1} more are" if len(names) > 1 else " is"
    return (
        f"{folder / 'archive' / names[0]}{more} {fault}: old changes cannot be verified, and a new standby would lack"
        " them. A backup holds them as archive/NAME (it is a zip file), the other server of a pair in its own folder;"
        " put them back. `lts backup` copies a data folder with all that belongs to it."
    )
