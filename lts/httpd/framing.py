"""Where a request begins and ends: its header and its chunks, checked in time linear in their bytes.

waitress checks them with patterns that take quadratic time where they do not match, in the one thread that reads all
connections. What passes here is harmless to them. Knows nothing about sockets, and interprets only the framing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

REQUEST_LINE_BYTES = 8 << 10
"""RFC 9112, 3: a server should support 8,000 bytes."""
HEADER_LINES = 100
CHUNK_LINE_BYTES = 256
"""A chunk's size and its extensions, which nobody here reads."""
TRAILER_BYTES = 4 << 10
FREE_CHUNKS = 1000
BYTES_PER_CHUNK = 768
"""A body may have this many chunks, and more only if they average this many bytes: each chunk costs work. Programs that
send much send pieces of kilobytes."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LINE = _TOKEN + rb" [^\x00-\x20\x7f]+(?: HTTP/[0-9]\.[0-9])?"
_REQUEST_LINE = re.compile(_LINE)
_PLAIN = re.compile(_LINE + rb"\r\n(?:" + _TOKEN + rb":[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n")
"""A complete header as nearly every client sends it."""
_NAME = re.compile(_TOKEN)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,%(most)d})(?:;[\t\x20-\x7e\x80-\xff]{0,%(most)d})?\r\n" % {b"most": CHUNK_LINE_BYTES}
)
_BLANKS = b" \t"
_STRAY = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
"""CR or LF by itself; a CR at the end may still get its LF."""


class Unreadable(ValueError):
    """Not an HTTP request, or too large; `code` is the status, `body` half a sentence, as in waitress."""

    def __init__(self, body: str, code: int = 400) -> None:
        super().__init__(body)
        self.body = body
        self.code = code


def check_header(header: bytes) -> bytes:
    """The request line and header lines, without blanks around values. Raises Unreadable.

    A line that continues the one before is refused, as RFC 9112, 5.2 allows.
    """
    lowered = header.lower()
    if _is_plain(header, lowered):
        _check_host(header[: header.index(b"\r\n")], lowered.count(b"\r\nhost:"))
        return header
    first, *lines = header.split(b"\r\n")
    first = _check_request_line(first)
    if len(lines) > HEADER_LINES + 2:
        raise Unreadable(f"it has more than {HEADER_LINES} header lines", 431)
    fields = [_field(line) for line in lines if line]
    _check_host(first, sum(name.lower() == b"host" for name, _ in fields))
    _check_codings(first, fields)
    return b"\r\n".join([first, *(name + b":" + value for name, value in fields), b"", b""])


def check_arrived(head: bytes | bytearray, before: int, line_known: bool) -> bool:
    """Whether the request line of an unfinished header is complete; the first `before` bytes were checked already.

    What can never become a request is refused at once, so that nobody waits for its end: other protocols, lines that
    end with LF alone. Each byte is checked once. Raises Unreadable.
    """
    if _STRAY.search(head, max(0, before - 1)):
        raise Unreadable("a line does not end with CR and LF")
    if line_known:
        return True
    end = head.find(b"\r\n", max(0, before - 1))
    if end >= 0:
        _check_request_line(bytes(head[:end]))
        return True
    if not _NAME.match(head, 0, 1) or _CONTROL.search(head, before, len(head) - head.endswith(b"\r")):
        raise Unreadable("it does not begin with a request line; this port speaks HTTP without TLS")
    return False


def _check_request_line(line: bytes) -> bytes:
    """The line without blanks after it. Raises Unreadable."""
    if len(line) > REQUEST_LINE_BYTES:
        raise Unreadable(f"the request line is longer than {REQUEST_LINE_BYTES} bytes", 414)
    if not _REQUEST_LINE.fullmatch(line := line.rstrip(_BLANKS)):
        raise Unreadable("the request line is not valid")
    return line


def _is_plain(header: bytes, lowered: bytes) -> bool:
    """Whether a header can be left as it is: the common case is decided at once."""
    return (
        len(header) <= REQUEST_LINE_BYTES
        and header.count(b"\r\n") <= HEADER_LINES
        and b"  " not in header
        and b"\t" not in header
        and b"transfer-encoding" not in lowered
        and _PLAIN.fullmatch(header) is not None
    )


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name):
        raise Unreadable("a header line does not begin with a name and a colon")
    if _CONTROL.search(value):
        raise Unreadable("a header value holds control characters")
    return name, value.strip(_BLANKS)


def _check_host(first: bytes, hosts: int) -> None:
    """RFC 9112, 3.2: a request names one host, and may leave that out only before HTTP/1.1. Raises Unreadable."""
    if hosts > 1:
        raise Unreadable("it has more than one Host header")
    if not hosts and first.endswith(b" HTTP/1.1"):
        raise Unreadable("it has no Host header, which HTTP/1.1 needs")


def _check_codings(first: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    """RFC 9112, 6.1: a body is chunked once, only in HTTP/1.1, and of no announced length. Every other coding is
    refused by waitress."""
    lists = [value.lower() for name, value in fields if name.lower() == b"transfer-encoding"]
    codings = [coding.strip(_BLANKS) for one in lists for coding in one.split(b",")]
    if lists and not first.endswith(b" HTTP/1.1"):
        raise Unreadable("a chunked body needs HTTP/1.1")
    if codings.count(b"chunked") > 1:
        raise Unreadable("its body is declared chunked more than once")
    if lists and (not any(codings) or any(name.lower() == b"content-length" for name, _ in fields)):
        raise Unreadable("it says in two ways, or in none, where its body ends")


class Chunks:
    """A chunked body (RFC 9112, 7.1), decoded into `buffer` as it arrives; the interface that waitress expects of a
    receiver.

    Extensions and trailers are dropped. `error` is set once the chunks are not valid, and then nothing more is taken.
    """

    def __init__(self, buffer: Any) -> None:
        self.completed = False
        self.error: Unreadable | None = None
        self._buffer = buffer
        self._left = 0
        self._line = bytearray()
        self._take: Callable[[Chunks, bytes], None] = Chunks._take_size
        self._most = CHUNK_LINE_BYTES
        """What the next line is for, and its limit in bytes."""
        self._bytes = self._chunks = 0

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def announced(self) -> int:
        """Bytes of the chunks that have begun, including what is still to come of the last one."""
        return self._bytes

    def getbuf(self) -> Any:
        return self._buffer

    def getfile(self) -> Any:
        return self._buffer.getfile()

    def received(self, data: bytes) -> int:
        """Take what belongs to this body; how many bytes that were, all of them after an error."""
        at = 0
        try:
            while at < len(data) and not self.completed:
                if self._left:
                    at = self._read_bytes(data, at)
                else:
                    at = self._read_whole(data, at)
                    at = self._read_line(data, at)
        except Unreadable as error:
            self.error = error
            return len(data)
        return at

    def _read_whole(self, data: bytes, at: int) -> int:
        """Take the chunks that begin at `at` and have arrived completely, at a third of what they cost line by line."""
        if self._line or self._take is not Chunks._take_size:
            return at
        pieces = []
        while match := _CHUNK_LINE.match(data, at):
            start, size = match.end(), int(match[1], 16)
            end = start + size
            if not size or data[end : end + 2] != b"\r\n" or start - at > CHUNK_LINE_BYTES:
                break
            self._count(size)
            pieces.append(data[start:end])
            at = end + 2
        if pieces:
            self._buffer.append(b"".join(pieces))
        return at

    def _read_bytes(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._buffer.append(piece)
        self._left -= len(piece)
        return at + len(piece)

    def _read_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at, at + self._most) + 1
        self._line += data[at : end or at + self._most]
        if len(self._line) + (not end) > self._most:
            raise Unreadable("a chunk does not end where it should, or its size line or the trailer is too long")
        if not end:
            return len(data)
        line = bytes(self._line)
        self._line.clear()
        if not line.endswith(b"\r\n"):
            raise Unreadable("a line between chunks does not end with CR and LF")
        self._take(self, line)
        return end

    def _take_size(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if not match:
            raise Unreadable("the size of a chunk is not valid")
        self._left = int(match[1], 16)
        if not self._left:
            self._take, self._most = Chunks._take_trailer, TRAILER_BYTES
            return
        self._count(self._left)
        self._take, self._most = Chunks._take_end, len(b"\r\n")

    def _count(self, size: int) -> None:
        self._chunks += 1
        if self._chunks > FREE_CHUNKS + self._bytes // BYTES_PER_CHUNK:
            raise Unreadable(f"it has too many chunks of less than {BYTES_PER_CHUNK} bytes")
        self._bytes += size

    def _take_end(self, _line: bytes) -> None:
        self._take, self._most = Chunks._take_size, CHUNK_LINE_BYTES

    def _take_trailer(self, line: bytes) -> None:
        self.completed = line == b"\r\n"
        self._most -= len(line)
