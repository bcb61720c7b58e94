"""Who uses a handshake code: shown before it is removed or renamed, and until nobody uses the
old one."""

from __future__ import annotations

from itertools import pairwise

from lts.errors import RefusalCode
from lts.protocol import DAY_SECONDS, iso
from lts.rules.alerting.notices import WARNING, Notice
from lts.rules.licensing.catalog import Code
from lts.rules.licensing.codenames import Naming
from lts.rules.values.plural import counted
from lts.rules.values.readmodel import ReadModel
from lts.service.core.context import Context
from lts.service.licensing import handshakes
from lts.store.sql import Connection
from lts.store.tables import seats, statistics, usage
from lts.store.tables.statistics import Selection

DAYS = 30
HOUR_SECONDS = 3600
_NO_CODE = (RefusalCode.NO_SUCH_CODE, RefusalCode.OTHER_ORGANIZATION)
"""These are counted only for requests by a former name of the code."""
_LAST_DAY = 1 << 40
Span = tuple[int, int]
"""Begin and end, UTC seconds."""


class CodeUse(ReadModel, frozen=True):
    """Of a code: `seats`, devices that hold a live seat, concurrent or not, by it; `reported`, devices that reported by
    it on the last `days` days (UTC). Of those days, as long as it has its present name: `devices`, those of both, and
    `authorizations` that it gave."""

    name: str
    seats: int
    reported: int
    devices: int
    authorizations: int
    days: int


def code_use(ctx: Context, name: str, now: int, organization_id: str | None = None) -> CodeUse:
    """Who draws on a code. Raises AdminError."""
    code = handshakes.find(ctx.store.catalog, name, organization_id)
    first_day = now // DAY_SECONDS - DAYS + 1
    with ctx.store.reader() as db:
        holding = seats.holders_by_code(db, code.key, now)
        reported = usage.devices_by_code(db, code.key, first_day)
        had = ctx.store.catalog.names.had.get(code.key, ())
        since, until = had[-1].since if len(had) > 1 else 0, now + HOUR_SECONDS
        is_old = since <= first_day * DAY_SECONDS
        devices = holding | reported
        if not is_old:
            devices = holding & seats.last_heard_between(db, code.key, since, until)
            devices |= usage.devices_between(db, code.key, since, until)
        begin = max(since, first_day * DAY_SECONDS)
        granted = _granted(ctx, db, code, [(begin, until)], [] if is_old else [(since, since)], first_day)
    return CodeUse(code.name, len(holding), len(reported), len(devices), granted, DAYS)


def former_names(ctx: Context, now: int) -> list[Notice]:
    """Codes that somebody used under a former name, on the last DAYS days (UTC): who reported,
    authorized or was last seen with a seat while they had it, or was refused since."""
    catalog = ctx.store.catalog
    renamed = [code for code in catalog.present if len(catalog.names.had.get(code.key, ())) > 1]
    if not renamed:
        return []
    with ctx.store.reader() as db:
        found = [_notice(ctx, db, code, now // DAY_SECONDS - DAYS + 1) for code in renamed]
    return [notice for notice in found if notice is not None]


def _notice(ctx: Context, db: Connection, code: Code, first_day: int) -> Notice | None:
    catalog = ctx.store.catalog
    had = catalog.names.had[code.key]
    former = list(dict.fromkeys(given.name for given in had if given.name != code.name))
    spans = [(max(given.since, first_day * DAY_SECONDS), after.since, given.name) for given, after in pairwise(had)]
    otherwise = [(begin, end) for begin, end, name in spans if name != code.name]
    present = [(begin, end) for begin, end, name in spans if name == code.name]
    present.append((had[-1].since, had[-1].since))
    devices: set[int] = set()
    for span in otherwise:
        devices |= usage.devices_between(db, code.key, *span) | seats.last_heard_between(db, code.key, *span)
    granted = _granted(ctx, db, code, otherwise, present, first_day)
    refused = _refused(db, code, had, first_day)
    if not former or not (devices or granted or refused):
        return None
    taken = [name for name in former if catalog.code_meant(name, code.organization_id) is not None]
    since = iso(had[-1].since)
    sentence = (
        f"Handshake code {code.name} has had this name since {since}. In the last {DAYS} days, under former names"
        f" ({', '.join(former)}), {counted(len(devices), 'device')} used it and it gave"
        f" {counted(granted, 'authorization')}; {counted(refused, 'request')} with a former name"
        f" {'was' if refused == 1 else 'were'} refused. Give the applications its new license key."
    )
    params: dict[str, str | int] = {"code": code.name, "id": code.key, "former": ", ".join(former), "time": since}
    params |= {"days": DAYS, "devices": len(devices), "authorizations": granted, "refused": refused}
    if not taken:
        return Notice("code-former-name", sentence, WARNING, params)
    passed_on = ", ".join(taken)
    sentence += f" Another handshake code is called {passed_on} now: whoever still uses that name uses that code."
    return Notice("code-name-passed-on", sentence, WARNING, {**params, "taken": passed_on})


def _granted(ctx: Context, db: Connection, code: Code, spans: list[Span], others: list[Span], first_day: int) -> int:
    """Authorizations by a code in the `spans`. They are counted by the hour; in hours in which it had another name for
    a part (`others`), by the minute, as far as recent ones are still known."""
    shared = _hours(others)
    hours = _hours(spans) - shared
    tallies = statistics.tallies_by(db, Selection((code.key,), None, first_day, _LAST_DAY), "hour")
    granted = sum(n for (hour, what), n in tallies.items() if hour in hours and what == usage.GRANTED_TALLY)
    for begin, end in spans:
        for hour in shared & _hours([(begin, end)]):
            part = max(begin, hour * HOUR_SECONDS), min(end, (hour + 1) * HOUR_SECONDS)
            granted += ctx.running.calls.granted_within(code.key, *part)
    return granted


def _hours(spans: list[Span]) -> set[int]:
    """The hours since 1970 that the spans touch."""
    return {hour for begin, end in spans for hour in range(begin // HOUR_SECONDS, end // HOUR_SECONDS + 1)}


def _refused(db: Connection, code: Code, had: tuple[Naming, ...], first_day: int) -> int:
    """Requests by a former name of the code, since it lost its first one. In hours in which it did not have its current
    name, they may have used that one."""
    first = had[1].since // HOUR_SECONDS
    own = [n for n, given in enumerate(had[:-1]) if given.name == code.name]
    doubtful = _hours([(had[n + 1].since, had[n + 2].since if n + 2 < len(had) else had[-1].since) for n in own])
    tallies = statistics.tallies_by(db, Selection((code.key,), None, first_day, _LAST_DAY), "hour")
    return sum(n for (hour, what), n in tallies.items() if hour >= first and hour not in doubtful and what in _NO_CODE)
