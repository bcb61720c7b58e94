"""Threads that answer requests: one comes when a request waits and none is idle, and goes when it had nothing to do.

A server at rest so has none of them; what a request is, and who shares a thread, is said in lts/web/dispatch.py.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any

log = logging.getLogger("lts.web")
IDLE_SECONDS = 30.0
"""How long a thread waits for another request before it goes."""


class Pool:
    """Up to `most` threads, each serving one task after another."""

    def __init__(self, most: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._most = most
        self._idle_seconds = idle_seconds
        self._tasks: deque[Any] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._idle = self.threads = 0
        self._ended = False

    def __len__(self) -> int:
        """Tasks that wait for a thread."""
        return len(self._tasks)

    def put(self, task: Any) -> None:
        """Have a task served: by an idle thread, a new one, or the first that is free."""
        with self._changed:
            self._tasks.append(task)
            if len(self._tasks) <= self._idle:
                self._changed.notify()
            elif self.threads < self._most:
                threading.Thread(target=self._work, name="lts-request", daemon=True).start()
                self.threads += 1

    def end(self, seconds: float) -> None:
        """Let what is being served finish within so many seconds; cancel what waits."""
        until = time.monotonic() + seconds
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            while self.threads and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            waiting = list(self._tasks)
            self._tasks.clear()
        for task in waiting:
            task.cancel()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                task.service()
            except Exception:
                log.exception("a request could not be answered")

    def _next(self) -> Any:
        """The task that waits for longest; None when this thread is to go, which then counts no more."""
        with self._changed:
            woken = True
            while not self._ended and not self._tasks and woken:
                self._idle += 1
                woken = self._changed.wait(self._idle_seconds)
                self._idle -= 1
            if self._tasks and not self._ended:
                return self._tasks.popleft()
            self.threads -= 1
            if self._ended:
                self._changed.notify_all()
            return None
