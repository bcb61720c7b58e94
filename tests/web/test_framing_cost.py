"""The header and the framing of a request cost work in proportion to their size, whatever they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from waitress.adjustments import Adjustments

from lts.httpd import framing
from lts.httpd.listen import MAX_HEADER_BYTES
from lts.httpd.requestparser import RequestParser
from tests.support.cost import assert_linear, assert_no_dearer
from tests.support.plainapp import PlainApp

MIB = 1 << 20
ADJUSTMENTS = Adjustments(max_request_header_size=MAX_HEADER_BYTES, max_request_body_size=5 * MIB)
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def parse(data: bytes, *, step: int = 64 << 10) -> list[RequestParser]:
    """What a connection makes of `data` that comes in pieces of `step` bytes, up to the first refusal."""
    found = [RequestParser(ADJUSTMENTS, PlainApp(), "127.0.0.1")]
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        while piece:
            piece = piece[found[-1].received(piece) :] or found[-1].rest
            if found[-1].error:
                return found
            if found[-1].completed:
                found.append(RequestParser(ADJUSTMENTS, PlainApp(), "127.0.0.1"))
    return found


def drip(data: bytes) -> list[RequestParser]:
    """The same, byte by byte."""
    return parse(data, step=1)


def request(line: bytes, *headers: bytes) -> bytes:
    """A request without a body; where HTTP/1.1 needs a host, one is added last."""
    hosts = [b"Host: a"] if line.endswith(b" HTTP/1.1") and not any(one[:5] == b"Host:" for one in headers) else []
    return b"\r\n".join([line, *headers, *hosts, b"", b""])


HEADERS: dict[str, Callable[[int], bytes]] = {
    "digits after a scheme": lambda n: request(b"GET x://" + b"1" * n + b" X"),
    "schemes": lambda n: request(b"GET " + b"x://" * (n // 4) + b" X"),
    "long method": lambda n: request(b"G" * n + b" / X"),
    "long target": lambda n: request(b"GET /" + b"a" * n + b" HTTP/1.1"),
    "blanks in the request line": lambda n: request(b"GET /" + b" " * n + b"X"),
    "blanks before a zero byte": lambda n: request(b"GET / HTTP/1.1", b"A:" + b" " * n + b"\0"),
    "blanks before a value": lambda n: request(b"GET / HTTP/1.1", b"A:" + b" " * n + b"a"),
    "blanks after a value": lambda n: request(b"GET / HTTP/1.1", b"A: a" + b" " * n),
    "words before a zero byte": lambda n: request(b"GET / HTTP/1.1", b"A:" + b" a" * (n // 2) + b"\0"),
    "long name": lambda n: request(b"GET / HTTP/1.1", b"a" * n),
    "same names": lambda n: request(b"GET / HTTP/1.1", *[b"A:"] * (n // 4)),
    "continued lines": lambda n: request(b"GET / HTTP/1.1", b"A:", *[b" "] * (n // 3)),
    "codings": lambda n: request(b"GET / HTTP/1.1", b"Transfer-Encoding: " + b"chunked," * (n // 8)),
    "long length": lambda n: request(b"GET / HTTP/1.1", b"Content-Length: " + b"9" * n),
    "no end": lambda n: b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * n,
    "no end of the request line": lambda n: b"GET /" + b"a" * n,
    "no end of the lines": lambda n: b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A:\r\n" * (n // 4),
}
SMALL, TINY = framing.BYTES_PER_CHUNK, b"1\r\na\r\n"


def chunks(size: int, *lengths: int, extension: bytes = b"") -> bytes:
    """About `size` bytes in chunks of these lengths in turn."""
    turn = b"".join([b"%x%b\r\n%b\r\n" % (length, extension, b"a" * length) for length in lengths])
    return turn * max(1, size // len(turn)) + b"0\r\n\r\n"


def chunked(size: int, *lengths: int, extension: bytes = b"") -> bytes:
    """A request with such a body."""
    return CHUNKED + chunks(size, *lengths, extension=extension)


CHUNKS: dict[str, Callable[[int], bytes]] = {
    "long size": lambda n: CHUNKED + b"1" * n,
    "quoted extension": lambda n: CHUNKED + b'1;a="' + b"x" * n,
    "extensions": lambda n: CHUNKED + b"1" + b";a=b" * (n // 4) + b"\r\nx\r\n0\r\n\r\n",
    "long trailer": lambda n: CHUNKED + b"0\r\n" + b"A: b\r\n" * (n // 6),
    "unfinished trailer": lambda n: CHUNKED + b"0\r\n" + b"a" * n,
    "tiny chunks": lambda n: CHUNKED + b"1\r\na\r\n" * (n // 6) + b"0\r\n\r\n",
    "small chunks": lambda n: chunked(n, SMALL),
    "tiny chunks beside larger ones": lambda n: chunked(n, 1, SMALL * 2 - 1),
    "tiny chunks before larger ones": lambda n: CHUNKED + TINY * framing.FREE_CHUNKS + chunks(n, SMALL),
    "small chunks with long extensions": lambda n: chunked(n, SMALL, extension=b";" + b"x" * 250),
    "large chunk": lambda n: chunked(n, n),
    "empty lines": lambda n: b"\r\n" * (n // 2) + request(b"GET / HTTP/1.1"),
}


@pytest.mark.parametrize("make", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("read", [parse, drip])
def test_a_header_of_any_form_is_read_in_linear_time(
    read: Callable[[bytes], Any], make: Callable[[int], bytes]
) -> None:
    assert_linear(make, read, MAX_HEADER_BYTES - 100)


@pytest.mark.parametrize("make", CHUNKS.values(), ids=CHUNKS)
def test_a_chunked_body_of_any_form_is_read_in_linear_time(make: Callable[[int], bytes]) -> None:
    assert_linear(make, parse, 4 * MIB)
    assert_linear(make, drip, MIB // 16)


@pytest.mark.parametrize("make", CHUNKS.values(), ids=CHUNKS)
def test_a_chunked_body_costs_no_more_than_four_times_a_plain_one(make: Callable[[int], bytes]) -> None:
    sent = make(4 * MIB)
    plain = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(sent) + sent
    assert_no_dearer(lambda: parse(sent), lambda: parse(plain), 4)


@pytest.mark.parametrize("lengths", [(SMALL,), (1, SMALL * 2 - 1)])
def test_a_large_body_may_come_in_chunks_of_less_than_a_kilobyte_on_average(lengths: tuple[int, ...]) -> None:
    first = parse(chunked(2 * MIB, *lengths))[0]
    assert first.completed
    assert not first.error


def test_a_chunked_body_is_the_same_however_it_comes() -> None:
    body = bytes(range(256)) * 40
    pieces = [body[start : start + 77] for start in range(0, len(body), 77)]
    sent = (
        CHUNKED
        + b"".join(b'%X;a="b"\r\n%b\r\n' % (len(piece), piece) for piece in pieces)
        + b"0\r\nA: b\r\nC: d\r\n\r\n"
    )
    for step in (1, 2, 3, 100, len(sent) * 2):
        first, second, rest = parse(sent * 2, step=step)
        assert first.get_body_stream().read() == second.get_body_stream().read() == body
        assert first.headers["CONTENT_LENGTH"] == str(len(body))
        assert not (first.error or second.error or rest.completed)


@pytest.mark.parametrize("inside", [b"\0", b"\x0b", b"\x1f", b"\x7f"])
def test_a_control_character_in_a_header_never_reaches_the_patterns_of_waitress(inside: bytes) -> None:
    assert framing.check_header(request(b"GET / HTTP/1.1", b"A: \t b\t\xff ")) == request(
        b"GET / HTTP/1.1", b"A:b\t\xff", b"Host:a"
    )
    with pytest.raises(framing.Unreadable, match="control"):
        framing.check_header(request(b"GET / HTTP/1.1", b"A: b" + inside + b"c"))


@pytest.mark.parametrize("header", [b"Content-Length: 99999999", b"A: \0"])
def test_what_follows_a_refused_header_is_not_taken_for_the_next_request(header: bytes) -> None:
    sent = request(b"POST / HTTP/1.1", header) + request(b"GET / HTTP/1.1")
    refused = RequestParser(ADJUSTMENTS, PlainApp(), "127.0.0.1")
    assert refused.received(sent) == len(sent)
    assert refused.error


@pytest.mark.parametrize("filler", [b"", b"A:  b\r\n"])  # a header as nearly all send it, and one read line by line
def test_a_request_names_one_host_and_may_leave_it_out_before_http_1_1_alone(filler: bytes) -> None:
    head = b"GET / HTTP/1.1\r\n" + filler
    for good in (b"Host: a", b"hOST:a", b"Host:", b"X-Host: b\r\nHost: a"):
        assert not parse(head + good + b"\r\n\r\n")[0].error, good
    for bad in (b"Host: a\r\nhost: a", b"X-Host: a", b"A: Host: a"):
        error = parse(head + bad + b"\r\n\r\n")[0].error
        assert error.code == 400, bad
        assert "Host header" in str(error)
    assert not parse(b"GET / HTTP/1.0\r\n" + filler + b"A: b HTTP/1.1\r\n\r\n")[0].error
    assert parse(b"GET / HTTP/1.0\r\n" + filler + b"Host: a\r\nHost: b\r\n\r\n")[0].error.code == 400


LIMITS: dict[str, tuple[Callable[[int], bytes], int, int]] = {
    "request line": (lambda n: request(b"GET /" + b"a" * (n - 14) + b" HTTP/1.1"), framing.REQUEST_LINE_BYTES, 414),
    "header lines": (lambda n: request(b"GET / HTTP/1.1", *[b"A: b"] * (n - 1)), framing.HEADER_LINES, 431),
    "size line": (
        lambda n: CHUNKED + b"1;" + b"a" * (n - 4) + b"\r\nx\r\n0\r\n\r\n",
        framing.CHUNK_LINE_BYTES,
        400,
    ),
    "trailer": (lambda n: CHUNKED + b"0\r\n" + b"a" * (n - 4) + b"\r\n\r\n", framing.TRAILER_BYTES, 400),
    "tiny chunks": (
        lambda n: CHUNKED + b"1\r\nx\r\n" * n + b"0\r\n\r\n",
        framing.FREE_CHUNKS + framing.FREE_CHUNKS // framing.BYTES_PER_CHUNK,
        400,
    ),
}
"""What makes each, its limit and the answer beyond."""


@pytest.mark.parametrize(("make", "most", "code"), LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("read", [parse, drip])
def test_framing_may_be_so_large_and_no_larger(
    read: Callable[[bytes], list[RequestParser]], make: Callable[[int], bytes], most: int, code: int
) -> None:
    taken, refused = read(make(most))[0], read(make(most + 1))[0]
    assert taken.completed
    assert not taken.error
    assert refused.completed
    assert refused.error.code == code
