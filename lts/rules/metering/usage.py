"""What a report counts for (docs/design/charging.md, Reports).

Pure: turns the entries of a report and the claims of its lease into counts per item, slot and type.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Literal, NamedTuple, cast

from msgspec import Struct

from lts.errors import RefusalCode
from lts.protocol import SLOTS_PER_DAY, Lease, slot_of

AHEAD_SECONDS = 600
OLDEST_DAYS = 30
PRESENCE = 0
"""Type key of a sign of life: its count in a slot is the instances that ran (1 for a device)."""
TOGETHER = -1
"""Branch of the counts from senders not proven to be one of two machines with one identity: nearly all."""
FIRST_APART = 65
"""Branches that count apart are numbered from here on. See docs/design/authorizing.md, Device clones."""
OF_0_1 = range(FIRST_APART)
"""Branches as 0.1 numbered them, where any foreign token counted apart."""
OTHER_TYPE = "(other)"
_DIGEST_BYTES = 12
_SLOT: Callable[[Entry], int] = attrgetter("slot")


class Entry(Struct, frozen=True, gc=False):
    """One well-formed slot of a report; `usage` holds the counts so far by type, `{}` a sign of life."""

    slot: int
    slot_text: str
    usage: Mapping[str, int]
    instances: int | None = None


class Span(NamedTuple):
    """The first and the last slot of a report's entries, all of which can be read."""

    first: int
    last: int

    @property
    def days(self) -> int:
        """How many days there are from the first to the last."""
        return self.last // SLOTS_PER_DAY - self.first // SLOTS_PER_DAY + 1


class BadEntry(NamedTuple):
    """One entry of a report that cannot be read; `field` names the part at fault."""

    slot_text: str | None
    field: str
    detail: str


EntryStatus = Literal["counted", "unchanged", "rejected"]


class Result(Struct, frozen=True, gc=False, rename={"slot_text": "slot"}):
    """What became of one entry; one that was rejected has code and detail. Answers show it as it is."""

    slot_text: str | None
    status: EntryStatus
    code: int | None
    detail: str | None


SeriesKey = tuple[int, str | None]
"""(position of the item in the lease, type name; None for presence)."""
Series = Mapping[SeriesKey, Mapping[int, int]]
"""Counts by slot since 1970."""


def units_of_slot(counts: Iterable[tuple[int, int]]) -> int:
    """The units of one slot from its counts by branch: those of separate branches add up; the common count adds only by
    how much it exceeds the highest of them, since its sender may be that branch."""
    apart = highest = together = 0
    for branch, count in counts:
        if branch == TOGETHER:
            together = count
        else:
            apart += count
            highest = max(highest, count)
    return apart + max(0, together - highest)


def digest_of(name: str) -> bytes:
    """What represents a type name without a number in a device's day."""
    return hashlib.sha256(name.encode("utf-8")).digest()[:_DIGEST_BYTES]


def judge_all(
    entries: Sequence[Entry | BadEntry], now: int, span: Span | None = None, trusted: int | None = None
) -> list[Result | None]:
    """The rejection of each entry (140, 142, 143), None if it counts. `now` in UTC seconds says what lies ahead, the
    `trusted` time, if another, what is too old. `span` is that of the entries where it is known."""
    newest, oldest = slot_of(now + AHEAD_SECONDS), slot_of(trusted or now) - OLDEST_DAYS * SLOTS_PER_DAY
    if span is not None and oldest <= span.first and span.last <= newest:
        return [None] * len(entries)
    return [
        None if isinstance(entry, Entry) and oldest <= entry.slot <= newest else _rejected(entry, newest)
        for entry in entries
    ]


def _rejected(entry: Entry | BadEntry, newest: int) -> Result:
    if isinstance(entry, BadEntry):
        return Result(entry.slot_text, "rejected", RefusalCode.MALFORMED, f"{entry.field}: {entry.detail}")
    if entry.slot > newest:
        detail = "The slot is over 10 minutes ahead; keep it and send it again."
        return Result(entry.slot_text, "rejected", RefusalCode.SLOT_AHEAD, detail)
    return Result(entry.slot_text, "rejected", RefusalCode.SLOT_TOO_OLD, "The slot is over 30 days old.")


def good_of(entries: Sequence[Entry | BadEntry], rejected: Sequence[Result | None]) -> list[Entry]:
    """The entries that are not rejected."""
    if any(rejected):
        entries = [entry for entry, result in zip(entries, rejected, strict=True) if result is None]
    return cast("list[Entry]", entries)


def judge_closed(entries: Sequence[Entry], closed_day: int) -> list[Result | None]:
    """The rejection of each entry of `closed_day` (days since 1970) or before, None if it counts."""
    first = (closed_day + 1) * SLOTS_PER_DAY
    if min(map(_SLOT, entries), default=first) >= first:
        return [None] * len(entries)
    detail = "The day of the slot is closed: only sums are kept of days that old."
    return [
        Result(e.slot_text, "rejected", RefusalCode.SLOT_TOO_OLD, detail) if e.slot < first else None for e in entries
    ]


def items_of_types(lease: Lease) -> dict[str, int]:
    """Position in the lease of the item that a type is charged to: the one with that module; of other types it is the
    first. A lease may have thousands of modules, and a report as many types."""
    found: dict[str, int] = {}
    for position, item in enumerate(lease.items):
        for module in item.modules:
            found.setdefault(module, position)
    return found


def gather(lease: Lease, entries: Sequence[Entry]) -> dict[SeriesKey, dict[int, int]]:
    """Counts by series and slot: presence for every item of the lease, and each type to its item.

    A slot that appears twice keeps its highest count; zeros count nothing.
    """
    series: dict[SeriesKey, dict[int, int]] = {}
    alive = [*map(_SLOT, entries)]
    for position, item in enumerate(lease.items):
        most = item.instances
        series[position, None] = instances_by_slot(entries, most) if most > 1 else dict.fromkeys(alive, most)
    by_name: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for entry in entries:
        slot = entry.slot
        for name, count in entry.usage.items():
            counts = by_name[name]
            if counts.get(slot, 0) < count:
                counts[slot] = count
    charged = items_of_types(lease) if by_name else {}
    for name, counts in by_name.items():
        if counts:
            series[charged.get(name, 0), name] = counts
    return series


def judge_in_order(entries: Iterable[Entry], series: Series, rises: Series) -> list[bool]:
    """Whether each entry raised a count (without counts: the presence) above what was stored and the entries before it.
    For entries of which some name the same slot; `series` as `gather` returns them, `rises` by how much each rose."""
    names: dict[str, dict[int, int]] = {}
    instances: list[tuple[dict[int, int], Mapping[int, int]]] = []
    for (position, name), rise_of in rises.items():
        highest = series[position, name]
        so_far = {slot: highest[slot] - rise for slot, rise in rise_of.items()}
        if name is None:
            instances.append((so_far, highest))
        else:
            names[name] = so_far
    found = []
    for entry in entries:
        slot, usage, ran = entry.slot, entry.usage, entry.instances
        used = present = False
        for name, count in usage.items():
            if name in names and count > names[name].get(slot, count):
                names[name][slot] = count
                used = True
        for so_far, highest in instances:
            if slot in so_far:  # the highest is no more than the lease has
                count = highest[slot] if ran is None else min(ran, highest[slot])
                if count > so_far[slot]:
                    so_far[slot] = count
                    present = True
        found.append(used if usage else present)
    return found


def instances_by_slot(entries: Sequence[Entry], most: int) -> dict[int, int]:
    """The highest number of instances reported of each slot, at most the lease's, which is also the default."""
    slots: dict[int, int] = {}
    for entry in entries:
        instances = most if entry.instances is None else min(entry.instances, most)
        slots[entry.slot] = max(instances, slots.get(entry.slot, 0))
    return slots


def refuse_all_bad(entries: Sequence[Entry | BadEntry]) -> BadEntry | None:
    """The first fault when no entry of a report is good (the answer is 400 then), else None."""
    first = None
    for entry in entries:
        if isinstance(entry, Entry):
            return None
        first = first or entry
    return first
