"""A device's day in one blob: counts by (branch, item, type) and slot of the day.

A type is its number, or the digest of a name that had none: such names are kept apart here, and add up to one type,
"(other)", in everything that is summed from here.

Layout: msgpack list of [branch, item, type, width, first, data]. Width 1, 2 or 4 = bytes a count, `data`
the counts from slot `first` on; 9, 10 or 12 = the same widths and 8, where listing the slots with a count takes less
room: `data` their numbers, two bytes each, then their counts, and `first` 0; width 0 = a bitmap of slots in which the
count is 1 (presence); width −1 = a closed day, `first` the day's sum and no slots. LTS 0.1 listed no slots.

"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from lts.protocol import SLOTS_PER_DAY
from lts.rules.metering.usage import PRESENCE, TOGETHER, units_of_slot

TypeKey = int | bytes
DaySeriesKey = tuple[int, int, TypeKey]
"""(branch, item, type); type 0 is presence."""

_TYPECODES = {1: "B", 2: "H", 4: "I"}
_APART = 8
"""Added to a width: the slots are listed one by one."""
_SHORT = 64
"""Bytes of counts that are stored in a row, whatever is between them."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, int, int | bytes, int, int, bytes]]).decode


_DIGITS = bytes.maketrans(b"\0\1", b"01")


def bits_of(ones: Sequence[int]) -> int:
    """Bit n is the n-th of these, each 0 or 1."""
    return int(bytes(ones)[::-1].translate(_DIGITS), 2)


class DaySeries:
    """Counts of one (branch, item, type) over a day's 480 slots."""

    __slots__ = ("bits", "closed_sum", "counts", "high", "low")

    def __init__(self) -> None:
        self.bits = 0
        self.counts: array[int] | None = None
        self.low = SLOTS_PER_DAY
        self.high = -1
        self.closed_sum: int | None = None

    def get(self, slot: int) -> int:
        """The count of a slot of the day, 0 where none was reported."""
        return self.counts[slot] if self.counts is not None else self.bits >> slot & 1

    def raise_ones(self, begin: int, counts: list[int]) -> list[int]:
        """Set the slots from `begin` on whose count is 1, not 0, in a series that holds only ones; those that were not
        set."""
        n = len(counts)
        ones = bits_of(counts) if 0 in counts else (1 << n) - 1
        new = ones << begin & ~self.bits
        self.bits |= new
        if new == ((1 << n) - 1) << begin:
            return list(range(begin, begin + n))
        return [slot for slot in range(begin, begin + n) if new >> slot & 1] if new else []

    def raise_to(self, slot: int, count: int) -> int:
        """Keep the highest count; returns by how much it grew."""
        grown = count - self.get(slot)
        if grown <= 0:
            return 0
        if self.counts is None:
            if count == 1:
                self.bits |= 1 << slot
                return 1
            self._spread("B")
        assert self.counts is not None
        try:
            self.counts[slot] = count
        except OverflowError:
            self._spread("H" if count < 65536 else "I")
            self.counts[slot] = count
        self.low = min(self.low, slot)
        self.high = max(self.high, slot)
        return grown

    def raise_run(self, begin: int, counts: list[int]) -> list[tuple[int, int]]:
        """`raise_to` for consecutive slots; the slots that grew, each with by how much."""
        most = max(counts)
        if most > 1 and (self.counts is None or most >= 1 << 8 * self.counts.itemsize):
            self._spread("B" if most < 1 << 8 else "H" if most < 1 << 16 else "I")
        have = self.counts
        if have is None:
            found = [(n, self.raise_to(n, count)) for n, count in enumerate(counts, begin)]
            return [(slot, rise) for slot, rise in found if rise]
        end = begin + len(counts)
        before = have[begin:end]
        pairs = enumerate(zip(counts, before, strict=True), begin)
        rises = [(n, count - was) for n, (count, was) in pairs if count > was]
        if rises:
            have[begin:end] = array(have.typecode, map(max, counts, before))
            self.low, self.high = min(self.low, rises[0][0]), max(self.high, rises[-1][0])
        return rises

    def set_slots(self, slots: array[int], counts: array[int]) -> None:
        """Hold these counts of some slots, in their order, and no others."""
        self.counts = array(counts.typecode, bytes(SLOTS_PER_DAY * counts.itemsize))
        for slot, count in zip(slots, counts, strict=True):
            self.counts[slot] = count
        self.low, self.high = slots[0], slots[-1]

    def slots(self) -> Iterator[tuple[int, int]]:
        """(slot of the day, count) of every slot with a count."""
        if self.counts is None:
            return ((slot, 1) for slot in range(self.bits.bit_length()) if self.bits >> slot & 1)
        return ((slot, count) for slot, count in enumerate(self.counts) if count)

    def slots_as_bits(self) -> int:
        return self.bits if self.counts is None else bits_of([count > 0 for count in self.counts])

    def total(self) -> int:
        if self.closed_sum is not None:
            return self.closed_sum
        return self.bits.bit_count() if self.counts is None else sum(self.counts)

    def _spread(self, typecode: str) -> None:
        wider = array(typecode, bytes(SLOTS_PER_DAY * array(typecode).itemsize))
        for slot, count in self.slots():
            wider[slot] = count
            self.low = min(self.low, slot)
            self.high = max(self.high, slot)
        self.counts = wider


def _slots_apart(width: int, raw: bytes) -> tuple[array[int], array[int]]:
    """The slots that are listed one by one, and their counts."""
    slots, counts = array("H"), array(_TYPECODES[width])
    end = len(raw) // (2 + width) * 2
    slots.frombytes(raw[:end])
    counts.frombytes(raw[end:])
    return slots, counts


def keys_of_day(data: bytes) -> list[DaySeriesKey]:
    """What a stored row holds series of, without their counts."""
    return [(branch, item, type_key) for branch, item, type_key, *_ in _decode(data)]


def plain_day(data: bytes) -> bytes:
    """A stored row as it would be stored today. Raises ValueError, KeyError if it is not one."""
    return encode_day(decode_day(data))


def decode_day(data: bytes) -> dict[DaySeriesKey, DaySeries]:
    day: dict[DaySeriesKey, DaySeries] = {}
    for branch, item, type_key, width, first, raw in _decode(data):
        series = day[branch, item, type_key] = DaySeries()
        if width == 0:
            series.bits = int.from_bytes(raw, "little") << first
        elif width < 0:
            series.closed_sum = first
        elif width > _APART:
            series.set_slots(*_slots_apart(width - _APART, raw))
        else:
            counts = array(_TYPECODES[width])
            counts.frombytes(bytes(first * width) + raw + bytes(SLOTS_PER_DAY * width - first * width - len(raw)))
            series.counts = counts
            series.low, series.high = first, first + len(raw) // width - 1
    return day


Kin = list[tuple[int, DaySeries]]
"""(branch, series) of all series of an item and type."""


def kin_of(day: dict[DaySeriesKey, DaySeries], branches: Iterable[int], item: int, type_key: TypeKey) -> Kin:
    """The series of an item and type on some branches."""
    found = ((branch, day.get((branch, item, type_key))) for branch in branches)
    return [(branch, series) for branch, series in found if series is not None]


def units_of(kin: Kin, slot: int) -> int:
    """The units of a slot over all branches."""
    return units_of_slot((branch, series.get(slot)) for branch, series in kin)


def raise_among(series: DaySeries, kin: Kin, begin: int, counts: list[int]) -> list[tuple[int, int]]:
    """`raise_run` where several branches count: the slots whose count grew, each with by how much the units did, which
    may be 0."""
    rises = []
    for slot, count in enumerate(counts, begin):
        if count > series.get(slot):
            before = units_of(kin, slot)
            series.raise_to(slot, count)
            rises.append((slot, units_of(kin, slot) - before))
    return rises


def units_by_slot(day: dict[DaySeriesKey, DaySeries]) -> Iterator[tuple[int, TypeKey, int, int]]:
    """(item, type, slot of the day, units) of every slot with a count, without presence and closed series."""
    every: dict[tuple[int, TypeKey], Kin] = {}
    for (branch, item, type_key), series in day.items():
        if type_key != PRESENCE:
            every.setdefault((item, type_key), []).append((branch, series))
    for (item, type_key), kin in every.items():
        for slot in sorted({slot for _, series in kin if series.closed_sum is None for slot, _ in series.slots()}):
            yield item, type_key, slot, units_of(kin, slot)


def sums_of_day(data: bytes) -> list[tuple[int, TypeKey, int]]:
    """(item, type, sum over the day) of each series of a stored row; rows of closed days are read without a Series."""
    row = _decode(data)
    if all(width < 0 for _, _, _, width, _, _ in row):
        return [(item, type_key, units) for _, item, type_key, _, units, _ in row]
    day = decode_day(data)
    branches = {branch for branch, _, _ in day}
    return [(item, kind, _sum(day, branches, (branch, item, kind))) for branch, item, kind in day]


def _sum(day: dict[DaySeriesKey, DaySeries], branches: set[int], key: DaySeriesKey) -> int:
    """What a series adds to the sum of its item and type."""
    branch, item, type_key = key
    series = day[key]
    if branch != TOGETHER or series.closed_sum is not None or type_key == PRESENCE or len(branches) == 1:
        return series.total()
    apart = kin_of(day, branches - {TOGETHER}, item, type_key)
    return sum(units_of([(branch, series), *apart], slot) - units_of(apart, slot) for slot, _ in series.slots())


def encode_day(day: dict[DaySeriesKey, DaySeries]) -> bytes:
    return _encode([(*key, *_encode_series(series)) for key, series in day.items()])


def _encode_series(series: DaySeries) -> tuple[int, int, bytes]:
    if series.closed_sum is not None:
        return -1, series.closed_sum, b""
    if series.counts is None:
        first = ((series.bits & -series.bits).bit_length() - 1) if series.bits else 0
        bits = series.bits >> first
        return 0, first, bits.to_bytes((bits.bit_length() + 7) // 8, "little")
    width, low, counts = series.counts.itemsize, series.low, series.counts[series.low : series.high + 1]
    if (series.high - low) * width >= _SHORT:
        used = len(counts) - counts.count(0)
        if used * (2 + width) < len(counts) * width:
            slots = array("H", [slot for slot, count in enumerate(counts, low) if count])
            return width + _APART, 0, slots.tobytes() + array(counts.typecode, filter(None, counts)).tobytes()
    return width, low, counts.tobytes()


def _total(width: int, first: int, raw: bytes) -> int:
    if width < 0:
        return first
    if width > _APART:
        return sum(_slots_apart(width - _APART, raw)[1])
    return int.from_bytes(raw, "little").bit_count() if width == 0 else sum(array(_TYPECODES[width], raw))


def close_day(data: bytes) -> bytes:
    """The row with its slots summed up, for days for which no late report is accepted."""
    row = _decode(data)
    if len({branch for branch, *_ in row}) == 1:  # nearly all: nothing to be weighed against another branch
        return _encode([(*key, -1, _total(width, first, raw), b"") for *key, width, first, raw in row])
    day = decode_day(data)
    branches = {branch for branch, _, _ in day}
    sums = {key: _sum(day, branches, key) for key, series in day.items() if series.closed_sum is None}
    for key, units in sums.items():
        series = day[key]
        series.closed_sum, series.counts, series.bits = units, None, 0
    return encode_day(day)
