"""`lts doctor`: faults of an installation, each in one sentence with what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lts.config import Config
from lts.errors import DataFolderError, LtsError, words_of
from lts.protocol import iso
from lts.rules import clock
from lts.rules import labels as rules
from lts.rules.alerting.attention import url_notices
from lts.rules.values.plural import counted
from lts.service.core import identity, labels
from lts.service.core.trust import TrustStore
from lts.service.core.vault import Vault
from lts.service.folder import datafolder, evidence, folderstate, places, placing
from lts.service.licensing import serverurls
from lts.service.maintenance import backups
from lts.store.changes import feed
from lts.store.file import database
from lts.store.sql import SqliteError, sqlite_version
from lts.store.store import DATABASE
from lts.store.tables import codes, meta
from lts.whoami import user_name

LOW_BYTES = 500 << 20
OK, NOTE, FAULT = "ok", "note", "!!"


@dataclass(frozen=True)
class Finding:
    """One thing checked: in order, worth knowing, or to be fixed."""

    level: str
    words: str


def examine(config: Config) -> list[Finding]:
    """Check everything that can be checked from outside, whether the server runs or not."""
    with contextlib.suppress(DataFolderError):  # the folder's own finding
        if words := placing.unfinished(config.data_dir):
            return [*_program(config), Finding(FAULT, words)]
    found = [*_program(config), *_folder(config), *_urls(config), *_machine(config), *_clock(config), *_trust(config)]
    return list(dict.fromkeys(found))  # what keeps two checks from working is one fault


def _program(config: Config) -> Iterator[Finding]:
    yield Finding(OK, f"Python {sys.version.split()[0]}, SQLite {sqlite_version()}")
    yield Finding(OK, f"Configuration: {config.source or 'defaults, no lts.json'}")
    log = config.log.file
    if log is not None and log.exists() and (log.is_dir() or not os.access(log, os.W_OK)):
        why = "it is a folder" if log.is_dir() else os.strerror(errno.EACCES)
        yield Finding(FAULT, f"The log {log} cannot be written ({why}); change log.file in lts.json.")


def _folder(config: Config) -> Iterator[Finding]:
    path = config.data_dir
    if not path.exists():
        yield _to_be_made(path)
        return
    note = datafolder.running_server(path)
    yield Finding(OK, f"Data folder {path}" + (f", served by process {note.get('pid')}" if note else ", not served"))
    if warning := datafolder.network_warning(path):
        yield Finding(FAULT, warning)
    yield from (Finding(FAULT, words) for words in places.faults(path))
    free = shutil.disk_usage(path).free
    enough = free > LOW_BYTES
    yield Finding(OK if enough else FAULT, f"{free >> 20:,} MiB free on its disk" + ("" if enough else "; make room"))
    database_file = path / DATABASE
    if not (path / identity.IDENTITY).exists() and not os.path.lexists(database_file):
        words = f"The data folder {path} holds no server yet; the first start makes it"
        yield _looked_at(words, lambda: folderstate.check(path))
        return
    checked = _looked_at(f"Database {database_file}: ok", lambda: database.check(database_file))
    closed = [] if database.is_read_alone(path) else database.closed_files(database_file)
    if checked.level != OK or not closed:
        yield checked
    yield from (Finding(FAULT, words) for words in closed)
    if checked.level == OK and database.is_read_alone(path):  # else it says so itself
        yield Finding(FAULT, f"The disk of {path} is read-only; mount the disk so that it can be written.")
    yield _looked_at("The server's identity and its key can be read", lambda: identity.load(path))
    yield from _belonging(path, in_use=note is not None)
    yield _looked_at("The key of the stored secrets can be read", lambda: Vault.load(path))


def _belonging(path: Path, *, in_use: bool) -> Iterator[Finding]:
    """Whether the files of the folder belong together."""
    try:
        found = folderstate.untrue(path, in_use=in_use)
        lost, bad = folderstate.lost_archives(path), folderstate.damaged_archives(path)
        edited = [] if in_use else evidence.faults(path)
    except DataFolderError as error:
        yield Finding(FAULT, error.detail)
        return
    yield Finding(FAULT, found) if found else Finding(OK, "The files of the data folder belong together")
    for words in edited:
        yield Finding(FAULT, words)
    for names, fault in ((lost, "gone"), (bad, "damaged")):
        if names:
            yield Finding(FAULT, folderstate.archive_words(path, names, fault))


def _to_be_made(path: Path) -> Finding:
    """For a data folder that is not there: whether this user could make it."""
    above = next(folder for folder in path.parents if folder.exists())
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return Finding(OK, f"The data folder {path} does not exist yet; the first start makes it")
    return Finding(
        FAULT,
        f"The data folder {path} does not exist, and {user_name()} cannot make it in {above}; give that user the"
        " rights, or set dataDir to a folder of its own.",
    )


def _looked_at(words: str, look: Callable[[], object]) -> Finding:
    """A finding `words`, or what keeps the server from starting."""
    try:
        look()
    except DataFolderError as error:
        return Finding(FAULT, error.detail)
    return Finding(OK, words)


def _urls(config: Config) -> Iterator[Finding]:
    urls = _stored_urls(config) or [_own_url(config) if url == "self" else url for url in config.servers]
    yield Finding(OK, f"License keys name {' and '.join(urls)}")
    for notice in url_notices(urls):
        level = FAULT if notice.code == "url-http" and config.public_url else NOTE
        yield Finding(level, notice.detail)


def _own_url(config: Config) -> str:
    """Where the running server says that it is, which may be another port than the configured one."""
    try:
        address = (datafolder.running_server(config.data_dir) or {}).get("address")
    except DataFolderError:  # the folder's own finding
        address = None
    return config.public_url or (f"{address}/" if address else config.url)


def _stored_urls(config: Config) -> list[str]:
    """What was set in the portal; nothing when the database cannot be read, which is reported separately."""
    try:
        with contextlib.closing(database.open_reader(config.data_dir / DATABASE)) as db:
            return list(map(str, codes.settings(db).get(serverurls.SERVER_URLS) or []))
    except (SqliteError, DataFolderError):
        return []


def _clock(config: Config) -> Iterator[Finding]:
    """What the next start makes of this machine's clock; a running server reports that itself."""
    now = int(time.time())
    try:
        if datafolder.running_server(config.data_dir):
            return
        with contextlib.closing(database.open_reader(config.data_dir / DATABASE)) as db:
            highest, least = meta.highest_time(db) or feed.highest_time(db), meta.least_time(db)
    except (SqliteError, DataFolderError):  # reported separately
        return
    state, events = clock.start(highest, now, 0.0, least=least)
    known = iso(clock.known(state, 0.0))
    if not events:
        yield Finding(OK, f"The clock shows {iso(now)}, which agrees with the highest time seen")
    for event in events:
        if event.name == "clock-back":
            words = f"The clock shows {iso(now)}, before the highest time seen, {known}: set it right, or run"
            yield Finding(FAULT, f"{words} lts clock reset.")
        else:
            words = f"The clock shows {iso(now)}, over a day after the highest time seen, {iso(highest)}: it is"
            yield Finding(NOTE, f"{words} trusted an hour after the start, or once you run lts clock accept.")


def _machine(config: Config) -> Iterator[Finding]:
    present = labels.fingerprints()
    try:
        known = identity.load(config.data_dir).labels
    except DataFolderError:  # not made yet, or not open to this user: then those that it would begin with
        known = present
    if not rules.compare(known, present).same:
        yield Finding(
            NOTE,
            f"The data folder {config.data_dir} is another machine's: a start of the server here gives it an LTS UUID"
            " of this machine, for which its licenses must be activated again, or goes back to one that it had here.",
        )
    yield _binding(known)


def _binding(known: tuple[str, ...]) -> Finding:
    kinds = ", ".join(sorted(set(map(rules.kind, known)))) or "none"
    words = f"{counted(len(known), 'machine label is', 'machine labels are')} known ({kinds})"
    if rules.binding(known) == "strong":
        return Finding(OK, words)
    return Finding(
        NOTE if known else FAULT,
        f"The binding to this machine is weak: {words}, and {rules.FEW} are needed, one of them unique to it. A vendor"
        " may refuse to bind a license to it, and a copy of its data may work on another machine. In a container set"
        " LTS_HOST_ID and let it read the host's /etc/machine-id; then start LTS again and send a new activation"
        " request.",
    )


def _trust(config: Config) -> Iterator[Finding]:
    try:
        store = TrustStore(config.vendor_keys, config.data_dir)
        keys = store.keys()
    except (OSError, LtsError) as error:
        yield Finding(FAULT, f"The vendor keys cannot be read ({words_of(error)}); check {config.vendor_keys}.")
        return
    lost: list[str] = []
    with (
        contextlib.suppress(SqliteError, DataFolderError),  # a finding of its own
        contextlib.closing(database.open_reader(config.data_dir / DATABASE)) as db,
    ):
        lost = backups.lost_keys(db, config.data_dir, store)
    yield from (Finding(FAULT, words) for words in lost)
    if not lost:
        yield Finding(OK, f"{counted(len(keys), 'vendor key')} trusted")
    for warning in store.warnings:
        yield Finding(FAULT, warning.detail)
