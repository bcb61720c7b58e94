"""A backup: a copy of the whole data folder as one file. lts/service/folder/restoring.py knows which files belong to
it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lts import __version__, plainfile
from lts.errors import AdminError, LtsError
from lts.protocol import iso
from lts.rules.licensing import licensefile
from lts.rules.licensing.vendorkey import VendorKey
from lts.service.core import identity, pinned
from lts.service.core.files import file_digest
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.service.folder import folderstate, workfolder
from lts.service.folder.contents import BACKED_UP_FILES, BACKED_UP_FOLDERS, MANIFEST
from lts.store.file import database
from lts.store.sql import Connection
from lts.store.store import DATABASE
from lts.store.tables import licenses

BACKUPS = "backups"
_LARGE = 1 << 30


def backup(
    store_path: Path, data_dir: Path, now: int, trust: TrustStore, report: Callable[[str], None] = lambda words: None
) -> Path:
    """A copy of the whole data folder as one file in its `backups`, made while the server runs, with those keys of
    `trust` that its licenses need. `now` in UTC seconds.

    A server writes nowhere else: it may lack the right, and whoever may only call it must not choose files of its
    machine. The file holds the private key: it is written for its owner only. `report` gets a sentence about each
    archive that is gone or damaged, and each vendor's key that is gone or closed: the backup is made without them.
    Raises AdminError when there is no room, DataFolderError when a key there is no longer this server's.
    """
    identity.load(data_dir)
    Vault.load(data_dir)
    target = data_dir / BACKUPS / f"{re.sub('[-:]', '', iso(now))}-{secrets.token_hex(4)}.lts"
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with workfolder.working(data_dir, "backup") as folder:
            copied, partial = folder / DATABASE, folder / target.name
            with (
                database.translating_errors(store_path),
                contextlib.closing(database.open_reader(store_path)) as reader,
            ):
                database.copy(reader, copied)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                digests = _write_zip(out, data_dir, copied, _needed_keys(copied, trust))
                out.flush()
                os.fsync(out.fileno())
            with contextlib.closing(database.open_alone(copied)) as db:
                lost = lost_keys(db, data_dir, trust)
            wanted = folderstate.wanted_archives(copied, alone=True)
            os.replace(partial, target)
        gone, damaged = folderstate.unfit_archives(wanted, lambda name: digests.get(f"archive/{name}"))
    except OSError as error:
        raise AdminError("cannot-write", plainfile.not_written(f"The backup {target}", error)) from error
    for names, fault in ((gone, "gone"), (damaged, "damaged")):
        if names:
            report(folderstate.archive_words(data_dir, names, fault))
    for words in (*lost, *trust.closed):
        report(words)
    return target


def _signers(db: Connection) -> set[str]:
    """Ids of the vendors' keys that signed the stored licenses."""
    found = set()
    for jws in licenses.all_files(db):
        with contextlib.suppress(LtsError):  # lts verify names a file that cannot be read
            found.add(licensefile.parse(jws).vendor_kid)
    return found


def lost_keys(db: Connection, data_dir: Path, trust: TrustStore) -> list[str]:
    """One sentence for each vendor's key that signed a stored license and is not trusted here any more."""
    missing = sorted(_signers(db) - trust.keys().keys())
    if trust.closed:
        return [
            f"The vendor key {kid}, which signed a stored license, is not among those that can be read: the license"
            " cannot be verified, and a backup lacks the key. Open the vendor keys that are closed first."
            for kid in missing
        ]
    return [
        f"The vendor key {kid}, which signed a stored license, is not trusted any more: the license cannot be verified,"
        f" and a backup lacks the key. Put its file back as {data_dir / 'trust' / kid}.pub; an earlier backup holds it"
        f" as trust/{kid}.pub (it is a zip file), and the vendor has it."
        for kid in missing
    ]


def _needed_keys(path: Path, trust: TrustStore) -> dict[str, bytes]:
    """The vendors' keys, as files of the folder `trust`, with which the licenses in the database at `path` were signed,
    and those that they succeed: some may be only in the configured trust folder, which no backup holds."""
    with contextlib.closing(database.open_alone(path)) as db:
        wanted = _signers(db)
    known = trust.keys()
    needed: dict[str, VendorKey] = {}
    while wanted:
        kid = wanted.pop()
        if kid in known and kid not in needed:
            needed[kid] = known[kid]
            wanted.add(known[kid].replaces or "")
    return {f"trust/{kid}.pub": key.text.encode("utf-8") for kid, key in needed.items()}


def _write_zip(out: io.BufferedWriter, data_dir: Path, copied: Path, keys: dict[str, bytes]) -> dict[str, bytes]:
    """Returns the SHA-256 of each file by its name."""
    digests = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        files = [(DATABASE, copied)]
        files += [(name, data_dir / name) for name in BACKED_UP_FILES]
        files += [(pinned.FILE, data_dir / pinned.FILE)] if (data_dir / pinned.FILE).exists() else []
        for folder in BACKED_UP_FOLDERS:
            paths = sorted((data_dir / folder).glob("*"))
            open_ones = (path for path in paths if folder != "trust" or os.access(path, os.R_OK))
            files += [(f"{folder}/{path.name}", path) for path in open_ones if path.is_file()]
        for name, path in files:
            with path.open("rb") as source:
                _add(bundle, name, source, path.stat().st_size)
            digests[name] = file_digest(path)
        for name in keys.keys() - digests.keys():
            _add(bundle, name, io.BytesIO(keys[name]))
            digests[name] = hashlib.sha256(keys[name]).digest()
        listed_digests = {name: digest.hex() for name, digest in digests.items()}
        listed = json.dumps({"program": f"lts {__version__}", "files": listed_digests}, indent=1)
        _add(bundle, MANIFEST, io.BytesIO(listed.encode("utf-8")))
    return digests


def _add(bundle: zipfile.ZipFile, name: str, source: IO[bytes], size: int = 0) -> None:
    """Without a time: of its own a zip file takes the file's or the clock's, and refuses one before 1980 or after 2107.
    `size` in bytes decides whether the entry needs the fields of a large one."""
    with bundle.open(name, "w", force_zip64=size > _LARGE) as entry:
        shutil.copyfileobj(source, entry)
