"""The daily check of the whole database while the server serves, a table at a time, alongside the writer."""

from __future__ import annotations

import contextlib
import logging

from lts.errors import LtsError
from lts.protocol import DAY_SECONDS
from lts.rules.alerting.notices import ERROR, Notice
from lts.service.core.context import Context
from lts.store.file import database, integrity
from lts.store.sql import Closed, Connection, Interrupted

log = logging.getLogger("lts.inspection")
DAMAGED = "database-damaged"


class Inspection:
    """`step` checks the next table, and after the last one nothing for a day; `stop` ends one under way."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._left: list[str] | None = None
        self._next = 0.0
        self._found: list[integrity.DatabaseFault] = []
        self._db: Connection | None = None
        self._stopped = False

    def step(self) -> None:
        """Check one table; damage becomes a notice, a line of the log, and an event that is mailed."""
        now = self._ctx.clock.elapsed()
        if (self._left is None and now < self._next) or self._stopped:
            return
        path = self._ctx.store.path
        with database.translating_errors(path), contextlib.closing(database.open_reader(path)) as db:
            self._db = db
            if self._left is None:
                self._left, self._next = integrity.tables(db), now + DAY_SECONDS
                self._found = integrity.schema_faults(db)
            table = self._left.pop(0)
            try:
                self._found += integrity.faults_of(db, table)
            except Interrupted:
                return
            finally:
                self._db = None
        self._warn()
        if not self._left:
            self._left = None

    def stop(self) -> None:
        """End, also in the middle of a large table. Callable from another thread."""
        self._stopped = True
        db = self._db
        if db is not None:
            with contextlib.suppress(Closed):
                db.interrupt()

    def _warn(self) -> None:
        ctx, found = self._ctx, self._found
        if not found or ctx.running.warnings.find(DAMAGED):
            return
        reason, advice = found[0].words, integrity.remedy(found)
        sentence = f"{ctx.store.path} is damaged ({reason}): what is counted may be wrong; {advice}."
        log.error("%s", sentence)
        ctx.running.warnings.put(Notice(DAMAGED, sentence, ERROR, {"reason": reason, "advice": advice}))
        try:
            ctx.note_event(DAMAGED, {"reason": reason})
        except LtsError as error:
            log.warning("the damage could not be written to the audit log: %s", error.detail)
