"""Ways in which a copy of a data folder is not whole.

Each is a function of the data folder, which it changes, and of a folder whose folders hold other data folders.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def part(name: str, source: str) -> Callable[[Path, Path], None]:
    """The file comes from another of the folders."""

    def put(data: Path, place: Path) -> None:
        shutil.copy(place / source / "data" / name, data / name)

    return put


def without(*names: str) -> Callable[[Path, Path], None]:
    """These files were left out."""

    def remove(data: Path, place: Path) -> None:
        for name in names:
            (data / name).unlink()

    return remove


def cut(name: str, to: Callable[[int], int]) -> Callable[[Path, Path], None]:
    """A file was copied in part."""

    def shorten(data: Path, place: Path) -> None:
        os.truncate(data / name, to((data / name).stat().st_size))

    return shorten


def flipped(name: str, place: Callable[[int], int]) -> Callable[[Path, Path], None]:
    """One bit of a file was turned over."""

    def flip(data: Path, _: Path) -> None:
        content = bytearray((data / name).read_bytes())
        content[place(len(content))] ^= 4
        (data / name).write_bytes(content)

    return flip


def all_of(*steps: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    """Several of these."""

    def do(data: Path, place: Path) -> None:
        for step in steps:
            step(data, place)

    return do


def written(name: str, content: bytes) -> Callable[[Path, Path], None]:
    """A file holds this."""

    def write(data: Path, place: Path) -> None:
        (data / name).write_bytes(content)

    return write
