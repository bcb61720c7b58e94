"""Giving seats back: by the device itself, or by an administrator."""

from __future__ import annotations

from uuid import UUID

from lts.errors import AdminError, NotVerified
from lts.protocol import Lease
from lts.rules.licensing.catalog import LicenseItem
from lts.rules.metering.terms import CONCURRENT_WAYS
from lts.service.core.context import Context
from lts.service.metering.renewal import leased
from lts.store.changes import records
from lts.store.tables import devices, seats
from lts.store.writing.transaction import Transaction


def release(ctx: Context, lease_text: str, now: int) -> None:
    """Close the grants of a lease permanently; repeated calls have no effect. Raises NotVerified, CannotStore."""
    lease = ctx.leases.verify(lease_text)
    ctx.running.partner.confirm(ctx.store.write(lambda tx: _release(tx, ctx, lease, now)))


def _release(tx: Transaction, ctx: Context, lease: Lease, now: int) -> int:
    """Returns the serial up to which the feed must be durable."""
    ctx.running.check_serving()
    device = devices.find(tx.db, lease.device_bytes)
    if device is None:
        return tx.feed.serial
    held = seats.newest_of(tx.db, device.key)
    closing = []
    for claim, item in zip(lease.items, _items_of(tx, lease), strict=True):
        seat = held.get(item.key) if item else None
        if item and seat and seat.grant == claim.grant and not seat.closed:
            closing.append((item.key, seat.grant))
    if closing:
        tx.emit(records.ReleaseChange(device.key, tuple(closing)), now)
    return tx.feed.serial


def _items_of(tx: Transaction, lease: Lease) -> tuple[LicenseItem | None, ...]:
    """Those of its code; of one that this server does not know there is nothing to give back."""
    try:
        return leased(tx, lease).items
    except NotVerified:
        return (None,) * len(lease.items)


def release_seat(ctx: Context, device_uuid: str, item_key: int, actor: str, now: int) -> int:
    """An administrator frees a device's seat in an item at once; the device's lease may run to its end.

    Returns the UTC second at which the grant would have ended. Raises AdminError if there is no live seat, by the
    trusted time, as for whoever else asks for one (docs/design/machine.md, Clock).
    """
    moment = ctx.clock.moment(now)

    def operation(tx: Transaction) -> int:
        device = devices.find(tx.db, UUID(device_uuid).bytes)
        seat = seats.newest_of(tx.db, device.key).get(item_key) if device else None
        item = tx.catalog.items.get(item_key)
        concurrent = item is not None and item.terms.charge_way in CONCURRENT_WAYS
        if device is None or seat is None or not seat.live(moment.of_seats(concurrent=concurrent)):
            raise AdminError("no-live-seat", "The device holds no live seat in this item.", status=404)
        tx.emit(records.ReleaseChange(device.key, ((item_key, seat.grant),)), now)
        detail = {"subject": device_uuid, "item": item.terms.item_id if item else f"#{item_key}"}
        tx.emit(records.EventChange(actor, "seat-released", detail), now)
        return seat.end

    return ctx.store.write(operation)
