"""Work counted in steps, which no other program on the machine changes: calls in Python and steps of SQLite."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import apsw

GRAIN = 20
"""Steps of SQLite's machine between two counts of it."""
WORST = 2.6
"""How much dearer twice the input may be: 2 in linear work, 4 in quadratic work."""


class Steps:
    """Counts what this thread does while `of` runs, on every connection that was opened since."""

    def __init__(self) -> None:
        self._sqlite = 0

    def watch(self, db: apsw.Connection) -> None:
        """Count a connection's steps too."""
        db.set_progress_handler(self._tick, GRAIN)

    def _tick(self) -> bool:
        self._sqlite += 1
        return False

    def of(self, work: Callable[[], Any]) -> int:
        """Steps of one piece of work."""
        calls = 0

        def called(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += 1

        before = self._sqlite
        sys.setprofile(called)
        try:
            work()
        finally:
            sys.setprofile(None)
        return calls + (self._sqlite - before) * GRAIN


@contextlib.contextmanager
def counted() -> Iterator[Steps]:
    """Steps of connections that are opened within the block."""
    steps = Steps()
    apsw.connection_hooks.append(steps.watch)
    try:
        yield steps
    finally:
        apsw.connection_hooks.remove(steps.watch)


@contextlib.contextmanager
def statements() -> Iterator[dict[str, Any]]:
    """The texts of all statements that run on connections opened within the block, with values of one run."""
    seen: dict[str, Any] = {}
    with _noted(seen.__setitem__):
        yield seen


@contextlib.contextmanager
def every_statement() -> Iterator[list[tuple[str, Any]]]:
    """The texts and values of all statements that run on connections opened within the block, in order."""
    ran: list[tuple[str, Any]] = []
    with _noted(lambda sql, values: ran.append((sql, values))):
        yield ran


@contextlib.contextmanager
def _noted(take: Callable[[str, Any], None]) -> Iterator[None]:
    def note(cursor: apsw.Cursor, sql: str, values: Any) -> bool:
        take(sql, values)
        return True

    def hook(db: apsw.Connection) -> None:
        db.exec_trace = note

    apsw.connection_hooks.append(hook)
    try:
        yield
    finally:
        apsw.connection_hooks.remove(hook)
