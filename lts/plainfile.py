"""Reading a file that somebody named: a pipe or a device in its place, which may never end, is refused. What cannot be
read or written is reported with what to do. Locking one against a second process; standard library only."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

_NAME = dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG), "check the name")
_RIGHTS = dict.fromkeys((errno.EACCES, errno.EPERM), "choose a place that is open to you, or another user")
NO_FILE = "it is a pipe or a device, not a file"
_READ = {**_NAME, **_RIGHTS, errno.EISDIR: "name a file in it", errno.EINVAL: "name a file"}
_WRITE = {
    **_NAME,
    **_RIGHTS,
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space on its disk"),
    errno.EISDIR: "name a file in it",
    errno.EROFS: "name a place on a disk that can be written",
    errno.EFBIG: "name a place where files may be as large",
}


def read(path: Path, most: int = -1) -> bytes:
    """The content of a file, or its first `most` bytes. Raises OSError, also for what is a pipe, socket or device."""
    check(path)
    with path.open("rb") as file:
        return file.read(most)


def check(path: Path) -> None:
    """Raises OSError for a pipe, socket or device, which may block whoever opens it, and for a missing file."""
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # the system reports a folder in its own words
        raise OSError(errno.EINVAL, NO_FILE, str(path))


def check_free(path: Path) -> None:
    """Raises OSError where a file cannot be written: a pipe, socket or device, or a folder, is in its place."""
    if path.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists():
        check(path)


def is_seen(path: Path) -> bool:
    """Whether an optional file is there and this user may see it; a folder that may not be opened counts as empty."""
    try:
        return path.is_file()
    except OSError:
        return False


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process, until it is closed or the process ends; returns False if another process
    holds it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def in_the_way(path: Path | str, error: OSError) -> str:
    """A sentence on what is in the place of a file, or of a folder, that LTS keeps in its data folder."""
    if error.errno == errno.EISDIR:
        return f"{path} is a folder; move the folder away, or restore a backup."
    if error.errno == errno.EINVAL:
        return f"{path} is a pipe or a device; move away what is in the place of that file, or restore a backup."
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"{path} is not a folder; move away what is in the place of that folder."
    return not_read(path, error)


def not_read(path: Path | str, error: OSError) -> str:
    """A sentence on what cannot be read, and what to do."""
    return f"{path} cannot be read ({error.strerror}); {_READ.get(error.errno or 0, 'check its disk')}."


def not_written(path: Path | str, error: OSError) -> str:
    """A sentence on what cannot be written, and what to do."""
    return f"{path} cannot be written ({error.strerror}); {_WRITE.get(error.errno or 0, 'check its disk')}."
