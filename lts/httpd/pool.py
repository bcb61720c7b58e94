"""Threads that answer requests: one starts when a request waits and none is idle, and ends when it has had nothing to
do.

So an idle server has none. lts/httpd/dispatch.py says what a request is, and which share a thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Protocol

log = logging.getLogger("lts.web")
IDLE_SECONDS = 30.0
"""How long a thread waits for another request before it goes."""


class Served(Protocol):
    """What threads of a pool work on: a connection whose request waits."""

    def service(self) -> None:
        """Answer it."""
        ...

    def cancel(self) -> None:
        """End it without an answer."""
        ...


class Pool:
    """Up to `most` threads, each serving one task after another.

    Of the idle ones that which was busy last takes the next task, so that a few do the work of a quiet hour and the
    others go.
    """

    def __init__(self, most: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._most = most
        self._idle_seconds = idle_seconds
        self._tasks: deque[Served] = deque()
        self._lock = threading.Lock()
        self._idle: list[threading.Condition] = []
        """Wakes idle threads; the one that was busy last is woken last."""
        self._gone = threading.Condition(self._lock)
        self._ended = False
        self.threads = 0

    def __len__(self) -> int:
        """Tasks that wait for a thread."""
        return len(self._tasks)

    def put(self, task: Served) -> None:
        """Have a task served: by an idle thread, a new one, or the first that is free. After the end it is canceled."""
        with self._lock:
            taken = not self._ended and self._has_thread_for_one_more()
            if taken:
                self._tasks.append(task)
        if not taken:
            _cancel(task)

    def end(self, seconds: float) -> None:
        """Let what is being served finish within so many seconds; cancel what waits."""
        until = time.monotonic() + seconds
        with self._lock:
            self._ended = True
            for idle in self._idle:
                idle.notify()
            while self.threads and (left := until - time.monotonic()) > 0:
                self._gone.wait(left)
            waiting = list(self._tasks)
            self._tasks.clear()
        for task in waiting:
            _cancel(task)

    def _has_thread_for_one_more(self) -> bool:
        """Wake or start a thread where there may be another; whether any is there at all."""
        if self._idle:
            self._idle.pop().notify()
        elif self.threads < self._most:
            try:
                threading.Thread(target=self._work, name="lts-request", daemon=True).start()
                self.threads += 1
            except RuntimeError:
                log.error("the system has no room for another thread; %d serve all requests", self.threads)
        return self.threads > 0

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                task.service()
            except BaseException:  # whatever it is, the thread stays, since it is counted
                log.exception("a request could not be answered")

    def _next(self) -> Served | None:
        """The task that waits for longest; None if this thread is to end, which is then no longer counted."""
        with self._lock:
            chosen = True
            while not self._ended and not self._tasks and chosen:
                mine = threading.Condition(self._lock)
                self._idle.append(mine)
                mine.wait(self._idle_seconds)
                chosen = mine not in self._idle
                if not chosen:
                    self._idle.remove(mine)
            if self._tasks and not self._ended:
                return self._tasks.popleft()
            self.threads -= 1
            self._gone.notify_all()
            return None


def _cancel(task: Served) -> None:
    try:
        task.cancel()
    except Exception:
        log.exception("a request that was not answered could not be ended")
