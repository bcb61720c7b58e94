"""Over real sockets: limits, odd but legal HTTP, slow clients, stopping."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from waitress.channel import ClientDisconnected

from lts.config import Config
from lts.errors import ListenError
from lts.httpd import channel, dispatch
from lts.httpd.channel import Acceptor
from lts.httpd.listen import Listener, bind
from lts.httpd.parser import Parser
from tests.support.wait import PATIENCE, ended, wait_until
from tests.web.conftest import Answer, Served, Web, read

PATH = "/lts/api/v1/authorize"
MIB = 1 << 20


def raw(served: Served, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
    connection.sendall(data)
    return connection


def all_of(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    connection.close()
    return b"".join(parts)


def refused(answer: Answer, status: int, code: int | str) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json["code"] == code
    assert answer.json["requestId"] == answer.headers["x-request-id"]


def asking(served: Served) -> bytes:
    return json.dumps(served.web.asking()).encode()


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


def test_a_client_that_expects_100_is_told_to_go_on_at_once(served: Served) -> None:
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


def test_gzip_is_read(served: Served) -> None:
    assert served.ask("POST", PATH, gzip.compress(asking(served)), Content_Encoding="gzip").status == 200


@pytest.mark.parametrize(
    ("body", "headers", "grouped"),
    [
        (b'{"a": 1}', {}, True),
        (b'{"a": "' + b"x" * dispatch.GROUPED_BYTES + b'"}', {}, False),
        (gzip.compress(b'{"a": 1}'), {"Content_Encoding": "gzip"}, False),
    ],
    ids=["small", "large", "packed"],
)
def test_a_large_or_packed_body_is_not_read_by_the_thread_that_serves_the_calls(
    served: Served, monkeypatch: pytest.MonkeyPatch, body: bytes, headers: dict[str, str], grouped: bool
) -> None:
    begun: list[str] = []
    begin = served.web.app.begin

    def noted(environ: dict[str, Any]) -> Any:
        begun.append("call")
        return begin(environ)

    monkeypatch.setattr(served.web.app, "begin", noted)
    assert served.ask("POST", "/api/v1/report", body, **headers).status == 400
    assert bool(begun) == grouped


def test_a_gzip_bomb_is_refused(served: Served) -> None:
    """Without a lease at its beginning nothing more of it is unpacked; under one 413 (test_client_bodies.py)."""
    bomb = gzip.compress(bytes(300 * MIB), 1)
    refused(served.ask("POST", "/api/v1/report", bomb, Content_Encoding="gzip"), 400, 140)


def zeros(mebibytes: int) -> Iterator[bytes]:
    block = bytes(MIB)
    for _ in range(mebibytes):
        yield block


@pytest.mark.parametrize("chunked", [False, True])
def test_300_mb_are_refused_readably_while_others_are_served(
    served: Served, chunked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "DRAIN_SECONDS", 120.0)  # on a busy machine sending takes its time
    monkeypatch.setattr(channel, "DRAIN_BYTES_SECONDS", 120.0)
    big = served.connect()
    headers = {} if chunked else {"Content-Length": str(300 * MIB)}
    sending = threading.Thread(
        target=lambda: big.request("POST", "/api/v1/report", zeros(300), headers, encode_chunked=chunked)
    )
    sending.start()
    while sending.is_alive():
        assert served.ask("GET", "/api/v1/health").status == 200
    sending.join()
    refused(read(big), 413, 144)


def test_what_waitress_cannot_read_is_a_problem_too(served: Served) -> None:
    for data, status in (
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
    ):
        connection = raw(served, data)
        connection.shutdown(socket.SHUT_WR)
        answer = all_of(connection)
        assert answer[9:12] == status
        assert b"application/problem+json" in answer
        assert b"Access-Control-Allow-Origin: *" in answer


HEAD = b"POST / HTTP/1.1\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNREADABLE = {
    "digits after a scheme": b"GET x://" + b"1" * 8000 + b" X\r\n\r\n",
    "very many digits after a scheme": b"GET x://" + b"1" * 32_000 + b" X\r\n\r\n",
    "long target": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n",
    "control character in the target": b"GET /a\tb HTTP/1.1\r\n\r\n",
    "open bracket": b"GET http://[/ HTTP/1.1\r\n\r\n",
    "closing bracket": b"GET http://]a[/ HTTP/1.1\r\n\r\n",
    "no address in brackets": b"GET http://[v]/ HTTP/1.1\r\n\r\n",
    "not ASCII": b"GET http://\xff/ HTTP/1.1\r\n\r\n",
    "blanks before a zero byte": HEAD + b"A:" + b" " * 32_000 + b"\0\r\n\r\n",
    "continued line": HEAD + b"A: b\r\n c\r\n\r\n",
    "bare LF": HEAD + b"A: b\nC: d\r\n\r\n",
    "101 lines": HEAD + b"A: b\r\n" * 101 + b"\r\n",
    "length of 5,000 digits": HEAD + b"Content-Length: " + b"0" * 5000 + b"\r\n\r\n",
    "chunked with a length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    "no coding": HEAD + b"Transfer-Encoding: ,\r\nContent-Length: 3\r\n\r\n",
    "another blank first": b"\x0b\r\n\r\n" * 100,
    "a blank first": b" \r\n\r\n" * 100,
    "chunked in HTTP/1.0": b"POST /api/v1/health HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked in HTTP/1.2": b"POST /api/v1/health HTTP/1.2\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked in HTTP/2.0": b"POST /api/v1/health HTTP/2.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, Chunked\r\n\r\n",
    "chunked in two lines": HEAD + b"Transfer-Encoding: chunked\r\nTRANSFER-ENCODING:chunked\r\n\r\n",
    "long extension": CHUNKED + b'1;a="' + b"x" * 300,
    "negative chunk": CHUNKED + b"-1\r\n",
    "chunk without a size": CHUNKED + b"\r\n",
    "bare LF after a size": CHUNKED + b"1\nx\r\n0\r\n\r\n",
    "chunk longer than it says": CHUNKED + b"1\r\nxyz\r\n0\r\n\r\n",
    "long trailer": CHUNKED + b"0\r\n" + b"A: b\r\n" * 1000,
    "tiny chunks": CHUNKED + b"1\r\nx\r\n" * 2000,
}
STATUS = {"very many digits after a scheme": 414, "long target": 414, "101 lines": 431}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_http_is_refused_with_no_more_than_a_line_in_the_log_and_others_are_served(
    served: Served, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection = raw(served, UNREADABLE[kind])
    connection.shutdown(socket.SHUT_WR)
    answer = all_of(connection)
    assert int(answer[9:12]) == STATUS.get(kind, 400)
    assert b"application/problem+json" in answer
    assert b"Access-Control-Allow-Origin: *" in answer
    assert served.ask("POST", PATH, asking(served)).status == 200
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_the_loop_beats_while_it_turns_and_not_while_something_holds_it_up(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding, go_on, beats = threading.Event(), threading.Event(), threading.Semaphore(0)
    parse_header = Parser.parse_header

    def hold(self: Parser, header: bytes) -> None:
        holding.set()
        assert go_on.wait(PATIENCE)
        parse_header(self, header)

    listener = Listener(web.app, web.config)
    thread = threading.Thread(target=listener.run, args=(beats.release,))
    thread.start()
    assert beats.acquire(timeout=PATIENCE)
    monkeypatch.setattr(Parser, "parse_header", hold)
    with raw(Served(web, listener), b"GET /api/v1/health HTTP/1.1\r\n\r\n") as connection:
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
        refused = Parser(acceptor.adj)
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


AT_ONCE = {
    "bare LF": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare LF in a later line": b"GET / HTTP/1.1\r\nHost: x\n",
    "CR alone": b"GET / HTTP/1.1\rHost: x\r\r",
    "TLS": bytes.fromhex("16030100f8010000f403"),
    "zero bytes": bytes(4),
    "no name of a method": b'{"deviceId": "x"}',
    "another protocol": b"SSH-2.0-x\r\n",
    "control character in the request line": b"GET /\x07",
    "long request line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n",
}


@pytest.mark.parametrize("kind", AT_ONCE)
def test_what_can_never_become_a_request_is_refused_without_waiting_for_its_end(served: Served, kind: str) -> None:
    answer = all_of(raw(served, AT_ONCE[kind]))
    assert int(answer[9:12]) == (414 if kind == "long request line" else 400)
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_a_request_that_comes_in_pieces_is_taken_wherever_they_end(served: Served, step: int) -> None:
    data = asking(served)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    parser = Parser(served.listener._acceptors[0].adj)
    for start in range(0, len(head), step):
        assert not parser.completed
        parser.received(head[start : start + step])
    parser.received(data)
    assert parser.completed
    assert not parser.error


def pipelined(served: Served, number: int) -> bytes:
    data = asking(served)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n".encode()
    return (head + b"\r\n" + data) * number + b"GET /api/v1/health HTTP/1.1\r\nConnection: close\r\n\r\n"


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
    begun: list[Parser] = []
    received, parse_header = channel.Channel.received, Parser.parse_header

    def turn(self: channel.Channel, data: bytes) -> bool:
        before = len(begun)
        taken = received(self, data)
        turns.append(len(begun) - before)
        return taken

    def parsed(self: Parser, header: bytes) -> None:
        begun.append(self)
        parse_header(self, header)

    monkeypatch.setattr(channel.Channel, "received", turn)
    monkeypatch.setattr(Parser, "parse_header", parsed)
    assert all_of(raw(served, pipelined(served, 40))).count(b"HTTP/1.1 200") == 41
    assert len(begun) == 41
    assert max(turns) == 1


def test_cors_stands_on_every_kind_of_refusal(served: Served) -> None:
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
    partial = raw(served, b"POST / HTTP/1.1\r\nContent-Le")
    acceptor = served.listener._acceptors[0]
    wait_until(lambda: any(c.request for c in list(acceptor.active_channels.values())), "a request begins")
    trickling = next(c for c in acceptor.active_channels.values() if c.request)
    idle = next(c for c in acceptor.active_channels.values() if not c.request)
    assert not trickling.overdue(full=False)
    assert not idle.overdue(full=True)
    monkeypatch.setattr(channel, "REQUEST_SECONDS", -1.0)
    monkeypatch.setattr(channel, "IDLE_SECONDS_WHEN_FULL", -1.0)
    assert trickling.overdue(full=False)
    assert idle.overdue(full=True)
    assert not idle.overdue(full=False)
    partial.close()
    here.close()


def plain(answering: threading.Event, may_end: threading.Event) -> Any:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        answering.set()
        may_end.wait(PATIENCE)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    return application


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
