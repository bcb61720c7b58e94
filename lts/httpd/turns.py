"""A queue in which those who ask take turns, however much each of them asks for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Task = TypeVar("Task")


class Turns(Generic[Task]):
    """Tasks of one asker, `whose` says which, stay in their order; of each asker one is taken in turn."""

    def __init__(self, whose: Callable[[Task], Hashable]) -> None:
        self._whose = whose
        self._waiting: dict[Hashable, deque[Task]] = {}
        """By asker, in the order of their turns; nobody is kept without a task."""
        self._changed = threading.Condition()
        self._ended = False

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def put(self, task: Task) -> None:
        """Let a task wait; raises what `whose` does."""
        asker = self._whose(task)
        with self._changed:
            self._waiting.setdefault(asker, deque()).append(task)
            self._changed.notify()

    def end(self) -> None:
        """What waits is still taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def get(self) -> Task | None:
        """The next task, once there is one; None after the end."""
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait()
            if not self._waiting:
                return None
            asker = next(iter(self._waiting))
            tasks = self._waiting.pop(asker)
            task = tasks.popleft()
            if tasks:
                self._waiting[asker] = tasks
            return task
