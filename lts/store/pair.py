"""What the tables hold because of the pair: epochs, which change decided a setting, one thing under two numbers.

The rules are those of docs/design/pair.md, Both serving: settings merge one by one, the higher epoch wins, then
the main. What does not depend on who wins (usage, seats, licenses) needs nothing of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from lts.store import records, sql
from lts.store.transaction import AliasKey, Transaction
from lts.store.transaction import Epoch as Served

DEVICE, CODE, ITEM, TYPE = 0, 1, 2, 3
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode


def put_epoch(tx: Transaction, record: records.Epoch) -> None:
    """Apply an EPOCH change: from here on the origin's settings weigh as much as its epoch."""
    origin = tx.writing[0]
    knows = {tx.origin_number(uuid, incarnation): serial for uuid, incarnation, serial in record.knows}
    tx.epochs = {**tx.epochs, origin: Served(record.epoch, record.main, knows)}
    tx.execute(
        "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?)",
        (origin, record.epoch, record.main, record.key, _encode(sorted(knows.items()))),
    )


def load_epochs(db: apsw.Connection) -> dict[int, Served]:
    """The epoch of each origin."""
    return {
        origin: Served(epoch, bool(main), dict(_decode(knows)))
        for origin, epoch, main, knows in sql.rows(db, "SELECT origin, epoch, main, knows FROM epochs")
    }


def server_keys(db: apsw.Connection) -> list[str]:
    """Public keys (base64url) of all servers that ever served in this pair."""
    return [row[0] for row in sql.rows(db, "SELECT DISTINCT server_key FROM epochs")]


def highest_epoch(epochs: dict[int, Served], *, beside: int = 0) -> int:
    """The highest epoch of any origin but `beside`, 0 when there is none."""
    return max((epoch.number for origin, epoch in epochs.items() if origin != beside), default=0)


def decides(tx: Transaction, subject: str) -> bool:
    """Whether the change being applied decides `subject`; it is remembered if it does.

    Of two changes that did not know of each other the loser stands in `overruled`, for the audit log.
    """
    origin, serial = tx.writing
    epoch = tx.epoch
    weight = (epoch.number, epoch.main)
    row = sql.first(tx.db, "SELECT epoch, main, origin, serial FROM stamps WHERE subject = ?", (subject,))
    if row is not None and row[2] != origin:
        before, other, other_serial = (row[0], bool(row[1])), row[2], row[3]
        if weight < before or (weight == before and _name(tx, origin) < _name(tx, other)):
            _note_overruled(tx, (origin, serial), (other, other_serial))
            return False
        if other_serial > epoch.knows.get(other, 0) and weight != (0, True):
            _note_overruled(tx, (other, other_serial), (origin, serial))
    tx.execute("INSERT OR REPLACE INTO stamps VALUES (?, ?, ?, ?, ?)", (subject, *weight, origin, serial))
    return True


def _name(tx: Transaction, origin: int) -> Any:
    return sql.first(tx.db, "SELECT uuid, incarnation FROM origins WHERE id = ?", (origin,))


def _note_overruled(tx: Transaction, loser: tuple[int, int], winner: tuple[int, int]) -> None:
    tx.execute("INSERT OR IGNORE INTO overruled VALUES (?, ?, ?, ?)", (*loser, *winner))


@dataclass(frozen=True)
class Overruled:
    """A change of a setting that another one, made without knowing it, took precedence over."""

    origin: int
    serial: int
    by_origin: int
    by_serial: int


def overruled(db: apsw.Connection) -> list[Overruled]:
    """All of them."""
    return [Overruled(*row) for row in sql.rows(db, "SELECT * FROM overruled ORDER BY 1, 2")]


def add_alias(tx: Transaction, what: int, number: int, ours: int) -> None:
    """The other server calls `number` what this database knows as `ours`."""
    key: AliasKey = (what, number)
    tx.aliases = {**tx.aliases, key: ours}
    tx.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (what, number, ours))


def load_aliases(db: apsw.Connection) -> dict[AliasKey, int]:
    """Every number that stands for another one here."""
    return {(what, number): ours for what, number, ours in sql.rows(db, "SELECT what, number, ours FROM aliases")}


def resolve(tx: Transaction, record: Any) -> Any:
    """The record with this database's numbers in place of others for the same things."""
    known = tx.aliases

    def ours(what: int, number: int) -> int:
        return known.get((what, number), number)

    changes: dict[str, Any] = {}
    if hasattr(record, "device"):
        changes["device"] = ours(DEVICE, record.device)
    if hasattr(record, "code"):
        changes["code"] = ours(CODE, record.code)
    if isinstance(record, records.Granted | records.Reported):
        changes["seats"] = tuple(
            msgspec.structs.replace(s, item=ours(ITEM, s.item), codes=tuple(ours(CODE, c) for c in s.codes))
            for s in record.seats
        )
    if isinstance(record, records.Reported):
        changes["runs"] = tuple(
            msgspec.structs.replace(run, item=ours(ITEM, run.item), type=ours(TYPE, run.type)) for run in record.runs
        )
    if isinstance(record, records.Released):
        changes["seats"] = tuple((ours(ITEM, item), grant) for item, grant in record.seats)
    if isinstance(record, records.Code):
        changes["items"] = tuple((ours(ITEM, item), cap) for item, cap in record.items)
    if isinstance(record, records.Refused):
        changes["counts"] = tuple((ours(CODE, code), what, n) for code, what, n in record.counts)
    return msgspec.structs.replace(record, **changes) if changes else record
