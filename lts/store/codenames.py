"""The names that handshake codes were given, and when: a lease that tells no number tells a name and a time.

A row for each change of a code, so that the changes of two servers give the same rows in any order.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import apsw

from lts.errors import DatabaseDamaged
from lts.store import sql
from lts.store.archive import read, unpack
from lts.store.records import Code, Kind, decode_payload

log = logging.getLogger("lts.database")
ARCHIVE = "archive"
"""Folder of the old stretches of the change feed, beside the database."""
_CODE = 1
"""As lts.store.pair numbers what has aliases."""
_PUT = "INSERT OR IGNORE INTO code_names VALUES (?, ?, ?)"


def put(db: apsw.Connection, code: int, name: str, time: int) -> None:
    """A change at `time` (UTC seconds) gave the code this name, or left it."""
    db.execute(_PUT, (name, time, code))


def by_name(db: apsw.Connection) -> dict[str, tuple[tuple[int, int], ...]]:
    """(since, code number) of each name, oldest first, without those that say the same as the one before."""
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for name, since, code in sql.each(db, "SELECT name, since, code FROM code_names ORDER BY name, since, code"):
        if not found[name] or found[name][-1][1] != code:
            found[name].append((since, code))
    return {name: tuple(rows) for name, rows in found.items()}


def fill(db: apsw.Connection) -> None:
    """Names from the change feed and its archives (migration 5). Where an archive is lost, of its time only the names
    that codes still have are known."""
    ours: dict[int, int] = dict(sql.rows(db, "SELECT number, ours FROM aliases WHERE what = ?", (_CODE,)))
    for time, payload in _changes(db, Path(db.filename).parent / ARCHIVE):
        record = decode_payload(Kind.CODE, payload)
        assert isinstance(record, Code)
        put(db, ours.get(record.code, record.code), f"{record.organization}-{record.custom}", time)


def _changes(db: apsw.Connection, folder: Path) -> Iterator[tuple[int, bytes]]:
    """(time, payload) of every change of a code."""
    for name, digest in sql.rows(db, "SELECT file, digest FROM archives"):
        try:
            for _, time, _, payload in unpack(read(folder, name, digest), Kind.CODE):
                yield time, payload
        except DatabaseDamaged as error:
            log.warning("not every name that handshake codes had is known: %s", error.detail)
            db.execute("INSERT OR IGNORE INTO code_names SELECT organization || '-' || custom, 0, id FROM codes")
    yield from sql.rows(db, "SELECT time, CAST(payload AS BLOB) FROM changes WHERE kind = ?", (Kind.CODE,))
