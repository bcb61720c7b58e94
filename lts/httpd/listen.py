"""Listening: sockets, waitress, the loop, and a stop that finishes what is in progress.

Serves the application that it is given (lts.web.wire.application); lts.httpd.channel is about one connection.
"""

from __future__ import annotations

import errno
import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments

from lts.config import Config
from lts.errors import ListenError
from lts.httpd.channel import IN_MEMORY_BYTES, Acceptor
from lts.httpd.dispatch import Dispatcher
from lts.web.wire.application import Application

STOP_SECONDS = 4.0
"""How long requests under way may take once the server ends; the rest of five seconds is for what closes after them."""
SWITCH_SECONDS = 0.0001
"""How long a thread may keep the interpreter from others: a page under way must not hold up client calls,
which give it away at every step of the database (docs/decisions/0009-portal-cost.md)."""
SLACK_BYTES = 64 << 10
"""What a body may have over the largest limit before waitress itself refuses it."""
MAX_HEADER_BYTES = 32 << 10
IDLE_SECONDS = 400
"""Longer than two report intervals: a reporting client keeps its connection."""
CLEANUP_SECONDS = 5
BACKLOG = 1024
AHEAD_BYTES = 128 << 10
"""What the system takes of an answer ahead of its client: it would let each connection grow to 4 MB of its memory."""
SELECT_LIMIT = 480
"""select(), the only way on Windows, takes 512 sockets."""
FILES_BESIDE_CONNECTIONS = 128
PORT_TRIES = 20


class Listener:
    """A bound server: clients can connect once this object exists, and are answered while `run` runs."""

    def __init__(self, application: Application, config: Config) -> None:
        """Bind all addresses of the configured host; port 0 takes a free one. Raises ListenError."""
        self._sockets = bind(config.host, config.port)
        self._wanted = config.connection_limit
        self._map: dict[int, Any] = {}
        adjustments = self._adjustments = Adjustments(
            sockets=self._sockets,
            asyncore_use_poll=True,
            channel_request_lookahead=0,
            channel_timeout=IDLE_SECONDS,
            cleanup_interval=CLEANUP_SECONDS,
            clear_untrusted_proxy_headers=False,
            inbuf_overflow=2 * config.max_request_bytes,  # never in a file: see channel.HELD_BYTES
            outbuf_overflow=IN_MEMORY_BYTES,
            max_request_body_size=config.max_request_bytes + SLACK_BYTES,
            max_request_header_size=MAX_HEADER_BYTES,
            recv_bytes=64 << 10,
            backlog=BACKLOG,
            ident="",
            log_socket_errors=False,
        )
        adjustments.socket_options = [*adjustments.socket_options, (socket.SOL_SOCKET, socket.SO_SNDBUF, AHEAD_BYTES)]
        self._dispatcher = Dispatcher(application, config.threads)
        self._acceptors = [
            Acceptor(
                application,
                self._map,
                True,
                bound,
                dispatcher=self._dispatcher,
                adj=adjustments,
                bind_socket=False,
                sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
            )
            for bound in self._sockets
        ]
        self.port: int = self._sockets[0].getsockname()[1]
        self.addresses: list[tuple[str, int]] = [s.getsockname()[:2] for s in self._sockets]
        self._stopping, self._spent = False, 0.0

    @property
    def queue_depth(self) -> int:
        """Requests that wait for a thread."""
        return self._dispatcher.waiting

    @property
    def connections(self) -> int:
        return sum(len(acceptor.active_channels) for acceptor in self._acceptors)

    def run(self, beat: Callable[[], None] = lambda: None) -> None:
        """Answer clients until `stop` is called, then finish what is under way within STOP_SECONDS. From here on the
        process is set up as a server: how threads take turns, and how many files may be open.

        `beat` is called at each turn of the loop, at least once a second.
        """
        poll = wasyncore.poll2 if hasattr(select, "poll") else wasyncore.poll
        sys.setswitchinterval(SWITCH_SECONDS)
        self._adjustments.connection_limit = _allow_connections(self._wanted)
        self._dispatcher.start()
        try:
            while not self._stopping:
                poll(1.0, self._map)
                beat()
            self._finish(poll)
        finally:
            self._close_all()

    def stop(self, spent: float = 0.0) -> None:
        """Make `run` return; callable from any thread and from a signal handler, and more than once. `spent` is how
        many seconds of the stop have gone already."""
        if not self._stopping:
            self._spent = spent
            self._stopping = True
            self._acceptors[0].pull_trigger()

    def close(self) -> None:
        """Give the addresses back when `run` was never called."""
        self._dispatcher.shutdown(timeout=1)
        self._close_all()

    def _close_all(self) -> None:
        self._stopping = True
        wasyncore.close_all(self._map)

    def _finish(self, poll: Callable[[float, dict[int, Any]], None]) -> None:
        began = time.monotonic() - self._spent
        for acceptor in self._acceptors:
            wasyncore.dispatcher.close(acceptor)
        while time.monotonic() - began < STOP_SECONDS * 0.8:
            in_time = time.monotonic() - began < STOP_SECONDS * 0.3
            for acceptor in self._acceptors:
                for channel in list(acceptor.active_channels.values()):
                    if channel.at_rest(unfinished_counts=in_time):
                        channel.handle_close()
            if not any(acceptor.active_channels for acceptor in self._acceptors):
                break
            poll(0.05, self._map)
        left = STOP_SECONDS - (time.monotonic() - began)
        self._dispatcher.shutdown(timeout=max(left, 0.1))


def bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, all on one port. Raises ListenError."""
    for _ in range(PORT_TRIES):
        try:
            return _bind_all(host, port)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                raise _sentence(host, port, error) from error
    raise ListenError(f'No free port was found on {host}; set "port" in lts.json.')


def _bind_all(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(None if host == "*" else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            at = (address[0], bound[0].getsockname()[1] if bound else port, *address[2:])
            try:
                bound.append(_bind_one(family, kind, protocol, at))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                missing = error
        if not bound:
            raise missing or OSError(errno.EADDRNOTAVAIL, "no address")
    except OSError:
        for one in bound:
            one.close()
        raise
    return bound


def _bind_one(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    one = socket.socket(family, kind, protocol)
    try:
        if sys.platform == "win32":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(BACKLOG)
    except OSError:
        one.close()
        raise
    return one


def _sentence(host: str, port: int, error: OSError) -> ListenError:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return ListenError(f'{host} is no address of this machine; change "host" in lts.json, or use --host.')
    if error.errno == errno.EADDRINUSE:
        return ListenError(
            f"Port {port} on {host} is taken by another program (or this server runs already). "
            'Stop that one, or change "port" in lts.json, or use --port.'
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ListenError(
            f"The system does not let this user listen on port {port} of {host}: ports under 1024 need special "
            'rights, and some are reserved. Change "port" in lts.json, or use --port.'
        )
    return ListenError(f'Cannot listen on {host}, port {port}: {error.strerror}. See "host" and "port" in lts.json.')


def _allow_connections(wanted: int) -> int:
    """Let this process have so many connections; `wanted`, or what the system allows if that is less. Each is an open
    file."""
    if sys.platform == "win32":
        return min(wanted, SELECT_LIMIT)
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + FILES_BESIDE_CONNECTIONS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (OSError, ValueError):
        raised = soft
    return max(10, min(wanted, raised - FILES_BESIDE_CONNECTIONS))
