"""Ends in words: a day ends at 24:00, and the last day is today, never "in 0 days"."""

from __future__ import annotations

import re

import pytest

from lts.protocol import DAY_SECONDS
from lts.rules.alerting import alerts
from lts.rules.alerting.alert import Alert
from lts.rules.alerting.alertmail import title_of
from lts.rules.alerting.attention import delegation_notice, items_notices
from lts.rules.alerting.calendar import calendar
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.values.ends import days_left, end_text, when_text
from tests.rules.test_lists import item
from tests.support.kit import DAY

NOON = DAY + 12 * 3600
MIDNIGHT = DAY + DAY_SECONDS
"""The end of 2026-11-25."""


@pytest.mark.parametrize(
    ("end", "days", "text", "when"),
    [
        (NOON + 6 * 3600, 0, "2026-11-25, 18:00 UTC", "today, 18:00 UTC"),
        (NOON + 1, 0, "2026-11-25, 12:00 UTC", "today, 12:00 UTC"),
        (MIDNIGHT, 0, "2026-11-25", "today, 24:00 UTC"),
        (MIDNIGHT + 1, 1, "2026-11-26, 00:00 UTC", "tomorrow, 00:00 UTC"),
        (MIDNIGHT + DAY_SECONDS, 1, "2026-11-26", "tomorrow, 24:00 UTC"),
        (MIDNIGHT + 6 * DAY_SECONDS, 6, "2026-12-01", "in 6 days, on 2026-12-01"),
        (NOON + 6 * DAY_SECONDS, 6, "2026-12-01, 12:00 UTC", "in 6 days, on 2026-12-01, 12:00 UTC"),
        (MIDNIGHT - DAY_SECONDS, -1, "2026-11-24", "on 2026-11-24"),
    ],
)
def test_an_end_is_announced_by_the_calendar(end: int, days: int, text: str, when: str) -> None:
    assert (days_left(end, NOON), end_text(end), when_text(end, days)) == (days, text, when)


def ends_at(end: int) -> ItemStatus:
    """An item in good order that ends then, and has never been renewed."""
    return item(expires_at=end, starts_at=0, modules=())


@pytest.mark.parametrize("hours", range(1, 60))
def test_no_hour_of_the_last_days_says_in_0_days(hours: int) -> None:
    for end in (MIDNIGHT + 2 * DAY_SECONDS, NOON + 2 * DAY_SECONDS + 6 * 3600):
        now = end - hours * 3600
        [notice] = items_notices([ends_at(end)], now)
        [measure] = alerts.end_measures([ends_at(end)], now)
        event = Alert("ends", 4, measure.params)
        for text in (notice.detail, title_of(event, "en"), title_of(event, "zh")):
            assert not re.search(r"\b0 days|\b0 天|\b1 days", text), text
        days = days_left(end, now)
        assert ("today, " in notice.detail, "tomorrow, " in notice.detail) == (days == 0, days == 1)
        assert ("today, " in title_of(event, "en"), "今天" in title_of(event, "zh")) == (days == 0, days == 0)
        assert notice.params["days"] == measure.params["days"] == days


def test_a_forecast_for_today_says_so() -> None:
    for days, english, chinese in ((0, "used up today at", "今天用尽"), (1, "used up tomorrow at", "明天用尽"),
                                   (5, "in 5 days, about 2026-11-30, at", "5 天后（约 2026-11-30）用尽")):  # fmt: skip
        told = Alert("forecast", 1, {"item": "one", "days": days, "day": 20782 + days})
        assert english in title_of(told, "en")
        assert chinese in title_of(told, "zh")


def test_the_calendar_names_the_last_day() -> None:
    text = calendar([item(expires_at=MIDNIGHT, handshake_codes=())], {}, "uuid", NOON)
    assert "DTSTART;VALUE=DATE:20261125" in text


@pytest.mark.parametrize(
    ("seconds", "said"), [(60, "1 more hour ("), (3600, "1 more hour ("), (3601, "2 more hours (")]
)
def test_a_countdown_never_says_0_hours_before_its_end(seconds: int, said: str) -> None:
    assert said in delegation_notice(NOON + seconds, NOON, for_good=False).detail
