"""Where a program lives: the folder of `lts.json`, and of the data unless the configuration says otherwise."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def base_folder() -> Path:
    """The project's folder; of a frozen program (LTS.exe, the one-dir build) see `folder_of`."""
    if not getattr(sys, "frozen", False):
        return PROJECT
    return folder_of(Path(sys.executable), can_write, os.environ, windows=sys.platform == "win32")


def folder_of(program: Path, writable: Callable[[Path], bool], environ: Mapping[str, str], *, windows: bool) -> Path:
    """Beside the program, so that it can be carried along; in the user's own folder where that cannot be written. A
    folder that is in use already stays the one."""
    beside = program.parent
    own = _user_folder(environ, windows=windows)
    if any((beside / name).exists() for name in ("lts.json", "data")):
        return beside
    if own is not None and any((own / name).exists() for name in ("lts.json", "data")):
        return own
    return beside if own is None or writable(beside) else own


def _user_folder(environ: Mapping[str, str], *, windows: bool) -> Path | None:
    if windows:
        local = environ.get("LOCALAPPDATA")
        return Path(local) / "LTS" if local else None
    if data := environ.get("XDG_DATA_HOME"):
        return Path(data) / "lts"
    home = environ.get("HOME")
    return Path(home) / ".local" / "share" / "lts" if home else None


def can_write(folder: Path) -> bool:
    """Whether a file can be made there; tried, since rights and read-only disks are told by nothing else for sure."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".lts-"):
            return True
    except OSError:
        return False
