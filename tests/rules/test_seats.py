"""Grace of the quota, and how long seats and leases last (docs/design/charging.md, Seats)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lts.protocol import DAY_SECONDS, NEVER, SLOT_SECONDS
from lts.rules.licensing.licensefile import ItemTerms
from lts.rules.metering import seats, terms
from lts.rules.metering.seats import Seat, join
from lts.rules.metering.terms import grace_units
from tests.rules.test_authorize_rules import GOOD

DAY = DAY_SECONDS
NOON = 1_795_608_000
"""A multiple of a slot."""
END = NOON + 100 * DAY


@pytest.mark.parametrize(
    ("quota", "percent", "units"),
    [(10, 5, 1), (30, 5, 2), (50, 5, 3), (9, 5, 0), (11, 5, 1), (29, 5, 1), (5, 10, 1), (4, 10, 0), (0, 5, 0),
     (1, 49, 0), (1, 50, 1), (1, 51, 1), (10**12, 5, 5 * 10**10)],
)  # fmt: skip
def test_a_half_of_grace_is_rounded_up(quota: int, percent: int, units: int) -> None:
    assert grace_units(replace(GOOD, quota=quota, grace_quota=percent)) == units


def item(way: str = "device", **changes: Any) -> ItemTerms:
    """One that ends in 100 days, with 7 of grace."""
    return replace(GOOD, **{"charge_way": way, "expires_at": END, **changes})


@pytest.mark.parametrize(
    ("changes", "at", "in_grace", "end"),
    [
        ({}, END - 1, False, END),
        ({}, END, True, END + 7 * DAY),
        ({}, END + 7 * DAY - 1, True, END + 7 * DAY),
        ({}, END + 7 * DAY, False, END + 7 * DAY),
        ({"grace_days": 0}, END, False, END),
        ({"expires_at": None}, END, False, NEVER),
        ({"expires_at": NEVER - DAY}, NEVER - 1, True, NEVER),
    ],
)
def test_an_item_ends_and_then_has_its_days_of_grace(
    changes: dict[str, Any], at: int, end: int, *, in_grace: bool
) -> None:
    one = item(**changes)
    assert (terms.in_expiry_grace(one, at), terms.item_end(one, at)) == (in_grace, end)


@pytest.mark.parametrize(
    ("way", "changes", "lasts"),
    [
        ("scan", {}, 7 * DAY),
        ("page", {"max_offline_days": 3}, 3 * DAY),
        ("domain", {"max_offline_days": 30}, 30 * DAY),
        ("scan", {"expires_at": NOON + 5}, 5),
        ("device", {}, 100 * DAY),
        ("device", {"expires_at": None}, 365 * DAY),
        ("device", {"max_offline_days": 3}, 3 * DAY),
        ("device", {"active_period": "daily", "max_offline_days": 3}, DAY),
        ("server", {"active_period": "monthly"}, 30 * DAY),
        ("concurrentDevice", {}, 2 * SLOT_SECONDS),
        ("concurrentInstance", {"max_offline_days": 3}, 3 * DAY),
        ("concurrentDevice", {"expires_at": NOON + 5}, 5),
    ],
)
def test_a_lease_lasts_as_its_way_of_charging_says(way: str, changes: dict[str, Any], lasts: int) -> None:
    assert terms.lease_end(item(way, **changes), NOON, NOON) == NOON + lasts


def test_a_concurrent_lease_ends_with_the_slot_after_its_own() -> None:
    assert [terms.lease_end(item("concurrentDevice"), NOON + late, NOON) - NOON for late in (0, 1, 179, 180)] == [
        360, 360, 360, 540,
    ]  # fmt: skip


@pytest.mark.parametrize(("period", "days"), [("yearly", 365), ("quarterly", 90), ("monthly", 30), ("daily", 1)])
def test_a_seat_lasts_for_its_period_or_to_the_end_of_its_item(period: str, days: int) -> None:
    assert terms.seat_end(item(active_period=period), NOON, NOON) == NOON + min(days, 100) * DAY


@pytest.mark.parametrize(("after", "period"), [(0, 0), (365 * DAY - 1, 0), (365 * DAY, 1), (-1, -1)])
def test_an_overdraft_starts_again_every_365_days(after: int, period: int) -> None:
    one = item("concurrentDevice")
    assert terms.overdraft_period(one, one.starts_at + after) == period
    assert list(terms.overdraft_periods(one, one.starts_at + after, one.starts_at + 365 * DAY)) == list(
        range(period, 2)
    )


SEAT = Seat(3, NOON, codes=(1,), since=NOON - 10, instances=2)


@pytest.mark.parametrize(
    ("seat", "live"),
    [
        (SEAT._replace(end=NOON + 1), True),
        (SEAT, False),
        (SEAT._replace(end=NOON + 1, closed=True), False),
        (SEAT._replace(end=NOON + 1, ended=True), False),
    ],
)
def test_a_seat_holds_until_its_end_unless_it_was_given_back(seat: Seat, *, live: bool) -> None:
    assert seat.live(NOON) is live


@pytest.mark.parametrize(
    ("other", "joined"),
    [
        (SEAT._replace(grant=4, end=1), SEAT._replace(grant=4, end=1)),
        (SEAT._replace(grant=2, end=NOON + 9), SEAT),
        (SEAT._replace(end=NOON + 9, instances=1), SEAT._replace(end=NOON + 9, instances=1)),
        (SEAT._replace(instances=5), SEAT._replace(instances=5)),
        (SEAT._replace(grace=True), SEAT._replace(grace=True)),
        (SEAT._replace(codes=(2,)), SEAT._replace(codes=(1, 2))),
        (SEAT._replace(since=NOON - 20), SEAT._replace(since=NOON - 20)),
        (SEAT._replace(end=NOON - 5, closed=True), SEAT._replace(end=NOON - 5, closed=True)),
        (SEAT._replace(end=NOON + 9, closed=True), SEAT._replace(end=NOON + 9, closed=True)),
    ],
)
def test_two_states_of_a_seat_are_one_in_whatever_order_they_come(other: Seat, joined: Seat) -> None:
    assert (join(SEAT, other), join(other, SEAT)) == (joined, joined)


def test_of_two_that_were_given_back_the_earlier_one_counts() -> None:
    one, other = SEAT._replace(end=NOON - 5, closed=True), SEAT._replace(end=NOON - 9, closed=True)
    assert join(one, other).end == join(other, one).end == NOON - 9


def test_grants_are_numbered_as_they_are_stored() -> None:
    assert seats.ROUND == 4_294_967_296
