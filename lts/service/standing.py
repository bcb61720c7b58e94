"""Looking up, inside a transaction, what a device's place in an item is."""

from __future__ import annotations

from lts.protocol import NEVER
from lts.rules.authorize import Standing, StandingOf
from lts.rules.catalog import Code, CodeItem, LicenseItem
from lts.rules.seats import CONCURRENT_WAYS, ROUND, SEAT_WAYS, Seat, overdraft_period
from lts.store import seats
from lts.store.transaction import Transaction


def standing_of(tx: Transaction, code: Code, device: int | None, now: int) -> StandingOf:
    """A look-up of standings at `now` (UTC seconds) for a device number, None = a device not known yet."""

    def look_up(entry: CodeItem) -> Standing:
        item = entry.item
        if item.item.charge_way in SEAT_WAYS:
            return _seat_standing(tx, code, entry, device, now)
        if item.item.charge_way in CONCURRENT_WAYS:
            return _concurrent_standing(tx, code, entry, device, now)
        sums = tx.counters.sums
        return Standing(sums.get(("item", item.key, 0), 0), sums.get(("code", code.key, item.key), 0))

    return look_up


def _held(
    tx: Transaction, device: int | None, item: LicenseItem, now: int, concurrent: bool
) -> tuple[Seat | None, int]:
    """(live grant or None, highest grant number) of a device in an item."""
    first = item.round * ROUND
    seat = seats.find(tx.db, device, item.key, concurrent) if device is not None else None
    if seat is None:
        return None, first
    return (seat if seat.live(now) else None), max(seat.grant, first)


def _seat_standing(tx: Transaction, code: Code, entry: CodeItem, device: int | None, now: int) -> Standing:
    item = entry.item.key
    seat, peak = _held(tx, device, entry.item, now, False)
    return Standing(
        live=seats.live(tx, item, 0, now),
        code_live=seats.live(tx, item, code.key, now) if entry.cap is not None else 0,
        seat=seat,
        peak=peak,
        in_code=seat is not None and code.key in seat.codes,
    )


def _concurrent_standing(tx: Transaction, code: Code, entry: CodeItem, device: int | None, now: int) -> Standing:
    item = entry.item
    seat, peak = _held(tx, device, item, now, True)
    spent = tx.counters.sums.get(("overdraft", item.key, overdraft_period(item.item, now)), 0)
    since = seat.since if seat is not None else NEVER  # younger than any other, wherever the clock stepped
    overused = spent >= item.item.overdraft
    return Standing(
        spent=spent,
        elders=seats.elders(tx.db, item.key, device or 0, since, now) if overused else 0,
        code_live=seats.live_leases(tx.db, item.key, code.key, now) if entry.cap is not None else 0,
        seat=seat,
        peak=peak,
        in_code=seat is not None and code.key in seat.codes,
    )
