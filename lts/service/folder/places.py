"""Whether what is in a data folder is of the sort that LTS keeps there: a pipe in the place of a file would hold up
whoever opens it for ever, and a folder there, or a file in the place of a folder, is in the way
(docs/design/machine.md, What a data folder says of itself)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from lts import plainfile
from lts.errors import DataFolderError
from lts.service.core import identity, pinned, vault
from lts.service.core.files import part_of
from lts.service.folder import datafolder, mark, placing
from lts.store.file import database
from lts.store.store import DATABASE

_WRITTEN = (datafolder.NOTE, datafolder.TOKEN, mark.FILE, identity.IDENTITY, identity.KEY, vault.FILE, pinned.FILE)
_PARTS = tuple(part_of(Path(name)).name for name in (*_WRITTEN, placing.MARKER))
_FOLDERS = ("trust", "archive", "backups", placing.INCOMING)


def check(folder: Path) -> None:
    """Raises DataFolderError naming the first that is not what it should be."""
    if words := faults(folder):
        raise DataFolderError(words[0])


def faults(folder: Path) -> list[str]:
    """One sentence for each."""
    found = []
    for name in (*_WRITTEN, *_PARTS, *(DATABASE + ending for ending in ("", *database.ENDINGS))):
        try:
            plainfile.check_free(folder / name)
        except OSError as error:
            found.append(plainfile.in_the_way(folder / name, error))
    for name in _FOLDERS:
        if os.path.lexists(folder / name) and not (folder / name).is_dir():
            found.append(plainfile.in_the_way(folder / name, OSError(errno.ENOTDIR, "")))
    return found
