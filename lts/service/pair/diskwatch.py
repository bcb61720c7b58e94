"""Whether this server's disk stores what is written, as the hand-over sees it (docs/design/pair.md, Handing over)."""

from __future__ import annotations

from lts.store.writer import Writer


class DiskWatch:
    """Since when nothing can be stored, and since when everything could; in elapsed seconds, as seen at each check."""

    def __init__(self, writer: Writer, limit: float) -> None:
        self._writer = writer
        self._limit = limit
        self._failing_at: float | None = None
        self.well_at: float | None = None
        self._seen = (self._writer.commits, self._writer.failures, self._writer.groups)

    @property
    def troubled(self) -> bool:
        """Whether the last check saw that storing fails, or a group that takes long."""
        return self._failing_at is not None

    def look(self, now: float) -> float | None:
        """For how long nothing could be stored, None if something was, or nothing failed."""
        writer = self._writer
        commits, failures, groups = self._seen
        self._seen = (writer.commits, writer.failures, writer.groups)
        stuck = writer.busy and writer.groups == groups
        if writer.commits != commits or not (stuck or writer.faulty):
            self._failing_at = None
        elif self._failing_at is None:
            self._failing_at = now
        troubled_for = None if self._failing_at is None else now - self._failing_at
        hangs = stuck and troubled_for is not None and troubled_for >= self._limit  # below that it may be a long group
        if hangs or writer.failures != failures:
            self.well_at = None
        elif writer.commits != commits and self.well_at is None:
            self.well_at = now
        return troubled_for
