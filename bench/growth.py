"""What a growing number of devices does to throughput and memory."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.processes import Process, Rig, prepare
from bench.serve import LABELS, config_for
from lts.rules.clock import Moment
from lts.rules.metering.checks import Request
from lts.rules.metering.likeness import Caller
from lts.server import opened
from lts.service.core.clock import Clock
from lts.service.metering import authorize
from lts.store.writing.transaction import Transaction

BATCH = 5000


def fill(folder: Path, code: str, devices: int) -> None:
    """Authorize so many new devices through the same operation that a request runs, in large groups."""
    now = int(time.time())
    with opened(config_for(folder), read_labels=lambda: LABELS, clock=Clock()) as here:
        for begin in range(0, devices, BATCH):
            count, caller = min(BATCH, devices - begin), Caller(f"address {begin}", "bench")

            moment = here.ctx.clock.moment(now)

            def operation(
                tx: Transaction, count: int = count, caller: Caller = caller, moment: Moment = moment
            ) -> None:
                for _ in range(count):
                    request = Request(os.urandom(16), "reader", "server", code, modules=("QR",))
                    authorize.decide(tx, here.ctx, request, None, moment, caller)

            here.ctx.store.write(operation)


def growth(quick: bool) -> dict[str, Any]:
    """Throughput of new devices and renewals at 1,000 and at 1,000,000 devices, windows in turn; memory."""
    large = 50_000 if quick else 1_000_000
    pairs, seconds = (2, 1.0) if quick else (5, 3.0)
    with tempfile.TemporaryDirectory() as small_name, tempfile.TemporaryDirectory() as large_name:
        rigs = []
        processes = []
        for name, devices in ((small_name, 1000), (large_name, large)):
            code = prepare(Path(name))
            fill(Path(name), code, devices)
            processes += [Process("bench.serve", name), Process("bench.load")]
            rigs.append(Rig(processes[-2], processes[-1], code))
        for rig in rigs:
            rig.window("authorize", 2, limit=5000)
        figures: dict[str, Any] = {"devices": large, "memoryMiB": round(rigs[1].memory() / 2**20)}
        for kind in ("authorize", "renew", "report"):
            ratios = []
            for _ in range(pairs):
                small = rigs[0].window(kind, seconds)["perSecond"]
                ratios.append(rigs[1].window(kind, seconds)["perSecond"] / small)
            figures[kind] = round(statistics.median(ratios), 3)
        figures["memoryAfterMiB"] = round(rigs[1].memory() / 2**20)
        for process in processes:
            process.__exit__(None, None, None)
    return figures
