"""`lts device list` and `lts device clear`: devices as the portal shows them, and clearing one that looks copied."""

from __future__ import annotations

import argparse
from typing import Any

from lts.cli.admin import session
from lts.cli.options import JSON_WORDS, config_of
from lts.cli.output import print_json, print_table
from lts.rules.values.plural import counted

_SHOWN = "200"


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    device = commands.add_parser("device", help="devices, and those that look copied")
    sub = device.add_subparsers(required=True, metavar="COMMAND")
    listing = sub.add_parser("list", help="devices, most recently seen first")
    listing.set_defaults(run=_list)
    listing.add_argument("--copied", action="store_true", help="only those that look copied")
    listing.add_argument("--begins", metavar="DIGITS", help="only those whose UUID begins with this")
    listing.add_argument("--json", action="store_true", help=JSON_WORDS)
    clear = sub.add_parser("clear", help="a device that looks copied is a single machine: do not refuse it any more")
    clear.set_defaults(run=_clear)
    clear.add_argument("device", help="UUID of the device")


def _list(args: argparse.Namespace) -> int:
    flagged = "true" if args.copied else None
    with session(config_of(args)) as server:
        answer = server.call("GET", "/devices", flagged=flagged, q=args.begins, size=_SHOWN)
    if args.json:
        print_json(answer)
        return 0
    rows = [(one["deviceId"], one["lastContact"], _seats(one), _copies(one["clone"])) for one in answer["devices"]]
    print_table(("Device", "Last contact", "Seats", "Copies"), rows,
                "There is no such device." if args.copied or args.begins else "No device yet.")  # fmt: skip
    if answer["found"] > len(rows):
        print(f"{answer['found'] - len(rows)} more; --begins finds one of them.")
    return 0


def _seats(device: dict[str, Any]) -> str:
    return ", ".join(seat["itemId"] for seat in device["seats"] if seat["live"])


def _copies(clone: dict[str, Any]) -> str:
    if not clone["flagged"]:
        return ""
    words = counted(clone["copies"], "copy", "copies")
    return f"{words}, refused" if clone["refused"] else words


def _clear(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        device = server.call("POST", "/devices/clear", {"deviceId": args.device})
    print(f"The device {device['deviceId']} is no longer refused, unless two machines show up again.")
    return 0
