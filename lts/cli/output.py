"""Reading and writing files, and printing tables, for all commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lts.errors import AdminError
from lts.strictjson import strict_json


def read_bytes(path: Path) -> bytes:
    """The content of a file, `-` = standard input. Raises AdminError."""
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise AdminError("cannot-read", f"{path} cannot be read ({error.strerror}).") from error


def read_json(path: Path) -> Any:
    """The JSON of a file. Raises AdminError."""
    try:
        return strict_json(read_bytes(path).removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise AdminError("bad-json", f"{path} cannot be read: {error}") from error


def write_text(path: Path, text: str) -> None:
    """Write a file. Raises AdminError."""
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise AdminError("cannot-write", f"{path} cannot be written ({error.strerror}).") from error


def print_json(value: Any) -> None:
    """JSON for programs on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(head: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Columns for people; `empty` is said when there is no row."""
    if not rows:
        print(empty)
        return
    cells = [[str(cell) if cell is not None else "-" for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
