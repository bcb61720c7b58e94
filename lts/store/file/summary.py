"""What a database holds, in a few words for people."""

from __future__ import annotations

import apsw

from lts.protocol import iso
from lts.rules.values.plural import counted
from lts.store import sql
from lts.store.changes import feed


def words(db: apsw.Connection) -> str:
    """Of a database of any schema this program knows."""
    found = [(sql.value(db, f"SELECT count(*) FROM {table}"), noun) for table, noun in _COUNTED]  # noqa: S608 - fixed
    counts = ", ".join(counted(number, noun) for number, noun in found)
    newest = feed.highest_time(db)
    return f"{counts}; last change {iso(newest)}" if newest else f"{counts}; no change"


def is_empty(db: apsw.Connection) -> bool:
    """Whether it holds nothing of what `words` counts."""
    return not any(sql.value(db, f"SELECT count(*) FROM {table}") for table, _ in _COUNTED)  # noqa: S608 - fixed


_COUNTED = (("licenses", "license"), ("codes WHERE removed IS NULL", "handshake code"), ("devices", "device"))
