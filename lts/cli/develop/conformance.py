"""`lts conformance URL-or-command`: drives any client through the vectors."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from lts.cli.options import uses_only
from lts.cli.place import PROJECT
from lts.conformance import driver, run_all
from lts.errors import AdminError
from lts.rules.values.plural import counted

VECTORS = PROJECT / "tests" / "vectors"


def add_parsers(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("conformance", help="drive a client through the vectors (docs/protocol.md)")
    parser.set_defaults(run=_run)
    uses_only(parser)
    parser.add_argument("target", metavar="URL-or-command", help="the client's driver")
    parser.add_argument("--vectors", type=Path, default=VECTORS, help="folder of the vectors")


def _run(args: argparse.Namespace) -> int:
    total = 0

    def show(name: str, faults: list[str]) -> None:
        nonlocal total
        total += 1
        print(f"{'FAILED' if faults else 'ok'}  {name}", flush=True)
        for fault in faults:
            print(f"        {fault}", flush=True)

    with driver(args.target) as drive:
        failed = run_all(drive, args.vectors, show)
    print(f"{total - failed} of {counted(total, 'vector')} passed.")
    if failed:
        raise AdminError("no-conformance", f"{failed} of {counted(total, 'vector')} failed, see above.")
    return 0
