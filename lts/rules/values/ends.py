"""Ends as people read them: the end of a day is 24:00 of that day, and days are counted as a calendar counts them
(docs/design/license-files.md, License item)."""

from __future__ import annotations

from lts.protocol import DAY_SECONDS, iso


def last_day(end: int) -> int:
    """The last day (since 1970, UTC) on which something that ends at `end` (UTC seconds) still works."""
    return (end - 1) // DAY_SECONDS


def days_left(end: int, now: int) -> int:
    """Calendar days (UTC) from `now` to the last day: 0 = today, 1 = tomorrow, below 0 = in the past."""
    return last_day(end) - now // DAY_SECONDS


def clock_text(end: int) -> str:
    """The time of day of an end: `18:00 UTC`, and `24:00 UTC` for the end of a day."""
    return f"{iso(end)[11:16] if end % DAY_SECONDS else '24:00'} UTC"


def end_text(end: int) -> str:
    """`2026-12-31` for the end of that day, `2026-12-31, 18:00 UTC` for any other time."""
    day = iso(last_day(end) * DAY_SECONDS)[:10]
    return f"{day}, {clock_text(end)}" if end % DAY_SECONDS else day


def when_text(end: int, days: int) -> str:
    """An end that is `days` away by `days_left`: `today, 18:00 UTC`, `in 5 days, on 2026-12-31`; past ones by date."""
    if days < 0:
        return f"on {end_text(end)}"
    if days < 2:
        return f"{('today', 'tomorrow')[days]}, {clock_text(end)}"
    return f"in {days} days, on {end_text(end)}"
