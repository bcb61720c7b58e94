"""What a report counts for (docs/design/charging.md, Reports)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lts.protocol import DAY_SECONDS, SLOT_SECONDS, SLOTS_PER_DAY, Lease
from lts.rules.metering import usage
from lts.rules.metering.usage import BadEntry, Entry, Result

NOON = 1_795_608_000
SLOT = NOON // SLOT_SECONDS
CLOSED = NOON // DAY_SECONDS


def lease(*items: tuple[int, tuple[str, ...]]) -> Lease:
    """A lease over items of (instances, modules)."""
    made = [SimpleNamespace(instances=instances, modules=modules) for instances, modules in items]
    return cast("Lease", SimpleNamespace(items=made))


def entry(slot: int, counts: dict[str, int] | None = None, instances: int | None = None) -> Entry:
    return Entry(slot, str(slot), counts or {}, instances)


@pytest.mark.parametrize(
    ("slot", "late", "code"),
    [
        (SLOT + 3, 0, None),
        (SLOT + 4, 0, 142),
        (SLOT + 4, 119, 142),
        (SLOT + 4, 120, None),
        (SLOT - 30 * SLOTS_PER_DAY, 179, None),
        (SLOT - 30 * SLOTS_PER_DAY - 1, 0, 143),
    ],
)
def test_slots_from_30_days_ago_to_10_minutes_ahead_count(slot: int, late: int, code: int | None) -> None:
    [found] = usage.judge_all([entry(slot)], NOON + late)
    assert (found.code if found else None) == code
    if found is not None:
        assert (found.slot_text, found.status) == (str(slot), "rejected")


def test_an_entry_that_cannot_be_read_is_named() -> None:
    bad = BadEntry("x", "slot", "is no slot")
    assert usage.judge_all([bad, entry(SLOT)], NOON) == [Result("x", "rejected", 140, "slot: is no slot"), None]
    assert usage.refuse_all_bad([bad, BadEntry(None, "usage", "")]) == bad
    assert usage.refuse_all_bad([bad, entry(SLOT)]) is None


def test_a_closed_day_takes_nothing_more() -> None:
    first = (CLOSED + 1) * SLOTS_PER_DAY
    found = usage.judge_closed([entry(first - 1), entry(first)], CLOSED)
    assert [one.code if one else None for one in found] == [143, None]


def test_a_type_is_charged_to_the_item_with_its_module_else_to_the_first() -> None:
    both = lease((1, ("QR",)), (1, ("QR", "Aztec")))
    assert usage.items_of_types(both) == {"QR": 0, "Aztec": 1}


def test_each_item_gets_its_presence_and_each_type_its_highest_count() -> None:
    counts = usage.gather(
        lease((1, ("QR",)), (3, ("Aztec",)), (2, ())),
        [entry(5, {"QR": 2, "Aztec": 0}), entry(5, {"QR": 1}, 2), entry(6, {"Aztec": 4}, 9), entry(7, {"QR": 1}, 1)],
    )
    assert counts == {
        (0, None): {5: 1, 6: 1, 7: 1},
        (1, None): {5: 3, 6: 3, 7: 1},
        (2, None): {5: 2, 6: 2, 7: 1},
        (0, "QR"): {5: 2, 7: 1},
        (1, "Aztec"): {6: 4},
    }


@pytest.mark.parametrize(
    ("counts", "units"),
    [
        ([], 0),
        ([(usage.TOGETHER, 4)], 4),
        ([(65, 3), (66, 2)], 5),
        ([(65, 3), (usage.TOGETHER, 4)], 6 - 2),
        ([(65, 3), (66, 5), (usage.TOGETHER, 4)], 8),
    ],
)
def test_what_counts_together_adds_what_exceeds_the_highest_of_those_apart(counts: Any, units: int) -> None:
    assert usage.units_of_slot(counts) == units


def test_a_name_without_a_number_has_a_digest_of_twelve_bytes() -> None:
    assert usage.digest_of("QR").hex() == "a439fba430a33b87ab005d35"


def test_entries_of_one_slot_are_judged_in_their_order_each_by_what_it_adds() -> None:
    entries = [
        entry(5, {"QR": 2, "Aztec": 1}), entry(6, {"QR": 9}), entry(5, {"QR": 2, "Aztec": 4}), entry(5, {"QR": 1}),
        entry(6, {"QR": 10}), entry(5, {"QR": 3}), entry(7), entry(7), entry(5), entry(8, {"Aztec": 0}),
    ]  # fmt: skip
    series = usage.gather(lease((1, ("QR",))), entries)
    in_order = [True, True, True, False, True, True, True, False, False, False]
    assert usage.judge_in_order(entries, series, series) == in_order, "nothing was stored"
    assert usage.judge_in_order(entries, series, {}) == [False] * 10, "all of it was"
    stored = {(0, "QR"): {5: 1, 6: 1}, (0, "Aztec"): {5: 4}, (0, None): {7: 1}}
    in_order = [True, False, True, False, True, True, True, False, False, False]
    assert usage.judge_in_order(entries, series, stored) == in_order, "2 and 9 of QR were"


def test_instances_of_one_slot_are_judged_for_each_item_up_to_those_of_the_lease() -> None:
    entries = [entry(5, None, n) for n in (1, 2, 2, 3, 9, None)] + [entry(6, {"QR": 1}, 2), entry(6), entry(6, None, 1)]
    series = usage.gather(lease((2, ()), (4, ())), entries)
    assert series[0, None] == {5: 2, 6: 2}
    found = usage.judge_in_order(entries, series, series)
    assert found == [True, True, False, True, True, False, True, True, False], "6 rises by its default, of one item"
    found = usage.judge_in_order(entries, series, {(0, None): {5: 1}, (1, None): {5: 1}})
    assert found == [False, True, False, False, True, False, False, False, False], "stored were 1 and 3"


def test_branches_and_presence_are_numbered_as_they_are_stored() -> None:
    assert (usage.PRESENCE, usage.TOGETHER, usage.FIRST_APART, list(usage.OF_0_1)) == (0, -1, 65, list(range(65)))
