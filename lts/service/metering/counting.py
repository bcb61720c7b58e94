"""What a report adds to the counts: the runs that go to the feed, and the entries that cannot be counted
(docs/design/charging.md, Reports)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter

from msgspec import Struct
from msgspec.structs import replace

from lts.errors import RefusalCode
from lts.protocol import SLOTS_PER_DAY, Lease, slot_of
from lts.rules.licensing.catalog import LicenseItem
from lts.rules.licensing.certificates import LicenseName
from lts.rules.metering import usage
from lts.rules.metering.clonetokens import TokenStep
from lts.rules.metering.usage import BadEntry, Entry, Result, digest_of
from lts.rules.values.text import shows_nothing
from lts.service.core.context import Context
from lts.service.metering import newnames
from lts.store.changes import records
from lts.store.changes.records import Grown, Raised
from lts.store.tables import typenames
from lts.store.writing.transaction import Transaction

ItemSeries = Mapping[usage.SeriesKey, dict[int, int]]
Kinds = dict[str, int | bytes]
Highest = dict[tuple[int, int | bytes], tuple[usage.SeriesKey, dict[int, int]]]
_RISES: Callable[[Raised], dict[int, int]] = itemgetter(2)
_GAP = 20
"""Slots without a count (an hour of them) that a run bridges with counts of 0: a new run would cost more."""


class Counting(Struct, frozen=True):
    """`highest` are the counts by (item, type) of the runs, where entries name one slot twice, else nothing;
    `rejected` has a place for each entry, None if it counts; `folded` are the names that count under "(other)",
    `license_name` the license they were charged to."""

    runs: tuple[records.Run, ...]
    highest: Highest
    rejected: list[Result | None]
    folded: frozenset[str]
    license_name: LicenseName


class Counted(Struct, frozen=True):
    """What came of a piece of a report: what it counts, and what of that was new."""

    counting: Counting
    grown: Grown


class Reporter(Struct, frozen=True):
    """Who reports: the lease, the device's UUID (16 bytes), the lease's items as this server holds them, the code and
    the device by number (None: new)."""

    lease: Lease
    uuid: bytes
    items: Sequence[LicenseItem]
    code: int
    device: int | None


def count(tx: Transaction, ctx: Context, reporter: Reporter, entries: list[Entry], now: int) -> Counting:
    """The runs of a report's good entries. `now` in UTC seconds."""
    rejected = usage.judge_closed(entries, tx.catalog.closed_day)
    good = usage.good_of(entries, rejected)
    series = usage.gather(reporter.lease, good)
    kinds: Kinds = {name: tx.types.get(name, 0) for _, name in series if name is not None}
    folded: dict[str, int] = {}
    if 0 in kinds.values():
        rejected, kinds, folded = _name_types(tx, ctx, reporter, entries, rejected, series, now)
        good = usage.good_of(entries, rejected)
        series = usage.gather(reporter.lease, good)
    some_twice = len(series[0, None]) < len(good)
    runs: list[records.Run] = []
    highest: Highest = {}
    newest = slot_of(now)
    alike: dict[int, int] = {}
    split: list[tuple[int, list[int]]] = []  # of the series before, since presence in items is often the same
    for key, slots in series.items():
        position, name = key
        item = reporter.items[position].key
        kind = usage.PRESENCE if name is None else kinds[name]
        if slots != alike:
            alike, split = slots, _split(slots, newest)
        runs += [records.Run(item, kind, back, counts) for back, counts in split]
        if some_twice:
            highest[item, kind] = key, slots
    charged = reporter.items[min(folded.values(), default=0)]
    return Counting(tuple(runs), highest, rejected, frozenset(folded), charged.license_name)


def record(
    tx: Transaction,
    ctx: Context,
    reporter: Reporter,
    entries: list[Entry],
    step: TokenStep,
    clone_state: tuple[int, int, bytes | None],
    seats: tuple[records.SeatRecord, ...],
    now: int,
) -> Counted:
    """Count good entries and write them as one change, with the device's packed clone state after it and the seats that
    it renews. `now` in UTC seconds."""
    counting = count(tx, ctx, reporter, entries, now)
    branch, apart = branch_of(tx, step, reporter, entries)
    key, uuid = (tx.numbering.next_device, reporter.uuid) if reporter.device is None else (reporter.device, None)
    change = records.ReportChange(key, uuid, reporter.code, branch, *clone_state, seats, counting.runs, apart)
    return Counted(counting, tx.emit(change, now))


def note_folded(tx: Transaction, ctx: Context, lease: Lease, counting: Counting, now: int) -> None:
    """See newnames.note; `now` in UTC seconds."""
    if counting.folded:
        newnames.note(tx, ctx.running.today, counting.folded, lease.device, counting.license_name, now)


def _name_types(
    tx: Transaction,
    ctx: Context,
    reporter: Reporter,
    entries: list[Entry],
    rejected: list[Result | None],
    series: ItemSeries,
    now: int,
) -> tuple[list[Result | None], Kinds, dict[str, int]]:
    """What becomes of a report with names that have no number yet: the rejections, what represents each name, and those
    that are `_folded`."""
    blank = {name for _, name in series if name is not None and name not in tx.types and shows_nothing(name)}
    if blank:
        rejected = [result or _nothing_to_see(entry, blank) for entry, result in zip(entries, rejected, strict=True)]
        series = usage.gather(reporter.lease, usage.good_of(entries, rejected))
    kinds = _kinds(tx, ctx, reporter, series, now)
    folded = _folded(series, kinds)
    full = _without_room(tx, reporter, series, kinds) if folded else None
    if full:
        rejected = [result or _too_many(entry, full) for entry, result in zip(entries, rejected, strict=True)]
        folded = _folded(usage.gather(reporter.lease, usage.good_of(entries, rejected)), kinds)
    return rejected, kinds, folded


def _in_order(entries: list[Entry], highest: Highest, grown: Grown) -> list[bool]:
    """Whether each of some entries raised a count, where some name the same slot."""
    rises: dict[usage.SeriesKey, dict[int, int]] = {}
    for item, kind, of_day in chain(grown.units, grown.presence):
        rises.setdefault(highest[item, kind][0], {}).update(of_day)
    return usage.judge_in_order(entries, dict(highest.values()), rises)


def results_of(recorded: Counted, entries: Sequence[Entry | BadEntry], rejected: list[Result | None]) -> list[Result]:
    """What became of each entry of a report, or of a piece of it."""
    grown, counting = recorded.grown, recorded.counting
    highest, refused, folded = counting.highest, counting.rejected, counting.folded
    units = set(chain.from_iterable(map(_RISES, grown.units)))
    presence = set(chain.from_iterable(map(_RISES, grown.presence)))
    good = usage.good_of(entries, rejected)
    results = [
        Result(e.slot_text, "counted" if e.slot in (units if e.usage else presence) else "unchanged", None, None)
        for e in good
    ]
    if not (highest or folded or any(refused) or any(rejected)):
        return results
    late = iter([refusal or result for refusal, result in zip(refused, results, strict=True)])
    results = [refusal or next(late) for refusal in rejected]
    if highest:
        counted = [(n, e) for n, e in enumerate(entries) if isinstance(e, Entry) and results[n].status != "rejected"]
        for (n, one), raised in zip(counted, _in_order([e for _, e in counted], highest, grown), strict=True):
            results[n] = Result(one.slot_text, "counted" if raised else "unchanged", None, None)
    if folded:
        for n, (entry, result) in enumerate(zip(entries, results, strict=True)):
            if result.status == "counted" and isinstance(entry, Entry):
                names = {name for name, units in entry.usage.items() if units and name in folded}
                results[n] = replace(result, detail=newnames.detail_of(names)) if names else result
    return results


def branch_of(tx: Transaction, step: TokenStep, reporter: Reporter, entries: list[Entry]) -> tuple[int, int]:
    """The branch in which entries count, and the slot from which it is counted separately; 0 if it is not."""
    branch, apart = step.counted
    if apart and not has_room_apart(tx, reporter, branch, apart, entries):
        return usage.TOGETHER, 0
    return branch, apart


def has_room_apart(tx: Transaction, reporter: Reporter, branch: int, apart: int, entries: list[Entry]) -> bool:
    """Whether the device's days have room for everything that a report counts separately, from slot `apart` on."""
    names: dict[int, set[str]] = {}
    for entry in entries:
        if entry.slot >= apart:
            names.setdefault(entry.slot // SLOTS_PER_DAY, set()).update(entry.usage)
    for day, of_day in names.items():
        held = {key for key in typenames.series_of(tx, reporter.device, reporter.code, day) if key[0] != usage.TOGETHER}
        own = {kind for of_branch, _, kind in held if of_branch == branch}
        new = {tx.types.get(name) or digest_of(name) for name in of_day} - own
        if new and len(held) + len(new) > newnames.MOST_OF_ROW:
            return False
    return True


def _kinds(tx: Transaction, ctx: Context, reporter: Reporter, series: ItemSeries, now: int) -> Kinds:
    """What represents each name in the feed: its number, else its digest. Modules always have a number: a vendor signs
    how many there are."""
    kinds: Kinds = {name: tx.types.get(name, 0) for _, name in series if name is not None}
    modules = frozenset(chain.from_iterable(item.terms.modules for item in reporter.items))
    for position, name in series:
        if name is None or kinds[name]:
            continue
        if name in modules:
            kinds[name] = typenames.number_of(tx, name, now)
        else:
            charged = reporter.items[position].license_name
            kinds[name] = newnames.number(tx, ctx.running.today, name, reporter.uuid, charged, now)
    return kinds


def _folded(series: ItemSeries, kinds: Kinds) -> dict[str, int]:
    """The names that have no number, each with the position of the item it is charged to."""
    return {name: position for position, name in series if name is not None and isinstance(kinds[name], bytes)}


def _without_room(tx: Transaction, reporter: Reporter, series: ItemSeries, kinds: Kinds) -> set[tuple[int, str]]:
    """(day, name) of names without a number for which a device's day has no room left."""
    held: dict[int, set[bytes]] = {}
    full = set()
    for (_, name), slots in series.items():
        kind = kinds[name] if name is not None else usage.PRESENCE
        if name is None or not isinstance(kind, bytes):
            continue
        for day in {slot // SLOTS_PER_DAY for slot in slots}:
            if day not in held:
                kinds_of_day = typenames.series_of(tx, reporter.device, reporter.code, day)
                held[day] = {kind for _, _, kind in kinds_of_day if isinstance(kind, bytes)}
            if kind not in held[day] and len(held[day]) >= newnames.MOST_OF_ROW:
                full.add((day, name))
            else:
                held[day].add(kind)
    return full


def _too_many(entry: Entry, full: set[tuple[int, str]]) -> Result | None:
    day = entry.slot // SLOTS_PER_DAY
    name = next((name for name, units in entry.usage.items() if units and (day, name) in full), None)
    if name is None:
        return None
    detail = f"The device has used over {newnames.MOST_OF_ROW} new type names on this day; the next one is {name}."
    return Result(entry.slot_text, "rejected", RefusalCode.TOO_LARGE, detail)


def _nothing_to_see(entry: Entry, blank: set[str]) -> Result | None:
    """The rejection of an entry that uses one of the names; names that already have a number stay valid."""
    if not any(units and name in blank for name, units in entry.usage.items()):
        return None
    detail = "usage: a type name has no visible character; give it letters or digits"
    return Result(entry.slot_text, "rejected", RefusalCode.MALFORMED, detail)


def _split(slots: dict[int, int], newest: int) -> list[tuple[int, list[int]]]:
    """The counts of a series as (back, counts) of runs; counts of 0 bridge gaps of up to _GAP slots."""
    if not slots:
        return []
    first, last = min(slots), max(slots)
    if last - first + 1 == len(slots):
        return [(newest - first, [slots[slot] for slot in range(first, last + 1)])]
    runs: list[tuple[int, list[int]]] = []
    expected = first - _GAP - 1  # so that the first one begins a run
    for slot in sorted(slots):
        if slot - expected > _GAP:
            counts = [slots[slot]]
            runs.append((newest - slot, counts))
        else:
            if slot != expected:
                counts += [0] * (slot - expected)
            counts.append(slots[slot])
        expected = slot + 1
    return runs
