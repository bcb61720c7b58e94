"""What the server holds at one moment, for reads that grow with the data: they take none of the writer's time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import apsw

from lts.rules.licensing.catalog import Catalog
from lts.store.writing.counters import SumKey
from lts.store.writing.transaction import Transaction


@dataclass(frozen=True)
class Snapshot:
    """A consistent view of the tables, with licenses and codes at the last commit.

    `sums` are the writer's own, for single keys only: they include what a batch in progress adds.
    """

    db: apsw.Connection
    catalog: Catalog
    sums: Mapping[SumKey, int]


View = Transaction | Snapshot
"""A view in which the use of an item, or a device's part in it, can be looked up: to decide, or only to show it."""
