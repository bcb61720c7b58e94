"""Days for which only the sums are kept, and a notice if a wrong clock has closed some."""

from __future__ import annotations

from lts.protocol import DAY_SECONDS, iso
from lts.rules.alerting.notices import ERROR, Notice
from lts.rules.metering.usage import OLDEST_DAYS
from lts.service.core.context import Context
from lts.store.tables import closing
from lts.store.writing.transaction import Transaction

KEPT_DAYS = 35


def close_old_days(ctx: Context, served_days: list[int], now: int) -> None:
    """Day rows older than the 35th-last day on which this server ran keep their sums only.

    `served_days` (days since 1970) are days the server ran, so that a jump of the clock closes nothing; days after
    `now` (UTC seconds) were those of a wrong clock.
    """
    ran = sorted(day for day in served_days if day <= now // DAY_SECONDS)
    if len(ran) <= KEPT_DAYS:
        return
    day = ran[-KEPT_DAYS] - 1
    while ctx.store.write(lambda tx: _close_some(tx, day, now)):
        pass


def _close_some(tx: Transaction, day: int, now: int) -> bool:
    """Close some rows that are still open up to a day; returns whether there were any."""
    piece = closing.next_piece(tx.db, day)
    if piece is not None:
        tx.emit(piece, now)
    return piece is not None


def notices(ctx: Context, now: int) -> list[Notice]:
    """Days that a wrong clock has closed, for which clients still report."""
    closed = ctx.store.catalog.closed_day
    if closed <= now // DAY_SECONDS - OLDEST_DAYS:
        return []
    day = iso(closed * DAY_SECONDS)[:10]
    sentence = (
        f"The days up to {day} are closed, because the clock was wrong: reports for them are rejected. Set"
        " the clock right, and run lts clock reset."
    )
    return [Notice("days-closed", sentence, ERROR, {"day": day})]
