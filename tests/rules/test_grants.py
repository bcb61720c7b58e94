"""What is granted, of which items and in which order (docs/design/authorizing.md, Order of use and Combining items).

And the seat that comes with it (docs/design/charging.md, Seats and Grace).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lts.protocol import DAY_SECONDS, SLOT_SECONDS, slot_of
from lts.rules.licensing.catalog import Code, CodeItem, LicenseItem
from lts.rules.metering.authorize import Decision, Grant, decide, grant_item
from lts.rules.metering.checks import ItemUse, Request
from lts.rules.metering.seats import Seat
from tests.rules.test_authorize_rules import ASKED, GOOD
from tests.support.kit import NOON, at

YEAR = NOON + 365 * DAY_SECONDS
NEXT_SLOT_ENDS = (slot_of(NOON) + 2) * SLOT_SECONDS
CODE = 7
HELD = Seat(3, NOON + 60, codes=(CODE,))


def item(key: int, vendor: str = "vendor", **changes: Any) -> CodeItem:
    return CodeItem(LicenseItem(key, "1", vendor, "o", replace(GOOD, item_id=f"i{key}", **changes)))


def given(way: str, standing: ItemUse, instances: int = 1, **changes: Any) -> Grant:
    """What is granted of an item of 10, by the code CODE."""
    entry = item(1, charge_way=way, **changes).item
    return grant_item(entry, CODE, ("QR",), standing, instances, at(NOON))


@pytest.mark.parametrize(
    ("standing", "seat"),
    [
        (ItemUse(), Seat(1, YEAR, codes=(CODE,))),
        (ItemUse(live=9, peak=4), Seat(5, YEAR, codes=(CODE,))),
        (ItemUse(live=10, peak=4), Seat(5, YEAR, grace=True, codes=(CODE,))),
        (ItemUse(live=3, peak=9, seat=HELD), Seat(3, YEAR, codes=(CODE,))),
        (ItemUse(live=3, seat=HELD._replace(codes=(8,))), Seat(3, YEAR, codes=(8, CODE))),
        (ItemUse(live=3, seat=HELD._replace(codes=(CODE, 8))), Seat(3, YEAR, codes=(CODE, 8))),
        (ItemUse(live=3, seat=HELD._replace(end=YEAR + 5)), Seat(3, YEAR + 5, codes=(CODE,))),
        (ItemUse(live=11, seat=HELD), Seat(3, YEAR, codes=(CODE,))),
        (ItemUse(live=11, seat=HELD._replace(grace=True)), Seat(3, YEAR, grace=True, codes=(CODE,))),
        (ItemUse(live=10, seat=HELD._replace(grace=True)), Seat(3, YEAR, codes=(CODE,))),
    ],
)
def test_a_seat_is_a_new_grant_or_goes_on_and_is_in_grace_while_more_are_live_than_the_quota(
    standing: ItemUse, seat: Seat
) -> None:
    found = given("device", standing)
    assert (found.seat, found.grace, found.lease_end) == (seat, seat.grace, YEAR)


@pytest.mark.parametrize(
    ("way", "standing", "instances", "seat"),
    [
        ("concurrentDevice", ItemUse(peak=2), 5, Seat(3, 0, codes=(CODE,), since=NOON, instances=1)),
        ("concurrentInstance", ItemUse(), 5, Seat(1, 0, codes=(CODE,), since=NOON, instances=5)),
        ("concurrentInstance", ItemUse(seat=HELD._replace(since=NOON - 9, instances=8)), 5,
         Seat(3, 0, codes=(CODE,), since=NOON - 9, instances=5)),
    ],
)  # fmt: skip
def test_a_lease_of_what_is_used_at_once_is_as_old_as_its_first_one(
    way: str, standing: ItemUse, instances: int, seat: Seat
) -> None:
    found = given(way, standing, instances)
    assert found.seat == seat._replace(end=NEXT_SLOT_ENDS)
    assert (found.grace, found.lease_end) == (False, NEXT_SLOT_ENDS)


@pytest.mark.parametrize(
    ("standing", "changes", "grace"),
    [
        (ItemUse(used=9), {}, False),
        (ItemUse(used=10), {}, True),
        (ItemUse(used=9), {"expires_at": NOON + 1}, False),
        (ItemUse(used=9), {"expires_at": NOON}, True),
    ],
)
def test_a_lease_over_units_is_in_grace_past_the_quota_or_the_end_and_no_seat_is(
    standing: ItemUse, changes: dict[str, Any], grace: bool
) -> None:
    found = given("page", standing, **changes)
    assert (found.grace, found.seat.grace, found.seat.since, found.seat.instances) == (grace, False, 0, 1)


# which items, in which order

SEATED, FREE, IN_GRACE, FULL = (
    ItemUse(live=1, seat=HELD, in_code=True), ItemUse(), ItemUse(live=10), ItemUse(live=99),
)  # fmt: skip
ENDED: dict[str, Any] = {"expires_at": NOON - 1}


def decided(
    entries: list[CodeItem], standings: list[ItemUse], request: Request = ASKED, *, manual: bool = False
) -> Decision:
    known = {entry.item.key: standing for entry, standing in zip(entries, standings, strict=True)}
    code = Code(CODE, "o", "code", tuple(entries), manual_order=manual)
    return decide(code, request, lambda entry: known[entry.item.key], at(NOON))


@pytest.mark.parametrize(
    ("standings", "ended", "order", "manual"),
    [
        ([FREE, FREE, FREE], (), [1, 2, 3], [1, 2, 3]),
        ([FREE, SEATED, FREE], (), [2, 1, 3], [2, 1, 3]),
        ([IN_GRACE, FREE, FREE], (), [2, 3, 1], [1, 2, 3]),
        ([IN_GRACE, FREE, SEATED], (), [3, 2, 1], [3, 1, 2]),
        ([FREE, FREE, FREE], (1,), [2, 3, 1], [1, 2, 3]),
        ([SEATED, FREE, FREE], (1,), [2, 3, 1], [1, 2, 3]),
        ([SEATED._replace(live=11, seat=HELD._replace(grace=True)), FREE, FREE], (), [1, 2, 3], [1, 2, 3]),
        ([IN_GRACE, FREE, FREE], (2,), [3, 1, 2], [1, 2, 3]),
    ],
)
def test_seats_come_first_and_grace_last_unless_an_administrator_set_the_order(
    standings: list[ItemUse], ended: tuple[int, ...], order: list[int], manual: list[int]
) -> None:
    entries = [item(key, charge_way="device", grace_quota=50, **(ENDED if key in ended else {})) for key in range(1, 4)]
    for by_hand, expected in ((False, order), (True, manual)):
        found = decided(entries, standings, manual=by_hand)
        assert [entry.key for entry, _ in found.tried] == expected
        assert [one.item.key for one in found.granted] == expected[:1]


def covering(*offers: tuple[str, str], wanted: str, full: tuple[int, ...] = ()) -> Decision:
    """The decision over items of (vendor, a module a letter)."""
    entries = [
        item(key, vendor, modules=tuple(modules), charge_way="device") for key, (vendor, modules) in enumerate(offers)
    ]
    standings = [FULL if key in full else FREE for key in range(len(offers))]
    return decided(entries, standings, ASKED._replace(modules=tuple(wanted)))


@pytest.mark.parametrize(
    ("offers", "wanted", "granted"),
    [
        ([("v", "A"), ("v", "BC")], "ABC", {0: "A", 1: "BC"}),
        ([("v", "A"), ("v", "BC"), ("v", "ABCD")], "ABC", {2: "ABC"}),
        ([("v", "A"), ("w", "B"), ("v", "BC")], "ABC", {0: "A", 2: "BC"}),
        ([("v", "A"), ("v", "A"), ("v", "B")], "AB", {0: "A", 2: "B"}),
        ([("v", "AB"), ("v", "BC")], "CBA", {0: "BA", 1: "C"}),
        ([("v", "AB"), ("v", "C")], "", {0: "AB"}),
        ([("v", ""), ("v", "C")], "", {0: ""}),
    ],
)
def test_the_first_item_that_has_all_modules_else_the_first_of_one_vendor_that_cover_them(
    offers: list[tuple[str, str]], wanted: str, granted: dict[int, str]
) -> None:
    found = covering(*offers, wanted=wanted)
    assert {one.item.key: "".join(one.modules) for one in found.granted} == granted
    assert found.fault == 0


@pytest.mark.parametrize(
    ("offers", "wanted", "full", "codes", "code"),
    [
        ([("v", "A"), ("v", "B")], "ABC", (), [124, 124], 124),
        ([("v", "A"), ("v", "B")], "ABC", (1,), [124, 124], 124),
        ([("v", "A"), ("w", "B")], "AB", (), [0, 0], 124),
        ([("v", "A"), ("v", "B")], "AB", (1,), [0, 120], 120),
        ([("v", "A"), ("v", "B")], "C", (), [124, 124], 124),
        ([("v", "AB"), ("v", "C")], "AB", (0,), [124, 120], 120),  # what is full stands behind
    ],
)
def test_modules_that_no_items_cover_together_are_refused(
    offers: list[tuple[str, str]], wanted: str, full: tuple[int, ...], codes: list[int], code: int
) -> None:
    found = covering(*offers, wanted=wanted, full=full)
    assert (found.granted, found.fault) == ((), code)
    assert [verdict for _, verdict in found.tried] == codes


@pytest.mark.parametrize(
    ("way", "granted"),
    [
        ("device", {2: "BC", 1: "A"}),
        ("server", {2: "BC", 1: "A"}),
        ("concurrentDevice", {2: "BC", 1: "A"}),
        ("concurrentInstance", {2: "BC", 1: "A"}),
        ("page", {1: "AB", 2: "C"}),
    ],
)
def test_a_seat_that_the_request_itself_gives_puts_its_item_first(way: str, granted: dict[int, str]) -> None:
    entries = [item(1, modules=("A", "B")), item(2, modules=("B", "C"), charge_way=way)]
    found = decided(entries, [FREE, FREE], ASKED._replace(modules=("A", "B", "C")))
    assert [(one.item.key, "".join(one.modules)) for one in found.granted] == list(granted.items())


@pytest.mark.parametrize(
    ("changes", "sent", "code"),
    [
        ({"editions": ()}, {"edition": "any"}, 0),
        ({"editions": ("a", "b")}, {"edition": "b"}, 0),
        ({"editions": ("a", "b")}, {"edition": None}, 0),
        ({"deployment_types": ()}, {"deployment_type": "mobile"}, 0),
        ({"deployment_types": ("server", "mobile")}, {"deployment_type": "mobile"}, 0),
        ({"product_versions": ("7",)}, {"version": None}, 0),
        ({"charge_way": "page"}, {"charge_way": "page"}, 0),
        ({"charge_way": "domain", "domains": ("example.com",)}, {"domain": "shop.example.com"}, 0),
        ({}, {"domain": "example.org"}, 0),
        ({"modules": ()}, {"modules": ()}, 0),
        ({"modules": ()}, {"modules": ("QR",)}, 124),
    ],
)
def test_what_an_item_leaves_open_or_a_request_does_not_say_fits(
    changes: dict[str, Any], sent: dict[str, Any], code: int
) -> None:
    assert decided([item(1, **changes)], [FREE], ASKED._replace(**sent)).fault == code


def test_a_refusal_names_the_first_of_the_items_that_came_furthest() -> None:
    entries = [item(1, product="writer"), item(2, editions=("x",)), item(3, editions=("x",))]
    refusal = decided(entries, [FREE] * 3).refusal()
    assert (refusal.code, "(item i2)" in str(refusal)) == (109, True)


def test_who_never_used_an_item_used_none_of_it() -> None:
    assert not any(ItemUse())
