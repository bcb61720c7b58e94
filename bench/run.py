"""What `python3 -m bench` measures: ratios to a Flask hello world in the same server process.

Parts: throughput, connections, slots, sync, growth, size, statistics, portal, browsers, black-hole, hostile, reads,
answers, client, pair, take-over, catch-up, first-copy, backup-under-load, first-copy-under-load, budget (default:
all). Runs in the environment that bench/__main__.py sets up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import alerts, answers, budget, client, copies, growth, hostile, pair, portal, reads, size
from bench.processes import Process, Rig, prepare

Figures = dict[str, Any]


def _pairs(rig: Rig, kind: str, pairs: int, seconds: float, **more: Any) -> list[tuple[Figures, Figures]]:
    """Windows of the hello and of `kind` in turn."""
    return [(rig.window("hello", seconds), rig.window(kind, seconds, **more)) for _ in range(pairs)]


def _errors(found: list[tuple[Figures, Figures]]) -> dict[str, int]:
    return {what: n for _, figures in found for what, n in figures["errors"].items()}


def _summary(found: list[tuple[Figures, Figures]]) -> Figures:
    return {
        "ratio": round(statistics.median(b["perSecond"] / a["perSecond"] for a, b in found), 3),
        "perSecond": round(statistics.median(b["perSecond"] for _, b in found)),
        "helloPerSecond": round(statistics.median(a["perSecond"] for a, _ in found)),
        "p99OverHelloP50": round(statistics.median(b["p99"] / a["p50"] for a, b in found), 2),
        "p99": round(statistics.median(b["p99"] for _, b in found), 4),
        "helloP99": round(statistics.median(a["p99"] for a, _ in found), 4),
        "errors": _errors(found),
    }


def _rig(folder: Path, *server: str) -> tuple[Process, Process, str]:
    code = prepare(folder)
    return Process("bench.serve", str(folder), *server), Process("bench.load"), code


def throughput(quick: bool) -> Figures:
    """New devices, renewals, reports of 20 slots, at 64 connections."""
    pairs, seconds = (2, 1.0) if quick else (5, 3.0)
    with tempfile.TemporaryDirectory() as name:
        server, load, code = _rig(Path(name))
        with server, load:
            rig = Rig(server, load, code)
            rig.window("authorize", 2, limit=20_000)
            figures = {
                "new devices": _summary(_pairs(rig, "authorize", pairs, seconds)),
                "renewals": _summary(_pairs(rig, "renew", pairs, seconds)),
                "reports of 20 slots": _summary(_pairs(rig, "report", pairs, seconds, slots=20)),
            }
    return figures


def connections(quick: bool) -> Figures:
    """256 connections: no timeout, no error."""
    with tempfile.TemporaryDirectory() as name:
        server, load, code = _rig(Path(name))
        with server, load:
            rig = Rig(server, load, code)
            figures = rig.window("authorize", 3 if quick else 10, connections=256)
    return {"perSecond": round(figures["perSecond"]), "p99": figures["p99"], "max": figures["max"],
            "errors": figures["errors"]}  # fmt: skip


def slots(quick: bool) -> Figures:
    """A report of 480 slots against one of 1."""
    pairs, seconds = (2, 1.0) if quick else (5, 3.0)
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        server, load, code = _rig(Path(name))
        with server, load:
            rig = Rig(server, load, code)
            rig.window("authorize", 2, limit=5000)
            for _ in range(pairs):
                one = rig.window("report", seconds, slots=1)
                many = rig.window("report", seconds, slots=480)
                ratios.append(one["perSecond"] / many["perSecond"])
    return {"timesAsLong": round(statistics.median(ratios), 2), "each": [round(r, 2) for r in ratios]}


def sync(quick: bool) -> Figures:
    """3 ms added to each sync: group commit against a commit per request."""
    rates = {}
    for name_of, group in (("grouped", "0"), ("each", "1")):
        with tempfile.TemporaryDirectory() as name:
            server, load, code = _rig(Path(name), "--sync", "0.003", "--group", group)
            with server, load:
                rates[name_of] = Rig(server, load, code).window("authorize", 2 if quick else 6)["perSecond"]
    return {"ratio": round(rates["grouped"] / rates["each"], 2), **{k: round(v) for k, v in rates.items()}}


PARTS: dict[str, Callable[[bool], Figures]] = {
    "throughput": throughput,
    "connections": connections,
    "slots": slots,
    "sync": sync,
    "growth": growth.growth,
    "size": size.size,
    "statistics": size.statistics_time,
    "portal": portal.year,
    "browsers": portal.browsers,
    "black-hole": alerts.black_hole,
    "hostile": hostile.longest_waits,
    "reads": reads.longest_waits,
    "answers": answers.longest_waits,
    "client": client.client,
    "pair": pair.in_step,
    "take-over": pair.take_over,
    "catch-up": pair.catch_up,
    "first-copy": pair.first_copy,
    "backup-under-load": copies.backup,
    "first-copy-under-load": copies.copy_under_load,
    "budget": budget.budget,
}


def main() -> int:
    """Print figures; exit code 0 unless something failed."""
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="short windows, small numbers: for trying the bench")
    args = parser.parse_args()
    unknown = set(args.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {sorted(unknown)[0]}; known: {', '.join(PARTS)}")
    found = {}
    for name in args.parts or PARTS:
        print(f"… {name}", file=sys.stderr, flush=True)
        found[name] = PARTS[name](args.quick)
        if not args.json:
            told = budget.table(found[name]) if name == "budget" else json.dumps({name: found[name]}, indent=2)
            print(told, flush=True)
    if args.json:
        print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
