"""waitress, adapted: its own errors as problem documents with CORS, 204 without closing the connection,
a client that sends too much reads the answer instead of a reset, slow or idle connections end, and no thread waits
for a client to read.

Knows nothing about paths and rules, and does not listen: that is lts.httpd.listen.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.trigger import trigger

from lts.errors import HttpError, LtsError, Malformed, TooLarge
from lts.httpd.requestparser import RequestParser
from lts.service.core.pendingcall import PendingCall
from lts.web.wire import problems
from lts.web.wire.application import Application, HttpAnswer

log = logging.getLogger("lts.web")

# The published stubs cover only waitress's public part; this overrides internals.
_WSGITask: Any = WSGITask
_ErrorTask: Any = ErrorTask
_HTTPChannel: Any = HTTPChannel
_TcpWSGIServer: Any = TcpWSGIServer
_Trigger: Any = trigger

DRAIN_SECONDS = 10.0
DRAIN_BYTES = 64 << 20
DRAIN_BYTES_SECONDS = 1.5
"""How long data of a refused client is read and dropped; the shorter time applies after this many bytes."""
DRAIN_CHUNK = 256 << 10
REQUEST_SECONDS = 30.0
REQUEST_BYTES_PER_SECOND = 4096
"""Seconds that a request may take to arrive; a body may take longer if it arrives at this rate."""
ANSWER_SECONDS = 60.0
"""Seconds that a client may take to receive what is ready; longer if it receives this many bytes a second."""
IDLE_SECONDS_WHEN_FULL = 5.0
IN_MEMORY_BYTES = 1 << 20
"""More of an answer than this waits in a temporary file."""
HELD_BYTES = 64 << 20
"""What all connections together may hold: unfinished requests, and answers that wait. At least two largest requests."""
SMALL_BYTES = 16 << 10
"""A connection that holds no more than this is never closed to make room."""
FILED_BYTES = 256 << 20
"""What answers that wait in files may take of the disk, over all connections."""
SUM_UP_BYTES = 1 << 20
"""The memory held is summed up whenever this many more bytes arrived or wait."""


class Task(_WSGITask):  # type: ignore[misc]  # see above
    """Header and body leave in one piece; an answer without a body does not end the connection."""

    wrote_header: bool

    def execute(self) -> None:
        """See waitress; a call that was begun is finished without calling the application again."""
        pending: PendingCall[HttpAnswer] | None = self.request.pending
        if pending is None:
            super().execute()
        else:
            _give(self, pending.finish())

    def set_close_on_finish(self) -> None:
        """See waitress, which closes after every answer that has no Content-Length, as 204 never has."""
        keep = self.version == "1.1" and not self.has_body
        if keep and self.request.headers.get("CONNECTION", "").lower() != "close":
            return
        super().set_close_on_finish()

    def write(self, data: bytes) -> None:
        """See waitress, which sends the header by itself."""
        if self.wrote_header or not data or len(data) != self.content_length or not self.has_body:
            super().write(data)
            return
        self.channel.write_soon(self.build_response_header() + data)
        self.wrote_header = True
        self.content_bytes_written = len(data)


class RefusalTask(_ErrorTask):  # type: ignore[misc]  # see above
    """What waitress refuses by itself, in the words of the one error handler."""

    def execute(self) -> None:
        """Answer, then close once the client has had time to read it."""
        application: Application = self.channel.server.application
        error = self._error(self.request.error)
        self.channel.linger = True
        self.set_close_on_finish()
        _give(self, application.refuse(error, self.request.path, self.channel.addr[0]))

    def _error(self, error: Any) -> Exception:
        if isinstance(error, LtsError):
            return error
        known: dict[int, LtsError] = {
            400: Malformed(f"The HTTP request cannot be read: {error.body}."),
            413: TooLarge(f"The body is larger than {self.channel.adj.max_request_body_size - 1} bytes."),
            414: HttpError(414, "request-line-too-long", f"The HTTP request cannot be read: {error.body}."),
            431: HttpError(431, "header-too-large", f"The HTTP request cannot be read: {error.body}."),
            501: HttpError(501, "transfer-encoding", "Send the body as it is, or chunked."),
        }
        return known.get(error.code) or RuntimeError(error.body)


def _give(task: Task | RefusalTask, answer: HttpAnswer) -> None:
    task.status = problems.status_line(answer.status)
    task.response_headers.extend(answer.headers)
    task.content_length = len(answer.body)
    task.write(answer.body)


class Channel(_HTTPChannel):  # type: ignore[misc]  # see above
    """One connection. Of pipelined requests, one is answered, and its answer received by the client, before the next is
    read; so at most one answer waits for a client that does not read.
    """

    task_class = Task
    error_task_class = RefusalTask
    requests: list[RequestParser]
    outbufs: list[Any]
    linger = False
    """Whether the client may still be sending the refused request."""
    _rest = b""
    """What arrived after the request in progress."""
    _unsent_since = 0.0
    _sent = _written = 0
    """When answers last began to wait, and the bytes taken, and written, since."""
    _partial: RequestParser | None = None
    _partial_since = 0.0
    _drain_since = 0.0
    _dropped = 0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.requests_lock = threading.RLock()

    def parser_class(self, adj: Any) -> RequestParser:
        """See waitress; a request whose body is still to come can be turned away, see lts.httpd.dispatch."""
        return RequestParser(adj, self.server.application, self.addr[0])

    def readable(self) -> bool:
        """See waitress; nothing more is read while something waits to be parsed."""
        return not (self.will_close or self.close_when_flushed or self.requests or self._rest or self.total_outbufs_len)

    def writable(self) -> bool:
        """See waitress; what is set aside is processed when the client receives more."""
        return bool(super().writable() or (self._rest and not self.requests))

    def received(self, data: bytes) -> bool:
        """See waitress; notes when a request began to arrive."""
        with self.requests_lock:  # another thread may serve the request before its rest is put aside
            taken: bool = super().received(data)
            self._rest = self.requests[-1].rest if self.requests else b""
        if self.request is not self._partial:
            self._partial = self.request
            self._partial_since = time.monotonic()
        return taken

    def write_soon(self, data: Any) -> int:
        """See waitress; notes when an answer began to wait."""
        if not self.total_outbufs_len:
            self._unsent_since, self._sent, self._written = time.monotonic(), 0, 0
        written: int = super().write_soon(data)
        self._written += written
        self.server.uncounted += written
        if self._written > IN_MEMORY_BYTES:
            with contextlib.suppress(OSError):  # the loop has ended, and all files with it
                self.server.trigger.pull_trigger(self.server.make_room_on_disk)
        return written

    def _flush_some(self, do_close: bool = True) -> bool:
        """See waitress, which keeps the memory of the last answer for as long as the connection is open."""
        flushed: bool = super()._flush_some(do_close)
        if not self.total_outbufs_len and self.outbufs[0].buf is not None:
            self.outbufs[0].close()
            self.outbufs = [OverflowableBuffer(self.adj.outbuf_overflow)]
        return flushed

    def recv(self, most: int) -> bytes:
        """See waitress; counts bytes received."""
        data: bytes = super().recv(most)
        self.server.uncounted += len(data)
        return data

    def send(self, data: bytes, do_close: bool = True) -> int:
        """See waitress; counts bytes sent."""
        sent: int = super().send(data, do_close)
        self._sent += sent
        return sent

    def _flush_outbufs_below_high_watermark(self) -> None:
        """See waitress, which waits here until the client has read."""

    def begin(self) -> PendingCall[HttpAnswer]:
        """Begin the request that waits, see lts.httpd.dispatch; `service` finishes it."""
        request = self.requests[0]
        return request.begin(Task(self, request).get_environment())

    def gone(self) -> bool:
        """Whether the client closed the connection while its request waited: nothing is read of it meanwhile."""
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def drop(self) -> None:
        """End the connection without an answer."""
        self.cancel()
        self.server.pull_trigger()

    def handle_read(self) -> None:
        if not self._drain_since:
            super().handle_read()
            self.server.make_room()
            return
        try:
            data = self.recv(DRAIN_CHUNK)
        except OSError:
            data = b""
        self._dropped += len(data)
        if not data or self._drained_enough():
            self.handle_close()

    def handle_write(self) -> None:
        """See waitress; after a refusal the connection is closed gracefully, otherwise the next request is read."""
        if not self.linger or not self.close_when_flushed or self.will_close:
            super().handle_write()
            if self._rest and self.connected and not (self.requests or self.total_outbufs_len):
                self.received(self._rest)
            return
        self._flush_exception(self._flush_some)
        if self.total_outbufs_len or self.will_close or not self.connected:
            return
        self._drain_since = time.monotonic()
        # Only now, since these are asked of every connection at every turn of the loop.
        self.readable = lambda: True  # type: ignore[method-assign]
        self.writable = lambda: bool(self.will_close)  # type: ignore[method-assign]
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def held(self) -> int:
        """Bytes of memory held for this client: of a request not yet complete, or of answers not yet received."""
        requests = [*self.requests, self.request] if self.request is not None else self.requests
        arrived: int = sum(request.held() for request in requests)
        return arrived + len(self._rest) + (min(self._written, IN_MEMORY_BYTES) if self.total_outbufs_len else 0)

    def filed(self) -> int:
        """Bytes that this client's answers take on the disk: a file keeps what is sent until all of it is."""
        return self._written if self.total_outbufs_len and self._written > IN_MEMORY_BYTES else 0

    def pace(self) -> float:
        """Bytes a second that the client takes of what waits."""
        return self._sent / (1 + time.monotonic() - self._unsent_since)

    def overdue(self, full: bool) -> bool:
        """Whether the connection should end: drained long enough, too slow, or idle with no room for others."""
        if self._drain_since:
            return self._drained_enough()
        if self.requests:
            return False
        request, now = self.request, time.monotonic()
        if self.total_outbufs_len or self._rest:
            allowed = (IDLE_SECONDS_WHEN_FULL if full else ANSWER_SECONDS) + self._sent / REQUEST_BYTES_PER_SECOND
            return now - self._unsent_since > allowed
        if request is None:
            return full and time.time() - self.last_activity > IDLE_SECONDS_WHEN_FULL
        allowed = REQUEST_SECONDS + request.body_bytes_received / REQUEST_BYTES_PER_SECOND
        return now - self._partial_since > (IDLE_SECONDS_WHEN_FULL if full else allowed)

    def _drained_enough(self) -> bool:
        seconds = time.monotonic() - self._drain_since
        return seconds > DRAIN_SECONDS or (self._dropped > DRAIN_BYTES and seconds > DRAIN_BYTES_SECONDS)

    def at_rest(self, unfinished_counts: bool) -> bool:
        """Whether nothing is under way; a request that has only arrived in part is, if it counts."""
        busy = self.requests or self._rest or self.total_outbufs_len or (unfinished_counts and self.request is not None)
        return not busy


class _WakeUps(threading.local):
    """Wake-ups of the loop that a thread holds back."""

    depth = 0


class Trigger(_Trigger):  # type: ignore[misc]  # see above
    """Wakes the loop; once closed it does nothing: its file descriptor may be that of another file by then."""

    def __init__(self, map: dict[int, Any]) -> None:
        self._ending = threading.RLock()
        """Held to wake and to close; a signal handler may come in between."""
        super().__init__(map)

    def close(self) -> None:
        """See waitress."""
        with self._ending:
            super().close()

    def _physical_pull(self) -> None:
        with self._ending:
            if not self._closed:
                super()._physical_pull()


class Acceptor(_TcpWSGIServer):  # type: ignore[misc]  # see above
    """One listening socket and its connections."""

    channel_class = Channel
    uncounted = 0
    """Bytes received or waiting since the memory held was last summed up."""
    _held = _WakeUps()
    trigger: Any

    def __init__(self, application: Any, connections: dict[int, Any], *more: Any, **options: Any) -> None:
        super().__init__(application, connections, *more, **options)
        self.trigger.close()
        self.trigger = Trigger(connections)

    def pull_trigger(self) -> None:
        """See waitress; the loop is woken once for a group of answers."""
        if not self._held.depth:
            super().pull_trigger()

    @contextlib.contextmanager
    def one_wake_up(self) -> Iterator[None]:
        """What this thread answers within the block wakes the loop at its end."""
        self._held.depth = 1
        try:
            yield
        finally:
            self._held.depth = 0
            self.pull_trigger()

    def make_room(self) -> None:
        """End the connections that hold most, if all together hold too much; a request that is served is let be."""
        if self.uncounted < SUM_UP_BYTES:
            return
        self.uncounted = 0
        channels = [one for one in list(self._map.values()) if isinstance(one, Channel)]
        held = sorted(((channel.held(), channel) for channel in channels), key=itemgetter(0), reverse=True)
        over = sum(each for each, _ in held) - max(HELD_BYTES, 2 * self.adj.max_request_body_size)
        for each, channel in held:
            if over <= 0 or each <= SMALL_BYTES:
                return
            if not channel.requests:
                log.info("a connection from %s is closed, since it holds %d bytes", channel.addr[0], each)
                channel.handle_close()
                over -= each

    def make_room_on_disk(self) -> None:
        """End the slowest connection of the address whose answers take most, until all files are within the limit; one
        that is served is let be, and so is the last one."""
        waiting = [one for one in list(self._map.values()) if isinstance(one, Channel) and one.filed()]
        taken: Counter[str] = Counter()
        for channel in waiting:
            taken[channel.addr[0]] += channel.filed()
        while len(waiting) > 1 and taken.total() > FILED_BYTES:
            ended = min(waiting, key=lambda one: (-taken[one.addr[0]], one.pace()))
            waiting.remove(ended)
            if not ended.requests:
                log.info("a connection from %s is closed: %d bytes wait for it", ended.addr[0], ended.filed())
                taken[ended.addr[0]] -= ended.filed()
                ended.handle_close()

    def maintenance(self, now: float) -> None:
        """See waitress; called every few seconds."""
        super().maintenance(now)
        full = len(self._map) > self.adj.connection_limit * 9 // 10
        for channel in list(self.active_channels.values()):
            if channel.will_close or channel.overdue(full):
                channel.will_close = True
                # waitress itself closes only what can be written to, which is never when nobody reads.
                self.trigger.pull_trigger(channel.handle_close)
