"""`lts demo`: a company's server after sixty days, on a new data folder: see what LTS does before you set anything up.

company says who they are, past (with pastclock and purchases) plays their sixty days through the server's own services,
livedevices lets three devices call it over HTTP, screen shows it, run puts them together.
"""

from __future__ import annotations

import argparse
from typing import Any

from lts.cli.options import uses_only
from lts.cli.serving.serve import add_address


def add_parsers(commands: Any) -> None:
    """Register the command."""
    demo = commands.add_parser("demo", help="see a server with 60 days of history, on a new data folder")
    demo.set_defaults(run=_demo)
    uses_only(demo, "config")
    add_address(demo)
    demo.add_argument("--exit", action="store_true", help="end instead of leaving the server running")
    demo.add_argument("--json", action="store_true", help="only JSON on standard output")
    demo.add_argument("--no-browser", action="store_true", help="do not open the browser")


def _demo(args: argparse.Namespace) -> int:
    from lts.cli.develop.demo.run import run  # loads server and client, which no other command pays for

    return run(args)
