"""Clients that do not read their answers, or do not finish their requests, over real sockets: they hold up nobody,
fill no memory, and end.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import weakref
from typing import Any

import pytest

from lts.httpd import channel
from tests.support.wait import PATIENCE, wait_until
from tests.web.conftest import Served

LARGE = b"GET /static/vendor/chart.js-4.6.1/chart.js HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE_BYTES = 210_000
"""About; 90 of them are more than waitress lets wait for a client."""
CALL = b"POST /api/v1/authorize HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
PAGE = b"GET /api/v1/admin/session HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def deaf(served: Served, data: bytes, address: str = "127.0.0.1") -> socket.socket:
    """A connection that has sent requests and has room for next to no answer."""
    connection = socket.socket()
    connection.bind((address, 0))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(PATIENCE)
    connection.connect(("127.0.0.1", served.port))
    connection.sendall(data)
    return connection


def channels(served: Served) -> list[Any]:
    return [one for acceptor in served.listener._acceptors for one in list(acceptor.active_channels.values())]


def full(served: Served) -> list[Any]:
    """Connections that can be sent no more; what is under way for them continues."""
    return [one for one in channels(served) if not select.select([], [one.socket], [], 0)[1]]


@pytest.mark.parametrize("behind", [CALL, PAGE, LARGE], ids=["calls", "pages", "pool"])
def test_who_does_not_read_holds_up_nobody(served: Served, behind: bytes) -> None:
    most = served.web.config.threads if behind == LARGE else 1
    unread = [deaf(served, LARGE * 93 + behind * 460) for _ in range(most)]
    wait_until(lambda: len(full(served)) == most, "the answers wait")
    for _ in range(20):
        assert served.ask("POST", "/api/v1/authorize", json.dumps(served.web.asking())).status == 200
        assert served.ask("GET", "/api/v1/admin/session").status == 200
        assert served.ask("GET", "/api/v1/openapi.json").status == 200
    assert all(one.total_outbufs_len <= 2 * LARGE_BYTES for one in channels(served))
    for connection in unread:
        connection.close()


def test_who_reads_late_gets_every_answer_in_its_order(served: Served) -> None:
    connection = deaf(served, LARGE * 30 + CALL * 20 + LAST)
    wait_until(lambda: full(served), "no more can be sent")
    answers = b"".join(iter(lambda: connection.recv(65536), b"")).split(b"HTTP/1.1 ")[1:]
    connection.close()
    assert [answer[:3] for answer in answers] == [b"200"] * 30 + [b"400"] * 20 + [b"200"]
    assert len({answer.partition(b"\r\n\r\n")[2] for answer in answers[:30]}) == 1


@pytest.mark.parametrize("data", [LARGE * 93, LARGE * 93 + LAST], ids=["keeps", "closes"])
def test_who_takes_nothing_for_long_is_ended_and_who_takes_some_is_not(
    served: Served, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    connection = deaf(served, data)
    wait_until(lambda: full(served), "no more can be sent")
    (unread,) = channels(served)
    assert not unread.overdue(full=False)
    monkeypatch.setattr(channel, "ANSWER_SECONDS", -1e6)
    monkeypatch.setattr(unread, "_sent", 1e7 * channel.REQUEST_BYTES_PER_SECOND)
    assert not unread.overdue(full=False), "it took much"
    monkeypatch.setattr(unread, "_sent", 0)
    wait_until(lambda: not channels(served), "the connection ends")
    connection.close()


@pytest.fixture
def little_room(served: Served, monkeypatch: pytest.MonkeyPatch) -> int:
    """A server with room for two of the largest requests; how many bytes that is."""
    monkeypatch.setattr(channel, "HELD_BYTES", 0)
    body: int = served.listener._acceptors[0].adj.max_request_body_size
    return 2 * body


def held(served: Served) -> int:
    return sum(one.held() for one in channels(served))


def test_unfinished_requests_together_have_a_limit_and_the_largest_end_first(served: Served, little_room: int) -> None:
    head = b"POST /api/v1/report HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n"
    small = [deaf(served, head + b"x" * 1000) for _ in range(20)]
    large = []
    for _ in range(24):
        large.append(deaf(served, head))
        with contextlib.suppress(OSError):
            large[-1].sendall(b"x" * 1_000_000)
        assert served.ask("GET", "/api/v1/health").status == 200
        assert held(served) <= little_room + 2 * channel.SUM_UP_BYTES
    wait_until(lambda: held(served) > little_room - 2 * channel.SUM_UP_BYTES, "what came is read")
    assert len(channels(served)) < 44
    assert sum(1000 < one.held() < 2000 for one in channels(served)) == 20
    for connection in small + large:
        connection.close()


def test_whole_headers_of_requests_whose_bodies_are_awaited_count_too(served: Served, little_room: int) -> None:
    names = (b"Cookie", b"Cookie", b"Cookie", b"Host", b"Via", b"Origin", b"Forwarded", b"User-Agent", b"Authorization")
    target = b"/?" + b"a" * 8000
    lines = [b"POST " + target + b" HTTP/1.1", b"Content-Length: 10", *[name + b": " + b"a" * 2000 for name in names]]
    header = b"\r\n".join([*lines, b"", b""])
    waiting = []
    for _ in range(little_room // len(header)):
        waiting.append(deaf(served, header))
        assert served.ask("GET", "/api/v1/health").status == 200
        made = len(channels(served)) * (len(header) + 2 * len(target))
        assert made <= little_room + 3 * channel.SUM_UP_BYTES
    wait_until(lambda: len(channels(served)) < len(waiting), "some end")
    for connection in waiting:
        connection.close()


@pytest.mark.parametrize("coding", [b"Content-Length: 900000\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_what_was_read_of_a_request_goes_with_its_connection(served: Served, coding: bytes) -> None:
    gc.collect()
    gc.disable()  # a circle of objects would stay until it comes by
    try:
        with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as half:
            chunk = b"" if b"Length" in coding else b"c3500\r\n"
            half.sendall(b"POST /lts/api/v1/report HTTP/1.1\r\nHost: x\r\n" + coding + b"\r\n" + chunk + bytes(500_000))
            wait_until(
                lambda: any(one.request and one.request.held() > 400_000 for one in channels(served)), "it was read"
            )
            kept = [weakref.ref(one.request) for one in channels(served) if one.request]
        wait_until(lambda: not channels(served), "the connection is closed")
        wait_until(lambda: [one() for one in kept] == [None], "nothing holds what was read")
    finally:
        gc.enable()


@pytest.fixture
def small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes next to nothing of an answer ahead of its client."""

    def with_small_buffer(_: channel.Acceptor, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    monkeypatch.setattr(channel.Acceptor, "set_socket_options", with_small_buffer)


@pytest.mark.usefixtures("small_buffer")
def test_answers_that_wait_together_have_a_limit(served: Served, little_room: int) -> None:
    unread = []
    for _ in range(little_room // LARGE_BYTES + 20):
        unread.append(deaf(served, LARGE))
        assert served.ask("GET", "/api/v1/health").status == 200
        assert held(served) <= little_room + 2 * channel.SUM_UP_BYTES
    wait_until(lambda: len(channels(served)) < len(unread), "some end")
    for connection in unread:
        connection.close()


@pytest.fixture
def little_disk(served: Served, monkeypatch: pytest.MonkeyPatch, small_buffer: None) -> int:
    """A server whose answers wait in files, with room for five large ones; how many bytes that is."""
    monkeypatch.setattr(channel, "IN_MEMORY_BYTES", 32 << 10)
    monkeypatch.setattr(served.listener._adjustments, "outbuf_overflow", 32 << 10)
    monkeypatch.setattr(channel, "FILED_BYTES", 5 * LARGE_BYTES + LARGE_BYTES // 2)
    return channel.FILED_BYTES


def in_files(served: Served) -> int:
    """Bytes of the files in which answers wait."""
    files = [one.buf.getfile() for each in channels(served) for one in list(each.outbufs) if one.overflowed]
    return sum(os.fstat(file.fileno()).st_size for file in files)


def unread_by(served: Served, address: str) -> socket.socket:
    """A connection from there that does not read a large answer, which waits once this returns."""
    before = {id(one) for one in channels(served)}
    connection = deaf(served, LARGE, address)

    def waits() -> bool:
        fresh = [one for one in channels(served) if id(one) not in before]
        return any(one.filed() and not one.requests for one in fresh)

    wait_until(waits, "the answer waits")
    return connection


def test_answers_that_wait_in_files_have_a_limit_and_whoever_takes_most_of_it_ends_first(
    served: Served, little_disk: int
) -> None:
    neighbor = unread_by(served, "127.0.0.2")
    most, greedy = 0, []
    for _ in range(20):
        greedy.append(unread_by(served, "127.0.0.1"))
        assert served.ask("POST", "/api/v1/authorize", json.dumps(served.web.asking())).status == 200
        most = max(most, in_files(served))
        assert in_files(served) <= little_disk
        assert "127.0.0.2" in {one.addr[0] for one in channels(served)}
    assert most > little_disk // 2, "answers waited in files"
    for connection in (neighbor, *greedy):
        connection.close()


def test_of_answers_in_files_for_one_address_the_slowest_end_first(served: Served, little_disk: int) -> None:
    reading = unread_by(served, "127.0.0.1")
    (fast,) = channels(served)
    fast._sent += LARGE_BYTES * 100
    slow = [unread_by(served, "127.0.0.1") for _ in range(12)]
    assert fast in channels(served)
    assert len(channels(served)) <= little_disk // LARGE_BYTES + 1
    for connection in (reading, *slow):
        connection.close()


def test_the_only_answer_that_waits_in_a_file_may_have_any_size(
    served: Served, little_disk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "FILED_BYTES", 1)
    assert len(served.ask("GET", LARGE.split()[1].decode()).body) == pytest.approx(LARGE_BYTES, rel=0.1)
    unread_by(served, "127.0.0.1").close()


def test_an_open_connection_keeps_nothing_of_the_answer_that_was_taken(served: Served) -> None:
    connection = served.connect()
    connection.request("GET", "/static/vendor/chart.js-4.6.1/chart.js")
    assert len(connection.getresponse().read()) == pytest.approx(LARGE_BYTES, rel=0.1)
    (idle,) = channels(served)
    wait_until(lambda: not idle.requests, "the answer is done")
    assert [one.buf for one in idle.outbufs] == [None]
    connection.close()
