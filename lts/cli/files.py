"""Reading and writing the files that commands name: a wrong one is named, and only files of the same kind are
overwritten."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lts import plainfile
from lts.cli import streams
from lts.config import absolute
from lts.errors import AdminError, LicenseFileError, TokenError
from lts.rules.licensing import armor, filekind, licensefile
from lts.rules.licensing.filekind import FileKind
from lts.rules.licensing.licensefile import License
from lts.service.folder import datafolder
from lts.strictjson import strict_json


def shown(path: Path) -> str:
    """How a file that was named is called in a sentence."""
    return "Standard input" if str(path) == "-" else str(path)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Puts the file's name in front of any error that the block raises. Raises AdminError."""
    try:
        yield
    except (LicenseFileError, TokenError) as error:
        raise AdminError(str(error.code), f"{shown(path)}: {error.detail}") from error


def _read(path: Path, most: int) -> bytes:
    try:
        return sys.stdin.buffer.read(most) if str(path) == "-" else plainfile.read(path, most)
    except OSError as error:
        raise AdminError("cannot-read", plainfile.not_read(shown(path), error)) from error


def read_file(path: Path, wanted: FileKind) -> bytes:
    """The content of a file that should be of a kind, `-` = standard input; of one that is too large, which may never
    end, only the beginning is read. Raises AdminError, which says what kind it is instead."""
    data = _read(path, wanted.most + 1)
    if len(data) > wanted.most:
        raise AdminError("too-large", filekind.too_large(shown(path), data, wanted))
    if fault := filekind.mistaken(shown(path), data, wanted):
        raise AdminError("wrong-file", fault)
    return data


def check_kind(path: Path, wanted: FileKind) -> None:
    """Raises AdminError when a file, which may be too large to be read completely, is not of a kind, or not there."""
    if fault := filekind.mistaken(str(path), _read(path, filekind.HEAD), wanted):
        raise AdminError("wrong-file", fault)


@contextlib.contextmanager
def named_backup(path: Path) -> Iterator[Path]:
    """The absolute path of a backup; one from standard input (`-`) is in a folder of its own meanwhile, since a
    backup is read from its end. Raises AdminError if it is not one."""
    if str(path) != "-":
        check_kind(path, filekind.BACKUP)
        yield absolute(path)
        return
    if sys.stdin is None or sys.stdin.isatty():
        raise AdminError("terminal", "A backup is not text; name a file, or let a program write it to standard input.")
    head = _read(path, filekind.HEAD)  # something endless would fill the disk
    if fault := filekind.mistaken(shown(path), head, filekind.BACKUP):
        raise AdminError("wrong-file", fault)
    with tempfile.TemporaryDirectory(prefix="lts-") as folder:
        copy = Path(folder) / "standard-input"
        with copy.open("wb") as file:
            file.write(head)
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield copy


def read_license(path: Path) -> License:
    """A license file whose signature is valid, whoever signed it. Raises AdminError."""
    data = read_file(path, filekind.LICENSE)
    with naming(path):
        return licensefile.read(data)


def read_json(path: Path, wanted: FileKind) -> Any:
    """The JSON of a file in UTF-8, or in UTF-16 with its mark as PowerShell writes it. Raises AdminError."""
    try:
        return strict_json(armor.decode(read_file(path, wanted)))
    except ValueError as error:
        raise AdminError(
            "bad-json", f"{shown(path)} cannot be read: {str(error).rstrip('.')}; fix it there."
        ) from error


def is_output(path: Path) -> bool:
    """Whether `-`, standard output, was named in the place of a file. Raises AdminError when it is closed."""
    if str(path) == "-" and streams.is_none(sys.stdout):
        raise AdminError("no-output", "Standard output is closed; name a file to write to.")
    return str(path) == "-"


def outside_data(path: Path) -> Path:
    """Where a path that is named leads. Raises AdminError inside a server's data folder: whatever LTS keeps there, or
    will, by that name would be lost or in the way."""
    place = Path(os.path.realpath(absolute(path)))
    if folder := datafolder.around(place):
        raise AdminError(
            "in-data-folder",
            f"{path} is in the data folder {folder}, which is for the server's own files; write it to another folder.",
        )
    return place


def place_for(path: Path, new: FileKind | None) -> Path:
    """Where to write a file that somebody named: a link is followed. Raises AdminError unless there is a plain file of
    the `new` kind, or the place for one: overwriting another file, a device or a pipe could not be undone."""
    place = outside_data(path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not place.parent.is_dir():
            raise AdminError("no-folder", f"{path} cannot be written: there is no folder {place.parent}.") from None
        return place
    except OSError as error:
        raise _not_written(path, error) from error
    if stat.S_ISDIR(mode):
        raise AdminError("no-file", f"{path} is a folder; name a file in it.")
    if not stat.S_ISREG(mode):
        raise AdminError("no-file", f"{path} is a pipe or a device, not a file; name a file to write to.")
    old = filekind.kind_of(_read(path, filekind.HEAD))
    if old not in (filekind.EMPTY, new):
        words = old.words if old else f"a file, and not {new.words if new else 'of this kind'}"
        raise AdminError("other-file", f"{path} is {words}; name another file to write to.")
    return place


def write_text(path: Path, text: str) -> None:
    """Write a file completely or not at all, replacing one of the same kind, except a spec that somebody has changed;
    `-` = standard output. Raises AdminError."""
    data = text.encode("utf-8")
    if is_output(path):
        write_output(data)
        return
    kind = filekind.kind_of(data)
    place = place_for(path, kind)
    if kind is filekind.SPEC and place.exists() and _read(place, filekind.HEAD).strip() not in (b"", data.strip()):
        raise AdminError("other-file", f"{path} is a spec that somebody has changed; name another file to write to.")
    try:
        _replace(place, data)
    except OSError as error:
        raise _not_written(path, error) from error


def write_output(data: bytes) -> None:
    """Bytes on standard output, after what was printed. Raises OSError."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def _replace(place: Path, data: bytes) -> None:
    partial = place.with_name(f"{place.name}.{os.urandom(4).hex()}.part")
    try:
        partial.write_bytes(data)
        if place.exists():
            shutil.copymode(place, partial)
        os.replace(partial, place)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _not_written(path: Path, error: OSError) -> AdminError:
    return AdminError("cannot-write", plainfile.not_written(path, error))
