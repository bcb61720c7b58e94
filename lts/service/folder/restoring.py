"""Restoring a backup, and undoing that (docs/design/machine.md, The data folder).

The server is stopped and the folder locked in all of these; whoever opens the folder next finds the old content or the
new one.
"""

from __future__ import annotations

import contextlib
import errno
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.errors import AdminError, DatabaseDamaged, DataFolderError, words_of
from lts.protocol import iso
from lts.rules import labels
from lts.service.core import identity, pinned, vault
from lts.service.core.files import file_digest, write_private
from lts.service.folder import folderstate, mark, placing
from lts.service.folder.contents import (
    BACKED_UP_FILES,
    BACKED_UP_FOLDERS,
    EVERYTHING,
    MANIFEST,
    MAY_BE_BACKED_UP,
    REPLACED_BY_COPY,
)
from lts.store.file import database, summary
from lts.store.store import DATABASE, DATABASE_FILES
from lts.strictjson import strict_json

_MAX_MANIFEST_BYTES = 16 << 20
"""Over 100,000 names of archives, of which a year has a few hundred at most."""
_PIECE_BYTES = 1 << 20
"""Of a file that is unpacked, at a time."""


def restore(
    source: Path, data_dir: Path, actor: str = "system", *, as_it_is: bool = False, called: str = ""
) -> list[str]:
    """Put a backup in place of the data folder's content, under a new incarnation; what was there is kept.

    Everything is checked before anything is changed; a backup whose archives do not match is used only `as_it_is`.
    Returns the names restored. `called` is what people call the source, if not by its path. Raises AdminError,
    DataFolderError.
    """
    called = called or str(source)
    placing.finish(data_dir)
    try:
        with zipfile.ZipFile(source) as bundle:
            names = _checked_names(bundle, called)
            folder = placing.prepare(data_dir)
            _unpack(bundle, names, folder, called)
        me = identity.load(folder)  # the decision needs it, at every start until it is carried out
        _check_not_the_others(called, me, data_dir)
        _keep_retired(data_dir, folder)
        vault.Vault.load(folder)
        if database.is_newer(folder / DATABASE):
            raise AdminError("newer-backup", f"{called} was written by a newer LTS; restore it with that one.")
        detail = {"file": Path(called).name}
        if unfit := _unfit(folder, names):
            detail["found"] = f"{Path(called).name} {unfit}"
            if not as_it_is:
                raise AdminError("unfit-archives", f"{called} {unfit}. {_UNFIT_WAYS}")
        placing.decide(data_dir, EVERYTHING, ("restored", detail, actor))
    except OSError as error:
        if error.filename not in (None, str(source)) and Path(error.filename).is_relative_to(data_dir):
            words = f"{not_placed(data_dir, error)} Nothing was restored."
            raise AdminError("cannot-write", words) from error
        raise AdminError("bad-backup", f"{called} cannot be restored: {words_of(error)}.") from error
    except DatabaseDamaged as error:
        words = f"{called} cannot be restored: {error.detail.partition('; ')[0]}. Take another backup."
        raise AdminError("bad-backup", words) from error
    except _NOT_WHOLE as error:
        raise AdminError("bad-backup", f"{called} cannot be restored: {_DAMAGED}") from error
    finally:
        placing.finish(data_dir)
    return list(names)


def not_placed(data_dir: Path, error: OSError) -> str:
    """A sentence on what keeps new content from its place: what is in the way by its own name, else the folder."""
    if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EINVAL):
        return plainfile.in_the_way(error.filename, error)
    return plainfile.not_written(data_dir, error)


_NOT_WHOLE = (
    zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, TypeError, AttributeError, RuntimeError,
)  # fmt: skip
"""What Python's reader of zip files, and ours of the list in it, makes of damage; NotImplementedError too."""
_DAMAGED = "it is damaged, or cut off, or not a backup of LTS. Take another one; `lts verify BACKUP` checks it first."
_UNFIT_WAYS = (
    "Nothing was changed. Take another backup, or continue without them: `lts restore --accept-as-is BACKUP`; old"
    " changes cannot be verified then."
)


def _unfit(folder: Path, names: dict[str, str]) -> str:
    """Which archives are missing or damaged in the backup unpacked in `folder`, as the end of a sentence."""

    def digest_of(name: str) -> bytes | None:
        stated = names.get(f"archive/{name}")
        return None if stated is None else bytes.fromhex(stated)

    gone, damaged = folderstate.unfit_archives(folderstate.wanted_archives(folder / DATABASE, alone=True), digest_of)
    both = (("lacks", gone, ""), ("holds", damaged, " damaged"))
    said = [
        f"{verb} archive/{found[0]}" + (f" and {len(found) - 1} more" if found[1:] else "") + end
        for verb, found, end in both
        if found
    ]
    return " and ".join(said)


def _checked_names(bundle: zipfile.ZipFile, called: str) -> dict[str, str]:
    if bundle.getinfo(MANIFEST).file_size > _MAX_MANIFEST_BYTES:
        raise AdminError("bad-backup", f"{called} is not a backup of LTS: its list of files is too long.")
    manifest = strict_json(bundle.read(MANIFEST))
    names: dict[str, str] = manifest["files"]
    for name in names:
        head, _, tail = name.rpartition("/")
        plain = tail and "\\" not in tail and ":" not in tail and tail not in (".", "..")
        if not plain or (name not in MAY_BE_BACKED_UP if not head else head not in BACKED_UP_FOLDERS):
            raise AdminError("bad-backup", f"{called} is not a backup of LTS.")
    return names


def _check_not_the_others(called: str, me: identity.Identity, data_dir: Path) -> None:
    """A backup of the other server of the pair would make two of that one (docs/design/pair.md, Restored and copied
    servers). Raises AdminError."""
    try:
        other = pinned.PinnedFile(data_dir).now
    except DataFolderError:  # a restore fixes what cannot be read
        return
    if me.uuid != other.uuid and me.key.public.x not in (other.key, other.replaced):
        return
    raise AdminError(
        "other-servers-backup",
        f"{called} is a backup of the other server of the pair, {me.uuid}; restore it on that server. This one"
        " continues with a backup of its own, or, with its data folder moved away, as a new standby that copies the"
        " other. Where the main is gone for good, lts promote makes its standby the main.",
    )


def _keep_retired(data_dir: Path, folder: Path) -> None:
    """A main that was replaced no longer serves, even with a backup from before, or with what a restore kept
    (docs/design/pair.md, Taking over). `folder` is what comes in place."""
    with contextlib.suppress(DataFolderError):  # a restore fixes what cannot be read
        retired = pinned.PinnedFile(data_dir).now.retired
        if retired and identity.load(data_dir).key.public.x == identity.load(folder).key.public.x:
            pinned.PinnedFile(folder).change(retired=True)


def _unpack(bundle: zipfile.ZipFile, names: dict[str, str], folder: Path, called: str) -> None:
    for name, digest in names.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        with bundle.open(name) as member:
            write_private(path, iter(partial(member.read, _PIECE_BYTES), b""))
        if file_digest(path).hex() != digest:
            raise AdminError("bad-backup", f"{called} is damaged: {name} is not what was backed up.")


@dataclass(frozen=True)
class Replaced:
    """A folder of what was replaced: its `name`, since when (UTC seconds), by what `action` and `detail` (empty where
    LTS 0.1.0 did it), and what it `holds`, as text."""

    name: str
    time: int
    action: str
    detail: dict[str, Any]
    holds: str

    @property
    def words(self) -> str:
        return f"{self.name}: {self.since}. It holds {self.holds}."

    @property
    def since(self) -> str:
        """Until when it was in place, and what ended that."""
        when = iso(self.time).replace("T", " ").replace("Z", " UTC")
        return f"until {when}, when {_BY.get(self.action, 'it was replaced')}"


_BY = {
    "restored": "a backup was restored",
    "restore-undone": "a restore was undone",
    "folder-accepted": "the folder was accepted as it was",
    "first-copy": "the other server of the pair was copied",
    identity.MOVED: "the folder counted as another machine's",
    identity.MOVED_BACK: "the folder was back on a previous machine",
}


def replaced(data_dir: Path) -> list[Replaced]:
    """What was replaced in this data folder and is still there, oldest first. Raises DataFolderError."""
    placing.pending(data_dir)
    return [_described(folder) for folder in _kept(data_dir)]


def _kept(data_dir: Path) -> list[Path]:
    folders = [data_dir / f"{placing.REPLACED}{number}" for number in placing.numbers(data_dir)]
    return [folder for folder in folders if placing.keeps(folder)]


def _note(folder: Path) -> placing.Plan | None:
    try:
        return placing.Plan(**strict_json(plainfile.read(folder / placing.NOTE)))
    except (OSError, ValueError, TypeError):
        return None


def _is_identity(folder: Path) -> bool:
    """Whether it is only an identity, kept by a move to another machine, or by undoing that."""
    note = _note(folder)
    return note is not None and identity.IDENTITY in note.scope and DATABASE not in note.scope


def _described(folder: Path) -> Replaced:
    note = _note(folder)
    time, action, detail = (note.time, note.action, note.detail) if note else (int(folder.stat().st_mtime), "", {})
    return Replaced(folder.name, time, action, detail, _holds(folder))


def _holds(folder: Path) -> str:
    if _is_identity(folder):
        with contextlib.suppress(DataFolderError):
            return f"the identity of LTS UUID {identity.load(folder).uuid}"
        return "an identity that cannot be read"
    if _is_set_aside(folder):
        return _SET_ASIDE
    try:
        with (
            contextlib.closing(database.open_in_use(folder / DATABASE)) as db,
            database.translating_errors(folder / DATABASE),
        ):
            return summary.words(db) + _of_server(folder)
    except DatabaseDamaged:
        return "no database that can be read"
    except DataFolderError as error:
        return f"a database that cannot be read now: {error.detail.rstrip('.')}"


def _of_server(folder: Path) -> str:
    with contextlib.suppress(DataFolderError):
        return f", of LTS UUID {identity.load(folder).uuid}"
    return ""


def undo(data_dir: Path, actor: str, name: str | None = None, action: str = "restore-undone") -> placing.Plan:
    """Put back the newest content that was replaced, or the folder of that name; what is there now is kept in turn,
    and `action` is the audit log's name for it. Raises AdminError; DataFolderError, for a database that no server would
    open."""
    placing.finish(data_dir)
    folder = _to_put_back(data_dir, name)
    note = _note(folder)
    scope = note.scope if note else EVERYTHING if (folder / identity.KEY).exists() else REPLACED_BY_COPY
    missing = [  # what is here now goes, as far as the scope reaches
        name
        for name in (DATABASE, *BACKED_UP_FILES)
        if not (folder / name).exists() and (name in scope or not (data_dir / name).exists())
    ]
    if missing:
        raise AdminError("not-whole", f"{folder} lacks {' and '.join(missing)}; it cannot be put back.")
    identity.load(folder if (folder / identity.IDENTITY).exists() else data_dir)
    if DATABASE in scope or (folder / DATABASE).exists():
        database.check(folder / DATABASE, but_indexes=True)
    _keep_retired(data_dir, folder)
    return _place(data_dir, scope, (action, {"from": folder.name}, actor), folder.name)


def _to_put_back(data_dir: Path, name: str | None) -> Path:
    """The kept folder of that name; without one the newest with a database that holds anything: a standby keeps an
    empty one from before its first copy. Only if there is none, the newest identity, which a move put away."""
    kept = _kept(data_dir)
    if not kept:
        raise AdminError("nothing-replaced", f"Nothing was replaced in {data_dir}; there is nothing to undo.")
    newest_first = kept[::-1]
    if name is None:
        contents = [one for one in newest_first if (one / DATABASE).exists() and not _is_empty(one / DATABASE)]
        found = [*contents, *filter(_is_identity, newest_first), newest_first[0]]
    else:
        found = [one for one in kept if one.name == name]
        if not found:
            raise AdminError("nothing-replaced", f"{data_dir} keeps no {name}; lts restore --list shows what it keeps.")
    if _is_set_aside(found[0]):
        raise AdminError(
            "not-whole",
            f"{found[0]} holds {_SET_ASIDE}; that cannot be undone. lts restore --list says what else is kept.",
        )
    return found[0]


def _is_empty(path: Path) -> bool:
    """Whether a database that can be read holds no license, code or device."""
    try:
        with contextlib.closing(database.open_in_use(path)) as db, database.translating_errors(path):
            return summary.is_empty(db)
    except DataFolderError:
        return False


_SET_ASIDE = "what did not fit and was set aside when the folder was accepted as it was"


def _is_set_aside(folder: Path) -> bool:
    note = _note(folder)
    return note is not None and note.action == "folder-accepted"


def go_back(data_dir: Path, present: tuple[str, ...]) -> placing.Plan | None:
    """On another machine than the identity's: put back the one that the folder had on this machine, whose labels are
    `present`; the newest, or None. Of a whole folder that was replaced its identity is taken alone.
    Raises what `undo` raises."""
    me = identity.load(data_dir)
    if labels.compare(me.labels, present).same:
        return None
    for folder in reversed(_kept(data_dir)):
        with contextlib.suppress(DataFolderError):  # --list reports one that cannot be read
            if labels.recognize(identity.load(folder).labels, present):
                return _take_identity(data_dir, folder, me.vault_print)
    return None


def _take_identity(data_dir: Path, kept: Path, vault_print: str) -> placing.Plan:
    """Put the identity of a `kept` folder in place, with the fingerprint of the vault's key, which stays. A complete
    folder keeps its own. The main's delegation, which is for the current key, ends."""
    if _is_identity(kept):
        me = identity.load(kept)
        identity.with_prints(kept, me, me.key_print, vault_print)
        return undo(data_dir, "system", kept.name, identity.MOVED_BACK)

    def make(folder: Path) -> None:
        for source, name in ((kept, identity.IDENTITY), (kept, identity.KEY), (data_dir, pinned.FILE)):
            if (source / name).exists():
                write_private(folder / name, plainfile.read(source / name))
        me = identity.load(folder)
        identity.with_prints(folder, me, me.key_print, vault_print)
        pinned.PinnedFile(folder).change(delegation=None)

    return _place(data_dir, (), (identity.MOVED_BACK, {"from": kept.name}, "system"), make)


def _place(
    data_dir: Path, scope: Iterable[str], cause: identity.Cause, source: str | Callable[[Path], object]
) -> placing.Plan:
    """Decide for the folder `source`, or for a new one that it makes the content of, and do it. Raises AdminError,
    DataFolderError."""
    try:
        if not isinstance(source, str):
            source(placing.prepare(data_dir))
            source = placing.INCOMING
        placing.decide(data_dir, scope, cause, source=source)
    except OSError as error:
        raise AdminError("cannot-write", not_placed(data_dir, error)) from error
    done = placing.finish(data_dir)
    assert done is not None
    return done


def accept(data_dir: Path, actor: str) -> placing.Plan:
    """Use a data folder whose files contradict each other as it is: with a new incarnation, the faults in the audit
    log, and a write-ahead log set aside as far as it does not belong to the database or cannot be read.

    Raises AdminError if nothing is wrong, DataFolderError if a backup is needed.
    """
    placing.finish(data_dir)
    found = folderstate.examine(data_dir)
    if found is None:
        raise AdminError("nothing-to-accept", f"{data_dir} is whole; start the server.")
    scope: tuple[str, ...] = (mark.FILE,)
    kept_log = None if found.stray else found.whole_log
    if found.stray or kept_log is not None:
        scope += DATABASE_FILES[1:]
    if found.stray:
        database.check_alone(data_dir / DATABASE)
    else:
        database.check(data_dir / DATABASE)

    def keep_log(folder: Path) -> None:
        if kept_log:
            write_private(folder / folderstate.LOG, plainfile.read(data_dir / folderstate.LOG, kept_log))

    return _place(data_dir, scope, ("folder-accepted", {"found": found.sentence}, actor), keep_log)
