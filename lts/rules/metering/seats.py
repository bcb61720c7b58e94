"""A device's seat in an item, and how two states of it join (docs/design/charging.md, Seats)."""

from __future__ import annotations

from typing import NamedTuple

ROUND = 1 << 32
"""Grants of an item's round n are numbered from n × ROUND + 1 (docs/decisions/0021-archive.md)."""


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
