"""What large answers and changes of many codes do to another client's authorizations: the longest wait they cause.

160 codes hold 2,500 items each, messages and tables of usage are as long as lists show them. Under each call of the
administrators' API, and under 100 authorizations at once of 400 items each, another client authorizes by a small code
of its own; what it waits at most is the figure.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from bench.processes import Process, license_of, trusted_vendor
from bench.reads import LARGE, Reader, measure, spec_of
from bench.serve import LABELS, config_for
from lts.crypto import SigningKey
from lts.protocol import DAY_SECONDS, HOURS_PER_DAY
from lts.rules.licensing import licensefile
from lts.server import opened
from lts.service.alerting import alerts
from lts.service.core.clock import Clock
from lts.service.core.context import Context
from lts.service.folder import datafolder
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.store.changes import records
from lts.store.rows import rollups
from lts.store.writing.transaction import Transaction
from lts.vendor import issuing

CODES, ITEMS, WIDE, AT_ONCE = 160, 2500, 400, 100
MESSAGES, EVENTS, DAYS, TYPES = 500, 100, 60, 200
REPEATS = 3


def prepare(folder: Path, codes: int, items: int) -> list[bytes]:
    """A data folder with so many codes that hold so many items each, and a small one; returns files to be imported: the
    next revision of the large license, and another license of a few items."""
    now, vendor = int(time.time()), SigningKey.generate()
    trusted_vendor(folder, vendor, now)
    with opened(config_for(folder), read_labels=lambda: LABELS, clock=Clock()) as here:
        files = {}
        for name, size in (("small", 1), ("wide", WIDE), ("large", items), ("late", 3)):
            spec = spec_of(size, name)
            if name == "wide":
                spec["items"] = [{**one, "modules": [f"M{n}"]} for n, one in enumerate(spec["items"])]
            files[name] = license_of(here.ctx, spec, vendor, now)
            if name != "late":
                _import(here.ctx, files[name], now)
        here.ctx.store.write(lambda tx: _add_codes(tx, codes, now))
        here.ctx.store.write(lambda tx: _fill(tx, now))
        renewed = issuing.amend(files["large"], {"items": spec_of(items + 1)["items"]}, vendor, "Bench")
        return [licensefile.render(one).encode() for one in (renewed, files["late"])]


def _import(ctx: Context, file: licensefile.License, now: int) -> None:
    licenses.import_license(ctx, licensefile.render(file).encode(), Choice(), "bench", now)


def _add_codes(tx: Transaction, codes: int, now: int) -> None:
    entries = tuple((entry.item.key, None) for entry in tx.catalog.codes[LARGE].items)
    first = tx.numbering.new("codes")
    for number in range(codes - 1):
        tx.emit(records.CodeChange("bench", first + number, "1", f"many-{number}", False, {}, entries, "", ""), now)


def _fill(tx: Transaction, now: int) -> None:
    tx.housekeeping = True
    tx.db.executemany("INSERT INTO types VALUES (?, ?)", [(n, f"type of usage {n}") for n in range(1, TYPES + 1)])
    code = tx.catalog.codes[LARGE]
    item = next(entry.item.key for entry in code.items if entry.item.terms.charge_way == "scan")
    today = now // DAY_SECONDS
    hours = [(today - day) * HOURS_PER_DAY + hour for day in range(DAYS) for hour in range(HOURS_PER_DAY)]
    rollups.add_units(tx.db, {(code.key, item, n, hour): n for n in range(1, TYPES + 1) for hour in hours})
    events = msgspec.json.encode([alerts.test_event(now)] * EVENTS).decode()
    tx.db.executemany(
        "INSERT INTO messages VALUES (?, ?, ?, '[\"mail\"]')", [(f"m{n}", now - n, events) for n in range(MESSAGES)]
    )
    tx.db.executemany(
        "INSERT INTO deliveries VALUES (?, 'mail', 'sent', ?, '')", [(f"m{n}", now - n) for n in range(MESSAGES)]
    )


def questions(reader: Reader, files: list[bytes], codes: int) -> dict[str, Callable[[], Any]]:
    """What is asked, by name."""
    changed = json.dumps({"note": "seen"}).encode()
    fresh = iter(range(REPEATS))
    return {
        f"{codes} codes": lambda: reader.ask("GET", "/handshakes"),
        "a page of codes": lambda: reader.ask("GET", "/handshakes?size=25&sort=name&keys=true"),
        "codes searched": lambda: reader.ask("GET", "/handshakes?size=25&q=nothing"),
        "one code": lambda: reader.ask("GET", f"/handshakes/{LARGE}"),
        "all items": lambda: reader.ask("GET", "/licenses/items"),
        "alert history": lambda: reader.ask("GET", f"/alerts/history?size={MESSAGES}"),
        "usage by hour": lambda: reader.ask("GET", "/usage?by=hour"),
        "usage by hour as CSV": lambda: reader.ask("GET", "/usage?by=hour&format=csv"),
        "statistics": lambda: reader.ask("GET", "/statistics"),
        "subjects": lambda: reader.ask("GET", "/statistics/subjects"),
        "home": lambda: reader.ask("GET", "/home"),
        "audit": lambda: reader.ask("GET", "/audit?size=500"),
        "editing a code": lambda: reader.ask("PATCH", f"/handshakes/{LARGE}", changed),
        "adding a code": lambda: reader.ask("POST", "/handshakes", b'{"custom": "new-%d"}' % next(fresh)),
        "importing 3 items": lambda: reader.ask("POST", "/licenses", files[1]),
        "renewing the items": lambda: reader.ask("POST", "/licenses", files[0]),
    }


def _authorize_many(port: int) -> None:
    """100 devices at once that each ask for all items."""
    common = {"handshakeCode": "1-wide", "product": "reader", "deploymentType": "server",
              "modules": [f"M{n}" for n in range(WIDE)]}  # fmt: skip

    def ask(_: int) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/api/v1/authorize", json.dumps({**common, "deviceId": str(uuid4())}))
        answer = connection.getresponse()
        answer.read()
        return answer.status

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = set(pool.map(ask, range(AT_ONCE)))
    if answers - {200, 429}:
        raise RuntimeError(f"authorizations of many items: {answers}")


def longest_waits(quick: bool) -> dict[str, Any]:
    """Milliseconds that another client waits at most under each call, and how long the call took: the middle of three;
    an import is made once."""
    codes, items = (20, 250) if quick else (CODES, ITEMS)
    found: dict[str, Any] = {"codes": codes, "items": items}
    with tempfile.TemporaryDirectory() as name:
        files = prepare(Path(name), codes, items)
        with Process("bench.serve", name) as server:
            port = int(server.read())
            reader = Reader(port, datafolder.read_token(Path(name) / "data"))
            asked = questions(reader, files, codes)
            asked |= {f"{AT_ONCE} authorizations at once of {WIDE} items": lambda: _authorize_many(port)}
            for what, ask in asked.items():
                found[what] = measure(port, ask, 1 if what.startswith(("importing", "renewing")) else REPEATS)
                print(what, found[what], file=sys.stderr, flush=True)
    return found
