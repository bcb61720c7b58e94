"""Where a program lives: the folder of `lts.json`, and of the data unless the configuration says otherwise."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE = "lts.json.sample"
_IN_USE = ("lts.json", "data")
POINTER = "config-folder.txt"
"""A file next to a program installed as a service. It names the folder of the program's `lts.json`, so that commands
find it."""


def base_folder() -> Path:
    """The folder that an installed service's pointer names; else the project's, of a frozen program `folder_of`."""
    program = program_folder()
    if (installed := read_pointer(program)) is not None:
        return installed
    if not is_frozen():
        return PROJECT
    return folder_of(program, can_write, os.environ, windows=sys.platform == "win32")


def is_frozen() -> bool:
    """Whether this is LTS.exe or the one-dir build, which need no Python."""
    return bool(getattr(sys, "frozen", False))


def program_folder() -> Path:
    """The folder that holds the program: of a frozen one the executable's, else the project's."""
    return Path(sys.executable).parent if is_frozen() else PROJECT


def read_pointer(program: Path) -> Path | None:
    """The configuration folder of the installed service, None if the program is not installed as one."""
    try:
        return Path((program / POINTER).read_text(encoding="utf-8-sig").strip())
    except FileNotFoundError:
        return None


def write_pointer(program: Path, folder: Path) -> None:
    """Make every command of this program work on the service's configuration. Raises OSError."""
    write_public(program / POINTER, f"{folder}\n")


def write_public(path: Path, text: str) -> None:
    """Write what every user may read, whatever the umask of the one who installs. Raises OSError."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def folder_of(program: Path, writable: Callable[[Path], bool], environ: Mapping[str, str], *, windows: bool) -> Path:
    """Next to the program, so that both can be moved together; in the user's own folder where that cannot be written. A
    folder that is already in use is kept."""
    own = _user_folder(environ, windows=windows)
    for folder in (program, own):
        if folder is not None and any(os.path.exists(folder / name) for name in _IN_USE):  # noqa: PTH110 - a closed one is none
            return folder
    return program if own is None or writable(program) else own


def _user_folder(environ: Mapping[str, str], *, windows: bool) -> Path | None:
    if windows:
        local = environ.get("LOCALAPPDATA")
        return Path(local) / "LTS" if local else None
    if data := environ.get("XDG_DATA_HOME"):
        return Path(data) / "lts"
    home = environ.get("HOME")
    return Path(home) / ".local" / "share" / "lts" if home else None


def can_write(folder: Path) -> bool:
    """Whether a file can be made there; tried, since only that shows rights and read-only disks for sure."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".lts-"):
            return True
    except OSError:
        return False


def write_sample(folder: Path) -> None:
    """Put the sample configuration into a folder that has none, for the administrator to rename. Raises OSError."""
    if not (folder / SAMPLE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_public(folder / SAMPLE, (PROJECT / SAMPLE).read_text(encoding="utf-8"))
