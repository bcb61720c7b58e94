"""One writing connection, used by one thread at a time, commits in groups (docs/design/architecture.md, The write
path). An operation refuses by LtsError."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import apsw

from lts.errors import CannotStore, LtsError
from lts.store.changes.feed import ChangeRow
from lts.store.file.checkpoints import Checkpointer
from lts.store.writing.transaction import Transaction
from lts.store.writing.writermemory import Memory

T = TypeVar("T")
GROUP = 512
GROUP_WEIGHT = 250
"""Weight after which a group takes only operations that have none: an item of an authorization or report of many weighs
1, which is 10 to 20 us."""
STOP_MILLISECONDS = 500
"""How long a stop waits for other processes that read the log; the data is complete without them."""
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


class PendingWrite(Generic[T]):
    __slots__ = ("_woken", "_writer", "done", "error", "operation", "outcome", "sleeps", "weight")

    def __init__(self, writer: Writer, operation: Callable[[Transaction], T], weight: int) -> None:
        self._writer = writer
        self.weight = weight
        self._woken = threading.Lock()
        self._woken.acquire()
        self.operation = operation
        self.outcome: T | None = None
        self.error: BaseException | None = None
        self.done = False
        self.sleeps = False

    def result(self) -> T:
        """Wait until the operation is durable, and return what it returned.

        Raises what the operation raised, or CannotStore (nothing of it is stored then).
        """
        self.settle()
        if self.error is not None:
            raise self.error
        return cast("T", self.outcome)

    def settle(self) -> None:
        """Wait until the operation is durable or has failed."""
        if not self.done:
            self._writer.work_off(self)

    def wait(self) -> None:
        """Sleep until the operation is done, or this thread is to lead."""
        self._woken.acquire()

    def wake(self) -> None:
        self._woken.release()


class Writer:
    """Runs operations durably, one group at a time, in the thread of one of the waiting callers (the leader).

    `on_fault(error or None)` is called when storing fails and when it works again, `on_commit` with what a commit wrote
    to the feed, `on_log` when the log starts over.
    """

    def __init__(
        self,
        db: apsw.Connection,
        memory: Memory,
        on_fault: Callable[[Exception | None], None] = lambda error: None,
        on_commit: Callable[[list[ChangeRow]], None] = lambda rows: None,
        *,
        journal: Checkpointer | None = None,
        on_log: Callable[[], object] = lambda: None,
    ) -> None:
        self._db = db
        self._journal = journal or Checkpointer(db)
        self._on_log = on_log
        self._on_commit = on_commit
        self._memory = memory
        self._on_fault = on_fault
        self.faulty = False
        """Whether the last group that had something to store could not store it."""
        self._queue: list[PendingWrite[Any]] = []
        self._lock = threading.Lock()
        self._heavy = 0
        """Of those that wait, how many have a weight."""
        self._was_heavy = False
        """Whether the last group had some: what has none goes first then, so that it waits for one of these at most."""
        self._led = False
        self._stopping = False
        self.commits = 0
        self.operations = 0
        self.failures = 0
        """Groups that could not be stored."""
        self.groups = 0
        """Groups begun."""
        self.busy = False
        """Whether one is under way."""

    @property
    def queue_depth(self) -> int:
        """Operations that wait for the next group."""
        return len(self._queue)

    def run(self, operation: Callable[[Transaction], T]) -> T:
        """Run `operation` and return its result once it is durable, see PendingWrite.result."""
        return self.submit(operation).result()

    def submit(self, operation: Callable[[Transaction], T], weight: int = 0) -> PendingWrite[T]:
        """Hand `operation` over; it is run with the next group, one that has a weight with the first that has room for
        it, in order. Raises CannotStore when stopping."""
        waiting = PendingWrite(self, operation, weight)
        with self._lock:
            if self._stopping:
                raise CannotStore("The server is stopping.")
            self._queue.append(waiting)
            self._heavy += weight > 0
        return waiting

    def stop(self) -> None:
        """Take nothing more, finish what waits, and close the connection; again does nothing."""
        if self._stopping:
            return
        last = self.submit(lambda tx: None, 1)  # behind all that have a weight
        with self._lock:
            self._stopping = True
        last.result()
        self._db.set_busy_timeout(STOP_MILLISECONDS)
        with contextlib.suppress(apsw.Error):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()

    def work_off(self, waiting: PendingWrite[Any]) -> None:
        """Return once `waiting` is done: lead the next group, or sleep while another thread leads."""
        with self._lock:
            if waiting.done:
                return
            waiting.sleeps = self._led
            self._led = True
        if waiting.sleeps:
            waiting.wait()
        while not waiting.done:
            self._lead(waiting)

    def _lead(self, leader: PendingWrite[Any]) -> None:
        """Run what waits as one group, wake those it was for, and let one who still sleeps lead next.

        An operation whose result nobody waits for (its client has gone) is run with the others, but never leads.
        """
        with self._lock:
            group = self._take_group()
        self.groups += 1
        self.busy = True
        try:
            self._run_group(group)
        except BaseException:
            self._fail(group, "The server is stopping.")
            raise
        finally:
            self.busy = False
            self.operations += len(group)
            with self._lock:
                for done in group:
                    done.done = True
                following = next((one for one in self._queue if one.sleeps), None) if leader.done else None
                self._led = following is not None or not leader.done
            for done in (*group, *([following] if following else [])):
                if done.sleeps and done is not leader:
                    done.wake()

    def _take_group(self) -> list[PendingWrite[Any]]:
        if not self._heavy:
            group, self._queue = self._queue[:GROUP], self._queue[GROUP:]
            self._was_heavy = False
            return group
        light_first = self._was_heavy and len(self._queue) > self._heavy
        group, left, room = [], [], 0 if light_first else GROUP_WEIGHT
        for waiting in self._queue:
            if len(group) == GROUP or (waiting.weight and room <= 0):
                left.append(waiting)
            else:
                group.append(waiting)
                room -= waiting.weight
                self._heavy -= waiting.weight > 0
        self._queue = left
        self._was_heavy = room < GROUP_WEIGHT and not light_first
        return group

    def _run_group(self, group: list[PendingWrite[Any]]) -> None:
        try:
            self._commit(group)
        except STORAGE_FAULTS as error:
            self.faulty = True
            self.failures += 1
            self._on_fault(error)
            self._fail(group, cause=error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the group runs again one by one
            if len(group) == 1:
                group[0].error = error
                return
            for waiting in group:
                waiting.error = None
                self._run_group([waiting])

    def _fail(self, group: list[PendingWrite[Any]], *words: str, cause: Exception | None = None) -> None:
        for waiting in group:
            if waiting.error is None:
                waiting.error = CannotStore(*words)
                waiting.error.__cause__ = cause

    def _commit(self, group: list[PendingWrite[Any]]) -> None:
        tx = Transaction(self._db, self._memory)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for waiting in group:
                _run(waiting, tx)
            if tx.must_commit:
                tx.flush()
                self._journal.before_commit()
                self._db.execute("COMMIT")
                self.commits += 1
                committed = True
            else:
                self._db.execute("ROLLBACK")
                committed = False
            tx.keep()
        except BaseException:
            tx.drop()
            with contextlib.suppress(apsw.Error):
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            raise
        if committed:
            self._on_commit(tx.feed.rows)
            if self.faulty:
                self.faulty = False
                self._on_fault(None)
            if self._journal.committed():
                self._on_log()


def _run(waiting: PendingWrite[Any], tx: Transaction) -> None:
    before = len(tx.feed.rows)
    try:
        waiting.outcome = waiting.operation(tx)
    except LtsError as error:
        if len(tx.feed.rows) != before:
            raise RuntimeError("An operation refused after it had emitted a change.") from error
        waiting.error = error
