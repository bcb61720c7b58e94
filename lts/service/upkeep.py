"""Upkeep: verify, backup, restore, and the maintenance that the server's jobs run."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import secrets
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from lts import __version__
from lts.errors import AdminError, DataFolderError, LtsError, TokenError, words_of
from lts.protocol import DAY_SECONDS
from lts.rules import licensefile
from lts.service import identity
from lts.service.context import Context
from lts.service.files import file_digest, keep_replaced, write_private
from lts.service.pair import pinned
from lts.service.trust import TrustStore
from lts.service.vault import Vault
from lts.store import archive, database, feed, integrity, licenses, replay
from lts.store.store import DATABASE, DATABASE_FILES, Store, prepare
from lts.store.transaction import Transaction

ARCHIVE_AFTER_SECONDS = DAY_SECONDS
BACKUPS = "backups"
_SINGLE_FILES = ("identity.json", "server.key", "vault.key")
_FOLDERS = ("trust", "archive")
_MANIFEST = "backup.json"


def archives_folder(data_dir: Path) -> Path:
    """Where old stretches of the feed lie."""
    return data_dir / "archive"


def verify(data_dir: Path, trust: TrustStore, progress: Callable[[int], None] = lambda n: None) -> list[str]:
    """Every fault found: pages and indexes of the database, the feed's chain, all totals recomputed from it, the
    vendors' signatures.

    Works while the server runs; `progress` is told the changes replayed so far. Raises DatabaseDamaged,
    DataFolderError where the database, or the key of what is sealed in it, cannot be read at all.
    """
    path = data_dir / DATABASE
    Vault.load(data_dir)
    with database.faults_told(path):
        with contextlib.closing(database.open_in_use(path)) as db:
            damage = integrity.faults(db)
        if damage:  # what cannot be read, or is found by a wrong index, says nothing of the totals
            return [*(fault.words for fault in damage), f"{path} is damaged: {integrity.remedy(damage)}."]
        with tempfile.TemporaryDirectory(prefix="verify-", dir=data_dir) as folder:
            faults = replay.compare(path, archives_folder(data_dir), Path(folder) / "replayed.db", progress)
        return faults + _head_faults(path, data_dir) + _license_faults(path, trust)


def rebuild_indexes(data_dir: Path) -> None:
    """Build all indexes of the database anew from its tables; the server must be stopped and the folder locked.

    Raises DatabaseDamaged where a table itself is damaged, DataFolderError.
    """
    path = data_dir / DATABASE
    database.open_in_use(path).close()
    try:
        with database.faults_told(path):
            integrity.rebuild(path)
    except OSError as error:
        raise DataFolderError(f"{path} cannot be written ({words_of(error)}).") from error


def _head_faults(path: Path, data_dir: Path) -> list[str]:
    """Signed heads of this server's own key that do not verify; older keys are gone with their UUIDs."""
    me = identity.load(data_dir)
    db = database.open_reader(path)
    try:
        origins = {key: (uuid, incarnation) for key, uuid, incarnation in feed.origin_names(db)}
        heads = feed.heads(db)
    finally:
        db.close()
    faults = []
    for head in heads:
        uuid, incarnation = origins.get(head.origin, ("", ""))
        if uuid != me.uuid:
            continue
        try:
            me.key.public.verify(head.signature, feed.head_statement(uuid, incarnation, head.serial, head.hash))
        except TokenError:
            faults.append(f"heads: the signature of origin {head.origin} serial {head.serial} does not match.")
    return faults


def verify_backup(source: Path, vendor_keys: Path, progress: Callable[[int], None] = lambda n: None) -> list[str]:
    """The same for a backup file, unpacked beside it for the time. Raises AdminError when it is none."""
    with tempfile.TemporaryDirectory(prefix="verify-", dir=source.parent) as folder:
        target = Path(folder)
        restore(source, target)
        prepare(target, create=False)  # upgrades the backup of an older program
        return verify(target, TrustStore(vendor_keys, target), progress)


def _license_faults(path: Path, trust: TrustStore) -> list[str]:
    db = database.open_reader(path)
    try:
        stored_files = [(s, jws) for s in licenses.newest(db) for jws in licenses.older_files(db, s.key)]
    finally:
        db.close()
    faults = []
    for stored, jws in stored_files:
        try:
            parsed = licensefile.parse(jws)
            key = trust.get(parsed.vendor_kid)
            if key is None:
                faults.append(f"licenses: {stored.license_id} is signed by a key that is not in the trust store.")
            else:
                licensefile.verify(parsed, key)
        except LtsError as error:
            faults.append(f"licenses: the stored file of {stored.license_id} does not hold: {error.detail}")
    return faults


def backup(store_path: Path, data_dir: Path, now: int) -> Path:
    """A copy of the whole data folder as one file in its `backups`, made while the server runs. `now` in UTC seconds.

    A server writes nowhere else: it may lack the right, and whoever may only call it must not choose files of its
    machine. The file holds the private key: it is written for its owner only. Raises AdminError when there is no room.
    """
    target = data_dir / BACKUPS / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{secrets.token_hex(4)}.lts"
    partial = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="backup-", dir=data_dir) as folder:
            copied = Path(folder) / DATABASE
            with database.faults_told(store_path), contextlib.closing(database.open_reader(store_path)) as reader:
                database.copy(reader, copied)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                _write_zip(out, data_dir, copied)
                out.flush()
                os.fsync(out.fileno())
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise AdminError(
            "cannot-write", f"The backup {target} cannot be written ({error.strerror or error})."
        ) from error
    return target


def _write_zip(out: io.BufferedWriter, data_dir: Path, copied: Path) -> None:
    digests = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        files = [(DATABASE, copied)]
        files += [(name, data_dir / name) for name in _SINGLE_FILES]
        files += [(pinned.FILE, data_dir / pinned.FILE)] if (data_dir / pinned.FILE).exists() else []
        for folder in _FOLDERS:
            files += [
                (f"{folder}/{path.name}", path) for path in sorted((data_dir / folder).glob("*")) if path.is_file()
            ]
        for name, path in files:
            bundle.write(path, name)
            digests[name] = file_digest(path).hex()
        bundle.writestr(_MANIFEST, json.dumps({"program": f"lts {__version__}", "files": digests}, indent=1))


def restore(source: Path, data_dir: Path) -> list[str]:
    """Put a backup in place of the data folder's content; the server must be stopped and the folder locked.

    What was there is kept in `replaced-N` beside. All is checked before anything is touched. Returns the
    names restored. Raises AdminError.
    """
    try:
        with zipfile.ZipFile(source) as bundle:
            names = _checked_names(bundle, source)
            with tempfile.TemporaryDirectory(prefix="restore-", dir=data_dir) as folder:
                _unpack(bundle, names, Path(folder), source)
                if database.is_newer(Path(folder) / DATABASE):
                    raise AdminError("newer-backup", f"{source} was written by a newer LTS; restore it by that one.")
                _swap(Path(folder), data_dir, names)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise AdminError("bad-backup", f"{source} cannot be restored: {words_of(error)}.") from error
    return list(names)


def _checked_names(bundle: zipfile.ZipFile, source: Path) -> dict[str, str]:
    manifest = json.loads(bundle.read(_MANIFEST))
    names: dict[str, str] = manifest["files"]
    for name in names:
        head, _, tail = name.rpartition("/")
        plain = tail and "\\" not in tail and ":" not in tail and tail not in (".", "..")
        if not plain or head not in ("", *_FOLDERS):
            raise AdminError("bad-backup", f"{source} is not a backup of LTS.")
    return names


def _unpack(bundle: zipfile.ZipFile, names: dict[str, str], folder: Path, source: Path) -> None:
    for name, digest in names.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        write_private(path, bundle.read(name))
        if file_digest(path).hex() != digest:
            raise AdminError("bad-backup", f"{source} is damaged: {name} is not what was backed up.")


def _swap(folder: Path, data_dir: Path, names: dict[str, str]) -> None:
    keep_replaced(data_dir, (*DATABASE_FILES, *_SINGLE_FILES, pinned.FILE, *_FOLDERS))
    for name in names:
        (data_dir / name).parent.mkdir(exist_ok=True)
        os.replace(folder / name, data_dir / name)


def archive_old_changes(store: Store, data_dir: Path, now: int) -> int:
    """Move full stretches older than a day into archive files; returns how many changes were moved."""
    folder = archives_folder(data_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    moved = 0
    with store.reader() as db:
        origins = feed.origins(db)
    for origin in origins:
        while True:
            with store.reader() as db:
                stretch = archive.candidates(db, origin, now - ARCHIVE_AFTER_SECONDS)
            if not stretch:
                break
            data = archive.pack(stretch)
            name = archive.file_name(origin, stretch[0].serial, stretch[-1].serial)
            write_private(folder / name, data)
            digest = hashlib.sha256(data).digest()
            store.write(lambda tx, s=stretch, n=name, d=digest: archive.replace(tx, s, n, d))  # type: ignore[misc]  # bound at once
            moved += len(stretch)
    return moved


def sign_head(ctx: Context, now: int) -> None:
    """Sign the feed's head once a day, so that its tail cannot be cut off or rewritten unnoticed."""
    with ctx.store.reader() as db:
        newest = max((head.time for head in feed.heads(db)), default=0)
    if now // DAY_SECONDS > newest // DAY_SECONDS:
        ctx.store.write(lambda tx: _sign(tx, ctx, now))


def _sign(tx: Transaction, ctx: Context, now: int) -> None:
    me = ctx.identity
    signature = me.key.sign(feed.head_statement(me.uuid, me.incarnation, tx.serial, tx.head))
    tx.keep_head(signature, now)
