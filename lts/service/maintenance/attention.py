"""What needs an administrator's attention, worst first: for the portal's home page and `lts status`."""

from __future__ import annotations

from lts.protocol import DAY_SECONDS
from lts.rules.alerting import codenotices
from lts.rules.alerting.attention import (
    HAPPENED,
    HAPPENED_DAYS,
    PLACED,
    clock_notices,
    happened_notice,
    items_notices,
    nobody_notice,
)
from lts.rules.alerting.notices import LEVELS, Notice
from lts.service.alerting import outbox
from lts.service.core.context import Context
from lts.service.licensing import codeuse, itemlist, moved, serverurls
from lts.service.maintenance import days
from lts.service.metering import goneon, newnames
from lts.store.sql import Connection
from lts.store.tables import audit


def notices(ctx: Context, now: int) -> list[Notice]:
    """All of them at `now` (UTC seconds)."""
    if ctx.running.warnings.find("moved") and moved.notice(ctx) is None:
        ctx.running.warnings.clear("moved")
    found = [*troubles(ctx), *ctx.running.newcomers.notices(now)]
    found += days.notices(ctx, now)
    described = itemlist.describe(ctx, now)
    found += [*nobody_notice(described), *items_notices(described, now)]
    found += outbox.notices(ctx, now)
    found += codeuse.former_names(ctx, now)
    with ctx.store.reader() as db:
        found += newnames.notices(db, now)
        found += goneon.notices(db, now)
        found += _happened(ctx, db, now)
    found += codenotices.named_twice(ctx.store.catalog)
    if ctx.store.catalog.codes:
        found += serverurls.notices(ctx)
    return sorted(found, key=lambda notice: LEVELS.index(notice.level))


def _happened(ctx: Context, db: Connection, now: int) -> list[Notice]:
    """What somebody did to this server in the last days that others should know."""
    lines = audit.newest(db, tuple(HAPPENED), ctx.identity.uuid, now - HAPPENED_DAYS * DAY_SECONDS)
    placed = [line for line in lines if line.action in PLACED]
    paired = not ctx.running.partner.alone
    return [
        happened_notice(line.action, line.time, line.actor, str(line.detail.get("kept", "")), paired=paired)
        for line in lines
        if line not in placed[1:]
    ]


def authorizes_nobody(ctx: Context, now: int) -> list[Notice]:
    """Whether no license does, at `now` (UTC seconds)."""
    return nobody_notice(itemlist.describe(ctx, now))


def troubles(ctx: Context) -> list[Notice]:
    """Those of the server itself and its clock, without looking at licenses."""
    clock = ctx.clock
    of_clock = clock_notices(clock.state, clock.known, clock.now(), clock.wall())
    return [*of_clock, *ctx.running.warnings.all(), *ctx.trust.warnings, *ctx.running.partner.notices()]
