"""Who draws on a handshake code: what is told before it is removed or gets another name, and until nobody asks by the
old one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from lts.protocol import DAY_SECONDS, HOURS_PER_DAY, iso
from lts.rules.catalog import Catalog, Code
from lts.rules.codenames import Given
from lts.rules.notices import WARNING, Notice
from lts.rules.plural import counted
from lts.service.core.context import Context
from lts.service.licensing import handshakes
from lts.store import seats, statistics, usage
from lts.store.sql import Connection
from lts.store.statistics import Selection

DAYS = 30
HOUR_SECONDS = 3600
_NO_CODE = (101, 122)
"""Of a code these are counted for requests by a former name alone."""
_LAST_DAY = 1 << 40


def code_use(ctx: Context, name: str, now: int, organization_id: str | None = None) -> dict[str, Any]:
    """Of a code: `seats`, devices that hold a live seat or concurrent lease by it; `reported`, devices that reported by
    it on the last `days` days (UTC); `devices`, those of both; `authorizations` that it gave on those days. Raises
    AdminError."""
    code = handshakes.find(ctx.store.catalog, name, organization_id)
    first_day = now // DAY_SECONDS - DAYS + 1
    with ctx.store.reader() as db:
        holding = seats.holders_by_code(db, code.key, now)
        reported = usage.devices_by_code(db, code.key, first_day)
        tallies = statistics.tallies_by(db, Selection((code.key,), None, first_day, _LAST_DAY), "type")
    return {
        "name": code.name,
        "seats": len(holding),
        "reported": len(reported),
        "devices": len(holding | reported),
        "authorizations": tallies.get((0, usage.GRANTED_TALLY), 0),
        "days": DAYS,
    }


def former_names(ctx: Context, now: int) -> list[Notice]:
    """Codes that somebody asked for by a name that they have no more, on the last DAYS days (UTC): who reported,
    authorized or was last heard of with a seat while they had it, or asked since then in vain."""
    catalog = ctx.store.catalog
    renamed = [code for code in catalog.present if len(catalog.names.had.get(code.key, ())) > 1]
    if not renamed:
        return []
    with ctx.store.reader() as db:
        found = [_notice(db, catalog, code, now // DAY_SECONDS - DAYS + 1) for code in renamed]
    return [notice for notice in found if notice is not None]


def _notice(db: Connection, catalog: Catalog, code: Code, first_day: int) -> Notice | None:
    had = catalog.names.had[code.key]
    former = list(dict.fromkeys(given.name for given in had if given.name != code.name))
    devices: set[int] = set()
    for given, after in pairwise(had):
        if given.name != code.name:
            span = max(given.since, first_day * DAY_SECONDS), after.since
            devices |= usage.devices_between(db, code.key, *span) | seats.last_heard_between(db, code.key, *span)
    granted, refused = _calls(db, code, had, first_day)
    if not former or not (devices or granted or refused):
        return None
    taken = [name for name in former if catalog.code_meant(name, code.organization_id) is not None]
    since = iso(had[-1].since)
    sentence = (
        f"Handshake code {code.name} has had this name since {since}. In the last {DAYS} days, while it was called"
        f" otherwise ({', '.join(former)}), {counted(len(devices), 'device')} used it and it gave"
        f" {counted(granted, 'authorization')}; since then {counted(refused, 'request')} by such a name"
        f" {'was' if refused == 1 else 'were'} refused. Give the applications its new license key."
    )
    told: dict[str, str | int] = {"code": code.name, "id": code.key, "former": ", ".join(former), "time": since}
    told |= {"days": DAYS, "devices": len(devices), "authorizations": granted, "refused": refused}
    if not taken:
        return Notice("code-former-name", sentence, WARNING, told)
    passed_on = ", ".join(taken)
    sentence += f" Another handshake code is called {passed_on} now: who still asks by that name draws on that one."
    return Notice("code-name-passed-on", sentence, WARNING, {**told, "taken": passed_on})


def _calls(db: Connection, code: Code, had: tuple[Given, ...], first_day: int) -> tuple[int, int]:
    """(authorizations while the code had a former name, requests refused for one since it has its present one).

    Both are counted by the hour. Of an hour in which the code also had its present name no authorization is taken for
    one by a former name; the hour of the last renaming counts for refusals unless it had that name before."""
    again = any(given.name == code.name for given in had[:-1])
    first = had[-1].since // HOUR_SECONDS + again
    hours: set[int] = set()
    present: set[int] = set()
    for given, after in pairwise(had):
        span = range(max(given.since // HOUR_SECONDS, first_day * HOURS_PER_DAY), after.since // HOUR_SECONDS + 1)
        (present if given.name == code.name else hours).update(span)
    hours -= present | {had[-1].since // HOUR_SECONDS}
    tallies = statistics.tallies_by(db, Selection((code.key,), None, first_day, _LAST_DAY), "hour")
    granted = sum(n for (hour, what), n in tallies.items() if hour in hours and what == usage.GRANTED_TALLY)
    return granted, sum(n for (hour, what), n in tallies.items() if hour >= first and what in _NO_CODE)
