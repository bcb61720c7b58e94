"""The data folder: making it, locking it against a second process, and the command line's token."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import secrets
import sys
import time
from pathlib import Path
from typing import IO, Any

from lts import plainfile
from lts.errors import DataFolderError, DataFolderLocked, words_of
from lts.service.core.files import give_to_owner, write_private
from lts.strictjson import strict_json
from lts.whoami import user_name, who_may

log = logging.getLogger("lts.datafolder")
LOCK, NOTE, TOKEN = "lts.lock", "lts.running", "cli.token"
PATIENCE_SECONDS = 0.5
"""A command that only checks whether a server runs holds the lock for an instant."""
_NETWORK_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "9p", "afs", "fuse.sshfs", "webdav"})


_MARKS = (LOCK, "lts.mark", "lts.db", "vault.key")


def around(path: Path) -> Path | None:
    """The data folder that a place is in, links followed; None if it is in none."""
    return next((folder for folder in Path(os.path.realpath(path)).parents if _is_one(folder)), None)


def _is_one(folder: Path) -> bool:
    return any(os.path.lexists(folder / name) for name in _MARKS)


def archives_folder(data_dir: Path) -> Path:
    """The folder of archived parts of the feed."""
    return data_dir / "archive"


class DataFolder:
    """A data folder held by this process until `release`, or until the process ends however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self.unclean = False
        """Whether the process that held the folder before did not release it properly."""

    @classmethod
    def hold(cls, path: Path) -> DataFolder:
        """Make the folder if need be, and lock it.

        Raises DataFolderLocked naming the process that holds it, DataFolderError naming path and user.
        """
        _make(path)
        folder = cls(path)
        folder._lock()
        return folder

    def _lock(self) -> None:
        path = self.path / LOCK
        try:
            plainfile.check_free(path)
            file = path.open("ab")
        except OSError as error:
            raise DataFolderError(_not_writable(self.path, error)) from error
        until = time.monotonic() + PATIENCE_SECONDS
        while not plainfile.try_lock(file.fileno()):
            if time.monotonic() > until:
                file.close()
                raise DataFolderLocked(_held_by(self.path))
            time.sleep(0.05)
        self._file = file
        self.unclean = (self.path / NOTE).exists()
        self.announce(None)

    def announce(self, address: str | None) -> None:
        """Write who holds the folder and where it serves, for other processes to read."""
        note = {"pid": os.getpid(), "address": address}
        write_private(self.path / NOTE, json.dumps(note).encode("utf-8"))

    def new_token(self) -> str:
        """A new token for the command line, in a file only the owner can read."""
        token = secrets.token_urlsafe(32)
        write_private(self.path / TOKEN, token.encode("ascii"))
        return token

    def release(self) -> None:
        """Let the folder go; what root made in it goes to the folder's owner."""
        for name in (NOTE, TOKEN):
            with contextlib.suppress(OSError):  # a folder in its place, which was told
                (self.path / name).unlink(missing_ok=True)
        give_to_owner(self.path)
        if self._file is not None:
            self._file.close()
            self._file = None


def running_server(path: Path) -> dict[str, Any] | None:
    """{"pid", "address"} of the process that holds the folder, None if nobody does. Raises DataFolderError."""
    try:
        plainfile.check(path / LOCK)
        with _opened(path / LOCK) as file:
            if plainfile.try_lock(file.fileno()):
                return None
        plainfile.check_free(path / NOTE)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise DataFolderError(not_open(path)) from error
    except NotADirectoryError as error:
        raise DataFolderError(no_folder(path)) from error
    except OSError as error:
        raise DataFolderError(
            f"{error.filename or path / LOCK} cannot be opened ({error.strerror}); move away the file or folder in its"
            " place while no server runs."
        ) from error
    return _note(path)


def no_folder(path: Path) -> str:
    """What to do if a file is in the place of the data folder, or of one above it."""
    return f"{path} is not a folder; set dataDir to the data folder, or name it by --data."


def _opened(path: Path) -> IO[bytes]:
    """A lock file; a server may hold it though its disk was since mounted read-only."""
    try:
        return path.open("ab")
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return path.open("rb")


def not_open(path: Path) -> str:
    """What to do where this user may not read or write the data folder."""
    return f"The data folder {path} is not open to {user_name()}; {_opening(path) or f'run this {who_may()}'}."


def _opening(path: Path) -> str:
    """How the owner opens a folder that is closed even to its owner; "" for any other, which somebody else must
    open."""
    try:
        closed = not os.access(path, os.R_OK | os.W_OK | os.X_OK)
        own = sys.platform != "win32" and path.stat().st_uid == os.geteuid()
    except OSError:
        own = False
    return f"open your own folder by `chmod u+rwx {path}`" if own and closed else ""


def read_token(path: Path) -> str:
    """The running server's token for the command line. Raises DataFolderError when it cannot be read."""
    try:
        return plainfile.read(path / TOKEN).decode("ascii")
    except (OSError, ValueError) as error:
        raise DataFolderError(
            f"The server's token {path / TOKEN} cannot be read ({words_of(error)}); run this as the user that"
            " runs the server, or start it again."
        ) from error


def _note(path: Path) -> dict[str, Any]:
    try:
        note = strict_json(plainfile.read(path / NOTE))
        return note if isinstance(note, dict) else {}
    except (OSError, ValueError):
        return {}


def _held_by(path: Path) -> str:
    note = _note(path)
    held = f"{path} is in use by another LTS (process {note.get('pid', 'unknown')})"
    if note.get("address"):
        return f"{held}, whose portal is at {note['address']}/page/#/index.html; stop that one first."
    return f"{held}; stop that one first."


def _make(path: Path) -> None:
    if (outer := around(path)) and not _is_one(path):
        raise DataFolderError(
            f"{path} is in the data folder {outer}, which is for the server's own files; choose another data folder."
        )
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = path / ".writable"
        plainfile.check_free(probe)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise DataFolderError(_not_writable(path, error)) from error


def _not_writable(path: Path, error: OSError) -> str:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return no_folder(path)
    if error.errno in (errno.EISDIR, errno.EINVAL):
        return f"{error.filename} cannot be written ({error.strerror}); move away what is in its place."
    if error.errno in (errno.EROFS, errno.ENOSPC, errno.EDQUOT):
        way = "mount it so that it can be written" if error.errno == errno.EROFS else "free some space there"
        return f"The data folder {path} cannot be written (its disk: {error.strerror}); {way}."
    other = "give that user the rights, or set dataDir to a folder of its own"
    return f"The data folder {path} cannot be written by {user_name()} ({error.strerror}); {_opening(path) or other}."


def network_warning(path: Path) -> str | None:
    """A warning when the folder is on a network share, where SQLite's locks cannot be trusted."""
    resolved = path.resolve()
    if str(resolved).startswith("\\\\"):
        return f"The data folder {path} is on a network share; move it to a local disk."
    import psutil  # not at the top: every command checks for a running server, but only the server reads its mounts

    try:
        found = psutil.disk_partitions(all=True)
    except (OSError, psutil.Error) as error:
        log.warning("whether %s is a local disk cannot be found out: %s", path, error)
        return None
    mounts = [m for m in found if resolved.is_relative_to(m.mountpoint)]
    nearest = max(mounts, key=lambda m: len(m.mountpoint), default=None)
    if nearest is not None and (nearest.fstype.lower() in _NETWORK_SYSTEMS or "remote" in nearest.opts):
        return f"The data folder {path} is on a network share ({nearest.fstype}); move it to a local disk."
    return None
