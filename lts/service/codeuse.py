"""Who draws on a handshake code: what is told before it is removed or gets another name, and until nobody asks by the
old one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import apsw

from lts.protocol import DAY_SECONDS, iso
from lts.rules.catalog import Catalog, Code
from lts.rules.codenames import Given
from lts.rules.notices import WARNING, Notice
from lts.service import handshakes
from lts.service.context import Context
from lts.store import seats, statistics, usage
from lts.store.statistics import Selection

DAYS = 30
HOUR_SECONDS = 3600
_NO_CODE = (101, 122)
"""Of a code these are counted for requests by a former name alone."""
_LAST_DAY = 1 << 40


def code_use(ctx: Context, name: str, now: int, organization_id: str | None = None) -> dict[str, Any]:
    """Of a code: `seats`, devices that hold a live seat or concurrent lease by it; `reported`, devices that reported by
    it on the last `days` days (UTC); `devices`, those of both. Raises AdminError."""
    code = handshakes.find(ctx.store.catalog, name, organization_id)
    with ctx.store.reader() as db:
        holding = seats.holders_by_code(db, code.key, now)
        reported = usage.devices_by_code(db, code.key, now // DAY_SECONDS - DAYS + 1)
    return {
        "name": code.name,
        "seats": len(holding),
        "reported": len(reported),
        "devices": len(holding | reported),
        "days": DAYS,
    }


def former_names(ctx: Context, now: int) -> list[Notice]:
    """Codes that somebody asked for by a name that they have no more, on the last DAYS days (UTC): while they had it,
    or since then in vain."""
    catalog = ctx.store.catalog
    renamed = [code for code in catalog.present if len(catalog.names.had.get(code.key, ())) > 1]
    if not renamed:
        return []
    with ctx.store.reader() as db:
        found = [_notice(db, catalog, code, now // DAY_SECONDS - DAYS + 1) for code in renamed]
    return [notice for notice in found if notice is not None]


def _notice(db: apsw.Connection, catalog: Catalog, code: Code, first_day: int) -> Notice | None:
    had = catalog.names.had[code.key]
    former = list(dict.fromkeys(given.name for given in had if given.name != code.name))
    devices: set[int] = set()
    for given, after in pairwise(had):
        if given.name != code.name:
            devices |= usage.devices_between(db, code.key, max(given.since, first_day * DAY_SECONDS), after.since)
    refused = _refused(db, code, had, first_day)
    if not former or not (devices or refused):
        return None
    taken = [name for name in former if catalog.code_meant(name, code.organization_id) is not None]
    since = iso(had[-1].since)
    sentence = (
        f"Handshake code {code.name} has had this name since {since}. In the last {DAYS} days it was used by"
        f" {_counted(len(devices), 'device')} while it was called otherwise ({', '.join(former)}), and since then"
        f" {_counted(refused, 'request')} by such a name {'was' if refused == 1 else 'were'} refused. Give the"
        " applications its new license key."
    )
    told: dict[str, str | int] = {"code": code.name, "id": code.key, "former": ", ".join(former), "time": since}
    told |= {"days": DAYS, "devices": len(devices), "refused": refused}
    if not taken:
        return Notice("code-former-name", sentence, WARNING, told)
    passed_on = ", ".join(taken)
    sentence += f" Another handshake code is called {passed_on} now: who still asks by that name draws on that one."
    return Notice("code-name-passed-on", sentence, WARNING, {**told, "taken": passed_on})


def _refused(db: apsw.Connection, code: Code, had: tuple[Given, ...], first_day: int) -> int:
    """Requests refused for a former name since the code has its present one. Counted by the hour: that of the renaming
    is left out where before it the present name was a former one."""
    again = any(given.name == code.name for given in had[:-1])
    first = had[-1].since // HOUR_SECONDS + again
    tallies = statistics.tallies_by(db, Selection((code.key,), None, first_day, _LAST_DAY), "hour")
    return sum(n for (hour, what), n in tallies.items() if hour >= first and what in _NO_CODE)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"
