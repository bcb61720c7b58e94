"""What is no HTTP, comes in pieces, or asks for too much is refused readably, and others are served."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lts.httpd import channel, dispatch
from lts.httpd.requestparser import RequestParser
from tests.support.rawhttp import MIB, PATH, all_of, asking, raw, refused
from tests.web.conftest import Served, read


def test_gzip_is_read(served: Served) -> None:
    assert served.ask("POST", PATH, gzip.compress(asking(served)), Content_Encoding="gzip").status == 200


@pytest.mark.parametrize(
    ("body", "headers", "grouped"),
    [
        (b'{"a": 1}', {}, True),
        (b'{"a": "' + b"x" * dispatch.GROUPED_BYTES + b'"}', {}, False),
        (gzip.compress(b'{"a": 1}'), {"Content_Encoding": "gzip"}, False),
        (b'{"a": [0' + b",0" * dispatch.GROUPED_VALUES + b"]}", {}, True),
        (b'{"a": [0' + b",0" * (dispatch.GROUPED_VALUES + 1) + b"]}", {}, False),
    ],
    ids=["small", "large", "packed", "of usual values", "of many values"],
)
def test_a_large_packed_or_dense_body_is_not_read_by_the_thread_that_serves_the_calls(
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
        (b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", b"431"),
    ):
        connection = raw(served, data)
        connection.shutdown(socket.SHUT_WR)
        answer = all_of(connection)
        assert answer[9:12] == status
        assert b"application/problem+json" in answer
        assert b"Access-Control-Allow-Origin: *" in answer


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


UNREADABLE = {
    "digits after a scheme": b"GET x://" + b"1" * 8000 + b" X\r\n\r\n",
    "very many digits after a scheme": b"GET x://" + b"1" * 32_000 + b" X\r\n\r\n",
    "long target": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "control character in the target": b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n",
    "open bracket": b"GET http://[/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "closing bracket": b"GET http://]a[/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "no address in brackets": b"GET http://[v]/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "not ASCII": b"GET http://\xff/ HTTP/1.1\r\nHost: a\r\n\r\n",
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


AT_ONCE = {
    "bare LF": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare LF in a later line": b"GET / HTTP/1.1\r\nHost: x\n",
    "CR alone": b"GET / HTTP/1.1\rHost: x\r\r",
    "TLS": bytes.fromhex("16030100f8010000f403"),
    "zero bytes": bytes(4),
    "no name of a method": b'{"deviceId": "x"}',
    "another protocol": b"SSH-2.0-x\r\n",
    "control character in the request line": b"GET /\x07",
    "long request line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n",
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
    parser = RequestParser(served.listener._acceptors[0].adj, served.web.app, "127.0.0.1")
    for start in range(0, len(head), step):
        assert not parser.completed
        parser.received(head[start : start + step])
    parser.received(data)
    assert parser.completed
    assert not parser.error
