"""Rate limits with a clock of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

import pytest

from lts.rules.metering.ratelimit import admit
from lts.web.wire.ratelimit import Limiter


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_admitted_at_once_and_then_one_each_interval() -> None:
    due: float | None = None
    for _ in range(3):
        due, wait = admit(due, 0.0, 0.5, 3)
        assert wait == 0.0
    due, wait = admit(due, 0.0, 0.5, 3)
    assert wait == 0.5
    due, wait = admit(due, 0.5, 0.5, 3)
    assert wait == 0.0
    assert admit(due, 0.5, 0.5, 3)[1] == 0.5


def test_a_refused_request_costs_nothing() -> None:
    limiter = Limiter(60, 1, Seconds())
    assert limiter.take("a") == 0.0
    assert [limiter.take("a") for _ in range(5)] == [1.0] * 5


def test_over_a_long_time_no_more_than_the_rate_is_admitted() -> None:
    clock = Seconds()
    limiter = Limiter(120, 60, clock)
    admitted = 0
    for _ in range(6000):
        admitted += limiter.take("a") == 0.0
        clock.now += 0.1
    assert 1200 <= admitted <= 1200 + 60


@pytest.mark.parametrize("count", [Limiter.take, lambda limiter, key: limiter.charge(key, 1)], ids=["take", "charge"])
def test_keys_whose_time_has_passed_are_forgotten(count: Callable[[Limiter, Hashable], object]) -> None:
    clock = Seconds()
    limiter = Limiter(120, 60, clock)
    for device in range(10_000):
        count(limiter, device)
    clock.now += 60
    count(limiter, "later")
    assert len(limiter) == 1


def test_asking_how_long_to_wait_counts_nothing() -> None:
    limiter = Limiter(60, 1, Seconds())
    assert [limiter.wait_of("a") for _ in range(3)] == [0.0] * 3
    assert len(limiter) == 0


def test_eight_threads_at_once_are_admitted_no_more_than_the_burst() -> None:
    limiter = Limiter(1, 50, Seconds())
    admitted: list[int] = []

    def ask() -> None:
        admitted.append(sum(limiter.take("a") == 0.0 for _ in range(100)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 50
