"""Threads for requests: they come when they are needed, and go."""

from __future__ import annotations

import threading
import time

import pytest

from lts.httpd.pool import Pool
from tests.support.wait import PATIENCE, in_time, wait_until


class Request:
    """A request under way until `finish`."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.begun, self.finish = threading.Event(), threading.Event()
        self.fault, self.canceled = fault, False

    def service(self) -> None:
        self.begun.set()
        assert self.finish.wait(PATIENCE)
        if self.fault is not None:
            raise self.fault

    def cancel(self) -> None:
        self.canceled = True


def finished() -> Request:
    """A request that is answered at once."""
    request = Request()
    request.finish.set()
    return request


def test_no_thread_is_there_before_a_request_is_and_none_stays_that_has_nothing_to_do() -> None:
    pool = Pool(8, idle_seconds=0.05)
    assert pool.threads == 0
    request = finished()
    pool.put(request)
    assert request.begun.wait(PATIENCE)
    wait_until(lambda: pool.threads == 0, "no thread stays")
    again = finished()
    pool.put(again)
    assert again.begun.wait(PATIENCE)


def test_an_idle_thread_takes_the_next_request_instead_of_a_new_one() -> None:
    pool = Pool(8)
    for _ in range(20):
        request = finished()
        pool.put(request)
        assert request.begun.wait(PATIENCE)
        wait_until(lambda: len(pool._idle) == 1, "the thread is idle again")
    assert pool.threads == 1
    pool.end(PATIENCE)


def test_requests_at_once_have_a_thread_each_up_to_the_most_and_the_others_wait() -> None:
    pool = Pool(3)
    requests = [Request() for _ in range(5)]
    for request in requests:
        pool.put(request)
    assert all(request.begun.wait(PATIENCE) for request in requests[:3])
    assert (pool.threads, len(pool)) == (3, 2)
    assert not any(request.begun.is_set() for request in requests[3:])
    requests[1].finish.set()
    assert requests[3].begun.wait(PATIENCE)
    for request in requests:
        request.finish.set()
    assert requests[4].begun.wait(PATIENCE)
    pool.end(PATIENCE)
    assert pool.threads == 0


@pytest.mark.parametrize("fault", [ValueError("a fault of the application"), SystemExit(1)], ids=["error", "exit"])
def test_a_request_that_fails_takes_no_thread_along(fault: BaseException) -> None:
    pool = Pool(1)
    broken = Request(fault)
    broken.finish.set()
    pool.put(broken)
    request = finished()
    pool.put(request)
    assert request.begun.wait(PATIENCE)
    pool.end(PATIENCE)
    assert pool.threads == 0


def test_the_end_waits_for_what_is_under_way_and_cancels_what_waits() -> None:
    pool = Pool(1)
    under_way, waits = Request(), Request()
    pool.put(under_way)
    pool.put(waits)
    assert under_way.begun.wait(PATIENCE)
    began = time.monotonic()
    in_time(lambda: pool.end(0.2))
    assert time.monotonic() - began >= 0.2
    assert (waits.canceled, under_way.canceled) == (True, False)
    under_way.finish.set()
    wait_until(lambda: pool.threads == 0, "no thread stays")
    assert not waits.begun.is_set()


def test_one_request_after_another_keeps_one_thread_and_lets_the_others_go() -> None:
    pool = Pool(4, idle_seconds=0.2)
    burst = [Request() for _ in range(4)]
    for request in burst:
        pool.put(request)
    assert all(request.begun.wait(PATIENCE) for request in burst)
    for request in burst:
        request.finish.set()

    def one_more() -> bool:
        request = finished()
        pool.put(request)
        return request.begun.wait(PATIENCE) and pool.threads == 1

    wait_until(one_more, "one thread is left")
    pool.end(PATIENCE)


def test_without_room_for_a_thread_those_that_are_there_serve_and_with_none_the_request_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool, busy = Pool(4), Request()
    pool.put(busy)
    assert busy.begun.wait(PATIENCE)

    def no_room(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_room)
    waits = finished()
    pool.put(waits)
    busy.finish.set()
    assert waits.begun.wait(PATIENCE)
    alone, lost = Pool(4), Request()
    alone.put(lost)
    assert (lost.canceled, len(alone), alone.threads) == (True, 0, 0)
    pool.end(PATIENCE)


def test_what_comes_after_the_end_is_canceled_and_one_that_cannot_be_does_not_keep_the_others() -> None:
    pool, under_way = Pool(1), Request()
    pool.put(under_way)
    assert under_way.begun.wait(PATIENCE)

    class Stubborn(Request):
        def cancel(self) -> None:
            raise OSError("the connection is gone")

    waits, late = Request(), Request()
    for request in (Stubborn(), waits):
        pool.put(request)
    pool.end(0)
    pool.put(late)
    assert waits.canceled
    assert late.canceled
    assert len(pool) == 0
    under_way.finish.set()
    wait_until(lambda: pool.threads == 0, "no thread stays")


def test_many_requests_from_many_threads_are_each_served_once() -> None:
    pool, served, lock = Pool(4, idle_seconds=0.001), [0], threading.Lock()

    class Counted:
        def service(self) -> None:
            with lock:
                served[0] += 1

        def cancel(self) -> None:
            raise AssertionError("each is served")

    def send() -> None:
        for number in range(500):
            pool.put(Counted())
            if number % 50 == 0:
                time.sleep(0.002)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    wait_until(lambda: served[0] == 2000, "each is served")
    wait_until(lambda: pool.threads == 0, "no thread stays")
