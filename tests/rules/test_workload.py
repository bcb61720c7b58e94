"""How much work a report is, and the pieces it is cut into (docs/design/charging.md, Large reports)."""

from __future__ import annotations

import pytest

from lts.protocol import SLOTS_PER_DAY
from lts.rules.metering import workload
from lts.rules.metering.usage import BadEntry, Entry

DAY = 20_000 * SLOTS_PER_DAY


def entry(slot: int, types: int = 0) -> Entry:
    return Entry(slot, str(slot), {f"t{number}": 1 for number in range(types)})


@pytest.mark.parametrize(
    ("work", "units"),
    [
        ((999, 0, 0, 1, 1), 0),
        ((1000, 0, 0, 1, 1), 1),
        ((500, 0, 0, 4, 2), 2),
        ((0, 2999, 0, 1, 2), 2),
        ((0, 1990, 1, 1, 2), 2),
        ((0, 1989, 1, 1, 2), 1),
        ((0, 500, 0, 1, 3), 3),
        ((0, 499, 0, 1, 3), 2),
        ((0, 0, 0, 1, 30), 70),
    ],
)
def test_a_thousand_counts_are_a_request_more_and_so_are_names_and_days(
    work: tuple[int, int, int, int, int], units: int
) -> None:
    assert workload.units_of(*work) == units


def test_the_days_of_a_report_are_those_of_its_slots() -> None:
    last = DAY + SLOTS_PER_DAY - 1
    bad = BadEntry("x", "slot", "is none")
    assert (workload.days_of([]), workload.days_of([bad])) == (0, 0)
    assert workload.days_of([entry(DAY), bad, entry(last)]) == 1
    assert workload.days_of([entry(DAY), entry(last + 1), entry(last)]) == 2


@pytest.mark.parametrize(
    ("entries", "items", "one"),
    [([DAY] * 32, 3, True), ([DAY] * 32, 4, False), ([DAY] * 19 + [DAY + SLOTS_PER_DAY], 0, True),
     ([DAY] * 20 + [DAY + SLOTS_PER_DAY], 0, False), ([], 1, True)],
)  # fmt: skip
def test_a_report_is_one_piece_when_200_types_in_each_entry_would_be(entries: list[int], items: int, one: bool) -> None:
    """32 × (3 + 200) + 2,500 = 8,996; 20 × 200 + 2 × 2,500 = 9,000."""
    days = workload.days_of([entry(slot) for slot in entries])
    assert workload.is_one_piece(len(entries), items, days) is one


def test_a_piece_has_work_of_9000_at_most_of_which_each_day_is_2500() -> None:
    a_day = [entry(DAY, 100) for _ in range(66)]  # 65 × 100 = 6,500
    assert list(map(len, workload.cut(a_day, 0))) == [65, 1]
    two_days = [entry(DAY, 100) for _ in range(30)] + [entry(DAY + SLOTS_PER_DAY, 100) for _ in range(20)]
    assert list(map(len, workload.cut(two_days, 0))) == [40, 10]  # 3,000 + 2,500 + 1,000
    with_items = [entry(DAY, 99) for _ in range(66)]
    assert list(map(len, workload.cut(with_items, 1))) == [65, 1]


def test_pieces_go_by_slot_and_keep_the_order_within_one() -> None:
    slots = [DAY + 2, DAY + 1, DAY + 2, DAY, DAY + 1]
    assert workload.cut([entry(slot) for slot in slots], 1) == [[3, 1, 4, 0, 2]]
    assert workload.cut([], 1) == []
