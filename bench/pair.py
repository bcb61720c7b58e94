"""The pair against a single server in one run; how fast a standby catches up, and takes its first copy."""

from __future__ import annotations

import json
import socket
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.growth import fill
from bench.processes import Process, Rig, prepare

WAITED_SECONDS = 600


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Both:
    """A main over a prepared folder and an empty standby; the standby is started when asked for."""

    def __init__(self, folder: Path) -> None:
        self.code = prepare(folder / "main")
        self._folder = folder
        self._ports = _free_port(), _free_port()
        self.stack = ExitStack()

    def start_main(self) -> Process:
        """The main, which serves at once or after having waited for a standby."""
        servers = f"self,http://127.0.0.1:{self._ports[1]}/lts/"
        return self._start("main", self._ports[0], servers)

    def start_standby(self) -> Process:
        """The standby."""
        return self._start("standby", self._ports[1], f"http://127.0.0.1:{self._ports[0]}/lts/,self")

    def _start(self, name: str, port: int, servers: str) -> Process:
        process = Process("bench.serve", str(self._folder / name), "--port", str(port), "--servers", servers)
        return self.stack.enter_context(process)

    def wait(self, process: Process, wanted: dict[str, Any]) -> float:
        """Seconds until the server says so."""
        began = time.monotonic()
        while time.monotonic() - began < WAITED_SECONDS:
            line = process.ask("pair")
            while not line.startswith("{"):
                line = process.read()
            found = json.loads(line)
            if all(found.get(name) == value for name, value in wanted.items()):
                return time.monotonic() - began
            time.sleep(0.05)
        raise RuntimeError(f"The pair did not reach {wanted}.")


def in_step(quick: bool) -> dict[str, Any]:
    """Throughput of a main whose standby is in step, of a single server's, in windows taken in turn."""
    pairs, seconds = (2, 1.0) if quick else (5, 3.0)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        both = Both(Path(name))
        stack.enter_context(both.stack)
        code = prepare(Path(name) / "single")
        single = Rig(stack.enter_context(Process("bench.serve", str(Path(name) / "single"))),
                     stack.enter_context(Process("bench.load")), code)  # fmt: skip
        main = both.start_main()
        paired = Rig(main, stack.enter_context(Process("bench.load")), both.code)
        both.start_standby()
        both.wait(main, {"status": "serving", "inStep": True})
        for rig in (single, paired):
            rig.window("authorize", 2, limit=5000)
        for kind, more in (("authorize", {}), ("renew", {}), ("report", {"slots": 1}), ("report", {"slots": 20})):
            found = [(single.window(kind, seconds, **more), paired.window(kind, seconds, **more)) for _ in range(pairs)]
            figures[f"{kind} {more.get('slots', '')}".strip()] = {
                "ratio": round(statistics.median(p["perSecond"] / s["perSecond"] for s, p in found), 3),
                "perSecond": round(statistics.median(p["perSecond"] for _, p in found)),
                "singlePerSecond": round(statistics.median(s["perSecond"] for s, _ in found)),
                "p99": round(statistics.median(p["p99"] for _, p in found), 4),
                "singleP99": round(statistics.median(s["p99"] for s, _ in found), 4),
                "errors": {what: n for _, p in found for what, n in p["errors"].items()},
            }
        figures["inStepAfter"] = json.loads(main.ask("pair"))["inStep"]
    return figures


def take_over(_quick: bool) -> dict[str, Any]:
    """Seconds from kill -9 of a main until the standby serves, and from the main's return until it serves again.

    docs/design/pair.md, What is promised, says 20 for the first.
    """
    with tempfile.TemporaryDirectory() as name:
        both = Both(Path(name))
        with both.stack:
            main, standby = both.start_main(), both.start_standby()
            both.wait(main, {"status": "serving", "inStep": True})
            main.kill()
            taken = both.wait(standby, {"status": "serving"})
            returned = both.wait(both.start_main(), {"status": "serving"})
    return {"takenOverAfterSeconds": round(taken, 1), "handedBackAfterSeconds": round(returned, 1)}


def catch_up(quick: bool) -> dict[str, Any]:
    """A standby that was away for an hour of 200 changes a second, while the main serves."""
    changes = 20_000 if quick else 720_000
    with tempfile.TemporaryDirectory() as name:
        both = Both(Path(name))
        with both.stack:
            main = both.start_main()
            both.start_standby()
            both.wait(main, {"status": "serving", "inStep": True})
        fill(Path(name) / "main", both.code, changes)
        both.stack = ExitStack()
        with both.stack:
            main = both.start_main()
            load = both.stack.enter_context(Process("bench.load"))
            rig = Rig(main, load, both.code)
            both.wait(main, {"status": "serving"})
            alone = rig.window("authorize", 3.0)["perSecond"]
            served: list[float] = []
            ended = threading.Event()
            standby = both.start_standby()
            thread = threading.Thread(target=_serve_on, args=(rig, served, ended))
            began = time.monotonic()
            thread.start()
            both.wait(standby, {"status": "standby"})
            serial = changes
            while json.loads(_last_json(standby)).get("serial", 0) < serial:
                time.sleep(0.2)
                if time.monotonic() - began > WAITED_SECONDS:
                    raise RuntimeError("The standby did not catch up.")
            seconds = time.monotonic() - began
            ended.set()
            thread.join()
            both.wait(main, {"inStep": True})
            in_step_seconds = time.monotonic() - began
    return {"changes": changes, "seconds": round(seconds, 1), "inStepSeconds": round(in_step_seconds, 1),
            "mainPerSecondAlone": round(alone), "mainPerSecondMeanwhile": [round(s) for s in served]}  # fmt: skip


def _last_json(process: Process) -> str:
    line = process.ask("pair")
    while not line.startswith("{"):
        line = process.read()
    return line


def _serve_on(rig: Rig, served: list[float], ended: threading.Event) -> None:
    while not ended.is_set():
        served.append(rig.window("authorize", 2.0, connections=4)["perSecond"])


def first_copy(quick: bool) -> dict[str, Any]:
    """An empty standby takes everything from a main with 1,000,000 seats."""
    seats = 50_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        both = Both(Path(name))
        fill(Path(name) / "main", both.code, seats)
        size = (Path(name) / "main" / "data" / "lts.db").stat().st_size
        with both.stack:
            main = both.start_main()
            both.wait(main, {"status": "serving"})
            began = time.monotonic()
            both.start_standby()
            both.wait(main, {"inStep": True})
            seconds = time.monotonic() - began
    return {"seats": seats, "MiB": round(size / 2**20), "seconds": round(seconds, 1)}
