"""Until when a count item lasts: nothing is foretold past its end, nor of what ended or is used up."""

from __future__ import annotations

import pytest

from lts.protocol import DAY_SECONDS, SLOT_SECONDS, iso
from lts.rules.alerting.calendar import calendar
from lts.service.alerting import alerts
from lts.service.licensing import itemlist
from lts.service.statistics import forecasts
from tests.support.kit import DAY, Lab, item


def used_for_days(server: Lab, a_day: int, days: int = 5) -> None:
    """A device that reports so many units on each of some days, the last of which is today."""
    lease = server.authorize().lease
    for _ in range(days):
        server.time.forward(DAY_SECONDS - 4 * SLOT_SECONDS)
        server.report(lease, {"QR": a_day})


def foretold(server: Lab) -> list[int]:
    """Days from today on which items are used up, as every place that shows them says."""
    now = server.time.now
    items = itemlist.describe(server.ctx, now)
    last_days = forecasts.last_days(server.ctx, items, now)
    found = [day - now // DAY_SECONDS for day in last_days.values()]
    assert calendar(items, last_days, "uuid", now).count("used up at the present rate") == len(found)
    assert sum(m.value for m in alerts._measures(server.ctx, now) if m.kind == "forecast") == len(found)
    return found


@pytest.mark.parametrize(("lasts", "expected"), [(None, [7]), (8, [7]), (7, []), (6, []), (0, [])])
def test_nothing_is_used_up_after_its_end(lasts: int | None, expected: list[int], server: Lab) -> None:
    """At 10 a day, with 70 left after four whole days: used up in 7 days, unless the item ends on a day before."""
    today = DAY + 5 * DAY_SECONDS
    end = None if lasts is None else iso(today + lasts * DAY_SECONDS)
    server.load(item(quota=120, graceDays=30, expiresAt=end))
    used_for_days(server, 10)
    assert server.time.now // DAY_SECONDS == today // DAY_SECONDS
    assert foretold(server) == expected


def test_nothing_is_foretold_of_what_is_used_up_or_revoked(server: Lab) -> None:
    server.load(item(quota=60, graceQuota=50))
    used_for_days(server, 10)
    assert foretold(server) == [1]
    server.report(server.authorize().lease, {"QR": 20})
    assert foretold(server) == []
