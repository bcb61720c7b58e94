"""A VFS that fails on demand: full disk, read-only disk, at the edge of the file system."""

from __future__ import annotations

from typing import Any

import apsw

BASE = apsw.vfs_names()[0]


class Disk(apsw.VFS):
    """The default VFS while it stands; `fault` is raised by every write while set."""

    def __init__(self) -> None:
        self.fault: type[apsw.Error] | None = None
        super().__init__("faulty", BASE, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        """See SQLite."""
        return _File(self, name, flags)

    def on_write(self) -> None:
        """Something is about to be written."""

    def on_sync(self) -> None:
        """Something is about to be made durable."""

    def close(self) -> None:
        """Give the system's VFS its place back."""
        self.unregister()


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__(BASE, name, flags)

    def xLock(self, level: int) -> None:
        """See SQLite, which tries at the end of a connection that reads, and takes any failure for a no."""
        try:
            super().xLock(level)
        except apsw.IOError as error:
            raise apsw.BusyError("the file is open for reading") from error

    def xSync(self, flags: int) -> None:
        """See SQLite."""
        self._disk.on_sync()
        super().xSync(flags)

    def xWrite(self, data: Any, offset: int) -> None:
        """See SQLite."""
        self._disk.on_write()
        if self._disk.fault is not None:
            raise self._disk.fault("made up")
        super().xWrite(data, offset)
