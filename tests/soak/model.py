"""`python3 -m tests.soak.model [RUNS] [SEED]`: the server against an independent model, 1,000 runs by default.

Each run is a random sequence of steps (tests/model). `--steps N` (40) says how many, `--processes N` (as many as there
are cores) how many run side by side, `--features NAME,…` (or `all`) what the model is to expect beyond what the server
of this checkout does. Without SEED one is drawn, and named. A sequence that differs is cut down and printed.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import random
import sys
import time

from tests.model.features import TODAY
from tests.model.runs import RUNS_PER_WORLD, Difference, Worlds, run

_VERIFIED = 10
"""Of so many runs one ends with lts verify, which takes as long as a whole run."""
_TOLD = 100
"""After so many runs it says how far it is."""


def main() -> int:
    """Exit code 0 when no run differed."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.soak.model", description="the server against a model")
    parser.add_argument("runs", type=int, nargs="?", default=1000)
    parser.add_argument("seed", type=int, nargs="?", default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--features", default="", help=f"of {', '.join(TODAY)}, or all")
    parser.add_argument("--stop-after", type=int, default=1, help="differences to find")
    given = parser.parse_args()
    wanted = list(TODAY) if given.features == "all" else given.features.split(",")
    features = {name: today or name in wanted for name, today in TODAY.items()}
    first = given.seed * 10**6
    shares = [
        (range(begin, min(begin + RUNS_PER_WORLD, first + given.runs)), given.steps, features)
        for begin in range(first, first + given.runs, RUNS_PER_WORLD)
    ]
    print(f"{given.runs} runs of {given.steps} steps, seed {given.seed}", flush=True)
    began, done, found = time.monotonic(), 0, 0
    with multiprocessing.Pool(given.processes) as pool:
        for played, differences in pool.imap_unordered(_runs, shares):
            done += played
            found += len(differences)
            for difference in differences:
                print(difference, flush=True)
            if done % _TOLD < played:
                print(f"{done} runs in {time.monotonic() - began:.0f} s", flush=True)
            if found >= given.stop_after:
                break
    took = time.monotonic() - began
    print(f"{done} runs in {took:.0f} s, {done / took:.1f} a second: {found or 'no'} differences")
    return 1 if found else 0


def _runs(share: tuple[range, int, dict[str, bool]]) -> tuple[int, list[Difference]]:
    """How many runs were played of those seeds, and which differed."""
    logging.disable(logging.CRITICAL)
    seeds, steps, features = share
    worlds = Worlds(features)
    try:
        found = [run(worlds, seed, steps, features, verify=seed % _VERIFIED == 0) for seed in seeds]
    finally:
        worlds.close()
    return len(seeds), [difference for difference in found if difference is not None]


if __name__ == "__main__":
    sys.exit(main())
