"""Reaching another machine within a total time limit: its name, its addresses, and what it answers.

No more of an answer is read than its caller allows, whatever lengths it claims.

A dead or slow resolver delays nothing else: the system's lookup has no timeout, so a thread of its own asks, and
whoever waits for it continues without. At most one such thread for each name is under way.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import ssl
import threading
import time
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any, NamedTuple

SocketAddress = tuple[Any, ...]
"""What socket.getaddrinfo gives: family, kind, protocol, canonical name, address."""


_LOOK_SECONDS = 0.25
"""How often a caller that waits for a name checks whether the deadline was ended."""
HEAD_BYTES = 16 << 10
"""Of an answer's status line and header, with all `100 Continue` before them."""
_LINES = 500
"""Of them, and again of what surrounds a body: sizes of chunks, trailers."""
_BYTES_A_CHUNK = 1024
"""A long body may have one more chunk for each this many bytes."""
_PIECE_BYTES = 256 << 10


class Deadline:
    """The moment by which everything must be done, in elapsed time."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left. Raises TimeoutError if there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def end(self) -> None:
        """It is now, from another thread: who waits for a name gives up in a moment."""
        self._until = 0.0


class _Lookup:
    """One question to the system's resolver, for everybody who asks the same meanwhile."""

    def __init__(self, host: str, port: int) -> None:
        self._key = host, port
        self.done = threading.Event()
        self.found: list[SocketAddress] = []
        self.error: OSError | None = None

    def start(self) -> None:
        """Ask, in a thread of its own."""
        threading.Thread(target=self._run, name="lts-lookup", daemon=True).start()

    def _run(self) -> None:
        try:
            self.found = list(socket.getaddrinfo(*self._key, type=socket.SOCK_STREAM))
        except OSError as error:
            self.error = error
        except UnicodeError:  # a name that no resolver is asked for
            self.error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        with _lock:
            if _under_way.get(self._key) is self:
                del _under_way[self._key]
        self.done.set()


_lock = threading.Lock()
_under_way: dict[tuple[str, int], _Lookup] = {}


def _forget_lookups() -> None:
    """In a child of a process: the threads that asked are its parent's."""
    global _lock
    _lock = threading.Lock()
    _under_way.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lookups)


def addresses(host: str, port: int, deadline: Deadline) -> list[SocketAddress]:
    """All addresses of a host. Raises TimeoutError, socket.gaierror."""
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except (OSError, UnicodeError):
        pass  # a name
    with _lock:
        lookup = _under_way.get((host, port))
        if lookup is None:
            lookup = _under_way[host, port] = _Lookup(host, port)
            lookup.start()
    try:
        while not lookup.done.wait(min(deadline.left(), _LOOK_SECONDS)):
            pass
    except TimeoutError:
        raise TimeoutError(f"the name {host} could not be looked up in time") from None
    if lookup.error is not None:
        raise type(lookup.error)(*lookup.error.args)
    return lookup.found


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to the first address that takes one; each gets its share of the time left. Raises OSError."""
    found = addresses(host, port, deadline)
    fault: OSError = OSError(f"{host} has no address")
    for number, (family, kind, protocol, _, address) in enumerate(found):
        one = socket.socket(family, kind, protocol)
        try:
            one.settimeout(deadline.left() / (len(found) - number))
            one.connect(address)
        except OSError as error:
            one.close()
            fault = error
        else:
            return one
    raise fault


def http_connection(host: str, port: int | None, deadline: Deadline, secure: ssl.SSLContext | None) -> HTTPConnection:
    """An open connection of http.client, with TLS where `secure` is given; its `sock` is a Timed. Raises OSError."""
    made = HTTPConnection(host, port) if secure is None else HTTPSConnection(host, port, context=secure)
    plain = connect(host, made.port, deadline)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.auto_open = 0  # by itself it would connect without a deadline
    made.sock = Timed(plain if secure is None else encrypt(plain, host, deadline, secure), deadline)
    return made


def encrypt(plain: socket.socket, host: str, deadline: Deadline, secure: ssl.SSLContext) -> socket.socket:
    """TLS over a connection, which is closed where that fails. Raises OSError, ssl.SSLError."""
    try:
        plain.settimeout(deadline.left())
        return secure.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


class Answer(NamedTuple):
    """The outcome of a request. `whole` is false if `body` is cut at its limit or breaks off."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool


def ask(
    connection: HTTPConnection, method: str, target: str, body: bytes, headers: dict[str, str], most: int
) -> Answer:
    """One request over a connection of `http_connection`, and at most `most` bytes of the answer's body. Nothing but
    OSError is raised, whatever arrives. The connection is left open where another request can follow."""
    timed = connection.sock
    assert isinstance(timed, Timed)
    kept = False
    try:
        timed.allow(HEAD_BYTES, _LINES)
        connection.request(method, target, body, headers)
        with contextlib.closing(connection.getresponse()) as answer:
            timed.allow(HEAD_BYTES + 2 * most, _LINES + most // _BYTES_A_CHUNK)
            data = _body(answer, most + 1)
            whole = len(data) <= most and not answer.length
            kept = whole and not answer.will_close
            return Answer(answer.status, dict(answer.getheaders()), data[:most], whole)
    except OSError:
        raise
    except Exception as error:  # http.client also lets through what its own parts stumble over: ValueError and others
        raise OSError(f"not an HTTP answer: {error!r}"[:200]) from error
    finally:
        if not kept:
            connection.close()


def _body(answer: HTTPResponse, most: int) -> bytes:
    pieces = []
    while most and (piece := answer.read(min(most, _PIECE_BYTES))):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


class Timed:
    """A connected socket for http.client, whose every step ends by `deadline`. What may be read is counted: at first a
    header's worth."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self.socket = connected
        self.end_by(deadline)
        self.allow(HEAD_BYTES, _LINES)

    def end_by(self, deadline: Deadline) -> None:
        """Every step ends by then from now on."""
        self.deadline = deadline

    def allow(self, most: int, lines: int) -> None:
        """Limit the bytes and lines that may be read from now on."""
        self.bytes_left = most
        self.lines_left = lines

    def sendall(self, data: Any) -> None:
        """Send all of it. Raises OSError."""
        left = memoryview(data).cast("B")
        while left:
            self.socket.settimeout(self.deadline.left())
            left = left[self.socket.send(left) :]

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        return _LimitedReader(self, _Arriving(self, self.socket.makefile("rb", buffering=0)))

    def close(self) -> None:
        """Let it go; a file of it that is still read stays open."""
        self.socket.close()


class _LimitedReader(io.BufferedReader):
    """http.client reads each status line, header, size of a chunk and trailer by `readline`, and bodies by `read`."""

    def __init__(self, timed: Timed, raw: io.RawIOBase) -> None:
        super().__init__(raw)
        self._timed = timed

    def readline(self, size: int | None = -1, /) -> bytes:
        self._timed.lines_left -= 1
        if self._timed.lines_left < 0:
            raise OSError("its answer has too many lines")
        return super().readline(size)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:  # a chunk's size is taken as it is
            raise OSError("its answer has a chunk of negative size")
        return super().read(size)


class _Arriving(io.RawIOBase):
    def __init__(self, timed: Timed, raw: io.RawIOBase) -> None:
        self._timed = timed
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        timed = self._timed
        timed.socket.settimeout(timed.deadline.left())
        if timed.bytes_left <= 0:
            raise OSError("its answer is too long")
        count = self._raw.readinto(memoryview(buffer)[: timed.bytes_left])
        timed.bytes_left -= count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
