"""The usage table as people read it: what it can be grouped by, and its CSV.

Pure; what fills it is lts/service/statistics/usage.py.
"""

from __future__ import annotations

from typing import Any

from lts.rules.spreadsheet import csv_text

BY_TALLY = ("authorizations", "reports")
GROUPINGS = ("type", "hour", "day", "device", *BY_TALLY)


def usage_csv(table: dict[str, Any]) -> str:
    """A usage table, as the API tells it, as CSV."""
    by = table["by"]
    first = "day (UTC)" if by in BY_TALLY else f"{by} (UTC)" if by in ("hour", "day") else "all" if by == "type" else by
    head = [first, "type", "units"]
    return csv_text(head, [(row["group"], row["type"], row["units"]) for row in table["rows"]])
