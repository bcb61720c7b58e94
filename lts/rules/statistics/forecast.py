"""When a count item runs out at the present rate."""

from __future__ import annotations

from collections.abc import Mapping

WINDOW_DAYS = 28
"""Whole weeks, so that weekends weigh what they do."""
FEWEST_DAYS = 3
HORIZON_DAYS = 3650


def last_day(quota: int, used: int, units: Mapping[int, int], first: int, today: int) -> int | None:
    """The day (since 1970) on which the quota will be used up, None if it is used up, lasts for HORIZON_DAYS, or
    nothing can be predicted.

    `units` are per day, `first` is the first day that ever had any. The rate is taken from the full days of the last
    four weeks, or since `first` where that is later.
    """
    if used >= quota:
        return None
    span = min(WINDOW_DAYS, today - first)
    total = sum(n for day, n in units.items() if today - span <= day < today)
    if span < FEWEST_DAYS or not total:
        return None
    left = (quota - used) * span // total
    return today + left if left <= HORIZON_DAYS else None
