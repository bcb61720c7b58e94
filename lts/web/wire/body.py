"""Reading a request's body within its limit, decompressed if it is gzip."""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

from lts.errors import HttpError, Malformed, TooLarge
from lts.web.wire.bodytree import BODY, LARGE_BYTES

_GZIP = 31
MAX_MEMBERS = 16
"""Of a gzip body (RFC 1952, section 2.2). Programs send one."""
_NO_GZIP = "The body is not gzip, as its Content-Encoding says."
_NOTHING_IN_IT = "The gzip body is far larger than what is in it."
_ENDS_EARLY = "The gzip body ends early."
_PIECE_BYTES = 8192
"""Bytes decompressed at a time: what follows a member is copied, so it must not be the rest of the body."""
_MOST_PACKED = 2
"""How many times as large as its content a gzip body may be, beyond its first piece: empty blocks cost as much as
others. Programs make it larger by a thousandth at most, or, in very short pieces, by less than twice."""


class _EndsEarly(Malformed):
    """More of a gzip body is needed."""


class Sent(NamedTuple):
    """A body as it was sent; neither it nor its content has over `limit` bytes. `packed` is its size if it is
    compressed, else 0."""

    data: bytes
    packed: int
    limit: int

    def opening(self, most: int = LARGE_BYTES) -> tuple[bytes, bool]:
        """Its first 64 KiB (`most`) unpacked, which cost next to nothing whatever follows, and whether that is all of
        it.

        Raises Malformed if they are not gzip.
        """
        start = self.data[:most]
        if not self.packed:
            return start, len(start) == len(self.data)
        plain, all_there = bytearray(), len(start) == len(self.data)
        try:
            _unzip(start, most, plain)
        except TooLarge:
            return bytes(plain[:most]), False
        except _EndsEarly:
            if all_there:
                raise
        return bytes(plain), all_there

    def unpacked(self) -> bytes:
        """All of the body. Raises TooLarge, Malformed (damaged gzip, too many members, or too much larger than its
        content)."""
        return _unzip(self.data, self.limit, bytearray()) if self.packed else self.data


def read_body(environ: dict[str, Any], limit: int) -> bytes:
    """The body, at most `limit` bytes both as sent and unzipped. Raises what `receive` and `Sent.unpacked` raise."""
    return receive(environ, limit).unpacked()


def receive(environ: dict[str, Any], limit: int) -> Sent:
    """The body as it was sent. Raises TooLarge, HttpError 415 for another Content-Encoding."""
    packed, length = check_announced(environ, limit)
    # If the server does not end the input, only as much is read as was announced.
    wanted = limit + 1 if environ.get("wsgi.input_terminated") else length
    body: bytes = environ["wsgi.input"].read(wanted)
    if len(body) > limit:
        raise _too_large(limit)
    return Sent(body, len(body) if packed else 0, limit)


def check_announced(environ: dict[str, Any], limit: int) -> tuple[bool, int]:
    """Whether a body is compressed, and its size (0 if not declared), by the header alone. Raises TooLarge, HttpError
    415 for another Content-Encoding."""
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise HttpError(415, "content-encoding", "Send the body as it is, or with Content-Encoding: gzip.")
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    return encoding.endswith("gzip"), int(length or 0)


def _unzip(body: bytes, limit: int, plain: bytearray) -> bytes:
    """The content of a gzip body, also appended to `plain` as far as it was read. Raises what `Sent.unpacked`
    raises."""
    place = 0
    for _ in range(MAX_MEMBERS):
        place = _unzip_member(body, place, plain, limit)
        if place == len(body):
            return bytes(plain)
    raise Malformed(f"The gzip body has over {MAX_MEMBERS} members; send one.", field=BODY)


def _unzip_member(body: bytes, place: int, plain: bytearray, limit: int) -> int:
    """Append the content of the member that begins at `place` to `plain`; returns where the next one begins."""
    unzip = zlib.decompressobj(wbits=_GZIP)
    while not unzip.eof:
        piece = body[place : place + _PIECE_BYTES]
        if not piece:
            raise _EndsEarly(_ENDS_EARLY, field=BODY)
        try:
            plain += unzip.decompress(piece, limit + 1 - len(plain))
        except zlib.error as error:
            raise Malformed(_NO_GZIP, field=BODY) from error
        if len(plain) > limit:
            raise _too_large(limit)
        place += len(piece) - len(unzip.unused_data)
        if place > _PIECE_BYTES + _MOST_PACKED * len(plain):
            raise Malformed(_NOTHING_IN_IT, field=BODY)
    return place


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes; send it in parts.")
