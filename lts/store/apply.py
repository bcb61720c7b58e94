"""What each kind of change does to the tables.

The one place where rows of derived tables change: live requests, a standby that follows and `lts verify`
all come through here. Usage, seats and licenses do not depend on the order in which the changes of two servers
arrive; for settings lts.store.pair decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lts.store import alerts, audit, closing, codes, devices, licenses, pair, seats, typenames, usage
from lts.store.records import (
    Alerted,
    Archived,
    Chain,
    Closed,
    Code,
    CodeRemoved,
    Delivered,
    Epoch,
    Event,
    Granted,
    GrantsEnded,
    License,
    Origin,
    Record,
    Refused,
    Released,
    Reported,
    Setting,
    Trust,
    TypeNamed,
)
from lts.store.transaction import Transaction


def _origin(tx: Transaction, record: Origin, time: int) -> None:
    tx.execute("UPDATE origins SET numbers = ? WHERE id = ?", (record.numbers, tx.writing[0]))


def _nothing(tx: Transaction, record: Any, time: int) -> None:
    """Events stand in the audit log only."""


def _granted(tx: Transaction, record: Granted, time: int) -> None:
    chain = record.given, record.lag, record.chain
    device, known = devices.put(tx, record.device, record.uuid, time, chain, record.mark)
    for seat in record.seats:
        seats.put(tx, device, seat, time, known=known)
    tx.tally(record.code, usage.GRANTED_TALLY, time // 3600)


def _reported(tx: Transaction, record: Reported, time: int) -> usage.Grown:
    device, known = devices.put(tx, record.device, record.uuid, time, (record.given, record.lag, record.chain))
    for seat in record.seats:
        seats.put(tx, device, seat, time, known=known)
    return usage.merge(tx, record, device, time)


def _chain(tx: Transaction, record: Chain, time: int) -> None:
    devices.put(tx, record.device, None, 0, (record.given, record.lag, record.chain))


def _released(tx: Transaction, record: Released, time: int) -> None:
    for item, grant in record.seats:
        seats.close(tx, record.device, item, grant, time)


def _refused(tx: Transaction, record: Refused, time: int) -> None:
    for code, what, n in record.counts:
        tx.tally(code, what, time // 3600, n)


_APPLY: dict[type[Record], Callable[[Transaction, Any, int], Any]] = {
    Origin: _origin,
    Epoch: lambda tx, record, time: pair.put_epoch(tx, record),
    Event: _nothing,
    Setting: lambda tx, record, time: codes.set_setting(tx, record),
    Trust: lambda tx, record, time: codes.trust(tx, record),
    License: licenses.put,
    Archived: lambda tx, record, time: licenses.archive(tx, record),
    GrantsEnded: lambda tx, record, time: seats.end_grants(tx, record),
    Code: codes.put,
    CodeRemoved: codes.remove,
    TypeNamed: lambda tx, record, time: typenames.name_type(tx, record),
    Granted: _granted,
    Reported: _reported,
    Released: _released,
    Chain: _chain,
    Refused: _refused,
    Alerted: alerts.put,
    Delivered: alerts.deliver,
    Closed: lambda tx, record, time: closing.close_days(tx, record),
}


def apply(tx: Transaction, record: Record, time: int) -> Any:
    """Change the tables as `record` says; `time` is the change's, UTC seconds."""
    if tx.aliases:
        record = pair.resolve(tx, record)
    if isinstance(record, audit.AUDITED):
        audit.note(tx, record, time)
    return _APPLY[type(record)](tx, record, time)
