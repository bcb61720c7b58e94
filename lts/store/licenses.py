"""License files as imported, and the numbers of their items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import apsw

from lts.store import pair, sql, usage
from lts.store.records import Archived, License
from lts.store.transaction import Transaction


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


def put(tx: Transaction, record: License, time: int) -> None:
    """Apply a LICENSE change: keep the file, give new items their numbers. The highest revision counts, of two
    files of one revision (each imported on a server of its own) the one with the higher digest."""
    key = sql.value(
        tx.db,
        "INSERT INTO licenses (vendor, license_id, revision, digest) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (vendor, license_id) DO UPDATE SET digest = iif((?3, ?4) > (revision, digest), ?4, digest),"
        " revision = max(revision, ?3) RETURNING id",
        (record.vendor, record.license_id, record.revision, record.digest),
    )
    tx.execute(
        "INSERT INTO license_files VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET time = ?3, jws = ?4"
        " WHERE (SELECT digest FROM licenses WHERE id = ?1) = ?5",
        (key, record.revision, time, record.jws, record.digest),
    )
    known = item_keys(tx.db, record.vendor, record.license_id)
    for item_id, number in record.items:
        if item_id not in known:
            tx.execute("INSERT INTO items VALUES (?, ?, ?)", (number, key, item_id))
        elif known[item_id] != number:
            pair.add_alias(tx, pair.ITEM, number, known[item_id])
    tx.forget_catalog()
    usage.load_overdraft(tx)


def newest(db: apsw.Connection) -> Iterator[StoredLicense]:
    """Every license with the file of its highest revision, in the order of first import."""
    rows = sql.rows(
        db,
        "SELECT l.id, l.vendor, l.license_id, f.revision, l.digest, f.jws FROM licenses l"
        " JOIN license_files f ON f.license = l.id WHERE f.revision ="
        " (SELECT max(revision) FROM license_files WHERE license = l.id) ORDER BY l.id",
    )
    for key, vendor, license_id, revision, digest, jws in rows:
        items: dict[str, int] = dict(sql.rows(
            db, "SELECT item_id, id FROM items WHERE license = ?", (key,)))  # fmt: skip
        yield StoredLicense(key, vendor, license_id, revision, digest, jws, items)


def archived(db: apsw.Connection) -> set[tuple[str, str]]:
    """(vendor, license id) of every archived license: its turn says so, and no higher revision came since."""
    query = (
        "SELECT a.vendor, a.license_id FROM archived a JOIN licenses l ON (l.vendor, l.license_id) ="
        " (a.vendor, a.license_id) WHERE a.turn % 2 = 1 AND l.revision <= a.revision"
    )
    return {(vendor, license_id) for vendor, license_id in sql.rows(db, query)}


def archive(tx: Transaction, record: Archived) -> None:
    """Apply an ARCHIVED change: of a license's turns the last of its highest revision decides, in whatever order they
    arrive."""
    tx.execute(
        "INSERT INTO archived VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision,"
        " turn = excluded.turn WHERE (excluded.revision, excluded.turn) > (revision, turn)",
        (record.vendor, record.license_id, record.revision, record.turn),
    )
    tx.forget_catalog()


def turn(db: apsw.Connection, vendor: str, license_id: str) -> tuple[int, int]:
    """(newest revision, its turn) of a license: odd = archived; 0 = never archived at it, or not known."""
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


def item_keys(db: apsw.Connection, vendor: str, license_id: str) -> dict[str, int]:
    """Numbers of a license's items by item id."""
    return dict(sql.rows(
        db, "SELECT i.item_id, i.id FROM items i JOIN licenses l ON l.id = i.license"
        " WHERE l.vendor = ? AND l.license_id = ?", (vendor, license_id)))  # fmt: skip
