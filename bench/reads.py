"""What reading a large server does to another client's authorizations: the longest wait it causes.

2,500 items and 500,000 seats, which one code holds. Under each read of the portal or the command line another client
authorizes by a small code of its own again and again; what it waits at most is the figure.
"""

from __future__ import annotations

import http.client
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.hostile import Neighbor
from bench.portal import ADMIN
from bench.processes import Process, license_of, trusted_vendor
from bench.serve import LABELS, config_for
from lts.crypto import SigningKey
from lts.protocol import DAY_SECONDS, HOURS_PER_DAY
from lts.rules.licensing import licensefile
from lts.server import opened
from lts.service.core.clock import Clock
from lts.service.folder import datafolder
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.store.rows import rollups
from lts.store.writing.transaction import Transaction
from lts.vendor import issuing

ITEMS, SEATS, REPEATS = 2500, 500_000, 3
WAYS = ("device", "device", "device", "device", "device", "device", "device", "device", "scan", "concurrentDevice")
LARGE, SMALL = "1-large", "1-small"
SETTLE_SECONDS = 0.5
QUOTA = 10**6
DAYS = 30
BUSIEST = 5
"""The first item alone holds a fifth of the seats, and they end within two hours."""


def spec_of(items: int, license_id: str = "large") -> dict[str, Any]:
    """A license of so many items of one product."""
    common = {"product": "reader", "modules": ["QR"], "quota": QUOTA, "startsAt": "2020-01-01T00:00:00Z",
              "expiresAt": None}  # fmt: skip
    ways = [WAYS[number % len(WAYS)] for number in range(items)]
    entries = [{**common, "itemId": f"{license_id}-{number}", "chargeWay": way} for number, way in enumerate(ways)]
    return {"licenseId": license_id, "organizationId": "1", "items": entries}


def prepare(folder: Path, items: int, seats: int) -> bytes:
    """A data folder with a large code and a small one; returns a file of the license's next revision."""
    now, vendor = int(time.time()), SigningKey.generate()
    trusted_vendor(folder, vendor, now)
    with opened(config_for(folder), read_labels=lambda: LABELS, clock=Clock()) as here:
        for name, size in (("small", 1), ("large", items)):
            license_file = license_of(here.ctx, spec_of(size, name), vendor, now)
            licenses.import_license(here.ctx, licensefile.render(license_file).encode(), Choice(), "bench", now)
        here.ctx.store.write(lambda tx: _fill(tx, seats, now))
        changes = {"items": spec_of(items + 1)["items"]}
        return licensefile.render(issuing.amend(license_file, changes, vendor, "Bench")).encode()


def _fill(tx: Transaction, seats: int, now: int) -> None:
    tx.housekeeping = True
    rng = random.Random(1)
    code = tx.catalog.codes[LARGE]
    keys = [(entry.item.key, entry.item.terms.charge_way) for entry in code.items]
    of_devices = [key for key, way in keys if way == "device"]
    tx.db.executemany(
        "INSERT INTO devices VALUES (?, ?, ?, 1, 0, NULL, ?)",
        ((n, rng.randbytes(16), now, n % 1000) for n in range(1, seats + 1)),
    )
    busy = seats // BUSIEST
    tx.db.executemany("INSERT INTO seats VALUES (?, ?, 1, ?, 0, ?)", (
        (n, of_devices[0], now + rng.randrange(7200), code.key) if n <= busy else
        (n, of_devices[n % len(of_devices)], now + rng.randrange(DAYS * DAY_SECONDS), code.key)
        for n in range(1, seats + 1)
    ))  # fmt: skip
    concurrent = [key for key, way in keys if way == "concurrentDevice"]
    tx.db.executemany("INSERT INTO leases VALUES (?, ?, 1, ?, 0, ?, ?, 1)", (
        (concurrent[n % len(concurrent)], n, now + rng.randrange(-DAY_SECONDS, DAY_SECONDS), code.key, now - n)
        for n in range(1, busy + 1)
    ))  # fmt: skip
    tx.db.execute("INSERT INTO types VALUES (1, 'QR')")
    today = now // DAY_SECONDS
    for key, way in keys:
        if way == "scan":
            hours = [(today - day) * HOURS_PER_DAY for day in range(DAYS)]
            rollups.add_units(tx.db, {(code.key, key, 1, hour): rng.randrange(100) for hour in hours})


class Reader:
    """An administrator's connection."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        self._headers = {"Authorization": f"Bearer {token}", "X-LTS-User": "bench"}

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """The answer's body; RuntimeError unless the answer is good."""
        self._connection.request(method, ADMIN + path, body, self._headers)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {data[:200]!r}")
        return data


def questions(reader: Reader, file: bytes, items: int) -> dict[str, Callable[[], Any]]:
    """What is asked, by name."""
    asked = json.dumps({"handshakeCode": LARGE, "product": "reader", "deploymentType": "server"}).encode()
    changed = json.dumps({"note": "seen"}).encode()
    return {
        "preview": lambda: reader.ask("POST", "/licenses/preview", file),
        "home": lambda: reader.ask("GET", "/home"),
        "list of items": lambda: reader.ask("GET", "/licenses/items?size=25"),
        "devices": lambda: reader.ask("GET", "/devices?live=true&size=25"),
        "code use": lambda: reader.ask("GET", f"/handshake-use/{LARGE}"),
        "export": lambda: reader.ask("GET", "/usage?by=day&format=csv"),
        "audit export": lambda: reader.ask("GET", "/audit?format=csv"),
        "saving a code": lambda: reader.ask("PATCH", f"/handshakes/{LARGE}", changed),
        f"importing {items + 1:,} items": lambda: reader.ask("POST", "/licenses", file),
        "explain": lambda: reader.ask("POST", "/explain", asked),
    }


def longest_waits(quick: bool) -> dict[str, Any]:
    """Milliseconds that another client waits at most, with nobody reading and under each read, and how long the read
    took: the middle of three; an import is made once."""
    items, seats, repeats = (250, 20_000, 2) if quick else (ITEMS, SEATS, REPEATS)
    found: dict[str, Any] = {"items": items, "seats": seats}
    with tempfile.TemporaryDirectory() as name:
        file = prepare(Path(name), items, seats)
        with Process("bench.serve", name) as server:
            port = int(server.read())
            reader = Reader(port, datafolder.read_token(Path(name) / "data"))
            found["nobody reads"] = measure(port, lambda: time.sleep(SETTLE_SECONDS), repeats)
            for what, ask in questions(reader, file, items).items():
                found[what] = measure(port, ask, 1 if what.startswith("importing") else repeats)
                print(what, found[what], file=sys.stderr, flush=True)
    return found


def measure(port: int, ask: Callable[[], Any], repeats: int) -> dict[str, Any]:
    waits, times = [], []
    for _ in range(repeats):
        neighbor = Neighbor(port, SMALL)
        neighbor.start()
        time.sleep(SETTLE_SECONDS)
        neighbor.longest()
        begun = time.perf_counter()
        ask()
        times.append(time.perf_counter() - begun)
        time.sleep(SETTLE_SECONDS)
        waits.append(neighbor.longest())
        neighbor.end()
    return {
        "longestMs": _ms(statistics.median(waits)),
        "worstMs": _ms(max(waits)),
        "tookMs": _ms(statistics.median(times)),
    }


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
