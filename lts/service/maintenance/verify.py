"""What `lts verify` finds: in the database and its feed, in a data folder, in a backup; and rebuilding indexes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from lts import plainfile
from lts.errors import DataFolderError, LtsError, TokenError
from lts.rules.licensing import licensefile
from lts.service.core import identity
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.service.folder import evidence, folderstate, workfolder
from lts.service.folder.datafolder import archives_folder
from lts.service.folder.restoring import restore
from lts.store import replay
from lts.store.changes import feed
from lts.store.file import database, integrity
from lts.store.store import DATABASE, prepare
from lts.store.tables import licenses


def verify(data_dir: Path, trust: TrustStore, progress: Callable[[int], None] = lambda n: None) -> list[str]:
    """Every fault found: pages and indexes of the database, the feed's chain, all totals recomputed from it, the
    vendors' signatures.

    Works while the server runs; `progress` gets the number of changes replayed so far. Raises DatabaseDamaged,
    DataFolderError if the database, or the key of its sealed secrets, cannot be read.
    """
    path = data_dir / DATABASE
    Vault.load(data_dir)
    with database.translating_errors(path):
        with contextlib.closing(database.open_in_use(path)) as db:
            damage = integrity.faults(db)
        if damage:  # what cannot be read, or is found by a wrong index, says nothing of the totals
            return [*(fault.words for fault in damage), f"{path} is damaged: {integrity.remedy(damage)}."]
        with workfolder.working(data_dir, "verify") as folder, database.translating_full_disk(folder):
            path = _of_this_program(path, folder)
            faults = replay.compare(path, archives_folder(data_dir), folder / "replayed.db", progress)
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
    """The same for a data folder, after a check that its files belong together: if a part is missing, or from another
    time, nothing else can be verified. `in_use` while a server writes it, which has its own judgment of the clock.
    Raises what `verify` raises."""
    found = folderstate.untrue(data_dir, in_use=in_use)
    if found is not None:
        return [found]
    return verify(data_dir, trust, progress) + ([] if in_use else evidence.faults(data_dir))


def rebuild_indexes(data_dir: Path) -> None:
    """Rebuild all indexes of the database from its tables; the server must be stopped and the folder locked.

    Raises DatabaseDamaged where a table itself is damaged, DataFolderError.
    """
    path = data_dir / DATABASE
    database.open_in_use(path).close()
    try:
        with database.translating_errors(path):
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


def verify_backup(
    source: Path, vendor_keys: Path, progress: Callable[[int], None] = lambda n: None, called: str = ""
) -> list[str]:
    """The same for a backup file, unpacked next to it meanwhile; `called` as in `restore`. Raises AdminError if it is
    not a backup."""
    with workfolder.working(source.parent, "verify") as folder:
        target = folder / "data"
        target.mkdir()
        restore(source, target, as_it_is=True, called=called)  # what does not fit is reported with all else
        prepare(target, create=False)  # upgrades the backup of an older program
        return verify(target, TrustStore(vendor_keys, target), progress)


def _license_faults(path: Path, trust: TrustStore) -> list[str]:
    db = database.open_reader(path)
    try:
        stored_files = [(s, jws) for s in licenses.newest(db) for jws in licenses.older_files(db, s.key)]
    finally:
        db.close()
    faults, closed = [], []
    for stored, jws in stored_files:
        try:
            parsed = licensefile.parse(jws)
            key = trust.get(parsed.vendor_kid)
            if key is None:
                faults.append(f"licenses: {stored.license_id} is signed by a key that is not in the trust store.")
                closed = trust.closed  # it may be there
            else:
                licensefile.verify(parsed, key)
        except LtsError as error:
            faults.append(f"licenses: the stored file of {stored.license_id} is not valid: {error.detail}")
    return faults + closed
