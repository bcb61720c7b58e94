"""One thread owns the writing connection and commits in groups (architecture.md, The write path).

An operation runs inside a transaction with others that waited; nobody gets an answer before the commit is
durable. An operation refuses (LtsError) before it emits anything; any other failure after an emit undoes
the group, whose operations then run again one by one, so that one cannot harm the others.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import apsw

from lts.errors import CannotStore, LtsError
from lts.store.transaction import Memory, Transaction

T = TypeVar("T")
GROUP = 512
STORAGE_FAULTS = (
    apsw.FullError,
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.CantOpenError,
    apsw.NoMemError,
    apsw.ProtocolError,
)


class _Waiting:
    __slots__ = ("done", "error", "operation", "result")

    def __init__(self, operation: Callable[[Transaction], Any]) -> None:
        self.operation = operation
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()


class Writer:
    """Runs operations durably. `on_fault(error or None)` is told when storing fails and when it works again."""

    def __init__(
        self,
        db: apsw.Connection,
        memory: Memory,
        on_fault: Callable[[Exception | None], None] = lambda error: None,
    ) -> None:
        self._db = db
        self._memory = memory
        self._on_fault = on_fault
        self._faulty = False
        self._waiting: list[_Waiting] = []
        self._wake = threading.Condition(threading.Lock())
        self._stopping = False
        self.commits = 0
        self.operations = 0
        self._thread = threading.Thread(target=self._loop, name="lts-writer", daemon=True)
        self._thread.start()

    @property
    def queue_depth(self) -> int:
        """Operations that wait for the next group."""
        return len(self._waiting)

    def run(self, operation: Callable[[Transaction], T]) -> T:
        """Run `operation` and return its result once it is durable.

        Raises what the operation raised, or CannotStore (nothing of it is stored then).
        """
        waiting = _Waiting(operation)
        with self._wake:
            if self._stopping:
                raise CannotStore("The server is stopping.")
            self._waiting.append(waiting)
            self._wake.notify()
        waiting.done.acquire()
        if waiting.error is not None:
            raise waiting.error
        return waiting.result  # type: ignore[no-any-return]  # what the operation returned

    def stop(self) -> None:
        """Finish what waits, then end the thread and close the connection."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        with contextlib.suppress(apsw.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()

    def _loop(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._stopping:
                    self._wake.wait()
                if not self._waiting:
                    return
                group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            self._run_group(group)
            self.operations += len(group)
            for waiting in group:
                waiting.done.release()

    def _run_group(self, group: list[_Waiting]) -> None:
        try:
            self._commit(group)
        except STORAGE_FAULTS as error:
            self._fail(group, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the group runs again one by one
            if len(group) == 1:
                group[0].error = error
                return
            for waiting in group:
                waiting.error = None
                self._run_group([waiting])

    def _fail(self, group: list[_Waiting], error: Exception) -> None:
        self._faulty = True
        self._on_fault(error)
        for waiting in group:
            if waiting.error is None:
                waiting.error = CannotStore()

    def _commit(self, group: list[_Waiting]) -> None:
        tx = Transaction(self._db, self._memory)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for waiting in group:
                _run(waiting, tx)
            if tx.must_commit:
                tx.flush()
                self._db.execute("COMMIT")
                self.commits += 1
            else:
                self._db.execute("ROLLBACK")
            tx.keep()
        except BaseException:
            tx.drop()
            with contextlib.suppress(apsw.Error):
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            raise
        if tx.must_commit and self._faulty:
            self._faulty = False
            self._on_fault(None)


def _run(waiting: _Waiting, tx: Transaction) -> None:
    before = tx.changes_made
    try:
        waiting.result = waiting.operation(tx)
    except LtsError as error:
        if tx.changes_made != before:
            raise RuntimeError("An operation refused after it had emitted a change.") from error
        waiting.error = error
