"""Over real sockets: limits, odd but legal HTTP, slow clients, stopping."""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest
from waitress.channel import ClientDisconnected

from lts.config import Config
from lts.errors import ListenError
from lts.httpd import channel
from lts.httpd.channel import Acceptor
from lts.httpd.dispatch import GROUPED_BYTES
from lts.httpd.listen import Listener, bind
from lts.httpd.requestparser import RequestParser
from lts.protocol import iso
from lts.service.metering import pieces
from tests.support.kit import NOON
from tests.support.plainapp import PlainApp
from tests.support.rawhttp import MIB, PATH, all_of, asking, raw
from tests.support.wait import PATIENCE, ended, wait_until
from tests.web.conftest import Served, Web, read


def test_one_connection_serves_request_after_request_also_after_an_answer_without_a_body(served: Served) -> None:
    connection = served.connect()
    lease = ""
    for path in ("authorize", "release", "authorize", "health"):
        method = "GET" if path == "health" else "POST"
        body = {"lease": lease} if path == "release" else served.web.asking()
        connection.request(method, f"/api/v1/{path}", json.dumps(body))
        first = connection.sock
        answer = read(connection)
        assert answer.status == (204 if path == "release" else 200)
        assert "server" not in answer.headers
        assert connection.sock is first, "the connection was closed"
        lease = answer.json["lease"] if path == "authorize" else lease
    connection.close()


def test_a_chunked_body_without_a_length_is_read_whole(served: Served) -> None:
    data = asking(served)
    connection = served.connect()
    connection.request("POST", PATH, (data[i : i + 7] for i in range(0, len(data), 7)), encode_chunked=True)
    assert read(connection).status == 200


def test_a_client_that_expects_100_gets_it_at_once(served: Served) -> None:
    data = asking(served)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(data)}\r\n"
    connection = raw(served, head.encode() + b"Expect: 100-continue\r\n\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.sendall(data)
    assert all_of(connection).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_expects_100_for_too_much_is_refused_before_it_sends(served: Served) -> None:
    connection = raw(
        served,
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {99 * MIB}\r\nExpect: 100-continue\r\n\r\n".encode(),
    )
    connection.shutdown(socket.SHUT_WR)
    assert all_of(connection).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_expects_100_without_a_body_is_answered(served: Served) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    assert all_of(raw(served, head.encode())).startswith(b"HTTP/1.1 400 ")


def test_http_1_0_is_answered_and_closed(served: Served) -> None:
    data = asking(served)
    answer = all_of(raw(served, f"POST {PATH} HTTP/1.0\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data))
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert b'"lease"' in answer


def test_the_loop_beats_while_it_turns_and_not_while_something_holds_it_up(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding, go_on, beats = threading.Event(), threading.Event(), threading.Semaphore(0)
    parse_header = RequestParser.parse_header

    def hold(self: RequestParser, header: bytes) -> None:
        holding.set()
        assert go_on.wait(PATIENCE)
        parse_header(self, header)

    listener = Listener(web.app, web.config)
    thread = threading.Thread(target=listener.run, args=(beats.release,))
    thread.start()
    assert beats.acquire(timeout=PATIENCE)
    monkeypatch.setattr(RequestParser, "parse_header", hold)
    with raw(Served(web, listener), b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n") as connection:
        assert holding.wait(PATIENCE)
        while beats.acquire(blocking=False):
            pass
        assert not beats.acquire(timeout=2.5)
        go_on.set()
        assert beats.acquire(timeout=PATIENCE)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    listener.stop()
    ended(thread)


def test_a_client_that_is_gone_before_its_refusal_is_written_leaves_no_trace_in_the_log(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener(web.app, web.config)  # whose loop does not run, so that nothing else touches the connection
    acceptor = listener._acceptors[0]
    here, there = socket.socketpair()
    with there:
        gone = channel.Channel(acceptor, here, ("127.0.0.1", 1), acceptor.adj, map=listener._map)
        refused = RequestParser(acceptor.adj, web.app, "127.0.0.1")
        refused.received(b"\0\r\n\r\n")
        gone.requests = [refused]
        gone.write_soon = fails = Gone()  # type: ignore[method-assign]
        gone.service()
        assert fails.asked
        gone.close_when_flushed = gone.linger = True
        gone.handle_close()
        gone.handle_write()
    listener.close()
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


class Gone:
    """Writing to a client that is gone."""

    asked = False

    def __call__(self, data: bytes) -> int:
        self.asked = True
        raise ClientDisconnected


def pipelined(served: Served, number: int) -> bytes:
    data = asking(served)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n".encode()
    return (head + b"\r\n" + data) * number + b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("sent_as", [1, 100_000])
def test_requests_that_come_at_once_are_answered_in_their_order(served: Served, sent_as: int) -> None:
    everything = pipelined(served, 60)
    connection = raw(served, everything[:sent_as])
    connection.sendall(everything[sent_as:])
    answers = all_of(connection).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200"] * 61
    assert all(b'"lease"' in answer for answer in answers[:-1])
    assert b'"lease"' not in answers[-1]


def test_of_requests_that_come_at_once_one_is_looked_at_a_turn(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    begun: list[RequestParser] = []
    received, parse_header = channel.Channel.received, RequestParser.parse_header

    def turn(self: channel.Channel, data: bytes) -> bool:
        before = len(begun)
        taken = received(self, data)
        turns.append(len(begun) - before)
        return taken

    def parsed(self: RequestParser, header: bytes) -> None:
        begun.append(self)
        parse_header(self, header)

    monkeypatch.setattr(channel.Channel, "received", turn)
    monkeypatch.setattr(RequestParser, "parse_header", parsed)
    assert all_of(raw(served, pipelined(served, 40))).count(b"HTTP/1.1 200") == 41
    assert len(begun) == 41
    assert max(turns) == 1


def test_a_small_report_in_pieces_does_not_hold_up_other_calls(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = served.web.authorize().json["lease"]
    days = [{"slot": iso(NOON - 86_400 * day), "usage": {"QR": 1}} for day in range(8)]
    body = json.dumps({"lease": lease, "reports": days}).encode()
    assert len(body) < GROUPED_BYTES
    under_way, go_on, threads = threading.Event(), threading.Event(), []
    result = pieces.InPieces.result

    def wait(self: Any) -> Any:
        threads.append(threading.current_thread().name)
        under_way.set()
        assert go_on.wait(PATIENCE)
        return result(self)

    monkeypatch.setattr(pieces.InPieces, "result", wait)
    connection = served.connect()
    connection.request("POST", "/api/v1/report", body)
    try:
        assert under_way.wait(PATIENCE)
        other = {"lease": lease, "reports": days[:1]}
        assert served.ask("POST", "/api/v1/report", json.dumps(other)).status == 200, "it is served meanwhile"
        assert served.ask("POST", PATH, asking(served)).status == 200
    finally:
        go_on.set()
    answer = read(connection)
    connection.close()
    assert [result["status"] for result in answer.json["results"]].count("counted") == 7
    assert threads
    assert "lts-calls" not in threads


def test_every_kind_of_refusal_has_cors_headers(served: Served) -> None:
    answers = [
        served.ask("POST", PATH, b"{"),
        served.ask("POST", PATH, json.dumps(served.web.asking(product="other"))),
        served.ask("POST", PATH, json.dumps(served.web.asking(handshakeCode="x"))),
        served.ask("GET", PATH),
        served.ask("POST", PATH, b" " * (MIB + 1)),
        served.ask("POST", PATH, b" " * (5 * MIB)),
    ]
    assert [answer.status for answer in answers] == [400, 403, 404, 405, 413, 413]
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}


def test_two_hundred_slow_clients_hold_up_nobody(served: Served) -> None:
    slow = [
        raw(served, f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()) for _ in range(200)
    ]
    for connection in slow:
        connection.sendall(b"{")
        assert served.ask("POST", PATH, asking(served)).status == 200
    for connection in slow:
        connection.close()


def test_a_request_that_trickles_is_ended_and_room_is_made_when_it_is_full(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = served.connect()
    here.request("GET", "/api/v1/health")
    read(here)
    partial = raw(served, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le")
    acceptor = served.listener._acceptors[0]
    begun = {True, False}  # the one begins, the other is over
    wait_until(lambda: {bool(c.request) for c in list(acceptor.active_channels.values())} == begun, "a request begins")
    trickling = next(c for c in acceptor.active_channels.values() if c.request)
    idle = next(c for c in acceptor.active_channels.values() if not c.request)
    wait_until(lambda: idle.at_rest(True), "what is answered is over")
    assert not trickling.overdue(full=False)
    assert not idle.overdue(full=True)
    monkeypatch.setattr(channel, "REQUEST_SECONDS", -1.0)
    monkeypatch.setattr(channel, "IDLE_SECONDS_WHEN_FULL", -1.0)
    assert trickling.overdue(full=False)
    assert idle.overdue(full=True)
    assert not idle.overdue(full=False)
    partial.close()
    here.close()


def plain(answering: threading.Event, may_end: threading.Event) -> PlainApp:
    def wait() -> None:
        answering.set()
        may_end.wait(PATIENCE)

    return PlainApp(wait)


def test_stopping_finishes_what_is_under_way_and_takes_nothing_new() -> None:
    answering, may_end = threading.Event(), threading.Event()
    listener = Listener(plain(answering, may_end), Config(None, port=0))
    running = threading.Thread(target=listener.run)
    running.start()
    idle = socket.create_connection(("127.0.0.1", listener.port), timeout=PATIENCE)
    busy = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=PATIENCE)
    busy.request("GET", "/")
    assert answering.wait(PATIENCE)
    listener.stop()
    listener.stop()
    assert idle.recv(1) == b"", "an idle connection is closed at once"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", listener.port), timeout=PATIENCE)
    may_end.set()
    assert read(busy).body == b"done"
    ended(running)


def test_the_loop_that_ends_by_itself_leaves_the_one_who_stops_it_what_to_wake_it_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listener = Listener(plain(threading.Event(), threading.Event()), Config(None, port=0))
    running = threading.Thread(target=listener.run)
    running.start()
    wake = Acceptor.pull_trigger

    def late(acceptor: Acceptor) -> None:
        wait_until(lambda: not acceptor.accepting, "the loop ends: it looks by itself each second")
        running.join(0.3)
        wake(acceptor)

    monkeypatch.setattr(Acceptor, "pull_trigger", late)
    listener.stop()
    ended(running)


def test_what_is_answered_once_the_loop_has_ended_wakes_nothing() -> None:
    listener = Listener(plain(threading.Event(), threading.Event()), Config(None, port=0))
    [acceptor] = listener._acceptors
    with acceptor.one_wake_up():
        listener.close()
        pipes = [os.pipe() for _ in range(8)]  # they get the numbers that are free again, as a database's file may
    for reading, writing in pipes:
        os.close(writing)
        assert os.read(reading, 1) == b""
        os.close(reading)


def test_a_taken_port_is_named_with_the_setting_to_change() -> None:
    (taken,) = bind("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(ListenError) as caught:
        bind("127.0.0.1", port)
    taken.close()
    assert f"Port {port}" in caught.value.detail
    assert '"port" in lts.json' in caught.value.detail


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machine_is_named(host: str) -> None:
    with pytest.raises(ListenError) as caught:
        bind(host, 0)
    assert host in caught.value.detail
    assert '"host"' in caught.value.detail


def test_localhost_listens_on_one_port_for_all_its_addresses(web: Web) -> None:
    listener = Listener(web.app, replace(web.config, host="localhost"))
    assert {port for _, port in listener.addresses} == {listener.port}
    assert "127.0.0.1" in {host for host, _ in listener.addresses}
    listener.close()
    (again,) = bind("127.0.0.1", listener.port)
    again.close()
