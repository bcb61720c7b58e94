"""What the writer keeps between two groups of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import apsw

from lts.rules.licensing.catalog import Catalog
from lts.store.changes.epochs import Epoch
from lts.store.changes.records import Record
from lts.store.writing.counters import Counters

if TYPE_CHECKING:
    from lts.store.writing.transaction import Transaction


class Forgotten(NamedTuple):
    """The numbers of licenses and codes that are no longer what a catalog says."""

    licenses: set[int]
    codes: set[int]


class BuildCatalog(Protocol):
    """Builds the catalog of the tables: all of it, or from the one before and what of it is forgotten, at a cost in
    proportion to that."""

    def __call__(
        self, db: apsw.Connection, before: Catalog | None = None, forgotten: Forgotten | None = None, /
    ) -> Catalog: ...


Apply = Callable[["Transaction", Record, int], object]
"""Mutates the tables as a change says; `lts.store.tables.apply.apply`, given from outside to keep imports one way."""
Head = tuple[int, bytes]
"""(serial, hash) of an origin's newest change."""
MOST_FEWER = 10_000
AliasKey = tuple[int, int]
"""(what, number), see lts.store.tables.pair.add_alias."""


class Memory:
    """The state at the last commit; everything except `fewer` can be reloaded from the tables."""

    def __init__(self, build_catalog: BuildCatalog, apply: Apply) -> None:
        self.build_catalog = build_catalog
        self.apply = apply
        self.catalog = Catalog()
        self.catalog_moves = 0
        """Odd while a commit changes the catalog: between the two, tables and catalog are of two moments."""
        self.counters = Counters()
        self.types: dict[str, int] = {}
        self.origin = 0
        self.serial = 0
        self.head = b""
        self.numbers = 1
        self.next_device = 1
        self.intake_origin = 0
        self.heads: dict[int, Head] = {}
        self.epochs: dict[int, Epoch] = {}
        self.aliases: dict[AliasKey, int] = {}
        self.rounds: dict[int, int] = {}
        self.fewer: dict[tuple[int, int], int] = {}
        """Since when (UTC seconds) devices hold fewer instances than before, by (device, item); see seats.put."""

    def note_fewer(self, place: tuple[int, int], time: int) -> None:
        """Remember since when (UTC seconds) a device holds less of an item than before, of the latest ones."""
        self.fewer.pop(place, None)
        self.fewer[place] = time
        if len(self.fewer) > MOST_FEWER:
            del self.fewer[next(iter(self.fewer))]
