"""What an item's counts and seats say of a device, as the rules judge it: asked in a transaction to decide, in a
snapshot to report it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from lts.rules.clock import Moment
from lts.rules.licensing.catalog import Code, CodeItem, LicenseItem
from lts.rules.licensing.licensefile import ChargeWay
from lts.rules.metering.checks import ItemUse, UseOf, used_up
from lts.rules.metering.seats import ROUND, Seat
from lts.rules.metering.terms import CONCURRENT_WAYS, SEAT_WAYS
from lts.store.tables import seats, usage
from lts.store.writing.snapshot import View

FEW = 8
NO_USE: Mapping[int, ItemUse] = MappingProxyType({})


def use_of(
    view: View,
    code: Code,
    device: int | None,
    moment: Moment,
    so_far: Mapping[int, ItemUse] = NO_USE,
) -> UseOf:
    """A look-up of uses for a device number, None = a device not known yet. `so_far`, by an item's number: what
    `units_so_far` will return once a report is stored."""

    def count(entry: CodeItem) -> ItemUse:
        return so_far.get(entry.item.key) or units_so_far(view, code, entry, moment)

    def look_up(entry: CodeItem) -> ItemUse:
        item = entry.item
        if item.terms.charge_way in SEAT_WAYS:
            return _seat_use(view, code, entry, device, moment.seat_now)
        if item.terms.charge_way in CONCURRENT_WAYS:
            return _concurrent_use(view, code, entry, device, moment.now, count(entry))
        return count(entry)

    return look_up


def held_items(view: View, code: Code, device: int | None) -> Collection[int]:
    """Numbers of all items in which a device may have a live seat, for lts.rules.metering.authorize.decide: for a code
    of FEW items all of them, since checking each costs less than this query."""
    if len(code.items) <= FEW:
        return code.entries
    return () if device is None else seats.newest_of(view.db, device)


def units_so_far(view: View, code: Code, entry: CodeItem, moment: Moment) -> ItemUse:
    """The part of a use (see `use_of`) that reports change: units, and what is spent of the overdraft: all of it where
    the clock was set back, and slots come again that count once."""
    item = entry.item
    if item.terms.charge_way in CONCURRENT_WAYS:
        now, item_now, _ = moment
        spent = usage.overdraft_spent(view, item, now, item_now)
        return ItemUse(spent=max(spent, item.terms.overdraft) if now < item_now else spent)
    return ItemUse(view.sums.get(("item", item.key, 0), 0), view.sums.get(("code", code.key, item.key), 0))


def _held(view: View, device: int | None, item: LicenseItem, now: int, concurrent: bool) -> tuple[Seat | None, int]:
    """(live grant or None, highest grant number) of a device in an item."""
    first = item.round * ROUND
    seat = seats.of_view(view, device, item.key, concurrent) if device is not None else None
    if seat is None:
        return None, first
    return (seat if seat.live(now) else None), max(seat.grant, first)


def _seat_use(view: View, code: Code, entry: CodeItem, device: int | None, now: int) -> ItemUse:
    item = entry.item.key
    seat, peak = _held(view, device, entry.item, now, False)
    return ItemUse(
        live=seats.live(view, item, 0, now),
        code_live=seats.live(view, item, code.key, now) if entry.cap is not None else 0,
        seat=seat,
        peak=peak,
        in_code=seat is not None and code.key in seat.codes,
    )


def _concurrent_use(view: View, code: Code, entry: CodeItem, device: int | None, now: int, counts: ItemUse) -> ItemUse:
    item = entry.item
    seat, peak = _held(view, device, item, now, True)
    overused = used_up(entry, counts)
    return counts._replace(
        elders=_elders(view, item, device or 0, seat, now) if overused else 0,
        live=seats.live_instances(view, item.key, 0, now) if overused else 0,
        code_live=seats.live_instances(view, item.key, code.key, now) if entry.cap is not None else 0,
        seat=seat,
        peak=peak,
        in_code=seat is not None and code.key in seat.codes,
    )


def _elders(view: View, item: LicenseItem, device: int, seat: Seat | None, now: int) -> int:
    """Instances older than the device's own. All others are older than a device without a lease; and where all that
    live fit into the quota, no device needs to know how old the others are."""
    live = seats.live_instances(view, item.key, 0, now)
    if seat is None:
        return live
    if live <= item.terms.quota and item.terms.charge_way == ChargeWay.CONCURRENT_DEVICE:
        return live - seat.instances
    return seats.elders(view.db, item.key, device, seat.since, now)
