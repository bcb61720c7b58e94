"""Giving the other server its first copy: the database as it is now, the archives, the secrets it needs."""

from __future__ import annotations

import contextlib
import secrets
import threading
from pathlib import Path

from lts.errors import DataFolderError, PeerError, words_of
from lts.service.core.context import Context
from lts.service.core.files import file_digest
from lts.service.pair import peermessages, secrecy
from lts.service.pair.peermessages import CopyDone, CopyFile, CopyOffer, CopyPartRequest, CopyRequest
from lts.store.file import database
from lts.store.store import DATABASE

MAX_PART = 4 << 20
_PREFIX = "copy-for-standby-"


class CopyGiver:
    """One copy at a time; a new request ends the previous one."""

    def __init__(self, ctx: Context, archives: Path) -> None:
        self._ctx = ctx
        self._archives = archives
        self._lock = threading.Lock()
        self._folder = ctx.store.path.parent
        self._token = ""
        self._files: dict[str, Path] = {}

    def offer(self, body: bytes) -> bytes:
        """Make the copy, which takes time for a large database, and return what it consists of."""
        request = peermessages.decode(body, CopyRequest)
        public, sealed = secrecy.seal(self._ctx.vault.secret_for_standby(), request.key)
        with self._lock:
            self._clear()
            try:
                files = self._take()
                keys = [key.text for key in self._ctx.trust.keys().values()]
            except (DataFolderError, OSError) as error:
                self._clear()
                raise PeerError("peer-copy", f"No copy can be made: {words_of(error)}", status=503) from error
            self._token = secrets.token_urlsafe(18)
            return peermessages.encode(CopyOffer(self._token, files, keys, public, sealed))

    def _take(self) -> list[CopyFile]:
        snapshot = self._folder / f"{_PREFIX}{secrets.token_hex(4)}.db"
        self._copy(snapshot)
        archives = sorted(path for path in self._archives.glob("*.ltsa"))
        self._files = {DATABASE: snapshot, **{f"archive/{path.name}": path for path in archives}}
        return [CopyFile(name, path.stat().st_size, file_digest(path)) for name, path in self._files.items()]

    def _copy(self, snapshot: Path) -> None:
        path = self._ctx.store.path
        with database.translating_errors(path), contextlib.closing(database.open_reader(path)) as reader:
            database.copy(reader, snapshot)

    def part(self, body: bytes) -> bytes:
        request = peermessages.decode(body, CopyPartRequest)
        with self._lock:
            path = self._files.get(request.name)
            if request.token != self._token or path is None:
                raise PeerError("peer-copy", "This copy no longer exists; ask for a new one.", status=404)
            try:
                with path.open("rb") as file:
                    file.seek(max(request.offset, 0))
                    return file.read(min(max(request.length, 0), MAX_PART))
            except OSError as error:
                raise PeerError(
                    "peer-copy", f"{request.name} cannot be read ({error.strerror}); check its disk.", status=503
                ) from error

    def done(self, body: bytes) -> bytes:
        request = peermessages.decode(body, CopyDone)
        with self._lock:
            if request.token == self._token:
                self._clear()
        return b""

    def _clear(self) -> None:
        clear(self._folder)
        self._token, self._files = "", {}


def clear(folder: Path) -> None:
    """Remove what is left of copies from a data folder, as far as it can be removed."""
    for path in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # the next one clears it away
            path.unlink()
