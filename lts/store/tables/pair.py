"""Tables for the pair: epochs, which change decided a setting, one thing under two numbers.

The rules are those of docs/design/pair.md, Both serving. Tables that do not depend on who wins (usage, seats, licenses)
need none of this.
"""

from __future__ import annotations

from typing import Any, TypeVar

import apsw
import msgspec

from lts.store import sql
from lts.store.changes import records
from lts.store.changes.epochs import FIRST_EPOCH, Epoch
from lts.store.changes.records import Record
from lts.store.writing.transaction import Transaction
from lts.store.writing.writermemory import AliasKey

AnyRecord = TypeVar("AnyRecord", bound=Record)
DEVICE, CODE, ITEM, TYPE = 0, 1, 2, 3
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode


def put_epoch(tx: Transaction, record: records.EpochChange) -> None:
    """Apply an EPOCH change: from here on the origin's settings weigh as much as its epoch."""
    origin = tx.feed.writing[0]
    knows = {tx.feed.origin_number(uuid, incarnation): serial for uuid, incarnation, serial in record.knows}
    tx.epochs = {**tx.epochs, origin: Epoch(record.epoch, record.main, record.generation, knows)}
    tx.execute(
        "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?)",
        (origin, record.epoch, record.main, record.key, _encode(sorted(knows.items())), record.generation),
    )


def load_epochs(db: apsw.Connection) -> dict[int, Epoch]:
    return {
        origin: Epoch(epoch, bool(main), generation, dict(_decode(knows)))
        for origin, epoch, main, generation, knows in sql.rows(
            db, "SELECT origin, epoch, main, generation, knows FROM epochs"
        )
    }


def server_keys(db: apsw.Connection) -> list[str]:
    """Public keys (base64url) of all servers that ever served in this pair."""
    return [row[0] for row in sql.rows(db, "SELECT DISTINCT server_key FROM epochs")]


def highest_epoch(epochs: dict[int, Epoch], *, beside: int = 0) -> int:
    """The highest epoch of any origin except `beside`, else 0."""
    return max((epoch.number for origin, epoch in epochs.items() if origin != beside), default=0)


def highest_generation(epochs: dict[int, Epoch]) -> int:
    """The highest generation of any origin, 0 when there is none."""
    return max((epoch.generation for epoch in epochs.values()), default=0)


def continue_others(tx: Transaction, key: str, now: int) -> None:
    """A server without a partner continues a database in which others wrote (a restored copy, a moved folder, a
    former server of a pair): from here on its changes are later than all that it has, `now` in UTC seconds.

    `key` is its public key (base64url). Nothing is written where its changes are the latest already.
    """
    newest = max((tx.epochs.get(origin, FIRST_EPOCH).weight for origin in tx.feed.others()), default=None)
    if newest is None or tx.epochs.get(tx.feed.origin, FIRST_EPOCH).weight > newest:
        return
    number, main, generation = newest
    tx.emit(records.EpochChange(number, main, "continued", key, knowledge(tx), generation + 1), now)


def knowledge(tx: Transaction) -> tuple[tuple[str, str, int], ...]:
    """How far this database has every origin, as an EPOCH change says it: (LTS UUID, incarnation, serial)."""
    return tuple((uuid, incarnation, serial) for uuid, incarnation, serial, _ in tx.feed.positions())


def decides(tx: Transaction, subject: str) -> bool:
    """Whether the change being applied decides `subject`; it is recorded if it does.

    Weights grow with knowledge of other changes, so the change that knew of the other wins, whatever the order of
    arrival. If neither knew of the other, the loser is in `overruled`, for the audit log. Raises RuntimeError if a
    change of this server's own would have no effect: who serves, or continues others, weighs most, so that cannot be.
    """
    origin, serial = tx.feed.writing
    epoch = tx.epoch
    row = sql.first(tx.db, "SELECT epoch, main, generation, origin, serial FROM stamps WHERE subject = ?", (subject,))
    if row is not None and row[3] != origin:
        before, other, other_serial = (row[0], bool(row[1]), row[2]), row[3], row[4]
        if epoch.weight < before or (epoch.weight == before and _name(tx, origin) < _name(tx, other)):
            if origin == tx.feed.origin:
                raise RuntimeError(f"{subject}: a change of this server would be without effect")
            note_overruled(tx, (origin, serial), (other, other_serial))
            return False
        if other_serial > epoch.knows.get(other, 0) and epoch is not FIRST_EPOCH:
            note_overruled(tx, (other, other_serial), (origin, serial))
    _stamp(tx, subject)
    return True


def _name(tx: Transaction, origin: int) -> Any:
    return sql.first(tx.db, "SELECT uuid, incarnation FROM origins WHERE id = ?", (origin,))


def outweighs(tx: Transaction, subject: str, *, tie: bool) -> bool:
    """Whether the change being applied counts more for `subject` than what counted before, where no later one can have
    known the other: that of the higher generation, then epoch, which is the promoted server's; among equals, `tie`. The
    first generation, which all servers had before, is not kept."""
    epoch = tx.epoch
    rank = (epoch.generation, epoch.number) if epoch.generation else (0, 0)
    row = sql.first(tx.db, "SELECT generation, epoch FROM stamps WHERE subject = ?", (subject,))
    before = (0, 0) if row is None else (row[0], row[1])
    if rank < before or (rank == before and not tie):
        return False
    if epoch.generation:
        _stamp(tx, subject)
    return True


def _stamp(tx: Transaction, subject: str) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO stamps (subject, epoch, main, generation, origin, serial) VALUES (?, ?, ?, ?, ?, ?)",
        (subject, *tx.epoch.weight, *tx.feed.writing),
    )


def note_overruled(tx: Transaction, loser: tuple[int, int], winner: tuple[int, int]) -> None:
    """For the audit log: the change (origin, serial) that lost, and the one that took precedence."""
    tx.execute("INSERT OR IGNORE INTO overruled VALUES (?, ?, ?, ?)", (*loser, *winner))


def forget_overruled(tx: Transaction, change: tuple[int, int]) -> None:
    """That change (origin, serial) counts after all."""
    tx.execute("DELETE FROM overruled WHERE (origin, serial) = (?, ?)", change)


def overruled(db: apsw.Connection) -> int:
    """How many changes of a setting were overruled by one that did not know of them."""
    return int(sql.value(db, "SELECT count(*) FROM overruled"))


def add_alias(tx: Transaction, what: int, number: int, ours: int) -> None:
    """The other server calls `number` what this database knows as `ours`."""
    key: AliasKey = (what, number)
    tx.aliases = {**tx.aliases, key: ours}
    tx.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?)", (what, number, ours))


def load_aliases(db: apsw.Connection) -> dict[AliasKey, int]:
    """Every number that this server maps to another number."""
    return {(what, number): ours for what, number, ours in sql.rows(db, "SELECT what, number, ours FROM aliases")}


def first_numbers(db: apsw.Connection, what: int) -> dict[int, int]:
    """Of things that both servers numbered: the lower of the numbers, by this database's. So both have one order."""
    found: dict[int, int] = {}
    for number, ours in sql.rows(db, "SELECT number, ours FROM aliases WHERE what = ?", (what,)):
        found[ours] = min(number, found.get(ours, ours))
    return found


_OF_DEVICES = records.GrantChange | records.ReportChange | records.ReleaseChange | records.CloneTokenChange
_OF_CODES = records.GrantChange | records.ReportChange | records.CodeChange | records.CodeRemovalChange


def resolve(tx: Transaction, record: AnyRecord) -> AnyRecord:
    """The record with this database's numbers in place of others for the same things; those that it gives to new
    licenses and types stay, for `apply`. tests/store/test_pair_numbers.py has every number of every record."""
    known = tx.aliases

    def ours(what: int, number: int) -> int:
        return known.get((what, number), number)

    changes: dict[str, Any] = {}
    if isinstance(record, _OF_DEVICES):
        changes["device"] = ours(DEVICE, record.device)
    if isinstance(record, _OF_CODES):
        changes["code"] = ours(CODE, record.code)
    if isinstance(record, records.GrantChange | records.ReportChange):
        changes["seats"] = tuple(
            msgspec.structs.replace(s, item=ours(ITEM, s.item), codes=tuple(ours(CODE, c) for c in s.codes))
            for s in record.seats
        )
    if isinstance(record, records.ReportChange):
        changes["runs"] = tuple(
            msgspec.structs.replace(
                run,
                item=ours(ITEM, run.item),
                type=run.type if isinstance(run.type, bytes) else ours(TYPE, run.type),
            )
            for run in record.runs
        )
    if isinstance(record, records.ReleaseChange):
        changes["seats"] = tuple((ours(ITEM, item), grant) for item, grant in record.seats)
    if isinstance(record, records.GrantsEndChange):
        changes["items"] = tuple((ours(ITEM, item), number) for item, number in record.items)
    if isinstance(record, records.CodeChange):
        changes["items"] = tuple((ours(ITEM, item), cap) for item, cap in record.items)
    if isinstance(record, records.RefusalsChange):
        changes["counts"] = tuple((ours(CODE, code), what, n) for code, what, n in record.counts)
    return msgspec.structs.replace(record, **changes) if changes else record
