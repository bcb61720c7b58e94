"""When the other server counts as in step, and who waits for it (docs/design/pair.md, Following)."""

from __future__ import annotations

import threading

import pytest

from lts.service.pair import acknowledgments
from lts.service.pair.acknowledgments import Acknowledgments


class Clock:
    """Elapsed seconds, as the test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def in_step(clock: Clock) -> Acknowledgments:
    """One whose partner was given all up to 5 and has said so."""
    one = Acknowledgments(clock)
    one.asked(0)
    one.answered(5)
    one.asked(5)
    return one


@pytest.mark.parametrize(
    ("given", "serial", "later", "expected"),
    [(5, 5, 0.0, True), (5, 6, 1.0, True), (5, 4, 0.0, False), (5, 5, 1.1, False), (None, 5, 0.0, False)],
)
def test_in_step_is_who_acknowledges_within_a_second_what_it_was_given_whole(
    given: int | None, serial: int, later: float, *, expected: bool
) -> None:
    clock = Clock()
    one = Acknowledgments(clock)
    assert (one.in_step, one.serial) == (False, 0)
    one.asked(0)
    one.answered(given)
    clock.now += later
    one.asked(serial)
    assert (one.in_step, one.serial) == (expected, serial)


def test_what_was_given_is_acknowledged_by_the_next_request_alone() -> None:
    one = Acknowledgments(Clock())
    one.asked(0)
    one.answered(5)
    one.asked(4)
    one.answered(None)
    one.asked(5)
    assert not one.in_step


@pytest.mark.parametrize(("silent", "fell"), [(4.9, False), (5.0, True)])
def test_five_seconds_without_a_request_fall_out_of_step_unless_one_is_being_answered(
    silent: float, *, fell: bool
) -> None:
    clock = Clock()
    one = in_step(clock)
    clock.now += 60
    assert not one.look()  # the last request is still being answered
    one.answered(5)
    clock.now += silent
    assert (one.look(), one.in_step) == (fell, not fell)
    assert not one.look() or not fell


def test_two_requests_at_once_are_both_to_be_answered() -> None:
    clock = Clock()
    one = in_step(clock)
    one.asked(5)
    one.answered(5)
    clock.now += 60
    assert not one.look()
    one.answered(5)
    clock.now += 60
    assert one.look()


def test_nobody_waits_for_what_is_there_or_for_who_is_not_in_step() -> None:
    one = in_step(Clock())
    assert [one.wait(serial) for serial in (4, 5)] == [True, True]
    one.fall_out()
    assert [one.wait(serial) for serial in (5, 6)] == [True, False]


def test_who_does_not_acknowledge_in_time_falls_out_of_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledgments, "IN_STEP_SECONDS", 0.01)
    one = in_step(Clock())
    assert not one.wait(6)
    assert not one.in_step


@pytest.mark.parametrize(("serial", "confirmed"), [(6, True), (7, True), (None, False)])
def test_who_waits_goes_on_once_it_is_acknowledged_or_the_other_falls_out(
    monkeypatch: pytest.MonkeyPatch, serial: int | None, *, confirmed: bool
) -> None:
    monkeypatch.setattr(acknowledgments, "IN_STEP_SECONDS", 60.0)
    one = in_step(Clock())
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(one.wait(6)))
    waiting.start()
    if serial is None:
        one.fall_out()
    else:
        one.asked(serial)
    waiting.join(30)
    assert found == [confirmed]
