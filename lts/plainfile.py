"""Reading a file that somebody named: a pipe or a device in its place, which may never end, is refused."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def read(path: Path, most: int = -1) -> bytes:
    """The content of a file, or its first `most` bytes. Raises OSError, also for what is a pipe, socket or device."""
    check(path)
    with path.open("rb") as file:
        return file.read(most)


def check(path: Path) -> None:
    """Raises OSError for what is a pipe, socket or device, which may hold up whoever opens it, or is not there."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder is told by the system in its own words
        raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))
