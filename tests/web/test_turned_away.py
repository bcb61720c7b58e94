"""Who must wait, or announces too much, gets that answer by the header alone: the body is not awaited."""

from __future__ import annotations

import json
import socket
from dataclasses import replace

import pytest

from lts.web.admin.signin import SignIn
from lts.web.client.limits import ClientLimits
from lts.web.wire.ratelimit import Limiter
from tests.support.wait import PATIENCE
from tests.web.conftest import Served

AUTHORIZE = "/lts/api/v1/authorize"


def header(path: str, length: int, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}", *lines, "", ""]).encode()


def answer_to(served: Served, *pieces: bytes) -> bytes:
    """What comes back for bytes that are sent piece by piece, until the server closes."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def limits_of(served: Served, refusals: int) -> ClientLimits:
    """New limits of the client API, with so many refused requests a minute of an address."""
    clients = served.web.app._clients
    settings = replace(served.web.config.rate_limits, address_refusals_per_minute=refusals)
    return ClientLimits(clients._ctx, clients._addresses, settings)


@pytest.fixture
def limited(served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A server that had a refused request too many of this address."""
    limits = limits_of(served, 1)
    limits.refused("127.0.0.1")
    monkeypatch.setattr(served.web.app._clients, "_limits", limits)
    return served


@pytest.mark.parametrize("path", [AUTHORIZE, "/api/v1/authorize"])
@pytest.mark.parametrize(
    "sent",
    [
        [header("{}", 60_000)],
        [header("{}", 60_000), b"{"],
        [header("{}", 60_000, "Expect: 100-continue")],
        [b"POST {} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ],
    ids=["header alone", "some of the body", "expects 100", "chunked"],
)
def test_an_address_that_must_wait_gets_that_answer_before_its_body_arrives(
    limited: Served, path: str, sent: list[bytes]
) -> None:
    answer = answer_to(limited, sent[0].replace(b"{}", path.encode()), *sent[1:])
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nRetry-After: " in head
    assert b"\r\nAccess-Control-Allow-Origin: *" in head
    assert json.loads(body)["code"] == 130
    assert limited.web.app.metrics.counts().requests["authorize", 130] == 1


def test_a_small_request_that_has_come_whole_keeps_its_connection(limited: Served) -> None:
    last = header(AUTHORIZE, 2, "Connection: close") + b"{}"
    answer = answer_to(limited, (header(AUTHORIZE, 2) + b"{}") * 2 + last)
    assert answer.count(b"HTTP/1.1 429 ") == 3


def test_a_report_is_awaited_whoever_sends_it_since_its_lease_may_vouch_for_it(limited: Served) -> None:
    body = b'{"lease": "x", "reports": []}'
    answer = answer_to(limited, header("/api/v1/report", len(body), "Expect: 100-continue", "Connection: close"), body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 ")


@pytest.mark.parametrize("lines", [(), ("Expect: 100-continue",)])
def test_an_authorization_that_announces_too_much_is_not_awaited(served: Served, lines: tuple[str, ...]) -> None:
    answer = answer_to(served, header(AUTHORIZE, 65_537, *lines))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == 144


def test_what_is_refused_by_its_header_counts_against_its_address(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = limits_of(served, 2)
    monkeypatch.setattr(served.web.app._clients, "_limits", limits)
    answers = [answer_to(served, header(AUTHORIZE, 65_537))[9:12] for _ in range(3)]
    assert answers == [b"413", b"413", b"429"]


def test_an_authorization_whose_body_comes_later_is_awaited(served: Served) -> None:
    body = json.dumps(served.web.asking()).encode()
    answer = answer_to(served, header(AUTHORIZE, len(body), "Connection: close"), body[:10], body[10:])
    assert answer.startswith(b"HTTP/1.1 200 ")


SESSION = "/lts/api/v1/admin/session"


@pytest.fixture
def guessed(served: Served, monkeypatch: pytest.MonkeyPatch) -> SignIn:
    """The gate of a server at which an address has no try left."""
    gate = served.web.app._gate
    monkeypatch.setattr(gate, "_tries", Limiter(1, 1))
    gate._tries.take(("address", "127.0.0.1"))
    return gate


@pytest.mark.parametrize("path", [SESSION, "//api/v1/admin/setup", "/api/v1/admin/sign-in-link"])
@pytest.mark.parametrize("cookie", [(), ("Cookie: lts-00000000-known=a.b.c", "Expect: 100-continue")])
def test_who_has_no_try_left_gets_that_answer_before_the_body_arrives(
    served: Served, guessed: SignIn, path: str, cookie: tuple[str, ...]
) -> None:
    answer = answer_to(served, header(path, 5000, *cookie))
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nRetry-After: " in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "slow-down"


ODD_COOKIES = [
    b"name=J\xfcrgen",
    b'x="\\377"; lts-00000000-known=\xff.b.c',
    "name=许可".encode(),
    b"\xff\xfe",
    b"=\x80;",
]


@pytest.mark.parametrize("call", ["session", "setup", "sign-in-link", "password"])
@pytest.mark.parametrize("sent", ODD_COOKIES)
def test_a_cookie_that_is_no_utf_8_is_another_applications(served: Served, call: str, sent: bytes) -> None:
    head = header(f"/lts/api/v1/admin/{call}", 2, "X-LTS-CSRF: sign-in", "Connection: close").removesuffix(b"\r\n")
    own = f"{served.web.app._gate._cookie}-known=".encode()
    for cookie in (sent, own + sent, sent + b";" + own + b"\xff.\xff"):
        answer = answer_to(served, head + b"Cookie: " + cookie + b"\r\n\r\n{}")
        assert 400 <= int(answer[9:12]) < 500


@pytest.mark.parametrize("sent", ODD_COOKIES)
def test_nor_does_such_a_cookie_hide_that_no_try_is_left(served: Served, guessed: SignIn, sent: bytes) -> None:
    head = header(SESSION, 5000).removesuffix(b"\r\n")
    answer = answer_to(served, head + b"Cookie: " + sent + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 429 ")


@pytest.mark.parametrize("asked", ["turns_away", "most_bytes"])
@pytest.mark.parametrize("framing", ["Content-Length: 5", "Transfer-Encoding: chunked"])
def test_a_fault_while_a_header_is_judged_is_answered_and_logged(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, asked: str, framing: str
) -> None:
    monkeypatch.setattr(served.web.app, asked, lambda *_: 1 // 0)
    answer = answer_to(served, f"POST {AUTHORIZE} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "internal"
    assert "ZeroDivisionError" in caplog.text
    assert served.ask("GET", "/lts/api/v1/health").status == 200


@pytest.mark.parametrize("asked", ["groups", "is_page"])
def test_a_fault_while_a_thread_is_chosen_leaves_the_request_to_the_pool(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, asked: str
) -> None:
    monkeypatch.setattr(served.web.app, asked, lambda *_: 1 // 0)
    assert served.ask("GET", "/lts/api/v1/health").status == 200
    assert "ZeroDivisionError" in caplog.text


def test_a_browser_that_signed_in_before_is_heard_all_the_same(served: Served, guessed: SignIn) -> None:
    known = f"{guessed._cookie}-known"
    forged = f"s.{guessed._known_mac('admin', 's')}.{guessed._known_mac('', 'other')}"
    genuine = f"s.{guessed._known_mac('admin', 's')}.{guessed._known_mac('', 's')}"
    body = b'{"user": "admin", "password": "wrong wrong"}'
    lines = ("X-LTS-CSRF: sign-in", "Expect: 100-continue", "Connection: close")
    for value, begin in ((forged, b"HTTP/1.1 429 "), (genuine, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 ")):
        pieces = [header(SESSION, len(body), f"Cookie: {known}={value}", *lines)]
        answer = answer_to(served, *pieces, *([body] if value == genuine else []))
        assert answer.startswith(begin), answer[:200]


def chunked(path: str, size: int) -> bytes:
    """A chunked body of so many bytes, which never ends."""
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n".encode() + b" " * size


@pytest.mark.parametrize(
    ("path", "most"),
    [
        (AUTHORIZE, 64 << 10),
        ("/api/v1//authorize", 64 << 10),
        ("/api/v1/release", 1 << 20),
        (SESSION, 16 << 10),
        ("/api/v1/peer/hello", 51_968),
        ("/api/v1/peer/take", 1 << 20),
        ("/api/v1/admin/licenses", 2 << 20),
        ("/no/such/path", 2 << 20),
        ("/api/v1/report", 4 << 20),
    ],
)
def test_a_chunked_body_has_the_limit_of_its_path(served: Served, path: str, most: int) -> None:
    assert served.web.app.most_bytes(path) == most
    answer = answer_to(served, chunked(path, most + 1))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == 144


@pytest.mark.parametrize("path", ["/api/v1/release", "/api/v1/admin/licenses"])
def test_an_announced_body_has_the_limit_of_its_path(served: Served, path: str) -> None:
    most = served.web.app.most_bytes(path)
    assert answer_to(served, header(path, most + 1)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("size", [(64 << 10) + 1, 1 << 62, 16**200])
def test_a_chunk_that_announces_too_much_is_refused_before_it_comes(served: Served, size: int) -> None:
    first = f"POST {AUTHORIZE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n".encode()
    answer = answer_to(served, first, f"{size - 1:x}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == 144


def test_a_chunked_authorization_that_brings_too_much_counts_against_its_address(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = limits_of(served, 2)
    monkeypatch.setattr(served.web.app._clients, "_limits", limits)
    answers = [answer_to(served, chunked(AUTHORIZE, 65_537))[9:12] for _ in range(3)]
    assert answers == [b"413", b"413", b"429"]
