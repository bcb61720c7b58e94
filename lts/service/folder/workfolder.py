"""Temporary folders for work: what a killed process leaves, the next one removes."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lts import plainfile

_LOCK = ".lts-work"
_NAME = re.compile(r"(backup|verify)-[a-z0-9_]{8}")
_OF_BEFORE = ("lts.db", "replayed.db")
"""What LTS 0.1.0 made in such a folder, without a lock."""
_YOUNG_SECONDS = 3600


@contextlib.contextmanager
def working(place: Path, what: str) -> Iterator[Path]:
    """A folder in `place` for the duration of the block; `what` it is for is a word that _NAME allows. Raises
    OSError."""
    clear(place)
    while True:
        with tempfile.TemporaryDirectory(prefix=f"{what}-", dir=place) as name:
            folder = Path(name)
            with (folder / _LOCK).open("ab") as file:
                if not plainfile.try_lock(file.fileno()) or not (folder / _LOCK).exists():
                    continue  # another process took it for one that was left
                yield folder
                return


def clear(place: Path) -> None:
    """Remove those in `place` that are no longer used, as far as this user may."""
    with contextlib.suppress(OSError):
        for folder in [path for path in place.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]:
            _clear_one(folder)


def _clear_one(folder: Path) -> None:
    lock: IO[bytes]
    try:
        lock = (folder / _LOCK).open("rb+")
    except FileNotFoundError:
        names, age = [path.name for path in folder.iterdir()], time.time() - folder.stat().st_mtime
        if names and all(name.startswith(_OF_BEFORE) for name in names) and age > _YOUNG_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
        return
    with lock:
        if not plainfile.try_lock(lock.fileno()):
            return
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)  # Windows removes no file that is open
