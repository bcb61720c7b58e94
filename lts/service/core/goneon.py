"""Devices that go on under a lease whose seat was given back (docs/design/charging.md, Release).

What they use is counted, since a lease is good offline until it ends; but while another device has the seat, an
administrator should know of it.
"""

from __future__ import annotations

from lts.protocol import DAY_SECONDS, SLOT_SECONDS, Lease
from lts.rules.catalog import LicenseItem
from lts.rules.notices import WARNING, Notice
from lts.rules.usage import AHEAD_SECONDS, Entry
from lts.store import audit, seats
from lts.store.sql import Connection

GONE_ON = "used-after-release"
MOST_A_DAY = 100
"""So many lines of the audit log a day: devices that want to could make any number."""
_SHOWN_DAYS = 7
_SHOWN = 10


class GoneOn:
    """Which devices were told of today; begins anew with the process."""

    def __init__(self) -> None:
        self._day = -1
        self._told: set[tuple[str, str]] = set()

    def is_news(self, device: str, item: str, now: int) -> bool:
        """Whether no administrator was told today that a device (UUID) goes on using an item; from now on one was."""
        if now // DAY_SECONDS != self._day:
            self._day = now // DAY_SECONDS
            self._told.clear()
        if (device, item) in self._told or len(self._told) >= MOST_A_DAY:
            return False
        self._told.add((device, item))
        return True


def used_after_release(
    db: Connection, device: int, lease: Lease, items: list[LicenseItem], entries: list[Entry]
) -> str | None:
    """The id of an item of a lease that was used after the device gave its seat back, by a clock that may be ahead."""
    newest = max((entry.slot for entry in entries), default=0) * SLOT_SECONDS
    held = seats.newest_of(db, device)
    for claim, item in zip(lease.items, items, strict=True):
        seat = held.get(item.key)
        if seat is not None and seat.grant == claim.grant and seat.closed and newest >= seat.end + AHEAD_SECONDS:
            return item.item.item_id
    return None


def notices(db: Connection, now: int) -> list[Notice]:
    """Devices that went on within the last week, the newest first; `now` in UTC seconds."""
    wanted = audit.Wanted(actions=(GONE_ON,), since=now - _SHOWN_DAYS * DAY_SECONDS)
    told = {(line.subject, str(line.detail["item"])): None for line in audit.lines(db, wanted, 0, 100)}
    return [_notice(device, item) for device, item in list(told)[:_SHOWN]]


def _notice(device: str, item: str) -> Notice:
    sentence = (
        f"Device {device} went on using license item {item} after its seat was given back: its use is counted, but not"
        " in the quota of seats. If no administrator released it, ask who made the application."
    )
    return Notice("used-after-release", sentence, WARNING, {"device": device, "item": item})
