"""Seats and how long they and their leases last (docs/design/charging.md, Seats)."""

from __future__ import annotations

from typing import NamedTuple

from lts.protocol import DAY_SECONDS, NEVER, SLOT_SECONDS, slot_of
from lts.rules.licensing.licensefile import ChargeWay, ItemTerms

SEAT_WAYS = frozenset({ChargeWay.DEVICE, ChargeWay.SERVER})
UNIT_WAYS = frozenset({ChargeWay.SCAN, ChargeWay.PAGE})
CONCURRENT_WAYS = frozenset({ChargeWay.CONCURRENT_DEVICE, ChargeWay.CONCURRENT_INSTANCE})
DEFAULT_OFFLINE_DAYS = 7
ROUND = 1 << 32
"""Grants of an item's round n are numbered from n × ROUND + 1 (docs/decisions/0021-archive.md)."""
OVERDRAFT_PERIOD_SECONDS = 365 * DAY_SECONDS


class Seat(NamedTuple):
    """A device's place in an item: the seat (device, item, grant), concurrent or not.

    `since` and `end` are UTC seconds; `since` is when a concurrent item's unbroken lease began (0 for others); `codes`
    are the keys of the handshake codes that the device used during this grant. `closed`: it was released. `ended`: its
    round is over.
    """

    grant: int
    end: int
    grace: bool = False
    closed: bool = False
    codes: tuple[int, ...] = ()
    since: int = 0
    instances: int = 1
    ended: bool = False

    def live(self, now: int) -> bool:
        """Whether the grant still holds at `now` (UTC seconds)."""
        return not self.closed and not self.ended and self.end > now


def join(one: Seat, other: Seat) -> Seat:
    """Joins two states of a device's seat in an item, whatever their order (docs/design/architecture.md, Operations on
    usage): the newer grant; of one grant its latest renewal, and closed for good once it is closed."""
    if one.grant != other.grant:
        return one if one.grant > other.grant else other
    later = one if (one.end, one.grace) >= (other.end, other.grace) else other
    if one[3:] == other[3:] and not one.closed and not one.ended:
        return later
    return Seat(
        one.grant,
        min([s.end for s in (one, other) if s.closed], default=later.end),
        later.grace,
        one.closed or other.closed,
        one.codes if one.codes == other.codes else tuple(sorted({*one.codes, *other.codes})),
        min(one.since, other.since),
        later.instances if one.end != other.end else max(one.instances, other.instances),
    )


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
