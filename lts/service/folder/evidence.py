"""What in a stopped server's data folder shows an edit that no replay of the feed can see (docs/design/machine.md,
What root can do). It is reported, and clients are still served."""

from __future__ import annotations

import contextlib
from pathlib import Path

from lts.protocol import iso
from lts.rules.clock import TOLERATED_BACK_SECONDS
from lts.service.core import identity, pinned
from lts.store.changes import feed
from lts.store.file import database, watermark
from lts.store.store import DATABASE
from lts.store.tables import audit, meta


def faults(folder: Path) -> list[str]:
    """A sentence for each. Raises DataFolderError if the folder cannot be read."""
    me, path = identity.load(folder), folder / DATABASE
    with contextlib.closing(database.open_in_use(path)) as db, database.translating_errors(path):
        here, kept = watermark.of(db), meta.highest_time(db)
        newest = feed.newest_time(db, me.uuid, me.incarnation)
        doubted = audit.count(db, audit.AuditFilter(actions=("clock-ahead",), since=kept))
    found = []
    if kept and newest - kept > TOLERATED_BACK_SECONDS and not doubted:
        found.append(f"meta: the highest time seen, {iso(kept)}, is behind the newest change, of {iso(newest)}.")
    in_pair = (folder / pinned.FILE).exists()
    if me.unexplained and here.positions and not here.has(me.uuid, me.incarnation) and not in_pair:
        found.append(identity.UNEXPLAINED)
    return found
