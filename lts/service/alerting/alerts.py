"""Checking what alerts watch: everything new goes into one message.

See docs/design/administering.md, Usage alerts.

The server that serves checks every 10 minutes. What is alerted and what was checked is written together with the
message, so that after a restart or take-over everything is alerted exactly once. A rule that fails does not stop the
others.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from lts.protocol import DAY_SECONDS
from lts.rules.alerting import alerts as rules
from lts.rules.alerting.alert import Alert
from lts.rules.alerting.alerts import NEVER_ALERTED, AlertedLevel, Measure
from lts.rules.alerting.alertwords import PAGES
from lts.rules.alerting.notices import Notice
from lts.service.alerting import alertsettings
from lts.service.core.context import Context
from lts.service.licensing import itemlist
from lts.service.statistics import forecasts
from lts.store.changes import feed, records
from lts.store.sql import Connection
from lts.store.tables import alerts as stored

log = logging.getLogger("lts.alerts")
MAIL, WEBHOOK = "mail", "webhook:"
EVENTS = ("pair-lost", "serves-take-over", "serves-cannot-store", "serves-hand-back", "serves-promoted", "clock-back",
          "clock-ahead", "labels-changed", "database-restored", "database-damaged")  # fmt: skip
"""Lines of the audit log that are alerted once each."""
_FAILED = "alert-rule-failed"


def channels_of(ctx: Context) -> tuple[str, ...]:
    """Where messages go now."""
    mail = (MAIL,) if alertsettings.mail_of(ctx) is not None else ()
    return (*mail, *(WEBHOOK + hook.id for hook in alertsettings.webhooks_of(ctx)))


def check(ctx: Context, now: int) -> str | None:
    """Check everything once; the id of the message that was made, None if nothing is new."""
    measures = _measures(ctx, now)
    with ctx.store.reader() as db:
        record = _news(db, measures, channels_of(ctx), f"{now:x}-{secrets.token_hex(6)}")
    if record is None:
        return None
    ctx.store.write(lambda tx: tx.emit(record, now))
    return record.message or None


def _news(
    db: Connection, measures: list[Measure], channels: tuple[str, ...], message: str
) -> records.AlertChange | None:
    """The change to store, with what to alert; None if there is nothing. Later events are for the next check."""
    alerted = stored.alerted(db)
    levels, events = _renamed(measures, alerted), []
    for measure in measures:
        before = alerted.get(measure.key, NEVER_ALERTED)
        after, level = rules.judge(measure, before)
        if after != before:
            levels.append((measure.key, after.level, after.quota))
        if level is not None:
            events.append(Alert(measure.kind, level, measure.params))
    first = not stored.begun(db)
    lines = [] if first else stored.unseen(db, EVENTS)
    events += [Alert(line.action, params={**line.detail, "time": line.time}) for line in lines]
    if not (levels or lines or first):
        return None
    seen = feed.serials(db) if lines or first else ()
    return records.AlertChange(tuple(levels), seen, message if events else "", events, channels if events else ())


def _renamed(measures: list[Measure], alerted: dict[str, AlertedLevel]) -> list[tuple[str, int, int]]:
    """What was alerted under the keys of LTS 0.1.0, under today's keys (also put into `alerted`); several measures may
    have shared a key there."""
    moved = [measure for measure in measures if measure.spelled in alerted]
    before = {measure.key: alerted[measure.spelled] for measure in moved if measure.key not in alerted}
    gone = {measure.spelled: NEVER_ALERTED for measure in moved}
    alerted.update(before)
    return [(key, level.level, level.quota) for key, level in {**gone, **before}.items()]


def _calls(ctx: Context, now: int) -> dict[tuple[int, str], tuple[int, int]]:
    """(failed, all) of the last hour by number and name of the code, where something is known of it."""
    known = {(code.key, code.name): ctx.running.calls.of_last_hour(code.key, now) for code in ctx.store.catalog.present}
    return {code: calls for code, calls in known.items() if calls is not None}


def _measures(ctx: Context, now: int) -> list[Measure]:
    levels, items = alertsettings.levels_of(ctx.store.catalog), itemlist.describe(ctx, now)
    looks: dict[str, Callable[[], list[Measure]]] = {
        "quota": lambda: rules.quota_measures(items, levels),
        "failures": lambda: rules.failure_measures(_calls(ctx, now), levels),
        "ends": lambda: rules.end_measures(items, ctx.clock.item_time(now)),
        "forecast": lambda: rules.forecast_measures(items, forecasts.last_days(ctx, items, now), now // DAY_SECONDS),
    }
    found: list[Measure] = []
    failed = []
    for name, look in looks.items():
        try:
            found += look()
        except Exception:
            log.exception("the alert rule %s failed; the others continue", name)
            failed.append(name)
    _note_failures(ctx, failed)
    return found


def _note_failures(ctx: Context, failed: list[str]) -> None:
    if not failed:
        ctx.running.warnings.clear(_FAILED)
    else:
        sentence = f"Alerts do not watch everything: {', '.join(failed)} failed; the log says why."
        ctx.running.warnings.put(Notice(_FAILED, sentence, params={"rules": ", ".join(failed)}))


def test_event(now: int) -> Alert:
    return Alert("test", params={"time": now})


assert set(EVENTS) <= set(PAGES)
