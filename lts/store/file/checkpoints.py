"""The write-ahead log of the writing connection: its checkpoints, and the generations that distinguish its logs.

Once the whole log was written into the database, it starts over. Its first commit then writes a number one higher into
the database, so that a log from another time is noticed (docs/design/machine.md, What a data folder says of itself). No
commit costs more for it.
"""

from __future__ import annotations

import contextlib

import apsw

from lts.store.tables import meta

WAL_PAGES = 4000
"""A log of this many pages is written into the database."""


class Checkpointer:
    """Takes SQLite's own checkpoints over; of the one connection that writes.

    A log that another process still reads, or that could not be written into the database, continues as it is.
    """

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._due = False
        self._pages = self._before = 0
        db.set_wal_hook(self._grown)
        self._put_into_database()

    def _grown(self, db: apsw.Connection, name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def before_commit(self) -> None:
        """Part of every transaction that is to be committed."""
        if self._due:
            meta.next_generation(self._db)

    def committed(self) -> bool:
        """After every commit: writes a long log into the database. Returns whether this commit started the log over."""
        self._due = False
        began, self._before = self._pages < self._before, self._pages
        if self._pages >= WAL_PAGES:
            self._put_into_database()
        return began

    def _put_into_database(self) -> None:
        with contextlib.suppress(apsw.Error):  # a full disk: tried again after the next commit
            size, done = self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._due = size == done
