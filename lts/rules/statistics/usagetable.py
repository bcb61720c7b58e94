"""The usage table as people read it: what it can be grouped by, and its CSV.

Pure; what fills it is lts/service/statistics/usage.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from lts.rules.values.spreadsheet import csv_text

BY_TALLY = ("authorizations", "reports")
GROUPINGS = ("type", "hour", "day", "device", *BY_TALLY)


def usage_csv(by: str, rows: Iterable[tuple[str, str, int]]) -> str:
    """A usage table, grouped `by` one of GROUPINGS, as CSV; rows are (group, type, units)."""
    first = "day (UTC)" if by in BY_TALLY else f"{by} (UTC)" if by in ("hour", "day") else "all" if by == "type" else by
    head = [first, "type", "units"]
    return csv_text(head, rows)
