"""Nobody keeps the portal from others by calls that work on what is sent."""

from __future__ import annotations

import math
from typing import Any
from unittest import mock

import pytest

from lts.errors import AdminError
from lts.rules.accounts import Account
from lts.rules.values import domains
from lts.web.admin import dearcalls
from lts.web.admin.dearcalls import MS_A_MINUTE, MS_AT_ONCE, DearCalls
from tests.support.kit import Lab, item
from tests.web.test_portal_api import Call, call  # noqa: F401  # a fixture

ANN, BOB = Account("Ann", "reader", "Ann", "s"), Account("Bob", "reader", "Bob", "t")
TOKEN = Account("Ann", "reader", "token:Ann")
CLI = Account("Ann", "administrator", "cli:Ann")


class Hours:
    """A clock, and the time that calls took of it."""

    def __init__(self) -> None:
        self.now = self.worked = 0.0
        self.calls = DearCalls(lambda: self.now, lambda: self.worked)

    def call(self, who: Account, seconds: float, fault: Exception | None = None, *, page: bool = False) -> int | None:
        """One call of so long; what Retry-After says where it is refused."""
        try:
            with self.calls.page(who) if page else self.calls.of(who):
                self.worked += seconds
                self.now += seconds
                if fault:
                    raise fault
        except AdminError as error:
            assert (error.status, error.code) == (429, "slow-down")
            return error.retry_after
        except ValueError:
            pass
        return None


@pytest.mark.parametrize("fault", [None, ValueError("bad")])
def test_who_takes_much_time_waits_and_nobody_else_does(fault: Exception | None) -> None:
    hours, answered = Hours(), 0
    while hours.call(ANN, 2.0, fault) is None:
        answered += 1
    assert 5 <= answered <= 6, "10 s at once, less what was paid off meanwhile"
    wait = hours.call(ANN, 2.0)
    assert wait is not None
    assert (hours.call(BOB, 2.0), hours.call(TOKEN, 2.0)) == (None, None)
    hours.now += wait
    assert hours.call(ANN, 2.0) is None
    taken = 0
    begun = hours.now
    while hours.now < begun + 3600:
        taken += hours.call(ANN, 2.0) is None
        hours.now += 1
    assert math.isclose(2000 * taken, 60 * MS_A_MINUTE, rel_tol=0.05)


def test_ordinary_checks_never_wait() -> None:
    hours = Hours()
    for _ in range(2000):  # eight a second, as no person makes them
        assert hours.call(ANN, 0.010) is None
        hours.now += 0.115
    assert MS_AT_ONCE > 1000


def test_pages_have_a_limit_that_is_of_the_account_too_and_the_command_line_has_none() -> None:
    hours, answered = Hours(), 0
    while hours.call(ANN, 2.0, page=True) is None:
        answered += 1
    assert 15 <= answered <= 31, "30 s at once, and what was paid off meanwhile"
    assert hours.call(ANN, 0.1) is not None, "a check takes the same thread"
    assert (hours.call(BOB, 2.0, page=True), hours.call(TOKEN, 2.0, page=True)) == (None, None)
    assert {hours.call(CLI, 2.0, page=True) for _ in range(100)} == {None}


def test_who_works_with_the_portal_in_many_tabs_never_waits() -> None:
    hours = Hours()
    for _ in range(2000):  # 20 tabs that each show a page of 0.25 s every 15 s
        assert hours.call(ANN, 0.25, page=True) is None
        hours.now += 0.5


@pytest.mark.parametrize("path", ["/home", "/handshakes", "/usage?by=hour&format=csv", "/licenses/items"])
def test_whatever_an_account_reads_is_charged(path: str, server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dearcalls, "PAGES_MS_A_MINUTE", 1)
    monkeypatch.setattr(dearcalls, "PAGES_MS_AT_ONCE", 1)
    client = server.here.app(server.config).flask.test_client()
    own = {"Authorization": f"Bearer {server.here.token}", "X-LTS-User": "tester"}
    made = client.post("/api/v1/admin/tokens", json={"name": "ro", "role": "reader"}, headers=own).get_json()
    theirs = {"Authorization": f"Bearer {made['token']}"}
    statuses = [client.get(f"/api/v1/admin{path}", headers=theirs).status_code for _ in range(2)]
    assert statuses == [200, 429]
    refused = client.get("/api/v1/admin/status", headers=theirs)
    assert (refused.status_code, refused.get_json()["code"]) == (429, "slow-down")
    assert int(refused.headers["Retry-After"]) > 0
    assert [client.get(f"/api/v1/admin{path}", headers=own).status_code for _ in range(2)] == [200, 200]


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dearcalls, "MS_A_MINUTE", 1)
    monkeypatch.setattr(dearcalls, "MS_AT_ONCE", 1)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("first", ["/licenses/preview", "/explain"])
def test_previews_and_dry_runs_share_the_limit(first: str, server: Lab, request: pytest.FixtureRequest) -> None:
    call_: Call = request.getfixturevalue("call")
    code = server.load(item())
    bodies: dict[str, dict[str, Any]] = {
        "/licenses/preview": {"data": server.vendor.file(server.ctx, item())},
        "/explain": {"body": {"product": "reader", "handshakeCode": code}},
    }
    assert call_("POST", first, **bodies[first])[0] == 200
    for path, body in bodies.items():
        status, answer = call_("POST", path, **body)
        assert (status, answer["code"]) == (429, "slow-down")
    assert call_("GET", "/home")[0] == 200


@pytest.mark.parametrize("length", [57, 58, 59, 60, 253])
def test_a_label_that_cannot_fit_is_refused_as_one_whose_code_is_too_long(length: int) -> None:
    label = "\u00e9" + "a" * (length - 1)
    fits = len(label.encode("punycode")) <= 63 - len("xn--")
    assert (domains.normalize(f"{label}.example") is not None) is fits


def test_a_label_that_cannot_fit_is_not_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Punycode takes the square of a label's length: 7.5 ms for 245 characters."""
    looked = mock.Mock(return_value=True)
    monkeypatch.setattr(domains, "_may_stand", looked)
    assert domains.normalize("\u4e09" * 245 + ".com") is None
    assert not looked.called
