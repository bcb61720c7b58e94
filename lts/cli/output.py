"""Printing for people and for programs, for all commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lts.cli import streams


def note(text: str) -> None:
    """Print a note for people on standard error, so that standard output stays for programs."""
    streams.complain(f"Note: {text}")


def print_json(value: Any) -> None:
    """JSON for programs on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(head: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Columns for people; `empty` is printed if there is no row."""
    if not rows:
        print(empty)
        return
    cells = [[str(cell) if cell is not None else "-" for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
