"""When a server of a pair serves without the other (docs/design/pair.md, Taking over)."""

from __future__ import annotations

from typing import Any

import pytest

from lts.crypto import SigningKey
from lts.protocol import DAY_SECONDS
from lts.rules import pair
from lts.rules.pair import MAIN, REFUSING, SERVING, STANDBY, STARTING, PairView
from tests.support.kit import NOON


def standing_by(**changes: Any) -> PairView:
    view = PairView(STANDBY, REFUSING, True, False, True, 100.0, 100.0, 100.0)
    return view._replace(**changes)


def starting(**changes: Any) -> PairView:
    return PairView(MAIN, STARTING, False, False, False, 100.0, 100.0, 100.0)._replace(**changes)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (standing_by(), "take-over"),
        (standing_by(since_alive=14.9), None),
        (standing_by(since_alive=15.0), "take-over"),
        (standing_by(joined=False), None),
        (standing_by(stopped=True), None),
        (standing_by(status=SERVING), None),
        (standing_by(since_followed=1000.0, since_status=1000.0, since_alive=1.0), None),
        (starting(), "alone"),
        (starting(since_followed=14.9), None),
        (starting(since_followed=15.0), "alone"),
        (starting(since_status=14.9, peer_serves=True), None),
        (starting(since_status=15.0, peer_serves=True), "alone"),
        (starting(since_status=1.0, since_alive=1.0), "alone"),
        (starting(since_status=1.0, peer_serves=True), None),
        (starting(since_status=20.0, peer_serves=True), "alone"),
        (starting(stopped=True), "alone"),
        (starting(status=SERVING), None),
    ],
)
def test_who_serves_without_the_other(where: PairView, reason: str | None) -> None:
    assert pair.serve_alone(where, 15.0) == reason


def test_only_a_standby_gives_way_when_both_serve() -> None:
    assert pair.gives_way(STANDBY, SERVING, SERVING)
    assert not pair.gives_way(MAIN, SERVING, SERVING)
    assert not pair.gives_way(STANDBY, SERVING, STARTING)


@pytest.mark.parametrize(("role", "word"), [(MAIN, "first"), (STANDBY, "second")])
def test_two_of_one_role_are_named(role: str, word: str) -> None:
    assert word in (pair.role_fault(role, role) or "")
    assert pair.role_fault(MAIN, STANDBY) is None


@pytest.mark.parametrize("skew", [-5 * 3600, 0, 5 * 3600])
def test_a_delegation_holds_by_a_clock_that_is_hours_off(skew: int) -> None:
    claims = pair.delegation("A", "B", SigningKey.generate().public, NOON, NOON + skew)
    assert claims["iat"] < NOON + skew < claims["exp"]
    assert claims["exp"] == NOON + 7 * DAY_SECONDS


def test_a_delegation_is_renewed_when_an_hour_old() -> None:
    fresh = NOON + pair.DELEGATION_SECONDS
    assert not pair.renew_delegation(fresh, NOON + 3599)
    assert not pair.renew_delegation(fresh, NOON + 3600)
    assert pair.renew_delegation(fresh, NOON + 3601)
    assert pair.renew_delegation(0, NOON)
    assert not pair.renew_delegation(fresh, NOON - 3600)
    assert pair.renew_delegation(fresh, NOON - 3601), "the main's clock was ahead"


def test_every_part_of_a_request_is_signed() -> None:
    base = ("changes", b"body", "session", 7)
    signed = {pair.request_statement(*base)}
    for changed in (("copy", *base[1:]), ("changes", b"bodY", *base[2:]), (*base[:2], "other", 7), (*base[:3], 8)):
        signed.add(pair.request_statement(*changed))
    assert len(signed) == 5


def test_a_main_serves_only_by_a_recent_status_of_the_other() -> None:
    assert [pair.is_recent(age, 15.0) for age in (2.9, 3.0, 3.1)] == [True, True, False]
    assert [pair.is_recent(age, 5.0) for age in (2.5, 2.6)] == [True, False]


def test_a_server_that_stood_still_for_half_the_time_is_not_sure_of_itself() -> None:
    assert pair.stall_limit(15.0) == 7.5


@pytest.mark.parametrize(
    ("since_well", "since_taken_back", "may"),
    [
        (None, None, False), (59.9, None, False), (60.0, None, True), (60.0, 599.9, False), (60.0, 600.0, True),
        (59.9, 600.0, False),
    ],
)  # fmt: skip
def test_a_main_takes_back_after_a_minute_of_storing_and_once_in_ten(
    since_well: float | None, since_taken_back: float | None, *, may: bool
) -> None:
    assert pair.may_take_back(since_well, since_taken_back) is may


@pytest.mark.parametrize(("theirs", "spoken"), [(0, None), (1, 1), (2, 2), (3, 2)])
def test_a_server_speaks_its_protocol_and_the_one_before(theirs: int, spoken: int | None) -> None:
    assert pair.spoken(theirs) == spoken


def test_statuses_are_numbered_by_the_start_of_their_server() -> None:
    first = pair.first_number(7)
    assert (first, pair.first_number(8) - first) == (7 << 32, 1 << 32)
    last = pair.first_number(8) - 1
    assert [pair.is_same_start(first, other) for other in (first, last, last + 1, first - 1)] == [
        True, True, False, False,
    ]  # fmt: skip
    assert [pair.is_outdated(first + 1, newest) for newest in (first, first + 1, first + 2, last + 1)] == [
        False, False, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("skew", [-100, 0, 100])
def test_a_delegation_begins_an_hour_before_either_clock(skew: int) -> None:
    claims = pair.delegation("A", "B", SigningKey.generate().public, NOON, NOON + skew)
    assert (claims["iss"], claims["sub"], claims["iat"]) == ("A", "B", NOON + min(0, skew) - 3600)


def test_clocks_may_differ_by_five_minutes_and_clients_wait_a_second_for_the_standby() -> None:
    assert (pair.CLOCK_GAP_SECONDS, pair.IN_STEP_SECONDS) == (5 * 60, 1.0)
