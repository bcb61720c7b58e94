"""What a client keeps on disk: its device identity, lease, chain token and outbox, in one SQLite file.

SQLite survives kill -9 at any moment and lets several processes share the state.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (jti TEXT PRIMARY KEY, server TEXT NOT NULL, lease TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (code TEXT, item TEXT, slot INTEGER, type TEXT, jti TEXT NOT NULL,
    count INTEGER NOT NULL, sent INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (code, item, slot, type)) WITHOUT ROWID;
"""
KEPT_SLOTS = 30 * 480


@dataclass(frozen=True)
class Waiting:
    """Counts of one slot under one lease that the server has not confirmed."""

    jti: str
    lease: str
    slot: int
    usage: dict[str, int]


class State:
    """The state in a folder, or in memory with None."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        path = ":memory:" if folder is None else str(folder / "client.db")
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        if folder is not None:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def device_id(self, wanted: str | None) -> str:
        """The device's identity: the one wanted, else the one kept, else a new random one."""
        if wanted is not None:
            return wanted
        self._db.execute("INSERT OR IGNORE INTO facts VALUES ('device', ?)", (json.dumps(str(uuid.uuid4())),))
        return str(self.fact("device"))

    def fact(self, name: str) -> Any:
        """A kept value, None when there is none."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, name: str, value: Any) -> None:
        """Keep a value durably."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def replace_chain(self, sent: str | None, new: str) -> None:
        """Take a new chain token only if the kept one is still the one that was sent: parallel requests
        must not bring back an older branch (docs/protocol.md)."""
        self._db.execute("BEGIN IMMEDIATE")
        if self.fact("chain") == sent:
            self.keep("chain", new)
        self._db.execute("COMMIT")

    def remember_lease(self, jti: str, server: str, lease: str) -> None:
        """Keep a lease for as long as usage waits under it; it becomes the present one."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT OR IGNORE INTO leases VALUES (?, ?, ?)", (jti, server, lease))
        self.keep("lease", jti)
        self._db.execute("DELETE FROM leases WHERE jti <> ? AND jti NOT IN (SELECT jti FROM outbox)", (jti,))
        self._db.execute("COMMIT")

    def lease(self) -> str | None:
        """The present lease."""
        row = self._db.execute("SELECT lease FROM leases WHERE jti = ?", (self.fact("lease"),)).fetchone()
        return None if row is None else str(row[0])

    def count(self, rows: list[tuple[str, str, int, str, int, str]]) -> None:
        """Add counts (code, item, slot, type, count, jti) to the outbox; durable when it returns."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(
            "INSERT INTO outbox (code, item, slot, type, count, jti) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET count = count + excluded.count",
            rows,
        )
        self._db.execute("COMMIT")

    def waiting(self, newest_slot: int) -> Iterator[Waiting]:
        """Counts the server has not confirmed as they stand now, by lease and slot, oldest first."""
        self._db.execute("DELETE FROM outbox WHERE slot < ?", (newest_slot - KEPT_SLOTS,))
        rows = self._db.execute(
            "SELECT o.jti, l.lease, o.slot, o.type, o.count FROM outbox o JOIN leases l ON l.jti = o.jti"
            " WHERE o.count > o.sent ORDER BY o.jti, o.slot"
        ).fetchall()
        grouped: dict[tuple[str, int], Waiting] = {}
        for jti, lease, slot, type_name, count in rows:
            entry = grouped.setdefault((jti, slot), Waiting(jti, lease, slot, {}))
            entry.usage[type_name] = count
        yield from grouped.values()

    def confirm(self, waiting: Waiting) -> None:
        """The server holds these counts: remember how far, so that only growth is sent again."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(
            "UPDATE outbox SET sent = max(sent, ?) WHERE jti = ? AND slot = ? AND type = ?",
            [(count, waiting.jti, waiting.slot, name) for name, count in waiting.usage.items()],
        )
        self._db.execute("COMMIT")

    def drop(self, waiting: Waiting) -> None:
        """The server will never take these counts."""
        self._db.execute("DELETE FROM outbox WHERE jti = ? AND slot = ?", (waiting.jti, waiting.slot))
