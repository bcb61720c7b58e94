"""The change feed: every change in order, chained by hash within its origin (docs/design/architecture.md, The change
feed)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import apsw

from lts.store import sql

_COLUMNS = "origin, serial, time, kind, CAST(payload AS BLOB), CAST(hash AS BLOB)"
"""Cast, so that a row edited into text is still read, and named by its hash."""
_HEADER = struct.Struct(">QQB")
ChangeRow = tuple[int, int, int, int, bytes, bytes]
"""(origin, serial, time, kind, payload, hash), see Change."""
Vector = dict[int, int]
"""Origin -> serial of the newest change of it that is meant."""


@dataclass(frozen=True)
class Change:
    """One row of the feed; `time` in UTC seconds, `payload` msgpack of the kind's record."""

    origin: int
    serial: int
    time: int
    kind: int
    payload: bytes
    hash: bytes


def first_hash(uuid: str, incarnation: str) -> bytes:
    """Used as "previous" before an origin's first change."""
    return hashlib.sha256(f"LTS {uuid} {incarnation}".encode()).digest()


def chain_hash(previous: bytes, serial: int, time: int, kind: int, payload: bytes) -> bytes:
    """SHA-256 over the previous hash and the change."""
    return hashlib.sha256(previous + _HEADER.pack(serial, time, kind) + payload).digest()


def append(db: apsw.Connection, rows: list[ChangeRow]) -> None:
    db.executemany("INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)", rows)


def head(db: apsw.Connection, origin: int) -> tuple[int, bytes, int] | None:
    """(serial, hash, time) of an origin's newest change, None if it has none."""
    row = sql.first(
        db, "SELECT serial, hash, time FROM changes WHERE origin = ? ORDER BY serial DESC LIMIT 1", (origin,)
    ) or sql.first(db, "SELECT last, hash, 0 FROM archives WHERE origin = ? ORDER BY first DESC LIMIT 1", (origin,))
    return None if row is None else (int(row[0]), bytes(row[1]), int(row[2]))


def after(db: apsw.Connection, origin: int, serial: int, limit: int) -> list[Change]:
    """Up to `limit` changes of an origin after `serial` that are still in the database."""
    query = f"SELECT {_COLUMNS} FROM changes WHERE origin = ? AND serial > ? ORDER BY serial LIMIT ?"  # noqa: S608 - fixed
    return [Change(*row) for row in sql.rows(db, query, (origin, serial, limit))]


def stored(db: apsw.Connection, origin: int, *, after_serial: int = 0, batch: int = 2000) -> Iterator[Change]:
    """All changes of an origin after a serial that are still in the database, in order, read in batches."""
    serial = after_serial
    while rows := after(db, origin, serial, batch):
        yield from rows
        serial = rows[-1].serial


@dataclass(frozen=True)
class Intake:
    """A stretch that this database took in one go: serials `first` to `last` (None = to the newest) of an origin."""

    origin: int
    first: int
    last: int | None


def intakes(db: apsw.Connection) -> list[Intake]:
    """All changes in the order in which this database took them, in parts."""
    found: list[Intake] = []
    ends: dict[int, int] = {}
    for origin, first in sql.rows(db, "SELECT origin, first FROM turns ORDER BY position DESC"):
        end = ends.get(origin)
        found.append(Intake(origin, first, None if end is None else end - 1))
        ends[origin] = first
    return found[::-1]


def strange_intakes(db: apsw.Connection) -> list[int]:
    """Positions of turns as no server takes them: counted on from 1, each of another origin than the one before, and of
    each origin from serial 1 on."""
    found: list[int] = []
    ends: dict[int, int] = {}
    before = None
    for n, (position, origin, first) in enumerate(sql.rows(db, "SELECT * FROM turns ORDER BY position"), start=1):
        goes_on = first > ends[origin] if origin in ends else first == 1
        if position != n or origin == before or not goes_on:
            found.append(position)
        ends[origin], before = first, origin
    return found


@dataclass(frozen=True)
class SignedHead:
    """A head of the feed that the server signed: from `serial` back nothing can be changed unnoticed."""

    origin: int
    serial: int
    time: int
    hash: bytes
    signature: bytes


def heads(db: apsw.Connection) -> list[SignedHead]:
    """All signed heads, oldest first."""
    return [SignedHead(*row) for row in sql.rows(
        db, "SELECT origin, serial, time, CAST(hash AS BLOB), CAST(signature AS BLOB) FROM heads"
        " ORDER BY origin, serial")]  # fmt: skip


def head_statement(uuid: str, incarnation: str, serial: int, digest: bytes) -> bytes:
    """What the server signs of a head."""
    return f"LTS head {uuid} {incarnation} {serial} {digest.hex()}".encode()


def hash_at(db: apsw.Connection, origin: int, serial: int) -> bytes | None:
    """Hash of an origin's feed at a serial, None if it is archived or not reached."""
    row = sql.first(
        db,
        "SELECT hash FROM changes WHERE origin = ?1 AND serial = ?2"
        " UNION ALL SELECT hash FROM archives WHERE origin = ?1 AND last = ?2",
        (origin, serial),
    )
    return None if row is None else bytes(row[0])


def origin_names(db: apsw.Connection) -> list[tuple[int, str, str]]:
    """(number, LTS UUID, incarnation) of all origins."""
    return [(key, uuid, incarnation) for key, uuid, incarnation in sql.rows(
        db, "SELECT id, uuid, incarnation FROM origins ORDER BY id")]  # fmt: skip


def number(db: apsw.Connection, uuid: str, incarnation: str) -> int | None:
    """Number of an origin, None if this database never saw it."""
    row = sql.first(db, "SELECT id FROM origins WHERE uuid = ? AND incarnation = ?", (uuid, incarnation))
    return None if row is None else int(row[0])


def origins(db: apsw.Connection) -> list[int]:
    """Numbers of all origins, in the order this database first saw them."""
    return [row[0] for row in sql.rows(db, "SELECT id FROM origins ORDER BY id")]


def strange(db: apsw.Connection, limit: int) -> list[tuple[int, int]]:
    """(origin, serial) of changes that are in no feed: their origin does not exist, or they have text for bytes."""
    query = (
        "SELECT origin, serial FROM changes WHERE typeof(payload) <> 'blob' OR typeof(hash) <> 'blob'"
        " OR origin NOT IN (SELECT id FROM origins) LIMIT ?"
    )
    return [(origin, serial) for origin, serial in sql.rows(db, query, (limit,))]


def serials(db: apsw.Connection) -> tuple[tuple[str, str, int], ...]:
    """(LTS UUID, incarnation, serial of the newest change) of every origin with changes."""
    heads = [(uuid, incarnation, head(db, key)) for key, uuid, incarnation in origin_names(db)]
    return tuple((uuid, incarnation, newest[0]) for uuid, incarnation, newest in heads if newest is not None)


def newest_time(db: apsw.Connection, uuid: str, incarnation: str) -> int:
    """UTC seconds of an origin's newest change, 0 where it has none."""
    key = number(db, uuid, incarnation)
    newest = None if key is None else head(db, key)
    return newest[2] if newest else 0


def highest_time(db: apsw.Connection) -> int:
    """UTC seconds of the newest change of any origin, 0 in an empty feed."""
    heads = [head(db, origin) for origin in origins(db)]
    return max((h[2] for h in heads if h is not None), default=0)
