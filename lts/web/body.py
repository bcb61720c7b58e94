"""Reading a request's body within its limit, unzipped when it came as gzip."""

from __future__ import annotations

import zlib
from typing import Any

from lts.errors import HttpError, Malformed, TooLarge
from lts.web.bodytree import BODY

_GZIP = 31
MAX_MEMBERS = 16
"""Of a gzip body (RFC 1952, section 2.2); each is handed on by copying what follows it. Programs send one."""


def read_body(environ: dict[str, Any], limit: int) -> bytes:
    """The body, at most `limit` bytes both as sent and unzipped.

    Raises TooLarge, Malformed (damaged gzip, or in too many members), HttpError 415 for another Content-Encoding.
    """
    encoding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise HttpError(415, "content-encoding", "Send the body as it is, or with Content-Encoding: gzip.")
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    # A server that does not end the input by itself is asked for no more than was announced.
    wanted = limit + 1 if environ.get("wsgi.input_terminated") else int(length or 0)
    body: bytes = environ["wsgi.input"].read(wanted)
    if len(body) > limit:
        raise _too_large(limit)
    return _unzip(body, limit) if encoding.endswith("gzip") else body


def _unzip(body: bytes, limit: int) -> bytes:
    plain = b""
    for _ in range(MAX_MEMBERS):
        unzip = zlib.decompressobj(wbits=_GZIP)
        try:
            plain += unzip.decompress(body, limit + 1 - len(plain))
        except zlib.error as error:
            raise Malformed("The body is not gzip, as its Content-Encoding says.", field=BODY) from error
        if len(plain) > limit:
            raise _too_large(limit)
        if not unzip.eof:
            raise Malformed("The gzip body ends early.", field=BODY)
        body = unzip.unused_data
        if not body:
            return plain
    raise Malformed(f"The gzip body has over {MAX_MEMBERS} members; send one.", field=BODY)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes; send it in parts.")
