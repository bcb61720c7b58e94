"""What the portal costs: a year of statistics in hello worlds, and what 40 browsers do to authorizations."""

from __future__ import annotations

import http.client
import json
import random
import statistics
import tempfile
import threading
import time
from array import array
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.processes import Process, Rig, prepare
from bench.serve import LABELS, config_for
from lts.protocol import DAY_SECONDS, SLOTS_PER_DAY
from lts.server import opened
from lts.service.core.clock import Clock
from lts.service.folder import datafolder
from lts.store import sql
from lts.store.rows import deviceunits, rollups
from lts.store.rows.dayrow import DaySeries, encode_day
from lts.store.writing.transaction import Transaction

DEVICES, DAYS, TYPES = 1000, 365, 3
ADMIN = "/api/v1/admin"
Call = tuple[str, str]


def fill_year(folder: Path, devices: int, days: int) -> None:
    """A year as reports leave it: every device active on every day, rollups by hour, activity by slot."""
    today = int(time.time()) // DAY_SECONDS
    rng = random.Random(1)
    with opened(config_for(folder), read_labels=lambda: LABELS, clock=Clock()) as here:
        here.ctx.store.write(lambda tx: _fill(tx, range(today - days + 1, today + 1), devices, rng))


def _fill(tx: Transaction, days: range, devices: int, rng: random.Random) -> None:
    tx.housekeeping = True
    db = tx.db
    code, item = sql.value(db, "SELECT id FROM codes"), sql.value(db, "SELECT id FROM items")
    db.executemany("INSERT INTO types VALUES (?, ?)", [(n, f"type {n}") for n in range(1, TYPES + 1)])
    contact = days[-1] * DAY_SECONDS
    db.executemany(
        "INSERT INTO devices VALUES (?1, ?2, ?3, 1, 0, NULL, ?1)",
        [(n, rng.randbytes(16), contact) for n in range(1, devices + 1)],
    )
    slots = array("I", [devices // 4] * SLOTS_PER_DAY + [devices])
    for day in days:
        hours = range(day * 24, day * 24 + 24)
        types = range(1, TYPES + 1)
        rollups.add_units(db, {(code, item, n, hour): devices * rng.randint(1, 9) for hour in hours for n in types})
        rollups.add_tallies(db, {(code, n, hour): devices for hour in hours for n in (0, 1)})
        db.executemany(
            "INSERT INTO activity VALUES (?, ?, ?, ?)",
            [(s, k, day, slots.tobytes()) for s, k in ((0, item), (1, code))],
        )
        units = {n: 24 * rng.randint(1, 9) for n in range(1, TYPES + 1)}
        row = encode_day({(0, item, n): _closed(units[n]) for n in units})
        db.executemany(
            "INSERT INTO usage_days VALUES (?, ?, ?, ?)", [(day, n, code, row) for n in range(1, devices + 1)]
        )
        deviceunits.add(db, {(code, d, item, n, day): units[n] for d in range(1, devices + 1) for n in units})


def _closed(units: int) -> DaySeries:
    series = DaySeries()
    series.closed_sum = units
    return series


class Caller:
    """One keep-alive connection that signs in as the command line does."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}", "X-LTS-User": "bench"}

    def get(self, path: str) -> tuple[float, bytes]:
        """(seconds, body); RuntimeError unless the answer is 200."""
        begun = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return time.perf_counter() - begun, body


def questions(code: str) -> dict[str, str]:
    """What the statistics page asks, by name."""
    subject = f"code={quote(code)}"
    return {
        "a code's year": f"/statistics?{subject}&days=365",
        "an item's year": "/statistics?item=devices&days=365",
        "everything, all history": "/statistics",
        "a day by hour": f"/statistics/hours?{subject}&day={time.strftime('%Y-%m-%d', time.gmtime())}",
        "table by day": f"/usage?{subject}&days=365&by=day&size=25",
        "table by authorizations": f"/usage?{subject}&days=365&by=authorizations&size=25",
        "table by device": f"/usage?{subject}&days=365&by=device&size=25",
        "table by device, 30 days": f"/usage?{subject}&days=30&by=device&size=25",
        "table by device, most first": f"/usage?{subject}&days=365&by=device&size=25&sort=total&order=desc",
        "home": "/home",
        "devices": "/devices?size=25",
    }


def year(quick: bool) -> dict[str, Any]:
    """Each question of the statistics page over a year of hourly data on 1,000 devices, in hello worlds."""
    devices, days, times = (50, 40, 5) if quick else (DEVICES, DAYS, 15)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = prepare(folder)
        fill_year(folder, devices, days)
        with Process("bench.serve", name) as server:
            caller = Caller(int(server.read()), datafolder.read_token(folder / "data"))
            found: dict[str, list[float]] = {name: [] for name in questions(code)}
            for _ in range(times):
                for what, path in questions(code).items():
                    hello = statistics.median(caller.get("/bench/hello")[0] for _ in range(15))
                    found[what].append(caller.get(ADMIN + path)[0] / hello)
    return {what: round(statistics.median(ratios), 1) for what, ratios in found.items()}


def browsers(quick: bool) -> dict[str, Any]:
    """p95 of authorizations while 40 browsers read statistics without a pause, against p95 with none."""
    devices, days = (50, 40) if quick else (DEVICES, DAYS)
    count, pairs, seconds = (8, 2, 1.0) if quick else (40, 5, 4.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = prepare(folder)
        fill_year(folder, devices, days)
        with Process("bench.serve", name) as server, Process("bench.load") as load:
            rig = Rig(server, load, code)
            token = datafolder.read_token(folder / "data")
            rig.window("authorize", 2, connections=4)
            ratios, read = [], 0
            for _ in range(pairs):
                idle = rig.window("authorize", seconds, connections=4)
                ended = threading.Event()
                readers = [_Reader(rig.port, token, code, ended) for _ in range(count)]
                for reader in readers:
                    reader.start()
                busy = rig.window("authorize", seconds, connections=4)
                ended.set()
                for reader in readers:
                    reader.join()
                    read += reader.answered
                ratios.append(busy["p95"] / idle["p95"])
    return {"browsers": count, "p95Ratio": round(statistics.median(ratios), 2), "answersToBrowsers": read,
            "errors": busy["errors"]}  # fmt: skip


class _Reader(threading.Thread):
    """A browser that opens the statistics page again and again."""

    def __init__(self, port: int, token: str, code: str, ended: threading.Event) -> None:
        super().__init__()
        self._caller = Caller(port, token)
        self._paths = [ADMIN + path for what, path in questions(code).items() if "device" not in what]
        self._ended = ended
        self.answered = 0

    def run(self) -> None:
        while not self._ended.is_set():
            for path in self._paths:
                json.loads(self._caller.get(path)[1])
                self.answered += 1
