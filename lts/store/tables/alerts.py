"""Usage alerts: which levels were alerted, messages with their content, and the outcome on each channel.

All but `attempts` follow from the feed, so that a standby that takes over alerts nothing twice. `attempts` is this
server's own: when a message is tried next, and why it was not delivered yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import apsw
import msgspec

from lts.rules.alerting.alert import Alert
from lts.rules.alerting.alerts import AlertedLevel
from lts.store import sql
from lts.store.changes.records import AlertChange, DeliveryChange
from lts.store.tables import audit, pair
from lts.store.writing.transaction import Transaction

SENT, GIVEN_UP = "sent", "given up"


@dataclass(frozen=True)
class Message:
    """The content of one mail; `channels` where it goes."""

    id: str
    time: int
    events: list[Alert]
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Attempt:
    """Tries so far of a message on a channel; `rest` are the receivers still to be reached (empty = all)."""

    tries: int
    next: int
    error: str
    rest: tuple[str, ...]


def put(tx: Transaction, record: AlertChange, time: int) -> None:
    for key, level, base in record.levels:
        if not pair.decides(tx, f"alert:{key}"):
            continue
        if level:
            tx.execute("INSERT OR REPLACE INTO alert_levels VALUES (?, ?, ?)", (key, level, base))
        else:
            tx.execute("DELETE FROM alert_levels WHERE key = ?", (key,))
    for uuid, incarnation, serial in record.seen:
        tx.execute(
            "INSERT INTO alert_seen VALUES (?, ?) ON CONFLICT DO UPDATE SET serial = max(serial, excluded.serial)",
            (tx.feed.origin_number(uuid, incarnation), serial),
        )
    if record.message:
        events, channels = (
            json.dumps(msgspec.to_builtins(record.events), ensure_ascii=False),
            json.dumps(record.channels),
        )
        tx.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?)", (record.message, time, events, channels))


def deliver(tx: Transaction, record: DeliveryChange, time: int) -> None:
    """Apply a DELIVERY change; sent by either server is sent."""
    row = (record.message, record.channel, record.outcome, time, record.detail)
    tx.execute(
        "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " (outcome, time, detail) = (excluded.outcome, excluded.time, excluded.detail)"
        " WHERE (excluded.outcome = 'sent') > (outcome = 'sent')"
        " OR ((excluded.outcome = 'sent') = (outcome = 'sent') AND (excluded.time, excluded.detail) < (time, detail))",
        row,
    )


def alerted(db: apsw.Connection) -> dict[str, AlertedLevel]:
    """Alerted levels, by the key of the measure."""
    return {
        key: AlertedLevel(level, base) for key, level, base in sql.rows(db, "SELECT key, level, base FROM alert_levels")
    }


def unseen(db: apsw.Connection, actions: Iterable[str]) -> list[audit.Line]:
    """Lines of the audit log with these actions that were not checked yet, in order of time."""
    names = tuple(actions)
    marks = ",".join("?" * len(names))
    query = f"""SELECT a.time, o.uuid, a.actor, a.action, a.subject, a.detail, 0 FROM audit a
        JOIN origins o ON o.id = a.origin LEFT JOIN alert_seen s ON s.origin = a.origin
        WHERE a.action IN ({marks}) AND a.serial > coalesce(s.serial, 0) ORDER BY a.time, a.origin, a.serial"""  # noqa: S608 - question marks
    return audit.read(db, query, names)


def begun(db: apsw.Connection) -> bool:
    """Whether anything was ever checked: earlier events raise no alert."""
    return sql.value(db, "SELECT 1 FROM alert_seen") is not None


def messages(db: apsw.Connection, offset: int, limit: int) -> list[Message]:
    """Messages, newest first."""
    query = "SELECT id, time, events, channels FROM messages ORDER BY time DESC, id DESC LIMIT ? OFFSET ?"
    return [_message(*row) for row in sql.rows(db, query, (limit, offset))]


def _message(key: str, time: int, events: str, channels: str) -> Message:
    return Message(key, time, msgspec.convert(json.loads(events), list[Alert]), tuple(json.loads(channels)))


def count(db: apsw.Connection) -> int:
    return int(sql.value(db, "SELECT count(*) FROM messages"))


def waiting(db: apsw.Connection) -> list[tuple[Message, str]]:
    """Messages with a channel on which they were neither sent nor given up, oldest first."""
    query = """SELECT m.id, m.time, m.events, m.channels, c.value FROM messages m, json_each(m.channels) c
        WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message = m.id AND d.channel = c.value)
        ORDER BY m.time, m.id"""
    return [(_message(*row[:4]), row[4]) for row in sql.rows(db, query)]


def outcomes(db: apsw.Connection, message: str) -> dict[str, tuple[str, int, str]]:
    """(outcome, UTC seconds, detail) of a message by channel."""
    query = "SELECT channel, outcome, time, detail FROM deliveries WHERE message = ?"
    return {channel: (outcome, time, detail) for channel, outcome, time, detail in sql.rows(db, query, (message,))}


def attempt(db: apsw.Connection, message: str, channel: str) -> Attempt | None:
    query = "SELECT tries, next, error, rest FROM attempts WHERE message = ? AND channel = ?"
    row = sql.first(db, query, (message, channel))
    return None if row is None else Attempt(row[0], row[1], row[2], tuple(json.loads(row[3])))


def keep_attempt(tx: Transaction, message: str, channel: str, attempt: Attempt | None) -> None:
    """Store an attempt, None if the message needs no further one."""
    tx.note_written_beside()
    if attempt is None:
        tx.execute("DELETE FROM attempts WHERE message = ? AND channel = ?", (message, channel))
        return
    tx.execute(
        "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?)",
        (message, channel, attempt.tries, attempt.next, attempt.error, json.dumps(attempt.rest)),
    )
