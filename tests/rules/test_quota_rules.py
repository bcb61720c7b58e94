"""When quota, grace, overdraft or cap leave no room for a device (docs/design/charging.md, Grace, Overdraft, Caps)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lts.rules.licensing.catalog import ACTIVE, REVOKED, Catalog, CodeItem, LicenseItem
from lts.rules.metering.checks import ItemUse, cap_use, in_quota_grace, item_fault, quota_fault, used_up
from lts.rules.metering.seats import Seat
from tests.rules.test_authorize_rules import ASKED, GOOD, judged
from tests.support.kit import NOON

HELD = Seat(1, NOON + 60)


def entry(way: str, cap: int | None = None, **more: Any) -> CodeItem:
    """An item of 10, with 1 of grace or 5 of overdraft."""
    item = replace(GOOD, charge_way=way, quota=10, grace_quota=10, overdraft=5, **more)
    return CodeItem(LicenseItem(1, "1", "vendor", "o", item, ACTIVE), cap)


@pytest.mark.parametrize(
    ("way", "cap", "use", "full"),
    [
        ("scan", None, ItemUse(used=10), False),
        ("scan", None, ItemUse(used=11), True),
        ("page", 4, ItemUse(used=4, code_used=3), False),
        ("page", 4, ItemUse(used=4, code_used=4), True),
        ("device", None, ItemUse(live=10), False),
        ("device", None, ItemUse(live=11), True),
        ("device", None, ItemUse(live=11, seat=HELD), False),
        ("server", 4, ItemUse(live=4, code_live=3), False),
        ("server", 4, ItemUse(live=4, code_live=4), True),
        ("server", 4, ItemUse(live=4, code_live=4, seat=HELD, in_code=True), False),
        ("server", 4, ItemUse(live=4, code_live=4, seat=HELD), True),
        ("domain", None, ItemUse(used=99), False),
    ],
)
def test_units_and_seats_have_room_up_to_quota_and_grace_and_cap(
    way: str, cap: int | None, use: ItemUse, *, full: bool
) -> None:
    assert quota_fault(entry(way, cap), use, 1) == (120 if full else 0)


@pytest.mark.parametrize(
    ("way", "cap", "use", "told"),
    [
        ("page", 4, ItemUse(used=4, code_used=5), (4, 5)),
        ("page", 4, ItemUse(used=11, code_used=4), None),
        ("page", None, ItemUse(used=11), None),
        ("server", 4, ItemUse(live=4, code_live=4, code_used=9), (4, 4)),
        ("server", 4, ItemUse(live=11, code_live=4), None),
        ("concurrentDevice", 4, ItemUse(code_live=4), (4, 4)),
        ("concurrentDevice", 4, ItemUse(code_live=4, spent=5, live=10, elders=10), None),
    ],
)
def test_a_cap_is_named_where_it_alone_rules_out_an_item(
    way: str, cap: int | None, use: ItemUse, told: tuple[int, int] | None
) -> None:
    assert quota_fault(entry(way, cap), use, 1) == 120
    assert cap_use(entry(way, cap), use, 1) == told


@pytest.mark.parametrize(
    ("asked", "cap", "use", "full"),
    [
        (10, None, ItemUse(live=99, spent=4), False),
        (11, None, ItemUse(), True),
        (2, 4, ItemUse(code_live=2), False),
        (2, 4, ItemUse(code_live=3), True),
        (3, 4, ItemUse(code_live=3, seat=HELD._replace(instances=2), in_code=True), False),
        (4, 4, ItemUse(code_live=3, seat=HELD._replace(instances=2), in_code=True), True),
        (2, 4, ItemUse(code_live=9, seat=HELD._replace(instances=2), in_code=True), False),
        (2, 4, ItemUse(code_live=3, seat=HELD._replace(instances=2)), True),
        (2, None, ItemUse(live=8, spent=5), False),
        (2, None, ItemUse(live=9, spent=5), True),
        (2, None, ItemUse(live=99, spent=5, elders=8, seat=HELD._replace(instances=2)), False),
        (2, None, ItemUse(live=99, spent=5, elders=9, seat=HELD._replace(instances=2)), True),
        (3, None, ItemUse(live=9, spent=5, elders=7, seat=HELD._replace(instances=2)), False),
        (3, None, ItemUse(live=10, spent=5, elders=7, seat=HELD._replace(instances=2)), True),
        (1, None, ItemUse(live=99, spent=5, elders=9, seat=HELD._replace(instances=2)), False),
    ],
)
def test_instances_have_room_while_the_overdraft_lasts_and_then_the_eldest(
    asked: int, cap: int | None, use: ItemUse, *, full: bool
) -> None:
    assert quota_fault(entry("concurrentInstance", cap), use, asked) == (120 if full else 0)
    if asked == 1:
        assert quota_fault(entry("concurrentDevice", cap), use, 99) == (120 if full else 0)


@pytest.mark.parametrize(
    ("way", "use", "grace", "used"),
    [
        ("scan", ItemUse(used=9), False, False),
        ("scan", ItemUse(used=10), True, False),
        ("scan", ItemUse(used=11), True, True),
        ("device", ItemUse(live=9), False, False),
        ("device", ItemUse(live=10), True, False),
        ("device", ItemUse(live=99, seat=HELD), False, False),
        ("device", ItemUse(seat=HELD._replace(grace=True)), True, False),
        ("concurrentDevice", ItemUse(live=99, spent=4), False, False),
        ("concurrentDevice", ItemUse(spent=5), False, True),
        ("domain", ItemUse(used=99), False, False),
    ],
)
def test_the_next_use_draws_on_grace_from_the_quota_on(way: str, use: ItemUse, *, grace: bool, used: bool) -> None:
    assert in_quota_grace(entry(way).item.terms, use) is grace
    assert used_up(entry(way), use) is used


@pytest.mark.parametrize(
    ("changes", "at", "fault"),
    [({}, 0, 0), ({"starts_at": NOON}, -1, 112), ({"starts_at": NOON}, 0, 0),
     ({"expires_at": NOON, "grace_days": 1}, 86_399, 0), ({"expires_at": NOON, "grace_days": 1}, 86_400, 111)],
)  # fmt: skip
def test_an_item_authorizes_from_its_start_to_the_end_of_its_grace(changes: Any, at: int, fault: int) -> None:
    held = entry("scan", **changes).item
    assert item_fault(held, NOON + at) == fault
    assert item_fault(replace(held, state=REVOKED), NOON + at) == 113


@pytest.mark.parametrize(
    ("versions", "version", "granted"),
    [(("8",), "8", True), (("8",), "8.2.1", True), (("8",), "80.1", False), (("8", "*"), "9", True)],
)
def test_a_version_fits_by_its_major_number(versions: tuple[str, ...], version: str, *, granted: bool) -> None:
    held = LicenseItem(1, "1", "vendor", "o", replace(GOOD, product_versions=versions), ACTIVE)
    assert bool(judged(ASKED._replace(version=version), CodeItem(held)).granted) is granted


def test_no_day_is_closed_where_nothing_says_so() -> None:
    assert (Catalog().closed_day, Catalog(settings={"closedDay": "7"}).closed_day) == (-1, 7)
