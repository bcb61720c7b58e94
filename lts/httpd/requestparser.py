"""One request as it arrives: waitress's parser behind the checks of lts.httpd.framing and lts.httpd.headers.

Knows nothing about connections: that is lts.httpd.channel.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Any

from waitress.parser import HTTPRequestParser

from lts.errors import HttpError, TooLarge
from lts.httpd import headers
from lts.httpd.framing import Chunks, Unreadable, check_arrived, check_header
from lts.service.core.pendingcall import PendingCall
from lts.web.wire.application import Application, HttpAnswer
from lts.web.wire.wsgi import Environ

# The published stubs cover only waitress's public part; this overrides internals.
_Parser: Any = HTTPRequestParser

log = logging.getLogger("lts.web")

HEADER_END = b"\r\n\r\n"


class RequestParser(_Parser):  # type: ignore[misc]  # see above
    """Hands waitress only what lts.httpd.framing has checked; asks a client to continue only for a body still to
    come."""

    body_rcv: Any
    error: Any
    headers: dict[str, str]
    body_bytes_received: int
    path = ""
    """Also of a request that could not be read: waitress logs it."""
    rest = b""
    """What arrived after this request; it is read once this one is answered."""
    head: bytearray | None = None
    first_line: bytes
    pending: PendingCall[HttpAnswer] | None = None
    """The call that this request has begun, see lts.httpd.dispatch."""
    _most = 0
    _line_known = False
    _kept = 0
    """Bytes of memory that a parsed header takes."""

    def __init__(self, adj: Any, application: Application, address: str) -> None:
        """Comes from `address`. It knows no connection: one in a circle with its request keeps what was read of it
        until the collector comes by."""
        super().__init__(adj)
        self._application = application
        self._address = address

    def begin(self, environ: Environ) -> PendingCall[HttpAnswer]:
        """Begin the call that this is, see lts.httpd.dispatch."""
        self.pending = self._application.begin(environ)
        return self.pending

    def values(self) -> int:
        """About how many values a small body of JSON holds: the commas in it."""
        return self.body_rcv.getbuf().get().count(b",") if self.body_rcv is not None else 0

    def whose(self) -> Hashable:
        """Who takes turns with others by this request, see lts.web.wire.application."""
        return self._application.whose(self._environ())

    def received(self, data: bytes) -> int:
        """See waitress; a request refused by its header must not be answered "100 Continue"."""
        if self.headers_finished or self.completed:
            consumed: int = super().received(data)
            if self.chunked and not self.error and self.body_rcv.announced > self._most > 0:
                self._turn_away(self._most + 1)  # a chunk may announce any number
        else:
            consumed = self._received_header(data)
        if not self.completed:
            return consumed
        self.expect_continue = False
        if self.empty:
            return consumed
        self.rest = data[consumed:]
        return len(data)

    def _received_header(self, data: bytes) -> int:
        """Keep the header until it is complete, so that each byte is checked once however slowly it arrives.

        Lines without content before it are passed over all at once (RFC 9112, 2.2), as a request that is empty.
        """
        if data[:1].isspace() and not self.head:
            self.completed = True
            blank = len(data) - len(data.lstrip(b"\r\n"))
            if not blank:
                self.error = Unreadable("the request line is not valid")
                return len(data)
            self.empty = True
            return blank
        before = len(self.head or b"")
        if self.head:
            self.head += data
        head = self.head or data
        end = head.find(HEADER_END, max(0, before - len(HEADER_END) + 1))
        stop = end + len(HEADER_END) if end >= 0 else len(head)
        try:
            if end < 0 and len(head) < self.adj.max_request_header_size:
                self._line_known = check_arrived(head, before, self._line_known)
                self.head = self.head or bytearray(data)
                return len(data)
            if stop >= (most := self.adj.max_request_header_size):
                raise Unreadable(f"its header has {most} bytes or more", 431)
            super().received(bytes(head[:stop]))
        except Unreadable as error:
            self.error, self.completed = error, True
            return len(data)
        self.head = None
        if not self.completed and (self.chunked or self.content_length > len(data) - (stop - before)):
            self._turn_away(0 if self.chunked else self.content_length)
        return len(data) if self.error else stop - before

    def _turn_away(self, size: int) -> None:
        """Refuse a request by what is known about it; `size` is its body's, as announced or as received."""
        if self.chunked and size:
            self.headers["CONTENT_LENGTH"] = str(size)
        try:
            self._most = self._most or self._application.most_bytes(self.path)
            error = self._application.turns_away(self.command, self.path, self._environ)
            self.error = error and error.with_traceback(None)
        except Exception:  # this thread serves all connections: an error is answered like any other fault
            log.exception("a request of %r could not be judged by its header", self.path)
            self.error = HttpError(500, "internal", "The server has a fault; its log says more.")
        if self.error is None and size > self._most > 0:
            self.error = TooLarge(f"The body is larger than {self._most} bytes; send it in parts.")
        self.completed = self.completed or self.error is not None

    def _environ(self) -> Environ:
        """As far as a header says it."""
        sent = {f"HTTP_{name}": value for name, value in self.headers.items()}
        return {**sent, "CONTENT_LENGTH": self.headers.get("CONTENT_LENGTH"), "REMOTE_ADDR": self._address}

    def parse_header(self, header_plus: bytes) -> None:
        """See waitress. Raises Unreadable, also for what only fails within waitress."""
        header = check_header(header_plus)
        try:
            super().parse_header(header)
        except ValueError as error:
            raise Unreadable("its target or its Content-Length is not valid") from error
        self.headers = headers.known(self.headers)
        # The request line, the target as sent, and the target decoded.
        self._kept = 3 * len(self.first_line) + sum(map(len, self.headers.values()))
        if self.chunked:
            self.body_rcv = Chunks(self.body_rcv.getbuf())

    def held(self) -> int:
        """Bytes of memory that a request takes as far as it has come."""
        return self.body_bytes_received + len(self.head or b"") + self._kept
