"""Usage for the portal and the command line: one source, so that pie, chart, table, CSV and API agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from operator import itemgetter
from typing import Any, TypeVar

import msgspec

from lts.errors import AdminError
from lts.protocol import DAY_SECONDS, HOURS_PER_DAY, uuid_text
from lts.rules.licensing.catalog import ARCHIVED, Catalog, LicenseItem
from lts.rules.statistics.usagetable import BY_TALLY, GROUPINGS
from lts.rules.values.fields import MAX_TEXT
from lts.rules.values.readmodel import ReadModel
from lts.rules.values.text import nfc
from lts.service.core.context import Context
from lts.service.licensing import handshakes
from lts.store.sql import Connection
from lts.store.tables import devices, statistics
from lts.store.tables.statistics import Activity, Selection
from lts.store.tables.usage import GRANTED_TALLY, OF_CODE, OF_ITEM, REPORTED_TALLY

GRANTED, REPORTS = "granted", "reports"
_EPOCH = date(1970, 1, 1)
MAX_DAY = 200_000


@dataclass(frozen=True)
class UsageTable:
    """Units by group and type. `groups` are RFC 3339 hours or days (UTC), device UUIDs, or "all"; `rows` map (group,
    type name) to units; `total` is their sum. Grouped by authorizations or reports the groups are days, and the types
    are "granted" and refusal codes, or "reports". `items` are those that are summed, None for all."""

    grouping: str
    groups: tuple[str, ...]
    types: tuple[str, ...]
    rows: dict[tuple[str, str], int]
    total: int
    items: tuple[LicenseItem, ...] | None = None


class DayLine(ReadModel, frozen=True):
    """The figures of a day (UTC): units by type, devices, the most that were active at once, calls that were answered,
    and refusals by code. Figures that are not counted for the subject are None."""

    day: str
    units: dict[str, int]
    devices: int | None
    concurrent: int | None
    authorizations: int | None
    reports: int | None
    refused: dict[str, int] | None


class HourLine(ReadModel, frozen=True):
    """The same of an hour of a day (UTC)."""

    hour: int
    units: dict[str, int]
    devices: int | None
    concurrent: int | None
    authorizations: int | None
    reports: int | None
    refused: dict[str, int] | None


Made = TypeVar("Made", DayLine, HourLine)


class Overview(ReadModel, frozen=True):
    """The content of the statistics page: units by type of `all` history and of the `period` from `first` to `last`,
    and its days that have anything. `types` are those of `all`, in its order, most units first; days are as
    2026-11-25."""

    zone: str
    today: str
    first_day: str | None
    first: str = msgspec.field(name="from")
    last: str = msgspec.field(name="to")
    types: list[str]
    all: dict[str, int]
    period: dict[str, int]
    days: list[DayLine]


class DayHours(ReadModel, frozen=True):
    """The hours of a day that have anything, and the day's units by type."""

    zone: str
    day: str
    units: dict[str, int]
    hours: list[HourLine]


class SubjectCode(ReadModel, frozen=True):
    """A handshake code that there are statistics of."""

    id: int
    name: str
    organization_id: str
    removed: bool


class SubjectItem(ReadModel, frozen=True):
    """A license item that there are statistics of."""

    id: int
    item_id: str
    license_id: str
    description: str
    archived: bool


class Subjects(ReadModel, frozen=True):
    """What there are statistics of: handshake codes, removed ones too, and license items."""

    handshake_codes: list[SubjectCode]
    items: list[SubjectItem]


def usage(
    ctx: Context,
    *,
    code: str | None = None,
    organization: str | None = None,
    item: str | None = None,
    first: str | None = None,
    last: str | None = None,
    grouping: str = "type",
) -> UsageTable:
    """Usage of a handshake code or license item (None = all) over days `first`…`last`, both included, UTC.

    `code` is a name, of the `organization` where one is given, or `#` and a number; `item` an item id, `#` and a
    number, or a bare number that is no item's id; an `organization` alone means all its codes. Raises AdminError.
    """
    if grouping not in GROUPINGS:
        raise AdminError("bad-grouping", f"Group by one of {', '.join(GROUPINGS)}.", field="by")
    with ctx.store.reader() as db:
        selection = _selection(ctx, code, organization, item, first, last)
        names: dict[int, str] = {}
        if grouping in BY_TALLY:
            units, names = _tallies(db, selection, grouping)
        elif grouping == "device":
            units = statistics.units_by_device(db, selection)
        else:
            units = statistics.units_by(db, selection, grouping)
        names = names or statistics.type_names(db)
        labels = _labels(db, grouping, sorted({group for group, _ in units}))
    rows: dict[tuple[str, str], int] = {}
    for (group, type_key), count in units.items():
        rows[labels[group], names[type_key]] = count
    types = tuple(sorted({type_name for _, type_name in rows}))
    items = None if selection.items is None else tuple(ctx.store.catalog.items[key] for key in selection.items)
    return UsageTable(grouping, tuple(labels.values()), types, rows, sum(rows.values()), items)


def _tallies(db: Connection, selection: Selection, grouping: str) -> tuple[dict[tuple[int, int], int], dict[int, str]]:
    """(counts by (day, what), names of what). Raises AdminError for items, for which they are not counted."""
    if selection.items is not None:
        sentence = "Authorizations and reports are counted per handshake code; choose a code."
        raise AdminError("per-code-only", sentence, field="by")
    wanted = {
        key: n
        for key, n in statistics.tallies_by(db, selection, "day").items()
        if (key[1] == REPORTED_TALLY) == (grouping == "reports")
    }
    names = {what: GRANTED if what == GRANTED_TALLY else str(what) for _, what in wanted}
    return wanted, {**names, REPORTED_TALLY: REPORTS}


def _selection(
    ctx: Context, code: str | None, organization: str | None, item: str | None, first: str | None, last: str | None
) -> Selection:
    """The subject of a query; an organization alone means all its codes. Raises AdminError for what does not exist."""
    catalog = ctx.store.catalog
    owner = handshakes.known_organization(catalog, organization)
    items = None if item is None else tuple(one.key for one in _items_called(catalog, item, owner))
    codes: tuple[int, ...] | None = None
    if code is not None:
        codes = (_code_key(catalog, code, owner),)
    elif items is not None or owner is not None:
        codes = tuple(c.key for c in catalog.codes_by_key.values() if owner in (None, c.organization_id))
    first_day = day_number(first, "from") if first is not None else 0
    last_day = day_number(last, "to") if last is not None else MAX_DAY
    if first_day > last_day:
        raise AdminError("bad-range", "The first day is after the last one.", field="from")
    return Selection(codes, items, first_day, last_day)


def _code_key(catalog: Catalog, code: str, owner: str | None) -> int:
    """Of a name, `#` and a number, or the name of a removed code, the newest one, where none has that name now."""
    name = code.strip()
    if any(c.name == name and not c.removed and owner in (None, c.organization_id) for c in catalog.present):
        return handshakes.find(catalog, name, owner).key
    removed = [c for c in catalog.codes_by_key.values() if c.removed and owner in (None, c.organization_id)]
    numbered = next((c for c in removed if name == f"#{c.key}"), None)
    if numbered is not None:
        return numbered.key
    newest = {c.organization_id: c for c in sorted(removed, key=lambda c: catalog.names.place(c.key)) if c.name == name}
    if newest:
        handshakes.check_one_meant(list(newest.values()))
        return newest.popitem()[1].key
    return handshakes.find(catalog, name, owner).key


def _items_called(catalog: Catalog, item: str, owner: str | None) -> list[LicenseItem]:
    """License items by `#` and a number, by an item id (which several licenses may use), or by a bare number that is
    no item's id. Raises AdminError if it does not exist."""
    name = nfc(item.strip(), MAX_TEXT).strip()
    own = [one for one in catalog.items.values() if owner in (None, one.organization_id)]
    by_id = [one for one in own if one.terms.item_id == name]
    by_number = [one for one in own if str(one.key) == name.removeprefix("#")]
    found = by_number or by_id if name.startswith("#") else by_id or by_number
    if not found:
        whose = "" if owner is None else f" of organization {owner}"
        raise AdminError("no-such-item", f"There is no license item {item!r}{whose}.", status=404, field="item")
    return found


def day_number(text: str, field: str) -> int:
    """The day since 1970 that is written as 2026-11-25. Raises AdminError naming the field."""
    try:
        day = date.fromisoformat(text)
        if str(day) == text:  # no day of a week
            return (day - _EPOCH).days
    except ValueError:
        pass
    raise AdminError("bad-day", "A day is written as 2026-11-25 (UTC).", field=field)


def day_text(day: int) -> str:
    return str(_EPOCH + timedelta(days=day))


def _hour_text(hour: int) -> str:
    return f"{day_text(hour // HOURS_PER_DAY)}T{hour % HOURS_PER_DAY:02}:00Z"


def _labels(db: Connection, grouping: str, groups: list[int]) -> dict[int, str]:
    if grouping == "device":
        uuids = devices.uuids_of(db, groups)
        known = {group: uuid_text(uuids[group]) if group in uuids else f"#{group}" for group in groups}
        return dict(sorted(known.items(), key=itemgetter(1)))
    text = _hour_text if grouping == "hour" else (lambda _: "all") if grouping == "type" else day_text
    return {group: text(group) for group in groups}


def overview(
    ctx: Context,
    now: int,
    *,
    code: str | None = None,
    organization: str | None = None,
    item: str | None = None,
    first: str | None = None,
    last: str | None = None,
) -> Overview:
    """Devices and concurrency are known of a code or of an item, not of an item by one code; authorizations and reports
    of codes only. Raises AdminError."""
    with ctx.store.reader() as db:
        chosen = _selection(ctx, code, organization, item, first, last)
        names = statistics.type_names(db)
        everything = statistics.units_by(db, Selection(chosen.codes, chosen.items, 0, MAX_DAY), "type")
        days = _lines(db, chosen, "day", names, _day_line, one=_is_one(code, item))
        first_day = statistics.first_day(db, chosen)
    today = now // DAY_SECONDS
    sums = {names[key]: units for (_, key), units in sorted(everything.items(), key=lambda e: (-e[1], names[e[0][1]]))}
    return Overview(
        zone="UTC", today=day_text(today), first_day=None if first_day is None else day_text(first_day),
        first=day_text(chosen.first_day if first is not None else min(first_day or today, today)),
        last=day_text(chosen.last_day) if last is not None else max([day_text(today), *(line.day for line in days)]),
        types=list(sums), all=sums, period=_sum_types(days), days=days,
    )  # fmt: skip


def hours(
    ctx: Context, day: str, *, code: str | None = None, organization: str | None = None, item: str | None = None
) -> DayHours:
    """What each hour of a day had. Raises AdminError."""
    with ctx.store.reader() as db:
        chosen = _selection(ctx, code, organization, item, day, day)
        lines = _lines(db, chosen, "hour", statistics.type_names(db), _hour_line, one=_is_one(code, item))
    return DayHours("UTC", day, _sum_types(lines), lines)


def _day_line(day: int, *line: Any) -> DayLine:
    return DayLine(day_text(day), *line)


def _hour_line(hour: int, *line: Any) -> HourLine:
    return HourLine(hour % HOURS_PER_DAY, *line)


def _is_one(code: str | None, item: str | None) -> bool:
    return (code is None) != (item is None)


def _sum_types(lines: Sequence[DayLine | HourLine]) -> dict[str, int]:
    """Units by type over all lines, most first."""
    sums: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        for name, units in line.units.items():
            sums[name] += units
    return dict(sorted(sums.items(), key=lambda one: (-one[1], one[0])))


def _lines(
    db: Connection,
    chosen: Selection,
    grouping: str,
    names: dict[int, str],
    make: Callable[..., Made],
    *,
    one: bool,
) -> list[Made]:
    """The figures of each day or hour since 1970, in order; `one` = of a single code or item: for anything else (an
    item by one code, all codes) active devices are not counted."""
    units: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for (group, key), count in statistics.units_by(db, chosen, grouping).items():
        units[group][names[key]] = count
    activity: dict[int, Activity] = _activity(db, chosen, grouping) if one else {}
    counted = chosen.items is None
    tallies: defaultdict[int, dict[int, int]] = defaultdict(dict)
    if counted:
        for (group, what), count in statistics.tallies_by(db, chosen, grouping).items():
            tallies[group][what] = count
    found = []
    for group in sorted({*units, *activity, *tallies}):
        active, tally = activity.get(group, Activity(0, 0)), tallies[group]
        refused = {str(k): n for k, n in tally.items() if k not in (GRANTED_TALLY, REPORTED_TALLY)}
        line = make(
            group,
            units.get(group, {}),
            active.devices if one and grouping == "day" else None,
            active.peak if one else None,
            tally.get(GRANTED_TALLY, 0) if counted else None,
            tally.get(REPORTED_TALLY, 0) if counted else None,
            refused if counted else None,
        )
        found.append(line)
    return found


def _activity(db: Connection, chosen: Selection, grouping: str) -> dict[int, Activity]:
    scope, keys = (OF_ITEM, chosen.items) if chosen.items is not None else (OF_CODE, chosen.codes or ())
    return statistics.activity(db, scope, keys, chosen.first_day, chosen.last_day, by_hour=grouping == "hour")


def subjects(ctx: Context) -> Subjects:
    catalog = ctx.store.catalog
    codes = sorted(catalog.codes_by_key.values(), key=lambda code: (code.name, code.key))
    return Subjects(
        [SubjectCode(code.key, code.name, code.organization_id, code.removed) for code in codes],
        [
            SubjectItem(e.key, e.terms.item_id, e.license_id, e.terms.description, e.state == ARCHIVED)
            for e in catalog.items.values()
        ],
    )
