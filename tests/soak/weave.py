"""`python3 -m tests.soak.weave [RUNS] [SEED]`: a pair's threads in orders drawn by chance (tests/support/weave.py), 500
runs by default."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from tests.service.conftest import with_one_item
from tests.support.duet import copy_of, in_step
from tests.support.weave import Weave

SHORT, LONG = 35.0, 100.0
"""Seconds of a run: until the standby serves for the main, and until the main takes back; every third is long."""


def main() -> int:
    """Exit code 0 when never both answered."""
    logging.disable(logging.CRITICAL)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    asked = found = 0
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder, in_step(copy_of(with_one_item(), Path(folder) / "duet")) as duet:
            weave = Weave(duet, seed)
            try:
                weave.run(LONG if seed % 3 == 0 else SHORT)
                weave.end()
            except AssertionError as error:
                found += 1
                print(f"seed {seed}: {error}", flush=True)
            asked += weave.handed_over
    print(f"{count} runs, {asked} in which the standby was asked to serve: both answered in {found}.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
