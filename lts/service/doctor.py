"""`lts doctor`: what is amiss with an installation, each in one sentence with what to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import apsw

from lts.config import Config
from lts.errors import LtsError
from lts.service import datafolder, labels
from lts.service.trust import TrustStore
from lts.store import database
from lts.store.store import DATABASE

LOW_BYTES = 500 << 20


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    good: bool
    words: str


def examine(config: Config) -> list[Finding]:
    """Look at everything that can be looked at from outside, whether the server runs or not."""
    return [*_program(config), *_folder(config), *_machine(), *_trust(config)]


def _program(config: Config) -> Iterator[Finding]:
    yield Finding(True, f"Python {sys.version.split()[0]}, SQLite {apsw.sqlite_lib_version()}")
    yield Finding(True, f"Configuration: {config.source or 'defaults, no lts.json'}")
    if config.public_url is None:
        yield Finding(True, "publicUrl is not set: license keys name this server's own address")
    elif config.public_url.startswith("http://"):
        yield Finding(False, "publicUrl is http: browsers and phones need https, put a proxy with TLS in front")


def _folder(config: Config) -> Iterator[Finding]:
    path = config.data_dir
    if not path.exists():
        yield Finding(True, f"The data folder {path} does not exist yet; the first start makes it")
        return
    note = datafolder.running_server(path)
    yield Finding(True, f"Data folder {path}" + (f", served by process {note.get('pid')}" if note else ", not served"))
    if warning := datafolder.network_warning(path):
        yield Finding(False, warning)
    free = shutil.disk_usage(path).free
    yield Finding(
        free > LOW_BYTES, f"{free >> 20:,} MiB free on its disk" + ("" if free > LOW_BYTES else "; make room")
    )
    yield _database(config)


def _database(config: Config) -> Finding:
    path = config.data_dir / DATABASE
    try:
        db = database.open_reader(path)
        try:
            check = db.execute("PRAGMA quick_check(1)").get
        finally:
            db.close()
    except apsw.Error as error:
        return Finding(False, f"The database {path} cannot be read ({error}); run lts restore BACKUP")
    return Finding(check == "ok", f"Database {path}: {check}")


def _machine() -> Iterator[Finding]:
    found = labels.fingerprints()
    kinds = ", ".join(sorted({label.split(":")[0] for label in found})) or "none"
    yield Finding(bool(found), f"{len(found)} machine labels can be read ({kinds})")


def _trust(config: Config) -> Iterator[Finding]:
    try:
        store = TrustStore(config.vendor_keys, config.data_dir)
        keys = store.keys()
    except (OSError, LtsError) as error:
        yield Finding(False, f"The vendor keys cannot be read: {error}")
        return
    yield Finding(True, f"{len(keys)} vendor keys trusted")
    for warning in store.warnings:
        yield Finding(False, warning.detail)
