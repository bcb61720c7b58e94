"""Devices that keep using a seat, or instances of it, after they gave it back (docs/design/charging.md, Release)."""

from __future__ import annotations

from lts.protocol import DAY_SECONDS, SLOT_SECONDS, Lease
from lts.rules.alerting.notices import WARNING, Notice
from lts.rules.licensing.catalog import LicenseItem
from lts.rules.metering.authorize import has_seat
from lts.rules.metering.usage import AHEAD_SECONDS, Entry, instances_by_slot
from lts.service.core.today import Today
from lts.store.changes.records import EventChange
from lts.store.sql import Connection
from lts.store.tables import audit, seats
from lts.store.writing.transaction import Transaction

GONE_ON = "used-after-release"
MOST_A_DAY = 100
"""Most lines of the audit log per day: devices could otherwise make any number."""
_SHOWN_DAYS = 7
_SHOWN = 10


def note(tx: Transaction, today: Today, device: str, items: list[str], now: int) -> None:
    """Write into the audit log that a device (UUID) keeps using items (ids), each once a day; `now` in UTC
    seconds."""
    for item in items:
        if today.count(tx, GONE_ON, now) < MOST_A_DAY and today.first(tx, (GONE_ON, device, item), now):
            today.add(tx, GONE_ON)
            tx.emit(EventChange("system", GONE_ON, {"subject": device, "item": item}), now)


def used_after_release(
    tx: Transaction, device: int, lease: Lease, items: list[LicenseItem], entries: list[Entry], now: int
) -> list[str]:
    """Ids of the items of a lease that were used after the device (number) gave their seats back, or with more
    instances than it kept, by a clock that may be ahead. `now` in UTC seconds."""
    held, found = seats.newest_of(tx.db, device), []
    for claim, item in zip(lease.items, items, strict=True):
        seat = held.get(item.key)
        if seat is None or not has_seat(claim.charge_way) or claim.grant > seat.grant:
            continue
        if seat.closed:
            kept, since = 0, seat.end
        elif seat.instances < claim.instances:
            kept, since = seat.instances, _fewer_since(tx, (device, item.key), now)
        else:
            continue
        after = [entry for entry in entries if entry.slot * SLOT_SECONDS >= since + AHEAD_SECONDS]
        if any(instances > kept for instances in instances_by_slot(after, claim.instances).values()):
            found.append(item.terms.item_id)
    return found


def _fewer_since(tx: Transaction, place: tuple[int, int], now: int) -> int:
    """Since when a device holds fewer instances; from now on where this server was started since."""
    since = tx.fewer_since(place)
    if since is None:
        tx.note_fewer(place, now)
        return now
    return since


def notices(db: Connection, now: int) -> list[Notice]:
    """Devices that kept using items within the last week, the newest first; `now` in UTC seconds."""
    wanted = audit.AuditFilter(actions=(GONE_ON,), since=now - _SHOWN_DAYS * DAY_SECONDS)
    items_of: dict[str, set[str]] = {}
    for line in audit.lines(db, wanted, 0, _SHOWN_DAYS * MOST_A_DAY):
        items_of.setdefault(line.subject, set()).add(str(line.detail["item"]))
    found = [_notice(device, sorted(items)) for device, items in list(items_of.items())[:_SHOWN]]
    return [*found, _more(len(items_of) - _SHOWN)] if len(items_of) > _SHOWN else found


def _notice(device: str, items: list[str]) -> Notice:
    named = ", ".join(items)
    sentence = (
        f"Device {device} kept using license {'item' if len(items) == 1 else 'items'} {named} after its seat was"
        " given back, or used more instances than it kept: its use is counted, but not in the quota of seats. If no"
        " administrator released it, ask who made the application."
    )
    return Notice(GONE_ON, sentence, WARNING, {"device": device, "item": named})


def _more(number: int) -> Notice:
    sentence = (
        f"And {number} more: at least so many other devices kept using one within the last week after their seat was"
        " given back. The audit log names them."
    )
    return Notice("used-after-release-more", sentence, WARNING, {"count": number})
