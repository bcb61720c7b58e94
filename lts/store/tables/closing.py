"""Closing days: only the sums of their rows are kept, some rows at a time, so that nobody waits for a large day."""

from __future__ import annotations

import apsw

from lts.store import sql
from lts.store.changes.records import DayClosingChange
from lts.store.rows.dayrow import close_day
from lts.store.writing.transaction import Transaction

ROWS = 100
"""About this many rows are closed at a time; a device's rows of a day, one for each code, stay together."""


def newest_day(db: apsw.Connection, until: int) -> int:
    """The last day up to `until` on which something was counted, -1 for none."""
    day = sql.value(db, "SELECT max(day) FROM usage_days WHERE day <= ?", (until,))
    return -1 if day is None else int(day)


def next_piece(db: apsw.Connection, until: int) -> DayClosingChange | None:
    """What to close next up to the day `until`, None if everything is closed."""
    begun = sql.value(db, "SELECT value FROM settings WHERE name = 'closing'")
    closed = _closed_day(db)
    if begun is None and closed >= until:
        return None
    day = closed if begun is not None else sql.value(
        db, "SELECT min(day) FROM usage_days WHERE day > ? AND day <= ?", (closed, until)
    )  # fmt: skip
    if day is None:
        return DayClosingChange(until)
    first = int(begun or 0)
    query = "SELECT device FROM usage_days WHERE day = ? AND device >= ? ORDER BY device LIMIT 1 OFFSET ?"
    end = sql.value(db, query, (day, first, ROWS))
    return DayClosingChange(day, (first, 0 if end is None else max(end, first + 1)))


def close_days(tx: Transaction, record: DayClosingChange) -> int:
    """Apply a DAY_CLOSING change. Returns how many rows it closed.

    A day before the last closed one reopens the days after it: their rows are already summed up and cannot take counts
    any more, so they are deleted.
    """
    closed = _closed_day(tx.db)
    tx.execute("DELETE FROM usage_days WHERE day > ? AND day <= ?", (record.day, closed))
    values: tuple[int, ...]
    if record.piece is None:
        where, values = "day <= ? AND day > ?", (record.day, closed)
    else:
        where, values = "day = ? AND device >= ?", (record.day, record.piece[0])
        if record.piece[1]:
            where, values = f"{where} AND device < ?", (*values, record.piece[1])
    rows = sql.rows(tx.db, f"SELECT day, device, code, data FROM usage_days WHERE {where}", values)  # noqa: S608 - fixed parts
    tx.db.executemany(
        "UPDATE usage_days SET data = ? WHERE day = ? AND device = ? AND code = ?",
        [(close_day(data), day, device, code) for day, device, code, data in rows],
    )
    if record.piece is not None and record.piece[1]:
        tx.execute("INSERT OR REPLACE INTO settings VALUES ('closing', ?)", (str(record.piece[1]),))
    else:
        tx.execute("DELETE FROM settings WHERE name = 'closing'")
    if record.day != closed:
        tx.execute("INSERT OR REPLACE INTO settings VALUES ('closedDay', ?)", (str(record.day),))
        tx.forget_catalog()
    return len(rows)


def _closed_day(db: apsw.Connection) -> int:
    return int(sql.value(db, "SELECT value FROM settings WHERE name = 'closedDay'") or -1)
