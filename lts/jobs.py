"""Background jobs: APScheduler, each calling one service function, on elapsed time and in UTC."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timezone

from apscheduler.schedulers.background import BackgroundScheduler

from lts.errors import LtsError
from lts.service import upkeep
from lts.service.context import Context
from lts.store import records

log = logging.getLogger("lts.jobs")


def start(ctx: Context) -> BackgroundScheduler:
    """A running scheduler; `shutdown(wait=True)` it before the store is closed."""
    scheduler = BackgroundScheduler(
        timezone=timezone.utc,
        job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
    )
    for job, seconds in (
        (watch_clock, 5),
        (flush_refusals, 10),
        (watch_trust, 5),
        (sign_head, 600),
        (archive, 3600),
        (close_days, 3600),
    ):
        scheduler.add_job(_guarded(job, ctx), "interval", seconds=seconds, id=job.__name__)
    scheduler.start()
    return scheduler


def _guarded(job: Callable[[Context], None], ctx: Context) -> Callable[[], None]:
    """A job that fails is logged and runs again at its next time; it never stops the others."""

    def run() -> None:
        try:
            job(ctx)
        except LtsError as error:
            log.warning("%s: %s", job.__name__, error.detail)
        except Exception:
            log.exception("%s failed", job.__name__)

    return run


def watch_clock(ctx: Context) -> None:
    """Judge the clock; a step back or a jump ahead goes to the audit log."""
    for event in ctx.clock.look():
        log.warning("the clock stepped: %s by %d s", event.name, event.seconds)
        record = records.Event("system", event.name, {"seconds": event.seconds})
        ctx.store.write(lambda tx, r=record: tx.emit(r, ctx.clock.now()))  # type: ignore[misc]  # bound at once
    ctx.store.keep_clock(ctx.clock.state.highest, ctx.clock.now())


def flush_refusals(ctx: Context) -> None:
    """Write the counts of refused requests."""
    ctx.refusals.flush(ctx.store, ctx.clock.now())


def watch_trust(ctx: Context) -> None:
    """Take vendor keys that came or went in the trust folders."""
    if ctx.trust.changed():
        ctx.store.refresh_catalog()


def archive(ctx: Context) -> None:
    """Move old stretches of the change feed into archive files."""
    upkeep.archive_old_changes(ctx.store, ctx.store.path.parent, ctx.clock.now())


def sign_head(ctx: Context) -> None:
    """Sign the change feed's head once a day."""
    upkeep.sign_head(ctx, ctx.clock.now())


def close_days(ctx: Context) -> None:
    """Keep only the sums of day rows too old for late reports."""
    upkeep.close_old_days(ctx, ctx.store.served_days(), ctx.clock.now())
