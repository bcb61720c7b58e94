"""Background jobs: APScheduler, each calling one service function, at intervals of elapsed time.

APScheduler sleeps by the wall clock, so a step back would delay every job by as much. A thread that counts elapsed
seconds watches the clock, and resets the jobs' next times after a step.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timezone

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from lts.errors import LtsError
from lts.service.alerting import alerts
from lts.service.core.context import Context
from lts.service.maintenance import archives, days, heads
from lts.service.maintenance.inspection import Inspection
from lts.service.pair import delegated

log = logging.getLogger("lts.background.jobs")
WATCH_SECONDS = 5.0
WORKERS = 4
"""Jobs that run at once; two of them may take long."""
STEP_SECONDS = 2.0
"""A clock that differs by more from what elapsed time lets expect has stepped."""


class Every(IntervalTrigger):  # type: ignore[misc]
    """Runs at intervals of this many seconds, and at once after any number of missed runs.

    APScheduler lists all missed runs before it drops all but the last: after a clock correction by years that would
    take a core and all memory.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds=seconds, timezone=timezone.utc)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next time of both in UTC."""
        following: datetime = super().get_next_fire_time(previous_fire_time, now)
        return max(following, now)


class Jobs:
    """The jobs, from `start` on; `stop` them before the store is closed."""

    def __init__(self, ctx: Context, watch_seconds: float = WATCH_SECONDS) -> None:
        self._ctx = ctx
        self._watch_seconds = watch_seconds
        self._scheduler = BackgroundScheduler(
            timezone=timezone.utc,
            executors={"default": ThreadPoolExecutor(WORKERS)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        self._inspection = Inspection(ctx)
        self._seconds: dict[str, int] = {}
        for job, seconds in (
            (flush_refusals, 10),
            (watch_trust, 5),
            (watch_delegation, 5),
            (sign_head, 600),
            (keep_mark, 600),
            (archive, 3600),
            (close_days, 3600),
            (check_alerts, 600),
            (self.inspect, 10),
        ):
            self.add(job, seconds)
        self._offset = 0.0
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="lts-clock", daemon=True)

    def start(self) -> None:
        """Begin to run them."""
        self._scheduler.start()
        self._offset = self._ctx.clock.wall() - self._ctx.clock.elapsed()
        self._watcher.start()

    def add(self, job: Callable[[Context], None], seconds: int) -> None:
        """Run a job at intervals of this many seconds of elapsed time."""
        self._seconds[job.__name__] = seconds
        self._scheduler.add_job(_guarded(job, self._ctx), Every(seconds), id=job.__name__)

    def stop(self) -> None:
        """End all jobs, waiting for those under way; the clock's highest time is kept."""
        self._stopping.set()
        self._inspection.stop()
        self._watcher.join()
        for job in (log_clock, keep_clock):
            _guarded(job, self._ctx)()
        self._scheduler.shutdown(wait=True)

    def inspect(self, ctx: Context) -> None:
        """Check the next table of the database."""
        self._inspection.step()

    def _watch(self) -> None:
        while not self._stopping.wait(self._watch_seconds):
            self.look()

    def look(self) -> None:
        """Check the clock; the jobs keep their intervals after a step."""
        _guarded(watch_clock, self._ctx)()
        before, self._offset = self._offset, self._ctx.clock.wall() - self._ctx.clock.elapsed()
        if abs(self._offset - before) > STEP_SECONDS:
            log.warning("the clock stepped by %d s; jobs keep their intervals", self._offset - before)
            for name, seconds in list(self._seconds.items()):
                self._scheduler.reschedule_job(name, trigger=Every(seconds))


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


def log_clock(ctx: Context, level: int = logging.WARNING) -> None:
    """Judge the clock; a step back or a jump ahead goes to the audit log, and to the server's by `level`."""
    for event in ctx.clock.look():
        log.log(level, "%s by %d s", event.name, event.seconds)
        ctx.note_event(event.name, {"seconds": event.seconds})


def watch_clock(ctx: Context) -> None:
    """Judge the clock, and keep its highest time once a minute."""
    log_clock(ctx)
    ctx.store.watch_clock(lambda: ctx.clock.kept)


def keep_clock(ctx: Context) -> None:
    """Remember when the server stops: the trusted time of the last check plus what elapsed since."""
    ctx.store.keep_clock(lambda: ctx.clock.kept)


def flush_refusals(ctx: Context) -> None:
    """Write the counts of refused requests."""
    if ctx.running.may_write:
        ctx.refusals.flush(ctx.store, ctx.clock.now())


def watch_trust(ctx: Context) -> None:
    """Load vendor keys that were added to or removed from the trust folders."""
    if ctx.trust.changed():
        ctx.store.refresh_catalog()


def watch_delegation(ctx: Context) -> None:
    """Authorize by a main's delegation until it ends, without a partner too."""
    delegated.look(ctx)


def sign_head(ctx: Context) -> None:
    """Sign the change feed's head once a day."""
    if ctx.running.may_write:
        heads.sign_head(ctx, ctx.clock.now())


def keep_mark(ctx: Context) -> None:
    """Record next to the database how far it is."""
    ctx.keep_mark()


def archive(ctx: Context) -> None:
    """Move old stretches of the change feed into archive files."""
    archives.archive_old_changes(ctx.store, ctx.store.path.parent, ctx.clock.now())


def close_days(ctx: Context) -> None:
    """Keep only the sums of day rows too old for late reports; in a pair only while both have everything, so that
    nothing the other one counted arrives too late."""
    if ctx.running.serves and ctx.running.partner.has_all:
        days.close_old_days(ctx, ctx.store.served_days(), ctx.clock.now())


def check_alerts(ctx: Context) -> None:
    """Check what alerts watch, on the server that serves; the courier delivers what is new."""
    if ctx.running.serves and ctx.running.may_write:
        alerts.check(ctx, ctx.clock.now())
