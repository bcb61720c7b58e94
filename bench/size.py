"""Bytes a seat, a device-day, a change; and how long statistics over a year take."""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.growth import fill
from bench.processes import prepare
from bench.serve import LABELS, config_for
from lts.protocol import SLOT_SECONDS, SLOTS_PER_DAY, iso, slot_of
from lts.rules.metering.checks import Request
from lts.rules.metering.usage import BadEntry, Entry
from lts.server import opened
from lts.service.core.clock import Clock
from lts.service.core.context import Context
from lts.service.metering import authorize, report
from lts.service.statistics import usage
from lts.store import sql
from lts.store.changes import feed
from lts.store.history import archive
from lts.store.rows import rollups


def _bytes(db: Any, *tables: str) -> int:
    """Bytes of tables and their indexes, as SQLite counts pages."""
    marks = ",".join("?" * len(tables))
    return int(sql.value(db, f"SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name IN ({marks})", tables))


def _a_day(ctx: Context, code: str, active: int) -> None:
    """A full day of reports, a slot each, of so many devices in changing order with changing counts."""
    rng = random.Random(1)
    midnight = slot_of(time.time()) // SLOTS_PER_DAY * SLOTS_PER_DAY - SLOTS_PER_DAY
    begin = midnight * SLOT_SECONDS
    held = []
    for _ in range(active):
        request = Request(os.urandom(16), "reader", "server", code, modules=("QR",))
        done = authorize.authorize(ctx, request, begin)
        held.append([done.lease, done.clone_token])
    for slot in range(midnight, midnight + SLOTS_PER_DAY):
        rng.shuffle(held)
        for number, state in enumerate(held):
            now = slot * SLOT_SECONDS + number * SLOT_SECONDS // active
            entries: list[Entry | BadEntry] = [Entry(slot, iso(slot * SLOT_SECONDS), {"QR": rng.randint(1, 40)})]
            answer = report.begin(ctx, ctx.leases.verify(state[0]), state[1], entries, now).finish()
            state[0], state[1] = answer.lease or state[0], answer.clone_token


def size(quick: bool) -> dict[str, Any]:
    """Bytes of database by what they hold."""
    devices, active = (20_000, 5) if quick else (300_000, 60)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = prepare(folder)
        fill(folder, code, devices)
        with opened(config_for(folder), read_labels=lambda: LABELS, clock=Clock()) as here:
            with here.ctx.store.reader() as db:
                seat = _bytes(db, "devices", "devices_by_uuid", "seats") / devices
                new = _bytes(db, "changes") / devices
            before = here.ctx.store.serial
            _a_day(here.ctx, code, active)
            with here.ctx.store.reader() as db:
                day = _bytes(db, "usage_days") / active
                changes = feed.after(db, 1, before, 50_000)
                stored = sum(len(c.payload) + len(c.hash) for c in changes) / len(changes)
                archived = len(archive.pack(changes)) / len(changes)
    return {"bytesPerSeat": round(seat, 1), "bytesPerDeviceDay": round(day), "bytesPerNewDeviceChange": round(new, 1),
            "payloadAndHashPerReport": round(stored, 1), "bytesPerArchivedChange": round(archived, 2)}  # fmt: skip


def statistics_time(quick: bool) -> dict[str, Any]:
    """A year of hourly rollups as 10,000,000 reports leave them: a code's and an item's year, milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = prepare(folder)
        with opened(config_for(folder), read_labels=lambda: LABELS, clock=Clock()) as here:
            hour = int(time.time()) // 3600
            rows = {(1, 1, t, hour - h): 380 for h in range(8760) for t in (1, 2, 3)}

            def operation(tx: Any) -> None:
                tx.housekeeping = True
                tx.db.executemany("INSERT INTO types VALUES (?, ?)", [(t, f"type {t}") for t in (1, 2, 3)])
                rollups.add_units(tx.db, rows)

            here.ctx.store.write(operation)
            times: dict[str, list[float]] = {"code": [], "item": []}
            for _ in range(21):
                for what, chosen in (("code", {"code": code}), ("item", {"item": "devices"})):
                    begun = time.perf_counter()
                    table = usage.usage(here.ctx, grouping="day", **chosen)
                    times[what].append(1000 * (time.perf_counter() - begun))
    return {"units": table.total, "milliseconds": {what: round(statistics.median(t), 2) for what, t in times.items()}}
