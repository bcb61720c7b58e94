"""When count items run out: the items page, alerts and the calendar."""

from __future__ import annotations

from collections.abc import Sequence

from lts.protocol import DAY_SECONDS
from lts.rules.licensing.catalog import ACTIVE
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.metering.terms import UNIT_WAYS
from lts.rules.statistics.forecast import WINDOW_DAYS, last_day
from lts.rules.values.ends import last_day as end_day
from lts.service.core.context import Context
from lts.store.tables import statistics
from lts.store.tables.statistics import Selection


def last_days(ctx: Context, items: Sequence[ItemStatus], now: int) -> dict[int, int]:
    """The day (since 1970, UTC) on which each count item is used up at the present rate, by number; only items for
    which it can be predicted, and that do not end before."""
    today = now // DAY_SECONDS
    counted = [i for i in items if i.charge_way in UNIT_WAYS and i.quota and i.state == ACTIVE]
    found = {}
    with ctx.store.reader() as db:
        first = statistics.first_days(db)
        for item in counted:
            chosen = Selection(None, (item.id,), today - WINDOW_DAYS, today)
            days: dict[int, int] = {}
            for (day, _), units in statistics.units_by(db, chosen, "day").items():
                days[day] = days.get(day, 0) + units
            last = last_day(item.quota, item.used, days, first.get(item.id, today), today)
            end = item.expires_at
            if last is not None and (end is None or last <= end_day(end)):
                found[item.id] = last
    return found
