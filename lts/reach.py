"""Reaching another machine within a time that is bounded as a whole: its name, its addresses, and what it answers.

A resolver that is dead or slow holds up no more than that: the system's lookup knows no timeout, so a thread of its own
asks, and who waits for it goes on without. At most one such thread for each name is under way.
"""

from __future__ import annotations

import io
import os
import socket
import ssl
import threading
import time
from http.client import HTTPConnection, HTTPSConnection
from typing import Any

Address = tuple[Any, ...]
"""What socket.getaddrinfo gives: family, kind, protocol, canonical name, address."""


_LOOK_SECONDS = 0.25
"""How often who waits for a name looks whether the deadline was ended."""


class Deadline:
    """A moment by which all must be done, in elapsed time."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left. Raises TimeoutError when there are none."""
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
        self.found: list[Address] = []
        self.error: OSError | None = None
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


def _begin_anew() -> None:
    """In a child of a process: the threads that asked are its parent's."""
    global _lock
    _lock = threading.Lock()
    _under_way.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def addresses(host: str, port: int, deadline: Deadline) -> list[Address]:
    """All addresses of a host. Raises TimeoutError, socket.gaierror."""
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except (OSError, UnicodeError):
        pass  # a name
    with _lock:
        lookup = _under_way.get((host, port))
        if lookup is None:
            lookup = _under_way[host, port] = _Lookup(host, port)
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


class Timed:
    """A connected socket for http.client, whose every step ends by `deadline`; that may be set anew."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self.socket = connected
        self.deadline = deadline

    def sendall(self, data: Any) -> None:
        """Send all of it. Raises OSError."""
        left = memoryview(data).cast("B")
        while left:
            self.socket.settimeout(self.deadline.left())
            left = left[self.socket.send(left) :]

    def makefile(self, mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        """What arrives, as a file."""
        return io.BufferedReader(_Arriving(self, self.socket.makefile("rb", buffering=0)))

    def close(self) -> None:
        """Let it go; a file of it that is still read stays open."""
        self.socket.close()


class _Arriving(io.RawIOBase):
    def __init__(self, timed: Timed, raw: io.RawIOBase) -> None:
        self._timed = timed
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._timed.socket.settimeout(self._timed.deadline.left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
