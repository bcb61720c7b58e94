"""Handshake codes with their items, and the settings of the server."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import apsw

from lts.store import sql
from lts.store.changes.records import CodeChange, CodeRemovalChange, SettingChange
from lts.store.tables import codenames, pair
from lts.store.writing.transaction import Transaction


@dataclass(frozen=True)
class StoredCode:
    """A code's row; `items` are (item number, cap) in order of use, `removed` UTC seconds or None. `licenses` has the
    number of the license of each item, None for an item that is not known."""

    key: int
    organization: str
    custom: str
    is_default: bool
    removed: int | None
    fields: dict[str, Any]
    items: tuple[tuple[int, int | None], ...]
    licenses: tuple[int | None, ...]


_CODE = """SELECT c.organization, c.custom, d.code IS NOT NULL, c.removed, c.fields FROM codes c
    LEFT JOIN defaults d ON d.organization = c.organization AND d.code = c.id WHERE c.id = ?"""


def numbers(db: apsw.Connection) -> list[int]:
    """Those of all codes, removed ones too."""
    return [key for (key,) in sql.rows(db, "SELECT id FROM codes ORDER BY id")]


def exists(db: apsw.Connection, key: int) -> bool:
    """Whether there is a code of this number, removed or not."""
    return sql.value(db, "SELECT 1 FROM codes WHERE id = ?", (key,)) is not None


def one(db: apsw.Connection, key: int) -> StoredCode:
    organization, custom, is_default, removed, fields = sql.rows(db, _CODE, (key,))[0]
    query = """SELECT c.item, c.cap, i.license FROM code_items c LEFT JOIN items i ON i.id = c.item
        WHERE c.code = ? ORDER BY c.position"""
    rows = sql.rows(db, query, (key,))
    items, owners = tuple([row[:2] for row in rows]), tuple([row[2] for row in rows])
    return StoredCode(key, organization, custom, bool(is_default), removed, json.loads(fields), items, owners)


def put(tx: Transaction, record: CodeChange, time: int) -> None:
    """Apply a CODE change: the code's whole state. A new default takes the place of the old one."""
    code = _number_here(tx, record)
    place = codenames.ChangePlace(*tx.feed.writing, tx.epoch.weight)
    codenames.put(tx.db, place, time, code, f"{record.organization}-{record.custom}")
    if pair.decides(tx, f"code:{code}"):
        _store(tx, code, record)
    if record.is_default and pair.decides(tx, f"default:{record.organization}"):
        before = sql.value(tx.db, "SELECT code FROM defaults WHERE organization = ?", (record.organization,))
        tx.execute("INSERT OR REPLACE INTO defaults VALUES (?, ?)", (record.organization, code))
        if before is not None:
            tx.forget_catalog(codes=[before])
    tx.forget_catalog(codes=[code])


def _number_here(tx: Transaction, record: CodeChange) -> int:
    """The code's number; one that both servers made under the same name, without knowing of it, is one code. Of several
    that each made one after another, the first are one, then the second."""
    if tx.feed.writing[0] == tx.feed.origin or sql.value(tx.db, "SELECT 1 FROM codes WHERE id = ?", (record.code,)):
        return record.code
    for twin, origin, serial in sql.rows(
        tx.db,
        "SELECT id, born_origin, born_serial FROM codes WHERE organization = ? AND custom = ?"
        " AND id NOT IN (SELECT ours FROM aliases WHERE what = ?) ORDER BY id",
        (record.organization, record.custom, pair.CODE),
    ):
        if origin != tx.feed.writing[0] and serial > tx.epoch.knows.get(origin, 0):
            pair.add_alias(tx, pair.CODE, record.code, twin)
            return int(twin)
    return record.code


def made_at_import(db: apsw.Connection, license_id: str, organization: str) -> int | None:
    """Number of the code that the first import of a license made, whatever it is called now; None if none did, or it
    was removed. An import makes its code by the change after that of its license; the audit log records for which
    license a code was made, except in 0.1 (without a number)."""
    key: int | None = sql.value(
        db,
        "SELECT c.id FROM codes c CROSS JOIN code_names n ON n.origin = c.born_origin AND n.serial = c.born_serial"
        " CROSS JOIN audit a ON a.time = n.since AND a.origin = c.born_origin AND a.serial = c.born_serial - 1"
        " JOIN audit b ON b.time = n.since AND b.origin = c.born_origin AND b.serial = c.born_serial"
        " WHERE c.organization = ? AND c.removed IS NULL AND a.action = 'license-imported' AND a.subject = ?"
        " AND (b.detail ->> 'number' IS NULL OR b.detail ->> 'madeFor' = a.subject)"
        " ORDER BY n.epoch, n.main, n.generation, n.origin, n.serial LIMIT 1",
        (organization, license_id),
    )
    return key


def _store(tx: Transaction, code: int, record: CodeChange) -> None:
    tx.execute(
        "INSERT INTO codes VALUES (?, ?, ?, NULL, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " organization = excluded.organization, custom = excluded.custom, removed = NULL, fields = excluded.fields",
        (
            code,
            record.organization,
            record.custom,
            json.dumps(record.fields, sort_keys=True, ensure_ascii=False),
            *tx.feed.writing,
        ),
    )
    tx.execute("DELETE FROM code_items WHERE code = ?", (code,))
    tx.db.executemany(
        "INSERT INTO code_items VALUES (?, ?, ?, ?)",
        [(code, item, position, cap) for position, (item, cap) in enumerate(record.items)],
    )


def remove(tx: Transaction, record: CodeRemovalChange, time: int) -> None:
    """Apply a CODE_REMOVAL change: the row stays, so that history keeps its name."""
    if pair.decides(tx, f"code:{record.code}"):
        tx.execute("UPDATE codes SET removed = ? WHERE id = ?", (time, record.code))
    tx.forget_catalog(codes=[record.code])


def set_setting(tx: Transaction, record: SettingChange) -> None:
    """Apply a SETTING change; a value of None removes it."""
    if not pair.decides(tx, f"setting:{record.name}"):
        return
    if record.value is None:
        tx.execute("DELETE FROM settings WHERE name = ?", (record.name,))
    else:
        tx.execute(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)",
            (record.name, json.dumps(record.value, sort_keys=True, ensure_ascii=False)),
        )
    tx.forget_catalog()


def settings(db: apsw.Connection) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in sql.rows(db, "SELECT name, value FROM settings")}
