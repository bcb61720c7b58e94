"""Who draws on a handshake code: what is told before it is removed or gets another name, and until nobody asks by the
old one."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import apsw

from lts.protocol import DAY_SECONDS, iso
from lts.rules.catalog import Catalog, Code
from lts.rules.notices import WARNING, Notice
from lts.service import handshakes
from lts.service.context import Context
from lts.store import seats, statistics, usage
from lts.store.statistics import Selection

DAYS = 30
NO_SUCH_CODE = 101
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
    """Codes that somebody asked for by a name of theirs that is gone, on the last DAYS days (UTC): before it was taken
    away, or since then in vain."""
    catalog = ctx.store.catalog
    former: defaultdict[int, list[str]] = defaultdict(list)
    for name in catalog.names.of_name:
        code = catalog.once_called(name)
        if code is not None:
            former[code.key].append(name)
    if not former:
        return []
    with ctx.store.reader() as db:
        first = now // DAY_SECONDS - DAYS + 1
        found = [_notice(db, catalog, catalog.codes_by_key[key], names, first) for key, names in former.items()]
    return [notice for notice in found if notice is not None]


def _notice(db: apsw.Connection, catalog: Catalog, code: Code, names: list[str], first: int) -> Notice | None:
    renamed = catalog.names.since(code.key) // DAY_SECONDS
    devices = len(usage.devices_by_code(db, code.key, first, renamed)) if renamed >= first else 0
    tallies = statistics.tallies_by(db, Selection((code.key,), None, first, _LAST_DAY), "type")
    refused = tallies.get((0, NO_SUCH_CODE), 0)
    if not devices and not refused:
        return None
    former, since = ", ".join(names), iso(catalog.names.since(code.key))
    sentence = (
        f"Handshake code {code.name} has had this name since {since}. In the last {DAYS} days {devices} devices used it"
        f" by its former name ({former}), and {refused} requests by that name were refused. Give the applications its"
        " new license key."
    )
    told: dict[str, str | int] = {"code": code.name, "id": code.key, "former": former, "time": since, "days": DAYS}
    return Notice("code-former-name", sentence, WARNING, {**told, "devices": devices, "refused": refused})
