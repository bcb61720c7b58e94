"""Old parts of the change feed as compressed files that continue its hash chain.

See docs/design/architecture.md, The change feed.

A file holds consecutive changes of one origin by columns: serials run on from `first`, times as steps,
payloads transposed by kind. Hashes are left out: they are what recomputing the chain gives.
"""

from __future__ import annotations

import hashlib
import lzma
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

from lts import plainfile
from lts.errors import DatabaseDamaged
from lts.store import sql
from lts.store.changes import feed
from lts.store.changes.feed import Change
from lts.store.writing.transaction import Transaction

STRETCH = 50_000
_MAGIC = b"LTSA1\n"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


def pack(changes: list[Change]) -> bytes:
    """The file of consecutive changes of one origin. Raises ValueError when one would not come back the same."""
    by_kind: defaultdict[int, list[Any]] = defaultdict(list)
    times, last = [], 0
    for change in changes:
        by_kind[change.kind].append(_decode(change.payload))
        times.append(change.time - last)
        last = change.time
    body = {
        "first": changes[0].serial,
        "times": times,
        "kinds": bytes(change.kind for change in changes),
        "columns": {kind: _transpose(_padded(rows)) for kind, rows in by_kind.items()},
        # of a kind to whose payloads a newer program added a field within this part
        "lengths": {kind: [*map(len, rows)] for kind, rows in by_kind.items() if len({*map(len, rows)}) > 1},
    }
    data = _MAGIC + lzma.compress(_encode(body), preset=6)
    if [(c.serial, c.time, c.kind, c.payload) for c in changes] != list(unpack(data)):
        raise ValueError("A part of the change feed could not be read back from its archive.")
    return data


def _padded(rows: list[list[Any]]) -> list[list[Any]]:
    width = max(map(len, rows))
    return [row + [None] * (width - len(row)) for row in rows]


def _transpose(rows: list[list[Any]]) -> list[list[Any]]:
    """Columns of equally long rows; nested lists of one element each are opened, since most are."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return [_open(column) for column in columns]


def _open(column: list[Any]) -> list[Any]:
    """["n", lengths, columns] for a column of lists of equally long lists, else ["v", values]."""
    if column and all(isinstance(value, list) for value in column):
        inner = [row for value in column for row in value]
        if inner and all(isinstance(row, list) and len(row) == len(inner[0]) for row in inner):
            return ["n", [len(value) for value in column], _transpose(inner)]
    return ["v", column]


def _rows(columns: list[list[Any]]) -> list[list[Any]]:
    return [list(row) for row in zip(*(_close(column) for column in columns), strict=True)]


def _close(column: list[Any]) -> list[Any]:
    if column[0] == "v":
        return list(column[1])
    inner = iter(_rows(column[2]))
    return [[next(inner) for _ in range(length)] for length in column[1]]


def _payloads(columns: list[list[Any]], lengths: list[int] | None) -> Iterator[list[Any]]:
    rows = _rows(columns)
    return iter(rows) if lengths is None else (row[:length] for row, length in zip(rows, lengths, strict=True))


def unpack(data: bytes, only: Collection[int] | None = None) -> Iterator[tuple[int, int, int, bytes]]:
    """(serial, time, kind, payload) of each change of a file, or of those of some kinds. Raises DatabaseDamaged."""
    try:
        if not data.startswith(_MAGIC):
            raise ValueError("not an archive")
        body = _decode(lzma.decompress(data[len(_MAGIC) :]))
        lengths = body.get("lengths", {})
        columns = {kind: found for kind, found in body["columns"].items() if only is None or kind in only}
        payloads = {kind: _payloads(found, lengths.get(kind)) for kind, found in columns.items()}
        time = 0
        for offset, kind in enumerate(body["kinds"]):
            time += body["times"][offset]
            if kind not in columns:
                continue
            yield body["first"] + offset, time, kind, _encode(next(payloads[kind]))
    except (ValueError, KeyError, lzma.LZMAError, StopIteration, msgspec.MsgspecError) as error:
        raise DatabaseDamaged(f"An archive of the change feed is damaged: {error}.") from error


def candidates(db: apsw.Connection, origin: int, before: int) -> list[Change]:
    """The oldest changes of an origin from before a time (UTC seconds): a full stretch, or nothing.

    The newest change is never among them, so that the head of the feed stays in the database.
    """
    serial = sql.value(db, "SELECT min(serial) FROM changes WHERE origin = ?", (origin,))
    if serial is None:
        return []
    stretch = feed.after(db, origin, serial - 1, STRETCH + 1)
    return stretch[:STRETCH] if len(stretch) > STRETCH and stretch[-1].time < before else []


def file_name(origin: int, first: int, last: int) -> str:
    return f"feed-{origin}-{first:012}-{last:012}.ltsa"


def replace(tx: Transaction, changes: list[Change], name: str, digest: bytes) -> None:
    """The stretch is safe in its file: drop its rows, remember the file."""
    first, last = changes[0], changes[-1]
    tx.note_written_beside()
    tx.execute(
        "INSERT INTO archives VALUES (?, ?, ?, ?, ?, ?)",
        (first.origin, first.serial, last.serial, name, digest, last.hash),
    )
    tx.execute(
        "DELETE FROM changes WHERE origin = ? AND serial BETWEEN ? AND ?",
        (first.origin, first.serial, last.serial),
    )


FeedEntry = tuple[int, int, int, bytes, "bytes | None"]
"""(serial, time, kind, payload, stored hash or None) of a change."""


def read(folder: Path, name: str, digest: bytes) -> bytes:
    """The file of a stretch. Raises DatabaseDamaged naming it when it is lost, cannot be read or was changed."""
    try:
        data = plainfile.read(folder / name)
    except FileNotFoundError as error:
        raise DatabaseDamaged(f"The archive {name} of the change feed is lost; restore it.") from error
    except OSError as error:
        raise DatabaseDamaged(f"An archive of the change feed: {plainfile.not_read(folder / name, error)}") from error
    if hashlib.sha256(data).digest() != digest:
        raise DatabaseDamaged(f"The archive {name} of the change feed was changed.")
    return data


def files(db: apsw.Connection) -> dict[str, bytes]:
    """The SHA-256 of each file that continues the feed, by its name, oldest first."""
    return dict(sql.rows(db, "SELECT file, CAST(digest AS BLOB) FROM archives ORDER BY origin, first"))


def ends(db: apsw.Connection, origin: int) -> dict[int, bytes]:
    """The hash of an origin's feed at the end of each stretch, by its last serial."""
    return dict(sql.rows(db, "SELECT last, CAST(hash AS BLOB) FROM archives WHERE origin = ?", (origin,)))


def feed_after(db: apsw.Connection, folder: Path, origin: int, serial: int = 0) -> Iterator[FeedEntry]:
    """All changes of an origin after a serial, from the archives and the database.

    Raises DatabaseDamaged naming an archive that is lost or damaged.
    """
    query = "SELECT file, digest FROM archives WHERE origin = ? AND last > ? ORDER BY first"
    for name, digest in sql.rows(db, query, (origin, serial)):
        for number, time, kind, payload in unpack(read(folder, name, digest)):
            if number > serial:
                yield number, time, kind, payload, None
    for change in feed.stored(db, origin, after_serial=serial):
        yield change.serial, change.time, change.kind, change.payload, change.hash
