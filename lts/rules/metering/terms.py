"""What the terms of an item mean over time: the families of charge ways, grace, how long seats and leases last, and the
periods of an overdraft (docs/design/charging.md, Grace, Seats, End of a lease, Overdraft)."""

from __future__ import annotations

from lts.protocol import DAY_SECONDS, NEVER, SLOT_SECONDS, slot_of
from lts.rules.licensing.licensefile import ChargeWay, ItemTerms

SEAT_WAYS = frozenset({ChargeWay.DEVICE, ChargeWay.SERVER})
UNIT_WAYS = frozenset({ChargeWay.SCAN, ChargeWay.PAGE})
CONCURRENT_WAYS = frozenset({ChargeWay.CONCURRENT_DEVICE, ChargeWay.CONCURRENT_INSTANCE})
DEFAULT_OFFLINE_DAYS = 7
OVERDRAFT_PERIOD_SECONDS = 365 * DAY_SECONDS


def grace_units(terms: ItemTerms) -> int:
    """Units or devices beyond the quota that are still allowed (docs/design/charging.md, Grace); rounded half up."""
    return (terms.quota * terms.grace_quota + 50) // 100


def grace_end(terms: ItemTerms) -> int:
    """UTC seconds at which an item authorizes nobody any more (end of its expiry grace)."""
    if terms.expires_at is None:
        return NEVER
    return min(NEVER, terms.expires_at + terms.grace_days * DAY_SECONDS)


def in_expiry_grace(terms: ItemTerms, item_now: int) -> bool:
    """Whether the item is past its end but within graceDays."""
    return terms.expires_at is not None and terms.expires_at <= item_now < grace_end(terms)


def item_end(terms: ItemTerms, item_now: int) -> int:
    """End of the item for leases and seats: expiresAt, or the end of grace once in expiry grace."""
    if terms.expires_at is None:
        return NEVER
    return grace_end(terms) if terms.expires_at <= item_now else terms.expires_at


def seat_end(terms: ItemTerms, now: int, item_now: int) -> int:
    """End of a seat renewed at `now`: min(now + active period, end of item)."""
    return min(now + terms.active_period_seconds, item_end(terms, item_now))


def lease_end(terms: ItemTerms, now: int, item_now: int) -> int:
    """End of a lease issued at `now` (docs/design/charging.md, End of a lease)."""
    end = item_end(terms, item_now)
    offline = None if terms.max_offline_days is None else terms.max_offline_days * DAY_SECONDS
    if terms.charge_way in CONCURRENT_WAYS and offline is None:
        return min((slot_of(now) + 2) * SLOT_SECONDS, end)
    if terms.charge_way in SEAT_WAYS:
        end = min(now + terms.active_period_seconds, end)
        return end if offline is None else min(now + offline, end)
    return min(now + (DEFAULT_OFFLINE_DAYS * DAY_SECONDS if offline is None else offline), end)


def overdraft_periods(terms: ItemTerms, now: int, item_now: int) -> range:
    """The periods whose spending counts at `now`: that of the clock, and if the clock was set back, all up to that of
    `item_now`, so that nobody gets an overdraft again by setting the clock."""
    return range(overdraft_period(terms, now), overdraft_period(terms, item_now) + 1)


def overdraft_period(terms: ItemTerms, unix_seconds: int) -> int:
    """Number of the 365-day period (docs/design/charging.md, Overdraft), from startsAt on, of a moment."""
    return (unix_seconds - terms.starts_at) // OVERDRAFT_PERIOD_SECONDS
