"""What administrators do about the clock: take back a wrong highest time, or believe a jump ahead
(docs/design/machine.md, Clock)."""

from __future__ import annotations

from collections.abc import Callable

from lts.protocol import DAY_SECONDS, iso
from lts.service.core.context import Context
from lts.service.maintenance.days import KEPT_DAYS
from lts.store import closing
from lts.store.records import DayClosingChange
from lts.store.transaction import Transaction


def reset_clock(ctx: Context, actor: str) -> tuple[int, int]:
    """Take back a wrong highest time (docs/design/machine.md, Clock), and open the days that it closed and of which
    nothing was counted. Returns the highest time before and now, in UTC seconds."""

    def reset(tx: Transaction) -> None:
        ctx.clock.reset()
        now = ctx.clock.state.highest
        closed, today = tx.catalog.closed_day, now // DAY_SECONDS
        if closed > today - KEPT_DAYS and ctx.running.may_write:
            tx.emit(DayClosingChange(closing.newest_day(tx.db, min(closed, today))), now)

    return _judged(ctx, actor, "clock-reset", reset)


def accept_clock(ctx: Context, actor: str) -> tuple[int, int]:
    """Believe a jump ahead. Returns the highest time before and now, in UTC seconds."""
    return _judged(ctx, actor, "clock-accepted", lambda tx: ctx.clock.accept())


def _judged(ctx: Context, actor: str, action: str, judge: Callable[[Transaction], None]) -> tuple[int, int]:
    """What an administrator says of the clock: the judgment, its line in the audit log and the time kept are stored as
    one, or none of them is so. Raises CannotStore."""
    before = ctx.clock.state.highest

    def operation(tx: Transaction) -> None:
        judge(tx)
        after = ctx.clock.state.highest
        ctx.put_event(tx, action, {"before": iso(before), "after": iso(after)}, actor)

    with ctx.clock.unless_failed():
        ctx.store.keep_clock(lambda: ctx.clock.kept, operation)
    return before, ctx.store.highest_time
