"""`lts alerts list` and `lts alerts test`: what was sent, and whether sending works."""

from __future__ import annotations

import argparse
from typing import Any

from lts.cli.admin import session
from lts.cli.options import JSON_WORDS, config_of
from lts.cli.output import print_json, print_table
from lts.errors import AdminError


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    alerts = commands.add_parser("alerts", help="usage alerts: what was sent, and a test")
    calls = alerts.add_subparsers(dest="alerts_call", required=True)
    listing = calls.add_parser("list", help="what was sent, newest first, and what is waiting")
    listing.set_defaults(run=_list)
    listing.add_argument("--json", action="store_true", help=JSON_WORDS)
    test = calls.add_parser("test", help="send a test mail with the stored settings, and one to every webhook")
    test.set_defaults(run=_test)


def _list(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        answer = server.call("GET", "/alerts/history", size="100")
    if args.json:
        print_json(answer)
        return 0
    rows = [
        (message["time"], event["text"], ", ".join(_channel(one) for one in message["channels"]) or "nobody")
        for message in answer["messages"]
        for event in message["events"]
    ]
    print_table(("Time", "Alert", "Sent"), rows, "Nothing was sent yet.")
    return 0


def _channel(one: dict[str, Any]) -> str:
    why = f" ({one['detail']})" if one["detail"] else ""
    return f"{one['name'] or one['channel']}: {one['outcome']}{why}"


def _test(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        settings = server.call("GET", "/alerts")
        if settings["mail"] is None and not settings["webhooks"]:
            raise AdminError("no-mail", "Neither mail nor a webhook is set up; do that on the page Usage Alerts.")
        if settings["mail"] is not None:
            answer = server.call("POST", "/alerts/test", {})
            print(f"A test mail went to {', '.join(answer['sentTo'])}.")
            for address, words in answer["refused"].items():
                print(f"{address} was refused: {words}")
        for hook in settings["webhooks"]:
            server.call("POST", f"/alerts/webhooks/{hook['id']}/test", {})
            print(f"The webhook {hook['name']} took the test message.")
    return 0
