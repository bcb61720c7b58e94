"""Reading the feed for the other server, and what shows whether two databases belong together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import apsw

from lts.store import sql
from lts.store.changes import feed
from lts.store.changes.feed import Intake, Vector
from lts.store.history import archive

OriginEntry = tuple[int, int, int, int, bytes, "bytes | None"]
"""(origin, serial, time, kind, payload, hash; None for an archived one)."""
MAX_BYTES = 8 << 20
"""Of the payloads in one answer to the other server, and one more change: a license of at most 1 MiB, a piece of a
report."""


def since(db: apsw.Connection, archives: Path, have: Vector, limit: int) -> tuple[list[OriginEntry], bool]:
    """Up to `limit` changes that are not in `have`, in the order in which this database took them, so that what a
    change refers to comes before it; and whether these were all. Raises DatabaseDamaged for a lost archive."""
    given: list[OriginEntry] = []
    size = 0
    for intake in feed.intakes(db):
        for change in _of_intake(db, archives, intake, have.get(intake.origin, 0)):
            if len(given) >= limit or size > MAX_BYTES:
                return given, False
            given.append(change)
            size += len(change[4])
    return given, True


def _of_intake(db: apsw.Connection, archives: Path, intake: Intake, have: int) -> Iterator[OriginEntry]:
    after = max(intake.first - 1, have)
    if intake.last is not None and after >= intake.last:
        return
    changes = archive.feed_after(db, archives, intake.origin, after)
    for change in changes if intake.last is None else islice(changes, intake.last - after):
        yield (intake.origin, *change)


def family(db: apsw.Connection) -> str:
    """Name of the origin with which this database's feed began, "" when it is empty."""
    row = sql.first(
        db,
        "SELECT o.uuid || ' ' || o.incarnation FROM turns t JOIN origins o ON o.id = t.origin"
        " ORDER BY position LIMIT 1",
    )
    return "" if row is None else str(row[0])


def bare(db: apsw.Connection) -> bool:
    """Whether the database holds nothing that anybody would miss: no license, code or device."""
    query = "SELECT EXISTS (SELECT 1 FROM licenses) OR EXISTS (SELECT 1 FROM codes) OR EXISTS (SELECT 1 FROM devices)"
    return not sql.value(db, query)
