"""What happened, as lists, and what follows from it by reading all of them again.

Words and numbers are those of docs/design/charging.md, Seats and Reports. Times in UTC seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tests.model import clones
from tests.model.licenses import DAY, Item, ItemKey

SLOT = 180
GRANTED, REPORTED = 0, 1


@dataclass(frozen=True)
class Contact:
    """An authorization or renewal that gave or kept a device's grant in an item."""

    time: int
    grant: int
    code: int
    end: int
    instances: int
    grace: bool
    """Whether it drew on the grace beyond the quota."""


@dataclass(frozen=True)
class Seat:
    """A device's newest grant in an item."""

    grant: int
    end: int
    closed: bool
    codes: frozenset[int]
    since: int
    instances: int
    grace: bool

    def live(self, now: int) -> bool:
        """Whether it takes room in the quota."""
        return not self.closed and self.end > now


@dataclass
class Facts:
    """Everything that was ever granted, released and reported."""

    contacts: defaultdict[tuple[str, ItemKey, int], list[Contact]] = field(default_factory=lambda: defaultdict(list))
    """By device, item and its era: no grant goes on into the next."""
    closures: defaultdict[tuple[str, ItemKey, int], list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """(grant, time) of each release."""
    counts: dict[tuple[str, int, int, ItemKey, int, str], int] = field(default_factory=dict)
    """Highest count by device, branch, code, item, slot, type."""
    presence: dict[tuple[str, int, int, ItemKey, int], int] = field(default_factory=dict)
    """Highest number of instances by device, branch, code, item, slot."""
    answers: list[tuple[int, int | None, int]] = field(default_factory=list)
    """(time, code, what) of each authorization and report: GRANTED, REPORTED, or the refusal's code; code None where
    none was found."""
    devices: list[str] = field(default_factory=list)
    """In the order in which the server met them."""

    def seat(self, device: str, item: Item) -> Seat | None:
        """The newest grant of a device in an item."""
        key = (device, item.key, item.era)
        if not self.contacts.get(key):
            return None
        grant = max(contact.grant for contact in self.contacts[key])
        of_it = [contact for contact in self.contacts[key] if contact.grant == grant]
        end = max(contact.end for contact in of_it)  # the longest says what holds now, of equally long ones the most
        closed = [time for closed_grant, time in self.closures.get(key, ()) if closed_grant == grant]
        return Seat(
            grant,
            min([end, *closed]),
            bool(closed),
            frozenset(contact.code for contact in of_it),
            min(contact.time for contact in of_it),
            max(contact.instances for contact in of_it if contact.end == end),
            any(contact.grace for contact in of_it if contact.end == end),
        )

    def live(self, item: Item, now: int) -> list[tuple[str, Seat]]:
        """(device, seat) of all live seats of an item."""
        held = [(device, self.seat(device, item)) for device in self.devices]
        return [(device, seat) for device, seat in held if seat is not None and seat.live(now)]

    def parts(self) -> dict[tuple[str, int, ItemKey, int, str], int]:
        """Units by device, code, item, slot, type."""
        found: defaultdict[tuple[str, int, ItemKey, int, str], dict[int, int]] = defaultdict(dict)
        for (device, bucket, code, item, slot, name), count in self.counts.items():
            found[device, code, item, slot, name][bucket] = count
        return {key: clones.units(counts) for key, counts in found.items()}

    def raises(self, key: tuple[str, int, int, ItemKey, int, str], count: int) -> bool:
        """Take a count in by the highest; whether the units of its slot grow."""
        device, bucket, *series = key
        parts = {of: n for (who, of, *rest), n in self.counts.items() if who == device and rest == series}
        before = clones.units(parts)
        self.counts[key] = parts[bucket] = max(count, parts.get(bucket, 0))
        return clones.units(parts) > before

    def units(self, item: ItemKey, code: int | None = None) -> int:
        """Units used of an item, by one code or by all."""
        return sum(
            count for (_, by, of, _, _), count in self.parts().items() if of == item and (code is None or by == code)
        )

    def spent(self, item: ItemKey, quota: int, starts: int, now: int, item_now: int) -> int:
        """What is spent of an item's overdraft in the periods of 365 days from that of the clock to that of the time
        for starts and ends: one, unless the clock was set back."""
        periods = range((now - starts) // (365 * DAY), (item_now - starts) // (365 * DAY) + 1)
        highest: defaultdict[tuple[int, str], int] = defaultdict(int)
        for (device, _, _, of, slot), instances in self.presence.items():
            if of == item and (slot * SLOT - starts) // (365 * DAY) in periods:
                highest[slot, device] = max(instances, highest[slot, device])
        active: defaultdict[int, int] = defaultdict(int)
        for (slot, _), instances in highest.items():
            active[slot] += instances
        return sum(max(0, instances - quota) for instances in active.values())

    def by_day(self) -> dict[tuple[int, ItemKey, str, int], int]:
        """Units by code, item, type, day since 1970; what is 0 is left out."""
        sums: defaultdict[tuple[int, ItemKey, str, int], int] = defaultdict(int)
        for (_, code, item, slot, name), count in self.parts().items():
            if count:
                sums[code, item, name, slot * SLOT // DAY] += count
        return dict(sums)

    def tallies(self) -> dict[tuple[int | None, int, int], int]:
        """Answers by code, what, day since 1970."""
        return dict(Counter((code, what, time // DAY) for time, code, what in self.answers))

    def last_hour(self, code: int, now: int, began: int) -> tuple[int, int]:
        """(failed, all) of a code's authorizations in the last 60 minutes; `began` is the first answer that counts."""
        minutes = range(now // 60 - 59, now // 60 + 1)
        of_it = [what for time, by, what in self.answers[began:] if by == code and time // 60 in minutes]
        return sum(what > REPORTED for what in of_it), sum(what != REPORTED for what in of_it)
