"""Usage tables for the portal and the command line: one source, so that all of them agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import apsw

from lts.errors import AdminError
from lts.service import handshakes
from lts.service.context import Context
from lts.store import devices, statistics
from lts.store.statistics import Selection

GROUPINGS = ("type", "hour", "day", "device")
_EPOCH = date(1970, 1, 1)
MAX_DAY = 200_000


@dataclass(frozen=True)
class UsageTable:
    """Units by group and type. `groups` are RFC 3339 hours or days (UTC), device UUIDs, or "all";
    `rows` map (group, type name) to units; `total` is their sum."""

    grouping: str
    groups: tuple[str, ...]
    types: tuple[str, ...]
    rows: dict[tuple[str, str], int]
    total: int


def usage(
    ctx: Context,
    *,
    code: str | None = None,
    item: str | None = None,
    first: str | None = None,
    last: str | None = None,
    grouping: str = "type",
) -> UsageTable:
    """Usage of a handshake code or license item (None = all) over days `first`…`last`, both included, UTC.

    `item` is an item id, or its number. Raises AdminError.
    """
    if grouping not in GROUPINGS:
        raise AdminError("bad-grouping", f"Group by one of {', '.join(GROUPINGS)}.", field="by")
    with ctx.store.reader() as db:
        selection = _selection(ctx, db, code, item, first, last)
        names = statistics.type_names(db)
        if grouping == "device":
            units = statistics.units_by_device(db, selection)
        else:
            units = statistics.units_by(db, selection, grouping)
        labels = {group: _label(db, grouping, group) for group in sorted({group for group, _ in units})}
    rows: dict[tuple[str, str], int] = {}
    for (group, type_key), count in units.items():
        rows[labels[group], names[type_key]] = count
    types = tuple(sorted({type_name for _, type_name in rows}))
    return UsageTable(grouping, tuple(labels.values()), types, rows, sum(rows.values()))


def _selection(
    ctx: Context, db: apsw.Connection, code: str | None, item: str | None, first: str | None, last: str | None
) -> Selection:
    catalog = ctx.store.catalog
    codes = None
    if code is not None:
        found = catalog.code_named(code) or handshakes.find(catalog, code)
        codes = tuple(c.key for c in catalog.codes_by_key.values() if c.name == found.name)
    items = None
    if item is not None:
        items = tuple(e.key for e in catalog.items.values() if item in (e.item.item_id, str(e.key)))
        codes = codes or tuple(catalog.codes_by_key)
        if not items:
            raise AdminError("no-such-item", f"There is no license item {item!r}.", status=404, field="item")
    first_day = _day(first, "from") if first is not None else 0
    last_day = _day(last, "to") if last is not None else MAX_DAY
    if first_day > last_day:
        raise AdminError("bad-range", "The first day lies after the last one.", field="from")
    return Selection(codes, items, first_day, last_day)


def _day(text: str, field: str) -> int:
    try:
        return (date.fromisoformat(text) - _EPOCH).days
    except ValueError as error:
        raise AdminError("bad-day", "A day is written as 2026-11-25 (UTC).", field=field) from error


def _label(db: apsw.Connection, grouping: str, group: int) -> str:
    if grouping == "hour":
        return f"{_EPOCH + timedelta(days=group // 24)}T{group % 24:02}:00Z"
    if grouping == "day":
        return str(_EPOCH + timedelta(days=group))
    if grouping == "device":
        uuid = devices.uuid_of(db, group)
        return str(UUID(bytes=uuid)) if uuid else f"#{group}"
    return "all"
