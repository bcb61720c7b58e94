"""Tables as CSV files that a spreadsheet opens readably and that cannot make it compute anything."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a text for a formula, the full-width signs included."""
_SEPARATOR = re.compile("([,;|\t\r\n])")
"""What begins another cell for one spreadsheet or another."""
_SKIPPED = ("\t", "\r")
"""Characters after which a spreadsheet may see a formula."""
Cell = str | int | None


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, nor any part of it: if the spreadsheet uses another separator
    than ours, as in many countries, the text is split into several cells, quoted or not."""
    parts = [f"'{part}" if _begins_formula(part) else part for part in _SEPARATOR.split(text)]
    return ("'" if text.startswith(_SKIPPED) else "") + "".join(parts)


def _begins_formula(part: str) -> bool:
    return part.replace('"', "").lstrip().startswith(_FORMULA)


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """CSV (RFC 4180) with a byte order mark, so that spreadsheets read it as UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([safe_cell(title) for title in head])
    for row in rows:
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
    return "\ufeff" + out.getvalue()
