"""What number a new thing gets: each origin has a range of its own, so that those of two servers never overlap."""

from __future__ import annotations

import apsw

from lts.store import sql

NUMBERS = 1 << 24
"""How many things of a kind an origin can number."""


class Numbering:
    """The range of this server's origin, from `first` on; `next_device` is the number of the next new device."""

    __slots__ = ("_db", "first", "next_device")

    def __init__(self, db: apsw.Connection, first: int, next_device: int) -> None:
        self._db = db
        self.first = first
        self.next_device = next_device

    def new(self, table: str) -> int:
        """The next number for a code, item or type."""
        query = f"SELECT coalesce(max(id), ?1 - 1) + 1 FROM {table} WHERE id >= ?1 AND id < ?2"  # noqa: S608 - our own names
        return int(sql.value(self._db, query, (self.first, self.first + NUMBERS)))

    def took(self, device: int) -> None:
        """A device has this number."""
        if self.next_device <= device < self.first + NUMBERS:
            self.next_device = device + 1
