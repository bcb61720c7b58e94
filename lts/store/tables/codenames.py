"""The names that handshake codes were given, in the order in which the change feed gave them.

A row for each change of a code, so that the changes of two servers give the same rows in any order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import apsw

from lts.errors import DatabaseDamaged
from lts.rules.licensing.codenames import Naming
from lts.store import sql
from lts.store.changes import feed
from lts.store.changes.epochs import FIRST_EPOCH
from lts.store.changes.records import ChangeKind, CodeChange, EpochChange, decode_payload
from lts.store.history.archive import read, unpack

log = logging.getLogger("lts.database")
ARCHIVE = "archive"
"""Folder of the old parts of the change feed, next to the database."""
_CODE = 1
"""As lts.store.tables.pair numbers what has aliases."""
_PUT = "INSERT OR IGNORE INTO code_names VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_DECIDING = """INSERT OR IGNORE INTO code_names
    SELECT s.origin, s.serial, s.epoch, s.main, s.generation, 0, c.id, c.organization || '-' || c.custom
    FROM codes c JOIN stamps s ON s.subject = 'code:' || c.id"""
"""The change that decided a code, of an unknown time."""


class ChangePlace(NamedTuple):
    """Position of a change: its origin and serial, and the weight of the origin's epoch then."""

    origin: int
    serial: int
    weight: tuple[int, bool, int]


def put(db: apsw.Connection, change: ChangePlace, time: int, code: int, name: str) -> None:
    """A change at `time` (UTC seconds) gave the code this name, or left it."""
    db.execute(_PUT, (change.origin, change.serial, *change.weight, time, code, name))


class NamesRead(NamedTuple):
    """How far names were read: up to which serial of each origin, how many, and where in order the last one is."""

    serials: Mapping[int, int] = MappingProxyType({})
    known: int = 0
    last: tuple[Any, ...] = ()


_NONE = NamesRead()


def changes(db: apsw.Connection, since: NamesRead = _NONE) -> tuple[list[Naming], NamesRead] | None:
    """Every one in order, or those after what was read before; None if not all of these are behind it in order. A
    change made with knowledge of another comes after it, and both servers of a pair have the same order."""
    origins = {key: (uuid, incarnation) for key, uuid, incarnation in feed.origin_names(db)}
    query = """SELECT epoch, main, generation, origin, serial, since, code, name FROM code_names
        WHERE origin = ? AND serial > ?"""
    rows = [row for origin in origins for row in sql.rows(db, query, (origin, since.serials.get(origin, 0)))]
    if not rows:
        return [], since
    ordered = sorted(((*row[:3], origins[row[3]], row[4]), *row[3:]) for row in rows)
    if ordered[0][0] < since.last:
        return None
    found, serials = [], dict(since.serials)
    for place, (_, origin, serial, time, code, name) in enumerate(ordered, since.known):
        found.append(Naming(name, code, time, origins[origin][1][:8], serial, place))
        serials[origin] = serial
    return found, NamesRead(serials, since.known + len(found), ordered[-1][0])


def fill(db: apsw.Connection) -> None:
    """Names from the change feed and its archives (migration 8). Where an archive is lost, of its time only the names
    that codes still have are known."""
    ours: dict[int, int] = dict(sql.rows(db, "SELECT number, ours FROM aliases WHERE what = ?", (_CODE,)))
    lost: list[str] = []
    for origin in feed.origins(db):
        weight = FIRST_EPOCH.weight
        for serial, time, kind, payload in _changes(db, origin, lost):
            record = decode_payload(kind, payload)
            if isinstance(record, EpochChange):
                weight = record.epoch, record.main, record.generation
            elif isinstance(record, CodeChange):
                name = f"{record.organization}-{record.custom}"
                put(db, ChangePlace(origin, serial, weight), time, ours.get(record.code, record.code), name)
    if lost:
        log.warning("not every name that handshake codes had is known: %s", " ".join(lost))
        db.execute(_DECIDING)


def _changes(db: apsw.Connection, origin: int, lost: list[str]) -> Iterator[tuple[int, int, int, bytes]]:
    """(serial, time, kind, payload) of every change of a code or an epoch, in order; appends to `lost` a report of each
    archive that cannot be read."""
    folder = Path(db.filename).parent / ARCHIVE
    query = "SELECT file, digest FROM archives WHERE origin = ? ORDER BY first"
    for name, digest in sql.rows(db, query, (origin,)):
        try:
            yield from unpack(read(folder, name, digest), (ChangeKind.CODE, ChangeKind.EPOCH))
        except DatabaseDamaged as error:
            lost.append(error.detail)
    query = "SELECT serial, time, kind, CAST(payload AS BLOB) FROM changes WHERE origin = ? AND kind IN (?, ?)"
    yield from sql.rows(db, f"{query} ORDER BY serial", (origin, ChangeKind.CODE, ChangeKind.EPOCH))
