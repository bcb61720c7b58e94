"""Threads for requests: client calls are taken in groups, pages one after another, everything else by a pool.

A client call begins (is read, and handed to the store's writer) and then finishes (waits for the commit, signs,
answers). Beginning a whole group before finishing any lets one commit serve all of it, and saves a change of threads
for each; one that takes long to finish is finished by two other threads. Where answers also wait for the standby, the
next group is begun and stored meanwhile. The application decides what belongs to a group and how it begins.

Reads of the portal's pages, and other expensive calls that change nothing, are computed by one thread: however many
browsers show statistics, client calls share the interpreter with one of them (docs/decisions/0009-portal-cost.md).
Users take turns there, and nothing is computed for a client that has gone.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from queue import Empty, SimpleQueue

from lts.httpd.channel import Channel
from lts.httpd.pool import Pool
from lts.httpd.requestparser import RequestParser
from lts.httpd.turns import Turns
from lts.service.core.pendingcall import PendingCall
from lts.web.wire.application import Application, HttpAnswer

log = logging.getLogger("lts.web")
GROUP = 64
LONG = 2
"""Threads for what takes long to finish: more of them would only fight for the interpreter with all other calls."""
GROUPED_BYTES = 16 << 10
"""A larger body, or a packed one, is left to the pool: reading it must not hold up the calls of others."""
GROUPED_VALUES = 400
"""A body with more values is left to those for what takes long: each may be refused for a reason of its own, which
costs far more than its bytes."""


def _take(waiting: SimpleQueue[Channel | None], *, wait: bool) -> list[Channel]:
    """A group of requests, none when nothing waits; with `wait` none only once the server ends, which None says."""
    found: list[Channel] = []
    with contextlib.suppress(Empty):
        while len(found) < GROUP:
            task = waiting.get(block=wait and not found)
            if task is None:
                waiting.put(None)  # for the next time
                break
            found.append(task)
    return found


class Dispatcher:
    """The interface that waitress expects; `application` decides what is grouped, the pool has up to `threads`."""

    def __init__(self, application: Application, threads: int) -> None:
        self._application = application
        self._pool = Pool(threads)
        self._long = Pool(LONG)
        self._calls: SimpleQueue[Channel | None] = SimpleQueue()
        self._pages: Turns[Channel] = Turns(lambda channel: channel.requests[0].whose())

    def start(self) -> None:
        """Begin to serve."""
        # One thread each: measured, a second one only fights the first for the interpreter.
        threading.Thread(target=self._serve_groups, name="lts-calls", daemon=True).start()
        threading.Thread(target=self._serve_pages, name="lts-pages", daemon=True).start()

    @property
    def waiting(self) -> int:
        """Requests that wait for a thread."""
        return self._calls.qsize() + len(self._pages) + len(self._pool) + len(self._long)

    def add_task(self, task: Channel) -> None:
        """A channel has a complete request."""
        request = task.requests[0]
        try:
            self._served_by(request).put(task)
        except Exception:  # this thread serves all connections
            log.exception("no thread could be chosen to answer a request of %r", request.path)
            self._pool.put(task)

    def _served_by(self, request: RequestParser) -> SimpleQueue[Channel | None] | Turns[Channel] | Pool:
        application = self._application
        if request.error:
            return self._pool
        if application.groups(request.command, request.path) and _is_small(request):
            return self._calls if request.values() <= GROUPED_VALUES else self._long
        return self._pages if application.is_page(request.command, request.path) else self._pool

    def shutdown(self, timeout: float) -> None:
        """Finish what is being served within so many seconds; what waits for the pool is dropped."""
        self._calls.put(None)
        self._pages.end()
        self._long.end(timeout)
        self._pool.end(timeout)

    def _serve_groups(self) -> None:
        parked: list[Channel] = []
        while True:
            group = _take(self._calls, wait=not parked)
            if not group and not parked:
                return
            try:
                group = self._begin(group)
                if parked:
                    self._answer(parked)
                parked = []
                if group and self._application.parks():
                    parked = group
                elif group:
                    self._answer(group)
            except Exception:
                parked = []
                log.exception("a group of requests could not be served")

    def _serve_pages(self) -> None:
        while (page := self._pages.get()) is not None:
            try:
                if page.gone():
                    page.drop()
                else:
                    page.service()
            except Exception:
                log.exception("a page could not be answered")

    def _begin(self, group: list[Channel]) -> list[Channel]:
        """Those to be answered here; what takes long continues in the pool."""
        quick = []
        last: PendingCall[HttpAnswer] | None = None
        for channel in group:
            pending: PendingCall[HttpAnswer] | None = None
            try:
                pending = channel.begin()
            except Exception:
                log.exception("a request could not begin; it is tried once more as a whole")
            if pending is not None and pending.takes_long:
                self._long.put(channel)
            else:
                quick.append(channel)
                last = pending
        if last is not None and self._application.parks():
            last.settle()
        return quick

    def _answer(self, group: list[Channel]) -> None:
        with group[0].server.one_wake_up():
            for channel in group:
                try:
                    channel.service()
                except Exception:
                    log.exception("a request could not be answered")


def _is_small(request: RequestParser) -> bool:
    return request.body_bytes_received <= GROUPED_BYTES and "CONTENT_ENCODING" not in request.headers
