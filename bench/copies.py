"""Copies of a large server while clients write: a backup, and a standby's first copy.

300,000 devices, 150 requests a second. Measures how long the copy takes with and without clients, and how long clients
wait with and without a copy.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.growth import fill
from bench.pair import Both
from bench.processes import Process, Rig, prepare
from bench.reads import Reader
from bench.serve import LABELS, config_for
from lts.server import opened
from lts.service.core.clock import Clock
from lts.service.folder import datafolder

DEVICES, RATE, CONNECTIONS, REPEATS = 300_000, 150.0, 16, 3
Figures = dict[str, Any]


class Clients:
    """Clients at a fixed rate, in windows one after another until `end`; the figures of all windows."""

    def __init__(self, rig: Rig, seconds: float = 1.0) -> None:
        self._rig = rig
        self._seconds = seconds
        self._ended = threading.Event()
        self.windows: list[Figures] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            self.windows.append(self._rig.window("authorize", self._seconds, CONNECTIONS, rate=RATE))

    def end(self) -> Figures:
        """The middle and the worst p99, and the longest wait, in milliseconds; errors."""
        self._ended.set()
        self._thread.join()
        return {
            "perSecond": round(statistics.median(one["perSecond"] for one in self.windows)),
            "p99Ms": _ms(statistics.median(one["p99"] for one in self.windows)),
            "worstP99Ms": _ms(max(one["p99"] for one in self.windows)),
            "longestMs": _ms(max(one["max"] for one in self.windows)),
            "errors": {what: n for one in self.windows for what, n in one["errors"].items()},
        }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _measured(rig: Rig, copy: Callable[[], None], undo: Callable[[], None], repeats: int) -> Figures:
    """Seconds of a copy without and with clients, in turn, and how the clients fare meanwhile."""
    quiet = Clients(rig)
    time.sleep(3)
    nobody_copies = quiet.end()
    alone, loaded, meanwhile = [], [], []
    for _ in range(repeats):
        alone.append(_seconds(copy))
        undo()
        clients = Clients(rig)
        time.sleep(0.5)
        loaded.append(_seconds(copy))
        meanwhile.append(clients.end())
        undo()
    return {
        "secondsAlone": [round(one, 2) for one in alone],
        "secondsUnderLoad": [round(one, 2) for one in loaded],
        "timesAsLong": round(statistics.median(loaded) / statistics.median(alone), 2),
        "nobodyCopies": nobody_copies,
        "meanwhile": meanwhile,
    }


def _seconds(copy: Callable[[], None]) -> float:
    begun = time.perf_counter()
    copy()
    return time.perf_counter() - begun


def backup(quick: bool) -> Figures:
    """`lts backup` of a server that serves."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = prepare(folder)
        fill(folder, code, 20_000 if quick else DEVICES)
        with Process("bench.serve", name) as server, Process("bench.load") as load:
            rig = Rig(server, load, code)
            reader = Reader(rig.port, datafolder.read_token(folder / "data"))

            def copy() -> None:
                Path(json.loads(reader.ask("POST", "/backup"))["path"]).unlink()

            return _measured(rig, copy, lambda: None, 1 if quick else REPEATS)


def _begin_standby(folder: Path) -> None:
    """A standby's folder with an identity, which the main pins once, and nothing else."""
    config = replace(config_for(folder), servers=("http://127.0.0.1:9/lts/", "self"))
    with opened(config, read_labels=lambda: LABELS, clock=Clock()):
        pass


def copy_under_load(quick: bool) -> Figures:
    """An empty standby takes its first copy from a main that serves, until it is in step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        both = Both(folder)
        fill(folder / "main", both.code, 20_000 if quick else DEVICES)
        _begin_standby(folder / "standby")
        shutil.copytree(folder / "standby", folder / "empty")
        with both.stack, Process("bench.load") as load:
            main = both.start_main()
            rig = Rig(main, load, both.code)
            standbys: list[Process] = []
            both.wait(main, {"status": "serving"})

            def copy() -> None:
                standbys.append(both.start_standby())
                both.wait(main, {"inStep": True})

            def undo() -> None:
                standbys.pop().kill()
                both.wait(main, {"inStep": False})
                shutil.rmtree(folder / "standby")
                shutil.copytree(folder / "empty", folder / "standby")

            return _measured(rig, copy, undo, 1 if quick else REPEATS)
