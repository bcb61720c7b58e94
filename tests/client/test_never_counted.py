"""What a server never counts: refused by `use`, and no obstacle for what else waits (docs/protocol.md, Report)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from lts.client import Client, Refused, state
from lts.client.limits import MAX_TYPES
from tests.client.conftest import client
from tests.support.kit import Lab, item

SLOT = 180
DAY = 86_400
LONGEST = [
    "x" * 200,
    "é" * 200,
    "e\u0301" * 200,
    "a" + "\u0301" * 30,
    "a\u200bb",
    "😀" * 200,
    "a" * 170 + "\u0301" * 30,
]


def authorized(served: Lab, folder: Path | None = None) -> Client:
    served.load(item(quota=10**9))
    licensed = client(served, folder)
    licensed.authorize()
    return licensed


def as_before(licensed: Client, name: str, count: int = 1) -> None:
    """What a version that checked nothing left behind."""
    lease = licensed.lease
    assert lease is not None
    entry = licensed._journal.entry(lease.jti, *state.counted_as(lease, lease.items[0]), name)
    licensed._journal.add(licensed.now() // SLOT, count, entry)


def waits(licensed: Client) -> list[state.Waiting]:
    return list(licensed._state.waiting())


def test_what_is_taken_is_counted(served: Lab) -> None:
    licensed = authorized(served)
    for name in LONGEST:
        licensed.use(name)
        assert [result["status"] for result in licensed.flush()] == ["counted"]
    licensed.use("QR", 999_999)
    licensed.use("QR")
    assert licensed.flush()[0]["status"] == "counted"
    assert served.used() == len(LONGEST) + 10**6


def told(licensed: Client, name: str) -> int | None:
    """The code with which the server rejects a name, alone in a report or not."""
    try:
        code: int | None = licensed.report({name: 1})["results"][0]["code"]
    except Refused as refusal:
        return refusal.code
    return code


@pytest.mark.parametrize(
    "name", ["", "x" * 201, "e\u0301" * 201, "a" + "\u0301" * 32, "a\x7fb", "a\u2029", "\ud800", " \u3164", 7, None]
)
def test_an_invalid_name_is_refused_at_once_and_by_a_server(served: Lab, name: str) -> None:
    licensed = authorized(served)
    with pytest.raises(ValueError, match="A type name has"):
        licensed.use(name)
    assert licensed.flush()[0]["status"] == "counted", "a sign of life"
    if isinstance(name, str) and name != "\ud800":
        assert told(licensed, name) == 140


def test_the_sum_of_a_slot_is_held_to_what_it_can_hold_across_renewals(served: Lab) -> None:
    licensed = authorized(served)
    licensed.use("QR", 600_000)
    licensed.flush()
    for _ in range(2):
        with pytest.raises(ValueError, match="was used 600000 times in this slot"):
            licensed.use("QR", 400_001)
        licensed.authorize()
    licensed.use("QR", 400_000)
    served.time.forward(SLOT)
    licensed.use("QR", 10**6)
    licensed.flush()
    assert served.used() == 2 * 10**6


def test_what_two_processes_used_in_a_slot_counts_up_to_what_it_can_hold(
    served: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = authorized(served, tmp_path)
    two = client(served, tmp_path)
    one.use("QR", 600_000)
    two.use("QR", 600_000)
    with caplog.at_level(logging.ERROR, "lts.client"):
        assert [result["status"] for result in one.flush()] == ["counted"]
    assert served.used() == 10**6
    assert "usage over 1000000 of a type in a slot was dropped: 200000 units" in caplog.text
    assert waits(one) == []


def test_more_types_than_an_entry_holds_go_in_several(served: Lab) -> None:
    licensed = authorized(served)
    for n in range(2 * MAX_TYPES + 1):
        licensed.use(f"page {n}")
    results = licensed.flush()
    assert [result["status"] for result in results] == ["counted"] * 3
    assert served.used() == 2 * MAX_TYPES + 1


@pytest.mark.parametrize("name", ["x" * 201, "a\x07b", "a" + "\u0301" * 32])
@pytest.mark.parametrize("alone", [True, False])
def test_what_a_server_cannot_read_goes_and_everything_else_is_counted(
    served: Lab, caplog: pytest.LogCaptureFixture, name: str, *, alone: bool
) -> None:
    licensed = authorized(served)
    as_before(licensed, name)
    if not alone:
        served.time.forward(SLOT)
        licensed.use("QR", 2)
    served.time.forward(SLOT)
    licensed.authorize()
    licensed.use("QR", 3)
    with caplog.at_level(logging.ERROR, "lts.client"):
        if alone:
            with pytest.raises(Refused) as caught:
                licensed.flush()
            assert caught.value.code == 140
        else:
            assert sorted(result["status"] for result in licensed.flush()) == ["counted", "counted", "rejected"]
    assert "was dropped (140)" in caplog.text
    assert served.used() == (3 if alone else 5)
    assert waits(licensed) == []


def test_a_name_that_cannot_be_stored_goes_with_a_line_in_the_log(
    served: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    licensed = authorized(served, tmp_path)
    as_before(licensed, "\ud800")
    licensed.use("QR", 2)
    with caplog.at_level(logging.ERROR, "lts.client"):
        licensed.flush()
    assert served.used() == 2
    assert "that is no type name" in caplog.text


def test_a_clock_that_was_ahead_for_a_moment_costs_nothing(served: Lab) -> None:
    licensed = authorized(served)
    licensed.use("QR", 5)
    licensed._clock = lambda: served.time.wall + 40 * DAY
    licensed.authorize = lambda: None  # type: ignore[method-assign,assignment,return-value]
    assert [result["status"] for result in licensed.flush()] == ["counted"]
    assert served.used() == 5


def test_a_clock_that_was_a_month_ahead_forgets_no_confirmed_count(served: Lab) -> None:
    licensed = authorized(served)
    licensed.use("QR", 7)
    licensed.flush()
    licensed._clock = lambda: served.time.wall + 31 * DAY
    licensed.flush()
    licensed._clock = lambda: served.time.wall
    licensed.use("QR", 5)
    licensed.flush()
    assert served.used() == 12


def test_a_clock_that_starts_decades_back_forgets_no_confirmed_count_once_it_is_set(served: Lab) -> None:
    served.load(item(quota=10**9))
    licensed = client(served, clock=lambda: served.time.wall - 50 * 365 * DAY)
    licensed.authorize()
    licensed.use("QR", 7)
    licensed.flush()
    licensed._clock = lambda: served.time.wall
    licensed.flush()
    licensed.use("QR", 5)
    licensed.flush()
    assert served.used() == 12


def confirmed(licensed: Client) -> int:
    found: int = licensed._state._db.execute("SELECT count(*) FROM outbox WHERE count <= sent").fetchone()[0]
    return found


def test_confirmed_counts_go_by_the_time_that_a_server_tells(served: Lab) -> None:
    licensed = authorized(served)
    licensed.use("QR", 7)
    licensed.flush()
    served.time.forward(29 * DAY)
    licensed.flush()
    assert confirmed(licensed) == 1
    served.time.forward(2 * DAY)
    licensed.flush()
    assert confirmed(licensed) == 0


def test_confirmed_counts_are_held_to_a_number_the_oldest_first(served: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MOST_KEPT", 3)
    licensed = authorized(served)
    for n in range(6):
        licensed.use("QR", 10**n)
        licensed.flush()
        served.time.forward(SLOT)
    licensed.flush()
    assert (confirmed(licensed), served.used()) == (3, 111_111)


@pytest.mark.parametrize("name", ["\u0378", "\uffff", "\ufdd0", "\U0001fae8\U0001fadc"])
def test_a_name_that_only_another_unicode_knows_is_counted(served: Lab, name: str) -> None:
    licensed = authorized(served)
    licensed.use(name)
    licensed.use("QR", 7)
    licensed.flush()
    assert served.used() == 8


@pytest.mark.parametrize("name", ["\u200b", "a\x07b"])
def test_a_name_that_a_server_refuses_takes_no_other_of_its_slot_with_it(
    served: Lab, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    licensed = authorized(served)
    licensed.use("QR", 7)
    licensed.use("EAN", 2)
    as_before(licensed, name)
    with caplog.at_level(logging.ERROR, "lts.client"):
        assert sorted(result["status"] for result in licensed.flush()) == ["counted", "counted", "rejected"]
    assert caplog.text.count("was dropped (140)") == 1
    assert (served.used(), waits(licensed)) == (9, [])
    licensed.use("QR", 1)
    licensed.flush()
    assert served.used() == 10


def test_the_oldest_goes_once_too_much_waits(
    served: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(state, "MOST_KEPT", 3)
    licensed = authorized(served)
    for n in range(5):
        licensed.use("QR", 10**n)
        served.time.forward(SLOT)
    with caplog.at_level(logging.ERROR, "lts.client"):
        licensed.flush()
    assert served.used() == 11_100
    assert "the oldest usage was dropped, since no server took it for long: 2 counts" in caplog.text
