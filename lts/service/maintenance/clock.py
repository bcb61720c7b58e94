"""What administrators do about the clock: reset a wrong highest time, or trust a jump ahead
(docs/design/machine.md, Clock)."""

from __future__ import annotations

from collections.abc import Callable

from lts.protocol import DAY_SECONDS, iso
from lts.rules.clock import ClockState
from lts.service.core.context import Context
from lts.service.maintenance.days import KEPT_DAYS
from lts.store.changes.records import DayClosingChange
from lts.store.tables import closing
from lts.store.writing.transaction import Transaction


def reset_clock(ctx: Context, actor: str) -> tuple[int, int]:
    """Reset a wrong highest time (docs/design/machine.md, Clock), and open the days that it closed and of which
    nothing was counted. Returns the highest time before and now, in UTC seconds."""

    def open_days(tx: Transaction, now: int) -> None:
        closed, today = tx.catalog.closed_day, now // DAY_SECONDS
        if closed > today - KEPT_DAYS and ctx.running.may_write:
            tx.emit(DayClosingChange(closing.newest_day(tx.db, min(closed, today))), now)

    return _judged(ctx, actor, "clock-reset", ctx.clock.taken_back, open_days)


def accept_clock(ctx: Context, actor: str) -> tuple[int, int]:
    """Believe a jump ahead. Returns the highest time before and now, in UTC seconds."""
    return _judged(ctx, actor, "clock-accepted", ctx.clock.accepted)


def _judged(
    ctx: Context,
    actor: str,
    action: str,
    judge: Callable[[], ClockState],
    also: Callable[[Transaction, int], None] = lambda tx, now: None,
) -> tuple[int, int]:
    """An administrator's decision about the clock: its line in the audit log, the time kept, and what it `also` changes
    (given the highest time that is then valid) are stored in one transaction, and then used. Raises CannotStore."""
    before = ctx.clock.state.highest
    judged = judge()
    after = judged.highest

    def operation(tx: Transaction) -> None:
        also(tx, after)
        ctx.put_event(tx, action, {"before": iso(before), "after": iso(after)}, actor)
        tx.afterwards(lambda: ctx.clock.adopt(judged))

    ctx.store.keep_clock(lambda: ctx.clock.kept_of(judged), operation)
    return before, ctx.store.highest_time
