"""What the system refuses, worded for the person at the command line: a full disk, a path without access.

Only faults of the machine are worded here; faults of LTS are for its developers.
"""

from __future__ import annotations

import argparse
import errno
from pathlib import Path

from lts import plainfile

_NOT_WRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
_IN_THE_WAY = frozenset({errno.EISDIR, errno.ENOTDIR, errno.ELOOP})
_BROKEN = {
    errno.EIO: "check its disk",
    errno.EMFILE: "allow more open files",
    errno.ENFILE: "allow more open files",
    errno.ENOMEM: "free some memory",
}


def words_of(error: OSError) -> str | None:
    """A sentence about a fault of the machine, None for any other."""
    path = error.filename or "A file"
    if isinstance(error, PermissionError):
        return _closed(error)
    if error.errno in _NOT_WRITABLE:
        return plainfile.not_written(path, error)
    if error.errno == errno.ENAMETOOLONG:
        return plainfile.not_read(path, error)
    if error.errno in _IN_THE_WAY or error.strerror == plainfile.NO_FILE:
        return f"{path} cannot be used ({error.strerror}); move away the file or folder in its place."
    if error.errno in _BROKEN:
        return f"{path} cannot be read or written ({error.strerror}); {_BROKEN[error.errno]}."
    return None


def not_open(error: PermissionError, args: argparse.Namespace) -> str:
    """A sentence about a path that this user may not open; of the server's own, also who may."""
    from lts.cli.options import is_the_servers
    from lts.whoami import who_may

    if error.filename is not None and is_the_servers(Path(error.filename), args):
        return f"{_closed(error).removesuffix('.')}; run this {who_may()}."
    return _closed(error)


def _closed(error: PermissionError) -> str:
    return f"{error.filename or 'A file'} is not open to you ({error.strerror})."
