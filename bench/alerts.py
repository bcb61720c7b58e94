"""What a mail server that takes connections and says nothing does to authorizations: nothing, it should be."""

from __future__ import annotations

import contextlib
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.processes import Process, Rig, prepare
from bench.serve import LABELS, config_for
from lts.rules.alerting.alert import Alert
from lts.server import opened
from lts.service.alerting import alertsettings
from lts.service.core.clock import Clock
from lts.store.changes import records
from lts.store.writing.transaction import Transaction

MESSAGES = 20


@contextlib.contextmanager
def silent_server() -> Iterator[tuple[int, list[socket.socket]]]:
    """A port that takes connections and says nothing, and the connections it took."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken.append(listener.accept()[0])

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1], taken
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _fill(folder: Path, port: int) -> None:
    """Mail set up to go to the silent server, and messages that wait for it."""
    now = int(time.time())
    with opened(config_for(folder), read_labels=lambda: LABELS, clock=Clock()) as here:
        given = {"host": "127.0.0.1", "port": port, "security": "none", "from": "lts@x.test", "to": "ops@x.test"}
        alertsettings.change_mail(here.ctx, given, "bench", now)
        event = Alert("test", params={"time": now})
        for number in range(MESSAGES):
            waiting = records.AlertChange((), (), f"bench-{number}", [event], ("mail",))
            here.ctx.store.write(partial(Transaction.emit, record=waiting, time=now))


def black_hole(quick: bool) -> dict[str, Any]:
    """p99 of authorizations while 20 mails wait for a silent server, against p99 with no mail; windows in turn."""
    pairs, seconds = (2, 2.0) if quick else (7, 4.0)
    with (
        silent_server() as (port, taken),
        tempfile.TemporaryDirectory() as quiet_name,
        tempfile.TemporaryDirectory() as mail_name,
    ):
        rigs, processes = [], []
        for name in (quiet_name, mail_name):
            code = prepare(Path(name))
            if name == mail_name:
                _fill(Path(name), port)
            processes += [Process("bench.serve", name), Process("bench.load")]
            rigs.append(Rig(processes[-2], processes[-1], code))
        for rig in rigs:
            rig.window("authorize", 2, limit=5000)
        while not taken:
            time.sleep(0.1)
        ratios, errors = [], {}
        for _ in range(pairs):
            quiet = rigs[0].window("authorize", seconds)
            busy = rigs[1].window("authorize", seconds)
            ratios.append(busy["p99"] / quiet["p99"])
            errors.update(busy["errors"])
        for process in processes:
            process.__exit__(None, None, None)
    return {"p99Ratio": round(statistics.median(ratios), 2), "ratios": [round(r, 2) for r in ratios],
            "connectionsHeld": len(taken), "errors": errors}  # fmt: skip
