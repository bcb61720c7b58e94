"""Who did what when: a line for each change made by a person or by the server itself, kept forever.

Lines are made where changes are applied, so that those of the other server of a pair are here too. They never hold
a password, hash, token or license file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw

from lts.store import sql
from lts.store.changes.records import (
    ArchiveChange,
    CodeChange,
    CodeRemovalChange,
    EpochChange,
    EventChange,
    LicenseChange,
    Record,
    SettingChange,
    TrustChange,
)
from lts.store.tables import licenses
from lts.store.writing.transaction import Transaction

Json = dict[str, Any]
SYSTEM = "system"
_SECRET_SETTINGS = {
    "user": ("role",),
    "token": ("name", "role"),
    "mail": ("host", "port", "security", "user", "from", "to", "cc", "bcc", "language"),
    "webhook": ("name", "url"),
    "calendar": (),
}
"""Settings that hold secrets, by the beginning of their names, with the fields that may be logged."""
_UNLOGGED_FIELDS = ("password", "passwordChange")
"""Of a code: a secret, and a number that says nothing to people."""


@dataclass(frozen=True)
class Line:
    """One line; `server` is the LTS UUID of the server on which it was done, `time` UTC seconds."""

    time: int
    server: str
    actor: str
    action: str
    subject: str
    detail: Json
    overruled: bool


def note(tx: Transaction, record: Record, time: int) -> None:
    """Keep the line of a change that is about to be applied."""
    actor, action, subject, detail = _LINES[type(record)](tx, record)
    text = json.dumps(detail, ensure_ascii=False, sort_keys=True)
    tx.execute("INSERT OR REPLACE INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)",
               (time, *tx.feed.writing, actor, action, subject, text))  # fmt: skip


_Parts = tuple[str, str, str, Json]


def _setting(tx: Transaction, record: SettingChange) -> _Parts:
    kind, _, subject = record.name.partition(":")
    if kind in _SECRET_SETTINGS:
        before = sql.value(tx.db, "SELECT value FROM settings WHERE name = ?", (record.name,))
        change = "removed" if record.value is None else "added" if before is None else "edited"
        value = record.value if record.value is not None else json.loads(before or "{}")
        public = {name: value[name] for name in _SECRET_SETTINGS[kind] if name in value}
        return record.actor, f"{kind}-{change}", public.pop("name", subject), public
    return record.actor, "setting-changed", record.name, {"value": record.value}


def _code(tx: Transaction, record: CodeChange) -> _Parts:
    known = sql.value(tx.db, "SELECT 1 FROM codes WHERE id = ? AND removed IS NULL", (record.code,)) is not None
    fields = {name: value for name, value in record.fields.items() if name not in _UNLOGGED_FIELDS}
    names = licenses.item_names(tx.db, [key for key, _ in record.items])
    detail = {
        **fields,
        "hasPassword": "password" in record.fields,
        "isDefault": record.is_default,
        "items": [{"item": names.get(key, f"#{key}"), "cap": cap} for key, cap in record.items],
    }
    name = f"{record.organization}-{record.custom}"
    if record.former is not None:  # a line stays as it was: those of LTS 0.1.0 hold nothing of this
        detail |= {"number": record.code, "organization": record.organization}
    if record.made_for:
        detail["madeFor"] = record.made_for
    if record.former and record.former != name:
        detail["formerName"] = record.former
    return record.actor, "code-edited" if known else "code-added", name, detail


def _code_removed(tx: Transaction, record: CodeRemovalChange) -> _Parts:
    name = sql.value(tx.db, "SELECT organization || '-' || custom FROM codes WHERE id = ?", (record.code,))
    detail = {"number": record.code, "organization": record.organization} if record.organization else {}
    return record.actor, "code-removed", str(name or f"#{record.code}"), detail


def _license(tx: Transaction, record: LicenseChange) -> _Parts:
    detail = {"revision": record.revision, "digest": record.digest, "items": [name for name, _ in record.items]}
    return record.actor, "license-imported", record.license_id, detail


def _archived(tx: Transaction, record: ArchiveChange) -> _Parts:
    action = "license-archived" if record.toggle % 2 else "license-taken-back"
    return record.actor, action, record.license_id, {"revision": record.revision}


_LINES: dict[type[Record], Callable[[Transaction, Any], _Parts]] = {
    SettingChange: _setting,
    CodeChange: _code,
    CodeRemovalChange: _code_removed,
    LicenseChange: _license,
    ArchiveChange: _archived,
    TrustChange: lambda tx, record: (record.actor, "vendor-trusted", record.kid, {}),
    EventChange: lambda tx, record: (record.actor, record.name, str(record.detail.get("subject", "")), record.detail),
    EpochChange: lambda tx, record: (
        SYSTEM,
        f"serves-{record.reason}",
        "",
        {"epoch": record.epoch, "main": record.main},
    ),
}
AUDITED = tuple(_LINES)


@dataclass(frozen=True)
class AuditFilter:
    """Which lines: `text` anywhere in actor, subject or detail; `actions` (empty = all); times in UTC seconds."""

    text: str = ""
    actions: tuple[str, ...] = ()
    since: int = 0
    until: int = 1 << 62


def _where(wanted: AuditFilter) -> tuple[str, tuple[Any, ...]]:
    parts, values = ["a.time >= ?", "a.time < ?"], [wanted.since, wanted.until]
    if wanted.text:
        parts.append(
            "instr(lower(a.actor || char(10) || a.action || char(10) || a.subject || char(10) || a.detail), ?)"
        )
    if wanted.actions:
        parts.append(f"a.action IN ({','.join('?' * len(wanted.actions))})")
    texts = (wanted.text.lower(),) if wanted.text else ()
    return " AND ".join(parts), (*values, *texts, *wanted.actions)


def lines(db: apsw.Connection, wanted: AuditFilter, offset: int, limit: int) -> list[Line]:
    """Lines, newest first."""
    where, values = _where(wanted)
    query = f"""SELECT a.time, o.uuid, a.actor, a.action, a.subject, a.detail, l.serial IS NOT NULL FROM audit a
        JOIN origins o ON o.id = a.origin LEFT JOIN overruled l ON l.origin = a.origin AND l.serial = a.serial
        WHERE {where} ORDER BY a.time DESC, o.uuid DESC, o.incarnation DESC, a.serial DESC LIMIT ? OFFSET ?"""  # noqa: S608 - fixed parts
    return read(db, query, (*values, limit, offset))


def read(db: apsw.Connection, query: str, values: tuple[Any, ...]) -> list[Line]:
    """The lines that a query gives, column by column as in Line."""
    return [
        Line(time, uuid, actor, action, subject, json.loads(detail), bool(overruled))
        for time, uuid, actor, action, subject, detail, overruled in sql.rows(db, query, values)
    ]


def newest(db: apsw.Connection, actions: tuple[str, ...], server: str, since: int) -> list[Line]:
    """The newest line of each of these actions on a server (LTS UUID) since a time (UTC seconds)."""
    found: dict[str, Line] = {}
    for line in lines(db, AuditFilter(actions=actions, since=since), 0, -1):
        if line.server == server:
            found.setdefault(line.action, line)
    return list(found.values())


def count(db: apsw.Connection, wanted: AuditFilter) -> int:
    where, values = _where(wanted)
    return int(sql.value(db, f"SELECT count(*) FROM audit a WHERE {where}", values))  # noqa: S608 - fixed parts


def actions(db: apsw.Connection) -> list[str]:
    """Every action in the log."""
    return [row[0] for row in sql.rows(db, "SELECT DISTINCT action FROM audit ORDER BY 1")]
