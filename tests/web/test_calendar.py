"""The calendar's address: its key, what it is made from and how often."""

from __future__ import annotations

from typing import Any

import pytest

from lts.service.alerting import alertsettings
from lts.web import calendarpage
from tests.support.kit import NOON, item
from tests.web.conftest import Web


@pytest.fixture
def path(web: Web) -> str:
    """The address."""
    return f"/calendar/{alertsettings.calendar_key(web.lab.ctx, 'test', NOON)}.ics"


def test_a_calendar_is_made_at_most_once_a_minute(web: Web, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(*given: Any) -> str:
        made.append(1)
        return f"made {len(made)}"

    monkeypatch.setattr(calendarpage, "calendar", counted)
    assert {web.call(method, path).status for method in ["GET", "HEAD"] * 5} == {200}
    web.lab.load(item("more"), license_id="300")
    assert (web.call("GET", path).body, len(made)) == (b"made 1", 1)
    web.lab.time.forward(calendarpage.KEPT_SECONDS)
    assert (web.call("GET", path).body, len(made)) == (b"made 2", 2)


def test_a_new_key_counts_at_once_and_the_old_one_no_more(web: Web, path: str) -> None:
    assert web.call("GET", path).status == 200
    new = alertsettings.calendar_key(web.lab.ctx, "test", NOON, renew=True)
    assert (web.call("GET", path).status, web.call("GET", f"/calendar/{new}.ics").status) == (404, 200)


def test_an_address_asks_so_often_with_the_right_key_or_a_wrong_one(web: Web, path: str) -> None:
    answers = [web.call("GET", one).status for one in [path, "/calendar/x.ics"] * (calendarpage.AT_ONCE // 2)]
    assert set(answers) == {200, 404}
    refused = [web.call("GET", one) for one in (path, "/calendar/x.ics")]
    assert [(one.status, one.headers["retry-after"]) for one in refused] == [(429, "1")] * 2
    assert web.call("GET", path, REMOTE_ADDR="192.0.2.1").status == 200
