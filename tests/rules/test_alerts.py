"""Which level is news: the rules of usage alerts as pure functions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lts.errors import AdminError
from lts.protocol import DAY_SECONDS
from lts.rules.alerting import alerts
from lts.rules.alerting.alerts import DEFAULT_LEVELS, NEVER_ALERTED, AlertedLevel, Measure, judge
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.statistics.forecast import last_day
from tests.rules.test_lists import item
from tests.support.kit import NOON

TODAY = NOON // DAY_SECONDS


def told_levels(*steps: tuple[int, int]) -> list[int | None]:
    """What is news at each step of (used, quota) with the usual levels and 5 % grace."""
    told, news = NEVER_ALERTED, []
    for used, quota in steps:
        measure = Measure("#1", "k", "quota", used, quota, (60, 80, 100, 105), quota)
        told, level = judge(measure, told)
        news.append(level)
    return news


def test_a_level_alerts_once_a_jump_at_its_highest_and_again_after_the_quota_grew() -> None:
    assert told_levels((59, 100), (61, 100), (61, 100), (101, 100), (101, 200), (122, 200)) == [
        None, 60, None, 100, None, 60,
    ]  # fmt: skip


def test_percentages_are_not_rounded_up_and_a_smaller_quota_is_not_forgotten() -> None:
    assert told_levels((5999, 10_000), (6000, 10_000)) == [None, 60]
    smaller = Measure("#1", "k", "quota", 57, 70, (60, 80, 100), 70)
    assert judge(smaller, AlertedLevel(80, 100)) == (AlertedLevel(80, 100), None)
    grown = Measure("#1", "k", "quota", 57, 200, (60, 80, 100), 200)
    assert judge(grown, AlertedLevel(80, 100)) == (NEVER_ALERTED, None)
    assert judge(smaller, NEVER_ALERTED) == (AlertedLevel(80, 70), 80)


def test_a_level_is_news_again_five_points_below() -> None:
    assert told_levels((80, 100), (76, 100), (80, 100), (75, 100), (80, 100)) == [80, None, None, None, 80]
    assert told_levels((80, 100), (74, 100), (80, 100)) == [80, None, 80]


def test_falling_under_the_highest_level_keeps_the_lower_ones_alerted() -> None:
    assert told_levels((101, 100), (82, 100), (85, 100), (100, 100)) == [100, None, None, 100]


def test_a_level_still_exceeded_after_the_quota_grew_alerts_once_more() -> None:
    assert told_levels((101, 100), (101, 110), (101, 110)) == [100, 80, None]


def test_a_smaller_quota_alerts_about_what_is_reached_now() -> None:
    assert told_levels((61, 100), (61, 70), (61, 70)) == [60, 80, None]


@given(st.lists(st.tuples(st.integers(0, 130), st.sampled_from([100, 200])), max_size=30))
def test_the_same_value_twice_is_never_news_twice(steps: list[tuple[int, int]]) -> None:
    doubled = [step for step in steps for _ in range(2)]
    assert told_levels(*doubled)[1::2] == [None] * len(steps)


@pytest.mark.parametrize(
    ("changes", "levels"),
    [
        ({"charge_way": "scan"}, (60, 80, 100, 105)),
        ({"charge_way": "device", "grace": 10}, (60, 80, 100, 110)),
        ({"charge_way": "device", "active_period": "daily", "grace": 10}, (100,)),
        ({"charge_way": "server", "grace": 0}, (60, 80, 100)),
        ({"charge_way": "concurrentDevice", "overdraft": 1000}, (60, 80, 100)),
    ],
)
def test_levels_go_by_the_way_of_charging(changes: dict[str, Any], levels: tuple[int, ...]) -> None:
    [measure] = alerts.quota_measures([item(**changes)], DEFAULT_LEVELS)
    assert measure.levels == levels


def test_domain_items_and_items_that_authorize_nobody_are_not_watched() -> None:
    assert (
        alerts.quota_measures([item(charge_way="domain"), item(state="revoked"), item(state="pending")], DEFAULT_LEVELS)
        == []
    )


def test_failures_are_looked_at_from_twenty_requests_on() -> None:
    def news(told: AlertedLevel, failed: int, every: int) -> tuple[AlertedLevel, int | None]:
        for measure in alerts.failure_measures({(1, "1-a"): (failed, every)}, DEFAULT_LEVELS):
            return judge(measure, told)
        return told, None

    told, level = news(NEVER_ALERTED, 19, 19)
    assert level is None
    told, level = news(told, 10, 20)
    assert level == 40
    told, level = news(told, 5, 10)  # too few to say anything: as it was
    assert (told.level, level) == (40, None)
    told, level = news(told, 0, 0)
    assert told == NEVER_ALERTED


def test_growing_traffic_at_one_rate_of_failures_tells_its_level_once() -> None:
    told, found = NEVER_ALERTED, []
    for every in (100, 110, 121, 133, 146):
        [measure] = alerts.failure_measures({(1, "1-a"): (every // 4, every)}, DEFAULT_LEVELS)
        told, level = judge(measure, told)
        found.append(level)
    assert found == [20, None, None, None, None]


@pytest.mark.parametrize(
    ("seconds", "stage"),
    [
        (30 * DAY_SECONDS + 1, 0),
        (30 * DAY_SECONDS, 1),
        (14 * DAY_SECONDS + 1, 1),
        (14 * DAY_SECONDS, 2),
        (7 * DAY_SECONDS + 1, 2),
        (7 * DAY_SECONDS, 3),
        (DAY_SECONDS + 1, 3),
        (DAY_SECONDS, 4),
        (1, 4),
        (0, 5),
    ],
)
def test_the_end_of_an_item_is_alerted_in_stages(seconds: int, stage: int) -> None:
    state = "grace" if seconds <= 0 else "active"
    [measure] = alerts.end_measures([item(expires_at=NOON + seconds, state=state)], NOON)
    assert (measure.value, measure.kind) == (stage, "grace" if stage == 5 else "ends")
    assert (measure.levels, measure.slack) == ((1, 2, 3, 4, 5), 0)
    assert judge(measure, NEVER_ALERTED)[1] == (stage or None)
    assert judge(measure, AlertedLevel(stage, 0))[1] is None
    assert measure.params["graceEnds"] == NOON + seconds + 7 * DAY_SECONDS


def renewal(**more: Any) -> ItemStatus:
    return item(id=2, item_id="two", **more)


@pytest.mark.parametrize(
    ("other", "silent"),
    [
        ({"starts_at": NOON, "expires_at": NOON + 400 * DAY_SECONDS}, True),
        ({"starts_at": NOON, "expires_at": None}, True),
        (
            {"starts_at": NOON + 11 * DAY_SECONDS, "expires_at": NOON + 400 * DAY_SECONDS, "state": "pending"},
            False,
        ),  # a gap
        ({"starts_at": NOON, "expires_at": NOON + 9 * DAY_SECONDS}, False),  # ends sooner
        ({"starts_at": NOON, "expires_at": None, "codes": [2]}, False),  # in another code
        ({"starts_at": NOON, "expires_at": None, "modules": ["Aztec"]}, False),
        ({"starts_at": NOON, "expires_at": None, "product": "writer"}, False),
        ({"starts_at": NOON, "expires_at": None, "state": "revoked"}, False),
        ({"starts_at": NOON, "expires_at": None, "product_versions": ["8"]}, False),
        ({"starts_at": NOON, "expires_at": None, "modules": ["QR", "Aztec"]}, True),
    ],
)
def test_an_end_is_silent_only_when_a_renewal_takes_over_and_lasts_longer(other: dict[str, Any], silent: bool) -> None:
    ending = item(expires_at=NOON + 10 * DAY_SECONDS)
    measure = alerts.end_measures([ending, renewal(**other)], NOON)[0]
    assert (measure.value == 0) == silent


def test_a_renewal_in_one_of_two_codes_is_not_enough() -> None:
    ending = item(expires_at=NOON + 10 * DAY_SECONDS, codes=[1, 2])
    assert alerts.end_measures([ending, renewal(starts_at=NOON)], NOON)[0].value
    other = item(id=3, item_id="three", starts_at=NOON, codes=[2])
    assert not alerts.end_measures([ending, renewal(starts_at=NOON), other], NOON)[0].value


def test_a_forecast_goes_by_the_last_four_weeks() -> None:
    steady = dict.fromkeys(range(TODAY - 100, TODAY), 10)
    assert last_day(1000, 500, steady, TODAY - 100, TODAY) == TODAY + 50
    weekdays = {day: 14 for day in steady if day % 7 not in (0, 1)}
    assert last_day(1000, 500, weekdays, TODAY - 100, TODAY) == TODAY + 50
    assert last_day(1000, 500, {**steady, TODAY: 400}, TODAY - 100, TODAY) == TODAY + 50  # today is not over


def test_nothing_is_forecast_of_what_is_used_up() -> None:
    steady = dict.fromkeys(range(TODAY - 100, TODAY), 10)
    assert last_day(1000, 999, steady, TODAY - 100, TODAY) == TODAY
    assert last_day(1000, 1000, steady, TODAY - 100, TODAY) is None
    assert last_day(1000, 1900, steady, TODAY - 100, TODAY) is None


def test_a_forecast_of_a_new_item_waits_for_three_days_and_then_goes_by_those() -> None:
    assert last_day(1000, 20, {TODAY - 2: 10, TODAY - 1: 10}, TODAY - 2, TODAY) is None
    assert last_day(1000, 30, dict.fromkeys(range(TODAY - 3, TODAY), 10), TODAY - 3, TODAY) == TODAY + 97


def test_nothing_used_and_very_little_used_say_nothing() -> None:
    assert last_day(1000, 10, {TODAY - 90: 10}, TODAY - 90, TODAY) is None
    assert last_day(10**9, 10, {TODAY - 9: 10}, TODAY - 9, TODAY) is None


def test_a_forecast_alerts_once_and_again_after_it_was_over() -> None:
    def news(told: AlertedLevel, left: int) -> tuple[AlertedLevel, int | None]:
        for measure in alerts.forecast_measures([item()], {1: TODAY + left}, TODAY):
            return judge(measure, told)
        return told, None

    told, found = NEVER_ALERTED, []
    for left in (30, 14, 15, 13, 21, 14, 22, 14):
        told, level = news(told, left)
        found.append(level)
    assert found == [None, 1, None, None, None, None, None, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"scan": "60"},
        {"scan": [0]},
        {"scan": [True]},
        {"scan": [60.0]},
        {"other": [60]},
        {"scan": [1001]},
        {"scan": list(range(1, 12))},
    ],
)
def test_wrong_levels_are_refused(wrong: object) -> None:
    with pytest.raises(AdminError) as caught:
        alerts.clean_levels(wrong)
    assert caught.value.code == "bad-levels"


def test_levels_are_kept_in_order_and_once() -> None:
    assert alerts.clean_levels({"scan": [80, 60, 80], "page": []}) == {"scan": [60, 80], "page": []}


def test_the_levels_are_those_of_the_design() -> None:
    units = (60, 80, 100)
    assert {
        "scan": units, "page": units, "device": units, "deviceDaily": (100,), "server": units,
        "concurrentDevice": units, "concurrentInstance": units, "failures": (10, 20, 40, 60, 80, 100),
    } == DEFAULT_LEVELS  # fmt: skip


def test_up_to_ten_levels_of_1_to_1000_percent_are_taken() -> None:
    ten = {"scan": [1, 1000, *range(2, 10)]}
    assert alerts.clean_levels(ten) == {"scan": [*range(1, 10), 1000]}


@pytest.mark.parametrize(
    ("changes", "watched"),
    [
        ({}, [("quota", 0, 100, 5)]),
        ({"state": "grace"}, [("quota", 0, 100, 5)]),
        ({"state": "expired"}, []),
        ({"quota": 0}, []),
        ({"charge_way": "domain"}, []),
        ({"charge_way": "concurrentDevice", "overdraft": 10, "overdraft_spent": 3}, [("overdraft", 3, 10, 5)]),
        ({"charge_way": "concurrentInstance", "overdraft": 10, "overdraft_spent": -3}, [("overdraft", 0, 10, 5)]),
        ({"charge_way": "concurrentInstance", "overdraft": 0}, []),
    ],
)
def test_what_is_watched_of_an_item(changes: dict[str, Any], watched: list[tuple[str, int, int, int]]) -> None:
    found = alerts.quota_measures([item(**changes)], DEFAULT_LEVELS)
    assert [(one.kind, one.value, one.base, one.slack) for one in found] == watched


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({}, [14]),
        ({"charge_way": "page"}, [14]),
        ({"state": "grace"}, [14]),
        ({"charge_way": "device"}, []),
        ({"state": "expired"}, []),
        ({"state": "pending"}, []),
    ],
)
def test_count_items_that_authorize_are_forecast(changes: dict[str, Any], days: list[int]) -> None:
    found = alerts.forecast_measures([item(**changes)], {1: TODAY + 14}, TODAY)
    assert [one.params["days"] for one in found] == days


@pytest.mark.parametrize(("last", "value", "days"), [(None, 0, 22), (22, 0, 22), (14, 1, 14), (0, 1, 0), (-3, 1, 0)])
def test_a_forecast_shows_the_days_that_are_left(last: int | None, value: int, days: int) -> None:
    [found] = alerts.forecast_measures([item()], {} if last is None else {1: TODAY + last}, TODAY)
    assert (found.levels, found.slack) == ((1,), 0)
    assert [alerts.forecast_measures([item()], {1: TODAY + left}, TODAY) for left in (15, 21)] == [[], []]
    assert (found.value, found.params["days"]) == (value, days)


@pytest.mark.parametrize(
    ("quota", "used", "per_day", "first", "left"),
    [
        (3651, 1, 1, 28, 3650),
        (3652, 1, 1, 28, None),
        (100, 90, 1, 3, 10),
        (100, 90, 1, 2, None),
        (100, 99, 1, 28, 1),
    ],
)
def test_a_forecast_looks_ten_years_ahead_and_three_days_back(
    quota: int, used: int, per_day: int, first: int, left: int | None
) -> None:
    units = dict.fromkeys(range(TODAY - first, TODAY), per_day) | {TODAY - 29: 1000}
    assert last_day(quota, used, units, TODAY - first, TODAY) == (None if left is None else TODAY + left)
