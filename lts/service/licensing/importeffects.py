"""What importing a license file does to those who use its items: seats beyond the new quota, and items that authorize
nobody any more (docs/design/license-files.md, Import)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from lts.errors import RefusalCode
from lts.rules.clock import Moment
from lts.rules.licensing.catalog import LicenseItem
from lts.rules.licensing.licensefile import ItemTerms, License
from lts.rules.metering.checks import item_fault
from lts.rules.metering.terms import CONCURRENT_WAYS, SEAT_WAYS, grace_units
from lts.store.tables import seats
from lts.store.writing.snapshot import View

REVOKED, CHARGED_ANEW, ENDED, PENDING = "revoked", "charged-anew", "ended", "pending"


@dataclass(frozen=True)
class Stop:
    """An item that authorized until now: `why` its seats end, and how many `seats` (or instances) are live."""

    item_id: str
    why: str
    seats: int


@dataclass(frozen=True)
class Effects:
    """`stops` in the order of the items' ids; `over_quota` holds by item id the live seats beyond quota and grace."""

    stops: tuple[Stop, ...] = ()
    over_quota: Mapping[str, int] | None = None


def effects(
    view: View,
    known: Mapping[str, int],
    new: License,
    revoked: Collection[str],
    moment: Moment,
) -> Effects:
    """Of importing `new`, whose items are `known` by these numbers."""
    stops = tuple(_stops(view, known, new, frozenset(revoked), moment))
    stopped = {stop.item_id for stop in stops}
    going_on = [item for item in new.items if item.item_id in known and item.item_id not in stopped]
    over = {item.item_id: _beyond(view, known[item.item_id], item, moment.seat_now) for item in going_on}
    return Effects(stops, {item_id: n for item_id, n in over.items() if n > 0})


def live_seats(view: View, item: LicenseItem, moment: Moment) -> int:
    """Live seats of an item by the trusted time, or instances of live concurrent seats by the clock, else 0."""
    if item.terms.charge_way in SEAT_WAYS:
        return seats.live(view, item.key, 0, moment.seat_now)
    return seats.live_instances(view, item.key, 0, moment.now) if item.terms.charge_way in CONCURRENT_WAYS else 0


def _stops(
    view: View,
    known: Mapping[str, int],
    new: License,
    revoked: frozenset[str],
    moment: Moment,
) -> Iterator[Stop]:
    items = {item.item_id: item for item in new.items}
    for item_id, key in sorted(known.items()):
        before = view.catalog.items.get(key)
        if before is None or item_fault(before, moment.item_now):
            continue
        why = REVOKED if item_id in revoked else _why(before, items.get(item_id), moment.item_now)
        seats_in_use = live_seats(view, before, moment)
        if why is not None and (seats_in_use or why != REVOKED):  # who revokes an item knows that it stops
            yield Stop(item_id, why, seats_in_use)


def _why(before: LicenseItem, terms: ItemTerms | None, item_now: int) -> str | None:
    if terms is None:
        return REVOKED
    fault = item_fault(replace(before, terms=terms), item_now)
    if fault:
        return ENDED if fault == RefusalCode.EXPIRED else PENDING
    return CHARGED_ANEW if before.terms.charge_way != terms.charge_way else None


def _beyond(view: View, key: int, terms: ItemTerms, seat_now: int) -> int:
    if terms.charge_way not in SEAT_WAYS:
        return 0
    return seats.live(view, key, 0, seat_now) - terms.quota - grace_units(terms)
