"""Lists of devices for administrators: found by the beginning of a UUID, by item, or because they look cloned."""

from __future__ import annotations

from dataclasses import dataclass

import apsw

from lts.store import sql
from lts.store.tables.devices import Device, unpack_clone_state

SORTS = {"contact": "d.contact", "uuid": "d.uuid", "first": "d.id"}


@dataclass(frozen=True)
class DeviceFilter:
    """Which devices: UUIDs in [low, high] (16 bytes each, None = all), those that ever held a seat of an item, those
    whose clone tokens forked, those that look like some device (including it); `now` (UTC seconds) for `live_only`."""

    low: bytes | None = None
    high: bytes | None = None
    item: int | None = None
    live_only: bool = False
    forked_only: bool = False
    now: int = 0
    alike: int | None = None


def _where(wanted: DeviceFilter) -> tuple[str, tuple[object, ...]]:
    parts: list[str] = ["1"]
    values: list[object] = []
    if wanted.low is not None and wanted.high is not None:
        parts.append("substr(d.uuid, 1, 4) BETWEEN substr(?, 1, 4) AND substr(?, 1, 4) AND d.uuid BETWEEN ? AND ?")
        values += [wanted.low, wanted.high, wanted.low, wanted.high]
    if wanted.item is not None or wanted.live_only:
        of_item = [wanted.item] if wanted.item is not None else []
        of_now = [wanted.now] if wanted.live_only else []
        condition = "item = ?" if of_item else "item IN (SELECT id FROM items)"
        condition += " AND ends > ? AND flags & 2 = 0" if of_now else ""
        holders = " UNION ALL ".join(f"SELECT device FROM {table} WHERE {condition}" for table in ("seats", "leases"))  # noqa: S608 - fixed parts
        parts.append(f"d.id IN ({holders})")
        values += [*of_item, *of_now] * 2
    if wanted.forked_only:
        parts.append("d.chain IS NOT NULL")
    if wanted.alike is not None:
        parts.append("(d.id = ? OR d.mark = (SELECT mark FROM devices WHERE id = ?))")
        values += [wanted.alike, wanted.alike]
    return " AND ".join(parts), tuple(values)


def find(
    db: apsw.Connection, wanted: DeviceFilter, sort: str, descending: bool, offset: int, limit: int
) -> list[Device]:
    """A page of devices. Flagged devices are few, and are searched one by one."""
    where, values = _where(wanted)
    order = f"{SORTS[sort]} {'DESC' if descending else 'ASC'}, d.uuid"
    cut = "" if wanted.forked_only else f" LIMIT {limit:d} OFFSET {offset:d}"
    query = (
        f"SELECT d.id, d.uuid, d.contact, d.given, d.lag, d.chain FROM devices d WHERE {where} ORDER BY {order}{cut}"  # noqa: S608 - fixed parts and numbers
    )
    found = [
        Device(key, bytes(uuid), contact, unpack_clone_state(given, lag, clone_state))
        for key, uuid, contact, given, lag, clone_state in sql.each(db, query, values)
    ]
    if not wanted.forked_only:
        return found
    return [device for device in found if device.clone_state.forked][offset : offset + limit]


def count(db: apsw.Connection, wanted: DeviceFilter) -> int:
    if wanted.forked_only:
        return len(find(db, wanted, "first", False, 0, 1 << 40))
    where, values = _where(wanted)
    return int(sql.value(db, f"SELECT count(*) FROM devices d WHERE {where}", values))  # noqa: S608 - as above
