"""Likenesses of devices (lts.rules.metering.likeness), in the column `mark`: how many devices have the same one.

No index: it would cost 14 bytes a device, and only lists for administrators need it, which read all devices anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from lts.store import sql
from lts.store.changes.records import ChangeKind, GrantChange, decode_payload

_EIGHT_FIELDS = b"\x98"
"""How a payload begins that may hold a likeness."""
_JOIN = "UPDATE devices SET mark = min(coalesce(mark, ?1), ?1) WHERE "


def join_likeness(db: apsw.Connection, key: int, likeness: int) -> None:
    """Two servers saw a device first at the same time: both keep the lower likeness, in whichever order they
    learn of it."""
    db.execute(_JOIN + "id = ?2", (likeness, key))


def fill(db: apsw.Connection) -> None:
    """Likenesses that the other server of a pair, upgraded first, had sent already (migration 3)."""
    query = "SELECT payload FROM changes WHERE kind = ? AND substr(payload, 1, 1) = ?"
    same = "substr(uuid, 1, 4) = substr(?2, 1, 4) AND uuid = ?2"
    for (payload,) in sql.rows(db, query, (ChangeKind.GRANT, _EIGHT_FIELDS)):
        record = decode_payload(ChangeKind.GRANT, payload)
        if isinstance(record, GrantChange) and record.uuid is not None and record.likeness is not None:
            db.execute(_JOIN + same, (record.likeness, record.uuid))


def alike(db: apsw.Connection, keys: Sequence[int]) -> dict[int, int]:
    """How many other devices look like each of these; a device without a likeness is like no other."""
    places = ",".join("?" * len(keys))
    query = f"SELECT id, mark FROM devices WHERE id IN ({places}) AND mark IS NOT NULL"  # noqa: S608 - question marks
    found: dict[int, int] = dict(sql.rows(db, query, tuple(keys)))
    known = tuple(set(found.values()))
    places = ",".join("?" * len(known))
    query = f"SELECT mark, count(*) FROM devices WHERE mark IN ({places}) GROUP BY mark"  # noqa: S608 - as above
    sizes: dict[int, int] = dict(sql.rows(db, query, known))
    return {key: sizes[found[key]] - 1 if key in found else 0 for key in keys}
