"""Reading and writing the files that commands name: a wrong one is named, and none of another kind is written over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.errors import AdminError
from lts.rules import armor, filekind
from lts.rules.filekind import Kind
from lts.strictjson import strict_json


def read_bytes(path: Path) -> bytes:
    """The content of a file, `-` = standard input. Raises AdminError."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else plainfile.read(path)
    except OSError as error:
        raise AdminError("cannot-read", f"{path} cannot be read ({error.strerror}).") from error


def read_file(path: Path, wanted: Kind) -> bytes:
    """The content of a file that should be of a kind. Raises AdminError naming what another one is."""
    data = read_bytes(path)
    if fault := filekind.mistaken("Standard input" if str(path) == "-" else str(path), data, wanted):
        raise AdminError("wrong-file", fault)
    return data


def _head(path: Path) -> bytes:
    try:
        return plainfile.read(path, filekind.HEAD)
    except OSError as error:
        raise AdminError("cannot-read", f"{path} cannot be read ({error.strerror}).") from error


def check_kind(path: Path, wanted: Kind) -> None:
    """Raises AdminError when a file, which may be too large to be read whole, is not of a kind, or not there."""
    if fault := filekind.mistaken(str(path), _head(path), wanted):
        raise AdminError("wrong-file", fault)


def read_json(path: Path, wanted: Kind) -> Any:
    """The JSON of a file in UTF-8, or in UTF-16 with its mark as PowerShell writes it. Raises AdminError."""
    try:
        return strict_json(armor.decode(read_file(path, wanted)))
    except ValueError as error:
        raise AdminError("bad-json", f"{path} cannot be read: {error}") from error


def check_may_replace(path: Path, new: Kind | None) -> None:
    """Raises AdminError when what is there may not go: a key or a backup written over is gone for good, and so is a
    device, or a pipe that somebody reads."""
    if not path.exists() or path.is_dir():  # a folder is told by the system when it is written
        return
    if not path.is_file():
        raise AdminError("no-file", f"{path} is a pipe or a device, not a file; name a file to write to.")
    old = filekind.kind_of(_head(path))
    if old not in (None, filekind.EMPTY, new):
        raise AdminError("other-file", f"{path} is {old.words}; name another file to write to.")


def write_text(path: Path, text: str) -> None:
    """Write a file, over one of the same kind if need be. Raises AdminError."""
    check_may_replace(path, filekind.kind_of(text.encode("utf-8")))
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise AdminError("cannot-write", f"{path} cannot be written ({error.strerror}).") from error
