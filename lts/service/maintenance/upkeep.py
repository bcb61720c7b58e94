"""Upkeep: verify, backup, and the maintenance that the server's jobs run."""

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

from lts import __version__, plainfile
from lts.errors import AdminError, DataFolderError, LtsError, TokenError
from lts.protocol import DAY_SECONDS
from lts.rules import licensefile
from lts.rules.vendorkey import VendorKey
from lts.service.core import identity, pinned
from lts.service.core.context import Context
from lts.service.core.files import file_digest, write_private
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.service.folder import evidence, folderstate
from lts.service.folder.datafolder import archives_folder
from lts.service.folder.restoring import BACKED_UP_FILES, BACKED_UP_FOLDERS, MANIFEST, restore
from lts.store import archive, database, feed, integrity, licenses, replay
from lts.store.store import DATABASE, Store, prepare
from lts.store.transaction import Transaction

ARCHIVE_AFTER_SECONDS = DAY_SECONDS
BACKUPS = "backups"


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
            path = _of_this_program(path, Path(folder))
            faults = replay.compare(path, archives_folder(data_dir), Path(folder) / "replayed.db", progress)
            return faults + _head_faults(path, data_dir) + _license_faults(path, trust)


def _of_this_program(path: Path, folder: Path) -> Path:
    """The database at `path`; of one that an older LTS left a copy in `folder`, upgraded as the start will do it."""
    with contextlib.closing(database.open_in_use(path)) as db:
        if not database.is_older(db):
            return path
        database.copy(db, folder / DATABASE)
    prepare(folder, create=False)
    return folder / DATABASE


def verify_folder(data_dir: Path, trust: TrustStore, progress: Callable[[int], None], *, in_use: bool) -> list[str]:
    """The same for a data folder, once its files belong together: nothing else can be said of one that lacks a part, or
    is of another time. `in_use` while a server writes it, which knows the clock by itself. Raises what `verify`
    raises."""
    found = folderstate.untrue(data_dir, in_use=in_use)
    if found is not None:
        return [found]
    return verify(data_dir, trust, progress) + ([] if in_use else evidence.faults(data_dir))


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
        raise DataFolderError(plainfile.not_written(path, error)) from error


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


def backup(store_path: Path, data_dir: Path, now: int, trust: TrustStore) -> Path:
    """A copy of the whole data folder as one file in its `backups`, made while the server runs, with those keys of
    `trust` that its licenses need. `now` in UTC seconds.

    A server writes nowhere else: it may lack the right, and whoever may only call it must not choose files of its
    machine. The file holds the private key: it is written for its owner only. Raises AdminError when there is no room,
    DataFolderError when a key there is not this server's any more.
    """
    identity.load(data_dir)
    Vault.load(data_dir)
    target = data_dir / BACKUPS / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{secrets.token_hex(4)}.lts"
    partial = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="backup-", dir=data_dir) as folder:
            copied = Path(folder) / DATABASE
            with database.faults_told(store_path), contextlib.closing(database.open_reader(store_path)) as reader:
                database.copy(reader, copied)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                _write_zip(out, data_dir, copied, _needed_keys(copied, trust))
                out.flush()
                os.fsync(out.fileno())
        os.replace(partial, target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise AdminError("cannot-write", plainfile.not_written(f"The backup {target}", error)) from error
    return target


def _needed_keys(path: Path, trust: TrustStore) -> dict[str, bytes]:
    """The vendors' keys, as files of the folder `trust`, that the licenses in the database at `path` were signed by,
    with those that they succeed: some may lie beside the configuration alone, which no backup holds."""
    wanted = set()
    with contextlib.closing(database.open_alone(path)) as db:
        for jws in licenses.all_files(db):
            with contextlib.suppress(LtsError):  # lts verify names a file that cannot be read
                wanted.add(licensefile.parse(jws).vendor_kid)
    known = trust.keys()
    needed: dict[str, VendorKey] = {}
    while wanted:
        kid = wanted.pop()
        if kid in known and kid not in needed:
            needed[kid] = known[kid]
            wanted.add(known[kid].replaces or "")
    return {f"trust/{kid}.pub": key.text.encode("utf-8") for kid, key in needed.items()}


def _write_zip(out: io.BufferedWriter, data_dir: Path, copied: Path, keys: dict[str, bytes]) -> None:
    digests = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        files = [(DATABASE, copied)]
        files += [(name, data_dir / name) for name in BACKED_UP_FILES]
        files += [(pinned.FILE, data_dir / pinned.FILE)] if (data_dir / pinned.FILE).exists() else []
        for folder in BACKED_UP_FOLDERS:
            files += [
                (f"{folder}/{path.name}", path) for path in sorted((data_dir / folder).glob("*")) if path.is_file()
            ]
        for name, path in files:
            bundle.write(path, name)
            digests[name] = file_digest(path).hex()
        for name in keys.keys() - digests.keys():
            bundle.writestr(name, keys[name])
            digests[name] = hashlib.sha256(keys[name]).hexdigest()
        bundle.writestr(MANIFEST, json.dumps({"program": f"lts {__version__}", "files": digests}, indent=1))


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
        own = [head for head in feed.heads(db) if head.origin == ctx.store.origin]
    # The last one by its place: one that was signed while the clock was ahead must not stand for all days until then.
    if not own or now // DAY_SECONDS != max(own, key=lambda head: head.serial).time // DAY_SECONDS:
        ctx.store.write(lambda tx: _sign(tx, ctx, now))


def _sign(tx: Transaction, ctx: Context, now: int) -> None:
    me = ctx.identity
    signature = me.key.sign(feed.head_statement(me.uuid, me.incarnation, tx.serial, tx.head))
    tx.keep_head(signature, now)
