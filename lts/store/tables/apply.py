"""What each kind of change does to the tables.

Live requests, a standby that follows and `lts verify` all change the derived tables through here; only a feed's own row
is begun beside it (Transaction.begin_origin). Usage, seats and licenses do not depend on the order in which the changes
of two servers arrive; for settings lts.store.tables.pair decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lts.store.changes import records
from lts.store.tables import alerts, audit, closing, codes, devices, licenses, pair, seats, typenames, usage, vendorkeys
from lts.store.writing.transaction import Transaction


def _granted(tx: Transaction, record: records.GrantChange, time: int) -> None:
    clone_state = record.given, record.lag, record.clone_state
    device, known = devices.put(tx, record.device, record.uuid, time, clone_state, record.likeness)
    for seat in record.seats:
        seats.put(tx, device, seat, time, known=known)
    tx.gathered.tally(record.code, usage.GRANTED_TALLY, time // 3600)


def _reported(tx: Transaction, record: records.ReportChange, time: int) -> records.Grown:
    device, known = devices.put(tx, record.device, record.uuid, time, (record.given, record.lag, record.clone_state))
    for seat in record.seats:
        seats.put(tx, device, seat, time, known=known)
    return usage.merge(tx, record, device, time)


def _released(tx: Transaction, record: records.ReleaseChange, time: int) -> None:
    for item, grant in record.seats:
        seats.close(tx, record.device, item, grant, time)


def _refused(tx: Transaction, record: records.RefusalsChange, time: int) -> None:
    for code, what, n in record.counts:
        tx.gathered.tally(code, what, time // 3600, n)


_APPLY: dict[type[records.Record], Callable[[Transaction, Any, int], object]] = {
    records.OriginChange: lambda tx, record, time: tx.execute(
        "UPDATE origins SET numbers = ? WHERE id = ?", (record.numbers, tx.feed.writing[0])
    ),
    records.EpochChange: lambda tx, record, time: pair.put_epoch(tx, record),
    records.EventChange: lambda tx, record, time: None,  # it is only in the audit log
    records.SettingChange: lambda tx, record, time: codes.set_setting(tx, record),
    records.TrustChange: lambda tx, record, time: vendorkeys.trust(tx, record),
    records.LicenseChange: licenses.put,
    records.ArchiveChange: lambda tx, record, time: licenses.archive(tx, record),
    records.GrantsEndChange: lambda tx, record, time: seats.end_grants(tx, record),
    records.CodeChange: codes.put,
    records.CodeRemovalChange: codes.remove,
    records.TypeChange: lambda tx, record, time: typenames.name_type(tx, record),
    records.GrantChange: _granted,
    records.ReportChange: _reported,
    records.ReleaseChange: _released,
    records.CloneTokenChange: lambda tx, record, time: devices.put(
        tx, record.device, None, 0, (record.given, record.lag, record.clone_state)
    ),
    records.RefusalsChange: _refused,
    records.AlertChange: alerts.put,
    records.DeliveryChange: alerts.deliver,
    records.DayClosingChange: lambda tx, record, time: closing.close_days(tx, record),
}


def apply(tx: Transaction, record: records.Record, time: int) -> object:
    """Change the tables as `record` says; `time` is the change's, UTC seconds."""
    if tx.aliases:
        record = pair.resolve(tx, record)
    if isinstance(record, audit.AUDITED):
        audit.note(tx, record, time)
    return _APPLY[type(record)](tx, record, time)
