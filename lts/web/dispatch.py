"""Threads for requests: client calls are taken in groups, everything else one by one.

A client call begins (is read, and handed to the store's writer) and then finishes (waits for the commit,
signs, answers). Beginning a whole group before finishing any lets one commit serve all of it, and saves a
change of threads for each. Where answers wait for the standby too, the next group is begun and stored meanwhile.
What belongs to a group, and how it begins, is the application's to say.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Protocol

from waitress.task import ThreadedTaskDispatcher

_Dispatcher: Any = ThreadedTaskDispatcher
GROUP = 64


class Grouping(Protocol):
    """An application whose requests may be begun before they are answered."""

    def groups(self, method: str, path: str) -> bool:
        """Whether such a request belongs to a group."""
        ...

    def begin(self, environ: dict[str, Any]) -> None:
        """Begin a request of a group; calling the application with the same environ then finishes it."""
        ...

    def parks(self) -> bool:
        """Whether answers wait for another server: then the next group begins while one waits."""
        ...

    def settle(self, environ: dict[str, Any]) -> None:
        """Wait until what a begun request asked for is stored here."""
        ...


class Dispatcher(_Dispatcher):  # type: ignore[misc]  # waitress has no types for this
    """See waitress; `application` decides what is grouped."""

    def __init__(self, application: Grouping | None) -> None:
        super().__init__()
        self._application = application
        self._calls: deque[Any] = deque()
        self._ready = threading.Condition(threading.Lock())
        self._ended = False
        if application is not None:
            # One thread: measured, a second one only fights the first for the interpreter.
            threading.Thread(target=self._serve_groups, name="lts-calls", daemon=True).start()

    @property
    def waiting(self) -> int:
        """Requests that wait for a thread."""
        return len(self._calls) + len(self.queue)

    def add_task(self, task: Any) -> None:
        """A channel has a whole request."""
        request = task.requests[0]
        if self._application is None or request.error or not self._application.groups(request.command, request.path):
            super().add_task(task)
            return
        with self._ready:
            self._calls.append(task)
            self._ready.notify()

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        """See waitress."""
        with self._ready:
            self._ended = True
            self._ready.notify_all()
        done: bool = super().shutdown(cancel_pending, timeout)
        return done

    def _serve_groups(self) -> None:
        parked: list[Any] = []
        while True:
            group = self._take(wait=not parked)
            if not group and not parked:
                return
            try:
                self._begin(group)
                if parked:
                    self._answer(parked)
                parked = []
                if group and self._application is not None and self._application.parks():
                    parked = group
                elif group:
                    self._answer(group)
            except Exception:
                parked = []
                self.logger.exception("a group of requests could not be served")

    def _take(self, *, wait: bool) -> list[Any]:
        """The next group, empty when nothing waits; with `wait` only once the server ends."""
        with self._ready:
            while wait and not self._calls and not self._ended:
                self._ready.wait()
            return [self._calls.popleft() for _ in range(min(GROUP, len(self._calls)))]

    def _begin(self, group: list[Any]) -> None:
        for channel in group:
            try:
                channel.begin(self._application)
            except Exception:
                self.logger.exception("a request could not begin; it is tried once more as a whole")
        if group and self._application is not None and self._application.parks():
            group[-1].settle(self._application)

    def _answer(self, group: list[Any]) -> None:
        with group[0].server.one_wake_up():
            for channel in group:
                try:
                    channel.service()
                except Exception:
                    self.logger.exception("a request could not be answered")
