"""What a client keeps on disk: its device identity, lease, clone token and outbox, in one SQLite file.

SQLite survives kill -9 at any moment and lets several processes share the state.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lts.client.journal import Journal, files, is_over, read
from lts.client.limits import MAX_TYPES
from lts.errors import RefusalCode, words_of
from lts.protocol import MAX_COUNT, SLOT_SECONDS, Lease, LeaseItem, iso, parse_iso, slot_of

log = logging.getLogger("lts.client")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (jti TEXT PRIMARY KEY, server TEXT NOT NULL, lease TEXT NOT NULL,
    kept INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (code TEXT, item TEXT, slot INTEGER, type TEXT, jti TEXT NOT NULL,
    count INTEGER NOT NULL, sent INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (code, item, slot, type)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journals (name TEXT PRIMARY KEY, read_to INTEGER NOT NULL) WITHOUT ROWID;
"""
_GO_ON = """INSERT INTO outbox (code, item, slot, type, jti, count, sent)
    SELECT ?3, ?4, slot, type, jti, count, sent FROM outbox WHERE code = ?1 AND item = ?2
    ON CONFLICT DO UPDATE SET (jti, count, sent) = (excluded.jti, count + excluded.count, max(sent, excluded.sent))"""
KEPT_SLOTS = 30 * 480
MOST_KEPT = 1_000_000
"""Counts that wait for a server, and counts that one has confirmed; beyond that the oldest go."""
LEASES_KEPT_SECONDS = 2 * 86400
_OF_A_NAME = frozenset({RefusalCode.MALFORMED, RefusalCode.TOO_LARGE})
"""The codes with which an entry is rejected for one of its names."""


def counted_as(lease: Lease, item: LeaseItem) -> tuple[str, str]:
    """(code, item) under which usage is counted, across renewals and renames (docs/protocol.md, Report): by the code's
    number and the license, by names under a lease of LTS 0.1.0, which has no number."""
    if lease.code is None:
        return lease.handshake_code, item.item_id
    return f"#{lease.code}", f"{item.license_id}\n{item.item_id}"


@dataclass(frozen=True)
class Waiting:
    """Counts of one slot under one lease that the server has not confirmed."""

    jti: str
    lease: str
    slot: int
    usage: dict[str, int]

    def apart(self) -> list[Waiting]:
        """The same counts, each for itself."""
        return [replace(self, usage={name: count}) for name, count in self.usage.items()]


class State:
    """The state in a folder, or in memory with None.

    A folder that cannot be written never stops the application: the state is kept in memory then, and `fault` says why.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.fault: str | None = None
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            self._db = _open(folder)
        except (OSError, sqlite3.Error) as error:
            self.folder, self.fault = None, words_of(error)
            self._db = _open(None)

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction. One that cannot be written to disk is undone and noted: memory continues."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
            self.fault = None if self.folder is not None else self.fault
        except sqlite3.OperationalError as error:
            self.fault = str(error)
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def absorb(self, own: Journal, lease: Lease | None = None) -> None:
        """Take what `use` left behind into the outbox, of processes that were killed too; each line once. What was
        counted by the names of the present `lease`, before the server sent numbers, continues under them."""
        counted, done = own.take_memory(), False
        with self._writing():
            total = Counter(counted)
            for path in files(self.folder) if self.folder is not None else []:
                row = self._db.execute("SELECT read_to FROM journals WHERE name = ?", (path.name,)).fetchone()
                found, read_to = read(path, row[0] if row else 0)
                total += found
                if is_over(path, read_to):
                    path.unlink(missing_ok=True)
                    self._db.execute("DELETE FROM journals WHERE name = ?", (path.name,))
                else:
                    self._db.execute("INSERT OR REPLACE INTO journals VALUES (?, ?)", (path.name, read_to))
            self._db.executemany(
                "INSERT INTO outbox (code, item, slot, type, count, jti) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET count = count + excluded.count",
                [(code, item, slot, name, n, jti) for (jti, code, item, slot, name), n in total.items()],
            )
            self._hold_to_limits()
            if lease is not None and lease.code is not None:
                for item in lease.items:
                    named = lease.handshake_code, item.item_id
                    self._db.execute(_GO_ON, (*named, *counted_as(lease, item)))
                    self._db.execute("DELETE FROM outbox WHERE code = ? AND item = ?", named)
            done = True
        if not done or (self.fault is not None and self.folder is not None):
            own.put_back(counted)

    def _hold_to_limits(self) -> None:
        """What several processes used may be more in a slot than a report can say, and what waits may be endless."""
        over = self._db.execute(
            "SELECT sum(count - ?1), count(*) FROM outbox WHERE count > ?1", (MAX_COUNT,)
        ).fetchone()
        if over[1]:
            self._db.execute("UPDATE outbox SET count = ?1 WHERE count > ?1", (MAX_COUNT,))
            log.error("usage over %d of a type in a slot was dropped: %d units", MAX_COUNT, over[0])
        if gone := self._drop_oldest("count > sent"):
            log.error("the oldest usage was dropped, since no server took it for long: %d counts", gone)
        self._drop_oldest("count <= sent")

    def _drop_oldest(self, which: str) -> int:
        """Hold the counts that are `which` to their most; how many went."""
        newest = self._db.execute(
            f"SELECT slot FROM outbox WHERE {which} ORDER BY slot DESC LIMIT 1 OFFSET ?",  # noqa: S608 - our own text
            (MOST_KEPT,),
        ).fetchone()
        if newest is None:
            return 0
        return self._db.execute(f"DELETE FROM outbox WHERE slot <= ? AND {which}", newest).rowcount  # noqa: S608

    def forget_journal(self, path: Path | None) -> None:
        """This process ends: its journal is read to the end, and goes."""
        if path is None:
            return
        with self._writing():
            row = self._db.execute("SELECT read_to FROM journals WHERE name = ?", (path.name,)).fetchone()
            if row is not None and path.exists() and path.stat().st_size <= row[0]:
                self._db.execute("DELETE FROM journals WHERE name = ?", (path.name,))
                path.unlink()

    def device_id(self, wanted: str | None, machine: str | None = None) -> str:
        """The device's identity: the given one, else the stored one, else a new random one. One that was bound to a
        `machine` (a hash) is left behind on another, with its lease and clone token; usage that waits stays."""
        if wanted is not None:
            return wanted
        if machine is not None:
            with self._writing():
                if self.fact("machine") not in (None, machine):
                    self._db.execute("DELETE FROM facts WHERE name IN ('device', 'lease', 'chain', 'certificates')")
                self._put("machine", machine)
        with self._writing():
            made = json.dumps(str(uuid.uuid4()))
            self._db.execute("INSERT OR IGNORE INTO facts VALUES ('device', ?)", (made,))
        return str(self.fact("device"))

    def fact(self, name: str) -> Any:
        """A stored value, or None."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, name: str, value: Any) -> None:
        """Keep a value durably."""
        with self._writing():
            self._put(name, value)

    def _put(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def replace_token(self, sent: str | None, new: str) -> None:
        """Take a new clone token only if the kept one is still the one that was sent: parallel requests
        must not bring back an older branch (docs/protocol.md)."""
        with self._writing():
            if self.fact("chain") == sent:
                self._put("chain", new)

    def remember_lease(self, jti: str, server: str, lease: str, now: int) -> None:
        """Keep a lease for as long as usage waits under it; it becomes the current one. Other processes may still count
        under the previous one, so each is kept for at least two days (`now` in UTC seconds)."""
        with self._writing():
            self._db.execute("INSERT OR IGNORE INTO leases VALUES (?, ?, ?, ?)", (jti, server, lease, now))
            self._put("lease", jti)
            self._db.execute(
                "DELETE FROM leases WHERE kept < ? AND jti <> ? AND jti NOT IN (SELECT jti FROM outbox)",
                (now - LEASES_KEPT_SECONDS, jti),
            )

    def lease_server(self) -> str | None:
        """The URL of the server that gave the present lease."""
        return self._present()[0]

    def lease(self) -> str | None:
        return self._present()[1]

    def _present(self) -> tuple[str | None, str | None]:
        query = "SELECT server, lease FROM leases WHERE jti = ?"
        return self._db.execute(query, (self.fact("lease"),)).fetchone() or (None, None)

    def waiting(self) -> Iterator[Waiting]:
        """Counts that the server has not confirmed as they are now, by lease and slot, oldest first, at most as many
        types together as a report's entry holds. Only a server says what is too old: a clock may be ahead."""
        rows = self._db.execute(
            "SELECT o.jti, coalesce(l.lease, p.lease), o.slot, o.type, o.count FROM outbox o"
            " LEFT JOIN leases l ON l.jti = o.jti LEFT JOIN leases p ON p.jti = ?"
            " WHERE o.count > o.sent AND coalesce(l.lease, p.lease) IS NOT NULL ORDER BY o.jti, o.slot",
            (self.fact("lease"),),
        ).fetchall()
        entry: Waiting | None = None
        for jti, lease, slot, type_name, count in rows:
            if entry is None or (entry.jti, entry.slot) != (jti, slot) or len(entry.usage) == MAX_TYPES:
                if entry is not None:
                    yield entry
                entry = Waiting(jti, lease, slot, {})
            entry.usage[type_name] = count
        if entry is not None:
            yield entry

    def settle(self, entries: list[Waiting], answer: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Waiting]]:
        """Take in what a server says of a report's entries: its results, and the entries that it rejects for a name, to
        be sent apart, which have none there. `answer` has its `serverTime`."""
        results, together = [], []
        given = list(answer.get("results") or [])
        for at, result in enumerate(given):
            entry = entries[at] if at < len(entries) else None
            code = result.get("code")
            if entry is not None and result.get("status") in ("counted", "unchanged"):
                if answer.get("durable") != "local":
                    self._confirm(entry)
            elif entry is not None and len(entry.usage) > 1 and code in _OF_A_NAME:
                together.append(entry)
                continue
            elif entry is not None and code != RefusalCode.SLOT_AHEAD:
                self.drop(entry, code, result.get("detail"))
            results.append(result)
        self._forget(slot_of(parse_iso(str(answer.get("serverTime")))))
        return results, together

    def _confirm(self, waiting: Waiting) -> None:
        """The server holds these counts: remember how far, so that only growth is sent again."""
        with self._writing():
            self._db.executemany(
                "UPDATE outbox SET sent = max(sent, ?) WHERE jti = ? AND slot = ? AND type = ?",
                [(count, waiting.jti, waiting.slot, name) for name, count in waiting.usage.items()],
            )

    def _forget(self, present: int) -> None:
        """Forget confirmed counts that no server takes any more. `present` is the slot that a server has just told: by
        a clock that is ahead, the present slot would begin again from 0."""
        with self._writing():
            self._db.execute("DELETE FROM outbox WHERE slot < ? AND count <= sent", (present - KEPT_SLOTS,))

    def drop(self, waiting: Waiting, code: object, detail: object) -> None:
        """The server will never count this."""
        with self._writing():
            self._db.executemany(
                "DELETE FROM outbox WHERE jti = ? AND slot = ? AND type = ?",
                [(waiting.jti, waiting.slot, name) for name in waiting.usage],
            )
        log.error("usage of %s was dropped (%s): %s", iso(waiting.slot * SLOT_SECONDS), code, detail)


def _open(folder: Path | None) -> sqlite3.Connection:
    path = ":memory:" if folder is None else str(folder / "client.db")
    db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    if folder is not None:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    db.executescript(_SCHEMA)
    return db
