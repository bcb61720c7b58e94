"""The scheduler over nights in which clocks change, a suspended machine, and a clock that is set back."""

from __future__ import annotations

import datetime as real
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import apscheduler.schedulers.base
import apscheduler.triggers.interval
import pytest
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from lts.background.jobs import Jobs
from tests.support.kit import Lab

EVERY = 600
SPRING = int(real.datetime(2027, 3, 27, 22, 0, tzinfo=real.timezone.utc).timestamp())
AUTUMN = int(real.datetime(2027, 10, 30, 22, 0, tzinfo=real.timezone.utc).timestamp())


class Night:
    """Jobs over a clock that a test moves; `ran` are the elapsed seconds at which the look at alerts ran."""

    def __init__(self, server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = self.clock = server.time

        class Datetime(real.datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Datetime:
                return cls.fromtimestamp(clock.wall, tz)

        for module in (apscheduler.schedulers.base, apscheduler.triggers.interval):
            monkeypatch.setattr(module, "datetime", Datetime)
        self.ran: list[float] = []
        here, process = threading.current_thread(), BackgroundScheduler._process_jobs

        def processed_here(scheduler: BackgroundScheduler) -> float | None:
            """The scheduler's own thread goes by the machine's time: it would look in between on a busy one."""
            return process(scheduler) if threading.current_thread() is here else None

        monkeypatch.setattr(BackgroundScheduler, "_process_jobs", processed_here)
        self.jobs = Jobs(server.ctx, watch_seconds=3600)
        self.jobs._scheduler.remove_executor("default")
        self.jobs._scheduler.add_executor(DebugExecutor())
        self.jobs.add(self.check, EVERY)
        self.jobs.start()

    def check(self, _: object) -> None:
        self.ran.append(self.clock.elapsed)

    def pass_(self, seconds: int, step: int = 5) -> None:
        """Time passes, looked at as the running server does."""
        for _ in range(seconds // step):
            self.clock.forward(step)
            self.jobs.look()
            self.jobs._scheduler._process_jobs()

    @property
    def gaps(self) -> list[float]:
        return [after - before for before, after in zip(self.ran, self.ran[1:], strict=False)]


@pytest.fixture
def night(server: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Night]]:
    begun: list[Night] = []

    def begin(at: int) -> Night:
        server.time.wall = at
        monkeypatch.setenv("TZ", "Europe/Berlin")
        if hasattr(time, "tzset"):
            time.tzset()
        begun.append(Night(server, monkeypatch))
        return begun[-1]

    yield begin
    for one in begun:
        one.jobs.stop()
    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.mark.parametrize("begin", [SPRING, AUTUMN], ids=["spring", "autumn"])
def test_looks_go_on_every_ten_minutes_through_the_night_in_which_clocks_change(
    night: Callable[[int], Night], begin: int
) -> None:
    here = night(begin)
    here.pass_(6 * 3600)
    assert len(here.ran) == 36
    assert set(here.gaps) == {EVERY}


def test_after_six_hours_of_sleep_there_is_one_look_and_then_the_usual_ones(night: Callable[[int], Night]) -> None:
    here = night(SPRING)
    here.pass_(3600)
    before = len(here.ran)
    here.clock.forward(6 * 3600)  # suspended: both clocks have gone on when it wakes
    here.jobs.look()
    here.jobs._scheduler._process_jobs()
    assert len(here.ran) == before + 1
    here.pass_(3600)
    assert len(here.ran) == before + 7
    assert set(here.gaps[before:]) == {EVERY}


def test_a_clock_set_back_by_half_an_hour_neither_holds_a_look_up_nor_doubles_one(
    night: Callable[[int], Night],
) -> None:
    here = night(SPRING)
    here.pass_(3600)
    before = len(here.ran)
    here.clock.wall -= 1800
    here.pass_(3600)
    assert len(here.ran) >= before + 5
    assert all(EVERY <= gap < 2 * EVERY for gap in here.gaps)


def test_a_jump_ahead_makes_no_look_come_twice(night: Callable[[int], Night]) -> None:
    here = night(SPRING)
    here.pass_(3600)
    before = len(here.ran)
    here.clock.wall += 7200
    here.pass_(3600)
    assert before == 6
    assert len(here.ran) in (before + 5, before + 6), "one may come late once, none comes twice"
    assert all(EVERY <= gap < 2 * EVERY for gap in here.gaps)


@pytest.mark.parametrize("years", [60, -50])
def test_a_clock_set_right_by_years_lists_no_missed_time_by_itself(
    night: Callable[[int], Night], monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    here = night(SPRING)
    here.pass_(3600)
    before, asked, ask = len(here.ran), 0, IntervalTrigger.get_next_fire_time

    def counted(*values: Any) -> Any:
        nonlocal asked
        asked += 1
        assert asked < 100, "each missed time is listed"
        return ask(*values)

    with monkeypatch.context() as patch:
        patch.setattr(IntervalTrigger, "get_next_fire_time", counted)
        here.clock.wall += years * 365 * 86400
        here.jobs._scheduler._process_jobs()
        here.jobs.look()
        here.jobs._scheduler._process_jobs()
    assert len(here.ran) <= before + 1
    here.pass_(3600)
    assert len(here.ran) in (before + 6, before + 7)
    assert all(gap >= EVERY for gap in here.gaps[before:])


def test_a_look_that_takes_long_is_not_joined_by_another(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs(server.ctx, watch_seconds=3600)
    jobs.start()
    try:
        found = jobs._scheduler.get_job("check_alerts")
        assert (found.max_instances, found.coalesce, found.misfire_grace_time) == (1, True, None)
        assert found.trigger.interval == real.timedelta(seconds=EVERY)
    finally:
        jobs.stop()
