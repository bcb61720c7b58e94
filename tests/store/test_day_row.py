"""A device's day in one blob says what a plain table of counts would (lts.store.rows.dayrow)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lts.rules.metering.usage import FIRST_APART, PRESENCE, TOGETHER
from lts.store.rows import activityrow
from lts.store.rows.dayrow import (
    DaySeries,
    close_day,
    decode_day,
    encode_day,
    keys_of_day,
    kin_of,
    plain_day,
    raise_among,
    sums_of_day,
    units_by_slot,
)

KEY = (TOGETHER, 1, 2)


def same(series: DaySeries, plain: dict[int, int]) -> None:
    """A series holds these counts, also once it was stored and read."""
    again = decode_day(encode_day({KEY: series}))[KEY]
    for one in (series, again):
        assert dict(one.slots()) == plain
        assert [one.get(slot) for slot in (0, 100, 479)] == [plain.get(slot, 0) for slot in (0, 100, 479)]
        assert one.total() == sum(plain.values())
    assert encode_day({KEY: again}) == encode_day({KEY: series})


COUNTS = st.sampled_from([0, 1, 1, 2, 255, 256, 65_535, 65_536])
RUNS = st.lists(st.tuples(st.sampled_from([0, 1, 7, 99, 470]), st.lists(COUNTS, min_size=1, max_size=9)), max_size=8)


@settings(max_examples=60, deadline=None)
@given(RUNS, st.booleans())
def test_the_highest_count_of_each_slot_is_kept_in_whatever_order_they_come(runs: Any, at_once: bool) -> None:
    series = DaySeries()
    plain: dict[int, int] = {}
    for begin, counts in runs:
        expected = [(n, count - plain.get(n, 0)) for n, count in enumerate(counts, begin) if count > plain.get(n, 0)]
        if at_once:
            assert series.raise_run(begin, counts) == expected
        else:
            assert [(n, rise) for n, c in enumerate(counts, begin) if (rise := series.raise_to(n, c))] == expected
        plain |= {n: count for n, count in enumerate(counts, begin) if count > plain.get(n, 0)}
    same(series, plain)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("count", "size"), [(1, 1), (2, 3), (255, 3), (256, 6), (65_535, 6), (65_536, 12), ((1 << 32) - 1, 12)]
)
def test_a_count_takes_the_bytes_that_it_needs(count: int, size: int, *, at_once: bool) -> None:
    series = DaySeries()
    for slot, one in ((10, 1), (11, count), (12, 1)):
        _ = series.raise_run(slot, [one]) if at_once else series.raise_to(slot, one)
    same(series, {10: 1, 11: count, 12: 1})
    empty = len(encode_day({KEY: DaySeries()}))
    assert len(encode_day({KEY: series})) - empty in (size, size + 1)


@pytest.mark.parametrize(
    ("slots", "stored"), [([], [0, 0, b""]), ([0], [0, 0, b"\1"]), ([7, 9], [0, 7, b"\5"]), ([479], [0, 479, b"\1"])]
)
def test_ones_are_stored_as_bits_from_the_first_on(slots: list[int], stored: list[Any]) -> None:
    series = DaySeries()
    for slot in slots:
        series.raise_to(slot, 1)
    assert msgspec.msgpack.decode(encode_day({KEY: series})) == [[*KEY, *stored]]


FEW_SLOTS = {0: 3, 300: 1, 479: 2}


@pytest.mark.parametrize(("more", "width", "size"), [(0, 9, 9), (300, 10, 12), (70_000, 12, 18)])
def test_few_slots_far_apart_take_the_bytes_that_they_need(more: int, width: int, size: int) -> None:
    plain = {slot: count + more for slot, count in FEW_SLOTS.items()}
    series = day_of((*KEY, plain))[KEY]
    same(series, plain)
    ((*_, stored, first, data),) = msgspec.msgpack.decode(encode_day({KEY: series}))
    assert (stored, first, len(data)) == (width, 0, size)
    again = decode_day(encode_day({KEY: series}))[KEY]
    assert again.raise_run(299, [more + 4, more + 4]) == [(299, more + 4), (300, 3)]
    same(again, plain | {299: more + 4, 300: more + 4})


def test_slots_that_take_more_room_by_themselves_are_stored_in_a_row() -> None:
    for step, width in ((1, 1), (2, 1), (3, 1), (4, 9)):
        series = day_of((*KEY, dict.fromkeys(range(0, 480, step), 7)))[KEY]
        ((*_, stored, _, data),) = msgspec.msgpack.decode(encode_day({KEY: series}))
        assert stored == width, step
        assert len(data) <= 480
        same(series, dict.fromkeys(range(0, 480, step), 7))


def test_a_row_of_before_is_read_and_is_the_same_row() -> None:
    counts = bytes([3, *[0] * 299, 1, *[0] * 178, 2])
    before = msgspec.msgpack.encode([(*KEY, 1, 0, counts)])
    today = encode_day(day_of((*KEY, FEW_SLOTS)))
    assert dict(decode_day(before)[KEY].slots()) == FEW_SLOTS
    assert plain_day(before) == plain_day(today) == today != before
    assert keys_of_day(before) == keys_of_day(today) == [KEY]
    assert close_day(before) == close_day(today)
    assert sums_of_day(before) == sums_of_day(today) == [(1, 2, 6)]


@pytest.mark.parametrize(
    ("begin", "n", "new"), [(0, 3, [0, 1, 2]), (4, 3, [4, 6]), (5, 1, []), (477, 3, [477, 478, 479])]
)
def test_slots_with_ones_are_set_once(begin: int, n: int, new: list[int]) -> None:
    series = DaySeries()
    assert series.raise_ones(5, [1]) == [5]
    assert series.raise_ones(begin, [1] * n) == new
    same(series, dict.fromkeys({5, *range(begin, begin + n)}, 1))
    assert series.raise_ones(200, [0, 0]) == []
    assert series.raise_ones(100, [0, 1, 0, 1]) == [101, 103]
    same(series, dict.fromkeys({5, *range(begin, begin + n), 101, 103}, 1))


def day_of(*counts: tuple[int, int, int | bytes, dict[int, int]]) -> dict[Any, DaySeries]:
    """A row of (branch, item, type, counts by slot)."""
    day: dict[Any, DaySeries] = {}
    for branch, item, kind, slots in counts:
        series = day[branch, item, kind] = DaySeries()
        for slot, count in slots.items():
            series.raise_to(slot, count)
    return day


ROW = (
    (TOGETHER, 1, PRESENCE, {3: 1, 4: 1}),
    (TOGETHER, 1, 2, {3: 5, 4: 1}),
    (FIRST_APART, 1, 2, {3: 2}),
    (FIRST_APART + 1, 1, 2, {3: 4, 9: 1}),
    (TOGETHER, 2, b"digest", {3: 7}),
)
"""Slot 3 of item 1: 2 and 4 apart, 5 together that may hold the 4: 7 units."""


def test_units_of_a_slot_weigh_what_counts_together_against_the_highest_apart() -> None:
    assert sorted(units_by_slot(day_of(*ROW)), key=str) == [
        (1, 2, 3, 7), (1, 2, 4, 1), (1, 2, 9, 1), (2, b"digest", 3, 7),
    ]  # fmt: skip


@pytest.mark.parametrize("row", [ROW, ROW[:2], ROW[2:3]])
def test_the_sums_of_a_day_are_those_of_its_slots_and_stay_when_it_is_closed(row: Any) -> None:
    day = day_of(*row)
    slots: dict[Any, int] = {}
    for item, kind, _, units in units_by_slot(day):
        slots[item, kind] = slots.get((item, kind), 0) + units
    data = encode_day(day)
    closed = close_day(data)
    for stored in (data, closed, close_day(closed)):
        sums: dict[Any, int] = {}
        for item, kind, units in sums_of_day(stored):
            if kind != PRESENCE:
                sums[item, kind] = sums.get((item, kind), 0) + units
        assert sums == slots
    assert list(units_by_slot(decode_day(closed))) == []
    assert {key: series.total() for key, series in decode_day(closed).items() if key[2] == PRESENCE} == {
        key: 2 for key in day if key[2] == PRESENCE
    }


def test_what_a_late_count_adds_is_recorded_by_slot() -> None:
    day = day_of(*ROW)
    kin = kin_of(day, [TOGETHER, FIRST_APART, FIRST_APART + 1, 99], 1, 2)
    assert [branch for branch, _ in kin] == [TOGETHER, FIRST_APART, FIRST_APART + 1]
    together, first = kin[0][1], kin[1][1]
    assert raise_among(together, kin, 2, [1, 5, 2]) == [(2, 1), (4, 1)]
    assert raise_among(first, kin, 3, [3, 2]) == [(3, 1), (4, 0)], "in slot 4 what counts together may be this one's"


@pytest.mark.parametrize(("most", "width"), [(0, 4), (1, 4), ((1 << 32) - 1, 4), (1 << 32, 8), ((1 << 63), 8)])
def test_activity_of_a_day_takes_four_bytes_a_count_or_eight(most: int, width: int) -> None:
    counts = activityrow.decode(b"")
    assert (len(counts), set(counts)) == (481, {0})
    counts[0] = counts[480] = most
    data = activityrow.encode(counts)
    assert len(data) == 481 * width
    assert activityrow.decode(data) == counts
