"""Handshake codes with their items, and the settings of the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw

from lts.store import sql
from lts.store.records import Code, CodeRemoved, Setting, Trust
from lts.store.transaction import Transaction


@dataclass(frozen=True)
class StoredCode:
    """A code's row; `items` are (item number, cap) in order of use, `removed` UTC seconds or None."""

    key: int
    organization: str
    custom: str
    is_default: bool
    removed: int | None
    fields: dict[str, Any]
    items: tuple[tuple[int, int | None], ...]


def all_codes(db: apsw.Connection) -> Iterator[StoredCode]:
    """Every code, removed ones too, in the order they were made."""
    rows = sql.rows(db, "SELECT id, organization, custom, is_default, removed, fields FROM codes ORDER BY id")
    for key, organization, custom, is_default, removed, fields in rows:
        items = tuple(
            (item, cap)
            for item, cap in sql.rows(db, "SELECT item, cap FROM code_items WHERE code = ? ORDER BY position", (key,))
        )
        yield StoredCode(key, organization, custom, bool(is_default), removed, json.loads(fields), items)


def next_key(db: apsw.Connection) -> int:
    """The number of the next code."""
    return int(sql.value(db, "SELECT coalesce(max(id), 0) + 1 FROM codes"))


def put(tx: Transaction, record: Code) -> None:
    """Apply a CODE change: the code's whole state. A new default takes the place of the old one."""
    if record.is_default:
        tx.execute("UPDATE codes SET is_default = 0 WHERE organization = ?", (record.organization,))
    tx.execute(
        "INSERT INTO codes VALUES (?, ?, ?, ?, NULL, ?) ON CONFLICT (id) DO UPDATE SET"
        " organization = excluded.organization, custom = excluded.custom, is_default = excluded.is_default,"
        " removed = NULL, fields = excluded.fields",
        (
            record.code,
            record.organization,
            record.custom,
            record.is_default,
            json.dumps(record.fields, sort_keys=True, ensure_ascii=False),
        ),
    )
    tx.execute("DELETE FROM code_items WHERE code = ?", (record.code,))
    tx.db.executemany(
        "INSERT INTO code_items VALUES (?, ?, ?, ?)",
        [(record.code, item, position, cap) for position, (item, cap) in enumerate(record.items)],
    )
    tx.forget_catalog()


def remove(tx: Transaction, record: CodeRemoved, time: int) -> None:
    """Apply a CODE_REMOVED change: the row stays as a mark, so that history keeps its name."""
    tx.execute("UPDATE codes SET removed = ?, is_default = 0 WHERE id = ?", (time, record.code))
    tx.forget_catalog()


def set_setting(tx: Transaction, record: Setting) -> None:
    """Apply a SETTING change; a value of None removes it."""
    if record.value is None:
        tx.execute("DELETE FROM settings WHERE name = ?", (record.name,))
    else:
        tx.execute(
            "INSERT OR REPLACE INTO settings VALUES (?, ?)",
            (record.name, json.dumps(record.value, sort_keys=True, ensure_ascii=False)),
        )
    tx.forget_catalog()


def settings(db: apsw.Connection) -> dict[str, Any]:
    """All settings by name."""
    return {name: json.loads(value) for name, value in sql.rows(db, "SELECT name, value FROM settings")}


def trust(tx: Transaction, record: Trust) -> None:
    """Apply a TRUST change."""
    tx.execute("INSERT OR REPLACE INTO trusted VALUES (?, ?)", (record.kid, record.pub))
    tx.forget_catalog()


def trusted(db: apsw.Connection) -> dict[str, str]:
    """Text of the vendor keys learnt, by key id."""
    return dict(sql.rows(db, "SELECT kid, pub FROM trusted"))
