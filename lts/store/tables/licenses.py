"""License files as imported, and the numbers of their items."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apsw

from lts.crypto import unb64url
from lts.store import sql
from lts.store.changes.records import ArchiveChange, LicenseChange
from lts.store.tables import pair, usage
from lts.store.writing.transaction import Transaction


@dataclass(frozen=True)
class StoredLicense:
    """A license's newest file. `items` maps item ids (of any revision) to their numbers."""

    key: int
    vendor: str
    license_id: str
    revision: int
    digest: str
    jws: str
    items: dict[str, int]


def put(tx: Transaction, record: LicenseChange, time: int) -> None:
    """Apply a LICENSE change: keep the file, give new items their numbers. The highest revision counts; see `_prevails`
    for two files of one revision, whether it is the highest or not."""
    prevails = _prevails(tx, record, time)
    key = sql.value(
        tx.db,
        "INSERT INTO licenses (vendor, license_id, revision, digest) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (vendor, license_id) DO UPDATE SET"
        " digest = iif(?3 > revision OR (?3 = revision AND ?5), ?4, digest),"
        " revision = max(revision, ?3) RETURNING id",
        (record.vendor, record.license_id, record.revision, record.digest, prevails),
    )
    if prevails:
        row = (key, record.revision, time, record.jws)
        tx.execute("INSERT OR REPLACE INTO license_files VALUES (?, ?, ?, ?)", row)
    known = item_keys(tx.db, record.vendor, record.license_id)
    fresh = [(number, key, item_id) for item_id, number in record.items if item_id not in known]
    tx.db.executemany("INSERT INTO items VALUES (?, ?, ?)", fresh)
    for item_id, number in record.items:
        if known.get(item_id, number) != number:
            pair.add_alias(tx, pair.ITEM, number, known[item_id])
    tx.forget_catalog(licenses=[key])
    usage.forget_overdraft(tx, known.values())


def _prevails(tx: Transaction, record: LicenseChange, time: int) -> bool:
    """Whether this file counts more than the one kept of its revision, each imported on a server of its own: the one of
    the server that was promoted, then the one with the higher digest, then its later import (docs/design/pair.md, Both
    serving). So what is kept does not depend on the order of arrival. The loser is in the audit log."""
    row = sql.first(
        tx.db,
        "SELECT f.time, f.jws FROM licenses l JOIN license_files f ON f.license = l.id"
        " WHERE (l.vendor, l.license_id, f.revision) = (?, ?, ?)",
        (record.vendor, record.license_id, record.revision),
    )
    there = ("", 0, "") if row is None else (_digest(row[1]), row[0], row[1])
    subject = f"license:{record.vendor}:{record.license_id}:{record.revision}"
    prevails = pair.outweighs(tx, subject, tie=(record.digest, time, record.jws) >= there)
    if row is not None and there[0] != record.digest:
        _note_loser(tx, record, there[0], prevails)
    return prevails


def _note_loser(tx: Transaction, record: LicenseChange, there: str, prevails: bool) -> None:
    """Mark all imports of a revision as overruled but those of the content that counts: this one's, or `there`."""
    mine, others = tx.feed.writing, _imports(tx.db, record.license_id, record.revision, there)
    if not prevails:
        for other in others[:1]:
            pair.note_overruled(tx, mine, other)
        return
    for change in _imports(tx.db, record.license_id, record.revision, record.digest):
        pair.forget_overruled(tx, change)
    for other in others:
        pair.note_overruled(tx, other, mine)


def _digest(jws: str) -> str:
    """That of the license file with that text (lts.rules.licensing.licensefile)."""
    return hashlib.sha256(unb64url(jws.split(".")[1])).hexdigest()


def _imports(db: apsw.Connection, license_id: str, revision: int, digest: str) -> list[tuple[int, int]]:
    """(origin, serial) of each import of that content of a license."""
    query = (
        "SELECT origin, serial FROM audit WHERE (action, subject, detail ->> 'revision', detail ->> 'digest') ="
        " ('license-imported', ?, ?, ?)"
    )
    return [(origin, serial) for origin, serial in sql.rows(db, query, (license_id, revision, digest))]


_NEWEST = """SELECT l.id, l.vendor, l.license_id, f.revision, l.digest, f.jws FROM licenses l
    JOIN license_files f ON f.license = l.id
    WHERE f.revision = (SELECT max(revision) FROM license_files WHERE license = l.id) AND {} ORDER BY l.id"""


def newest(db: apsw.Connection) -> Iterator[StoredLicense]:
    """Every license with the file of its highest revision, in the order of first import."""
    for row in sql.rows(db, _NEWEST.format("1")):
        yield _stored(db, row)


def one(db: apsw.Connection, key: int) -> StoredLicense:
    """The license of this number with the file of its highest revision."""
    return _stored(db, sql.rows(db, _NEWEST.format("l.id = ?"), (key,))[0])


def named(db: apsw.Connection, vendor: str, license_id: str) -> StoredLicense | None:
    """The same by its name, None if this server has none of it."""
    row = sql.first(db, _NEWEST.format("l.vendor = ? AND l.license_id = ?"), (vendor, license_id))
    return None if row is None else _stored(db, row)


def _stored(db: apsw.Connection, row: sql.Row) -> StoredLicense:
    items: dict[str, int] = dict(sql.rows(db, "SELECT item_id, id FROM items WHERE license = ?", (row[0],)))
    key, vendor, license_id, revision, digest, jws = row
    return StoredLicense(key, vendor, license_id, revision, digest, jws, items)


def numbers(db: apsw.Connection) -> list[int]:
    """Those of all licenses that there is a file of."""
    return [key for (key,) in sql.rows(db, "SELECT DISTINCT license FROM license_files ORDER BY 1")]


def of_items(db: apsw.Connection, items: Sequence[int]) -> list[int]:
    """The numbers of the licenses of some items."""
    query = "SELECT DISTINCT license FROM items WHERE id IN (SELECT value FROM json_each(?))"
    return [key for (key,) in sql.rows(db, query, (json.dumps(items),))]


def is_archived(db: apsw.Connection, key: int) -> bool:
    """Whether a license is archived: its toggle says so, and no higher revision came since."""
    query = "SELECT vendor, license_id FROM licenses WHERE id = ?"
    return archive_toggle(db, *sql.rows(db, query, (key,))[0])[1] % 2 == 1


def rounds_of(db: apsw.Connection, key: int) -> dict[int, int]:
    """The round of the grants of a license's items, of those that are not in their first one (0)."""
    query = "SELECT r.item, r.number FROM items i CROSS JOIN rounds r ON r.item = i.id WHERE i.license = ?"
    return dict(sql.rows(db, query, (key,)))


def archive(tx: Transaction, record: ArchiveChange) -> None:
    """Apply an ARCHIVE change: of a license's toggles the last of its highest revision decides, in whatever order they
    arrive."""
    tx.execute(
        "INSERT INTO archived VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision,"
        " turn = excluded.turn WHERE (excluded.revision, excluded.turn) > (revision, turn)",
        (record.vendor, record.license_id, record.revision, record.toggle),
    )
    query = "SELECT id FROM licenses WHERE vendor = ? AND license_id = ?"
    tx.forget_catalog(licenses=[key for (key,) in sql.rows(tx.db, query, (record.vendor, record.license_id))])


def archive_toggle(db: apsw.Connection, vendor: str, license_id: str) -> tuple[int, int]:
    """(newest revision, its toggle) of a license: odd = archived; 0 = never archived at it, or not known."""
    row = sql.first(
        db,
        "SELECT l.revision, iif(a.revision >= l.revision, a.turn, 0) FROM licenses l LEFT JOIN archived a"
        " ON (a.vendor, a.license_id) = (l.vendor, l.license_id) WHERE l.vendor = ? AND l.license_id = ?",
        (vendor, license_id),
    )
    return (0, 0) if row is None else (row[0], row[1])


def rounds(db: apsw.Connection) -> dict[int, int]:
    """The round of each item's grants, of those that are not in their first one (0)."""
    return dict(sql.rows(db, "SELECT item, number FROM rounds"))


def older_files(db: apsw.Connection, license_key: int) -> list[str]:
    """All files of a license, newest first (a revoked item is described by the last file that had it)."""
    return [row[0] for row in sql.rows(
        db, "SELECT jws FROM license_files WHERE license = ? ORDER BY revision DESC", (license_key,))]  # fmt: skip


def all_files(db: apsw.Connection) -> Iterator[str]:
    return (jws for (jws,) in sql.each(db, "SELECT jws FROM license_files"))


def item_keys(db: apsw.Connection, vendor: str, license_id: str) -> dict[str, int]:
    """Numbers of a license's items by item id."""
    return dict(sql.rows(
        db, "SELECT i.item_id, i.id FROM items i JOIN licenses l ON l.id = i.license"
        " WHERE l.vendor = ? AND l.license_id = ?", (vendor, license_id)))  # fmt: skip


def item_names(db: apsw.Connection, keys: Sequence[int]) -> dict[int, str]:
    """Ids of items by their numbers, as far as they are known."""
    query = "SELECT id, item_id FROM items WHERE id IN (SELECT value FROM json_each(?))"
    return dict(sql.rows(db, query, (json.dumps(keys),)))
