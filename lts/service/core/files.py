"""Writing files so that a crash leaves the old or the new content, never half of it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from lts import plainfile
from lts.whoami import user_name


def part_of(path: Path) -> Path:
    """The file that `write_private` writes first."""
    return path.with_name(path.name + ".part")


def write_private(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Replace `path` durably, by a content or the pieces of one; readable by its owner only (POSIX; on Windows the
    folder's ACL decides).

    Raises OSError that names the path, also where the system does not, of a full disk, or names it second, of a file
    that nobody may replace.
    """
    partial = part_of(path)
    try:
        plainfile.check_free(partial)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        if error.filename is None or error.filename2 is not None:
            partial.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    sync_folder(path.parent)


def not_read(path: Path, error: OSError) -> str:
    """A sentence on a file of the data folder that cannot be read."""
    if error.errno in (errno.EISDIR, errno.EINVAL):
        return plainfile.in_the_way(path, error)
    return f"{path} cannot be read by {user_name()} ({error.strerror}); give that user the rights or restore a backup."


def not_written(error: OSError) -> str:
    """A sentence on a file of the data folder that cannot be written."""
    if error.errno in (errno.EISDIR, errno.EINVAL, errno.ENOTDIR, errno.EEXIST):
        return plainfile.in_the_way(error.filename, error)
    return (
        f"{error.filename} cannot be written by {user_name()} ({error.strerror}); give that user the rights, or see to"
        " its disk, then try again."
    )


def move_private(source: Path, target: Path) -> None:
    """Move a file, also to another disk, so that only its new owner can read it; several may be moved to one place at
    once, and the last one stays. Raises OSError."""
    partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file, source.open("rb") as original:
            shutil.copyfileobj(original, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    source.unlink()


def give_to_owner(folder: Path) -> None:
    """What root made in a folder of the service's user belongs to that user, or the service could not use it."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return
    try:
        owner = folder.stat()
    except FileNotFoundError:  # deleted while it was in use: there is nothing left to give
        return
    if owner.st_uid != 0:
        for path in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system lets a folder be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def file_digest(path: Path) -> bytes:
    """SHA-256 of a file's content. Raises OSError."""
    plainfile.check(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()
