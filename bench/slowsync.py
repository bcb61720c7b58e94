"""A VFS that adds a delay to every sync, to see what a slow disk does."""

from __future__ import annotations

import time

import apsw

_BASE = apsw.vfs_names()[0]


class _SlowFile(apsw.VFSFile):
    seconds = 0.0

    def xSync(self, flags: int) -> None:
        time.sleep(self.seconds)
        super().xSync(flags)


class _SlowVfs(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("slowsync", _BASE, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _SlowFile(_BASE, name, flags)


_kept: list[apsw.VFS] = []


def install(seconds: float) -> None:
    """Make it the default for connections opened from now on."""
    _SlowFile.seconds = seconds
    _kept.append(_SlowVfs())
