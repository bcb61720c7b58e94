"""The table of commands: the group of each, its module, and one line of help.

It is all that `lts --help` needs: a module is loaded when its command is asked for (lts/cli/main.py).
"""

from __future__ import annotations

from dataclasses import dataclass

GROUPS = ("Administer", "Sell", "Develop", "Repair")


@dataclass(frozen=True)
class Command:
    """One word after `lts`: `module` has `add_parsers(commands)`, which registers it with the same `words`."""

    group: str
    module: str
    words: str


COMMANDS = {
    "serve": Command("Administer", "lts.cli.serve", "run the server (the default)"),
    "portal": Command("Administer", "lts.cli.portal", "open the portal in the browser"),
    "status": Command("Administer", "lts.cli.questions", "role, licenses, warnings"),
    "license": Command("Administer", "lts.cli.licenses", "show and import license files"),
    "trust": Command("Administer", "lts.cli.licenses", "trust a vendor's key"),
    "request": Command("Administer", "lts.cli.licenses", "write this machine's activation request for the vendor"),
    "handshake": Command("Administer", "lts.cli.handshakes", "handshake codes"),
    "device": Command("Administer", "lts.cli.devices", "devices, and those that look copied"),
    "usage": Command("Administer", "lts.cli.questions", "usage of a handshake code, a license item, or all"),
    "alerts": Command("Administer", "lts.cli.alerts", "usage alerts: what was sent, and a test"),
    "setup-code": Command("Administer", "lts.cli.account", "show the one-time code for setting the password"),
    "password": Command("Administer", "lts.cli.account", "the password of the user admin"),
    "service": Command("Administer", "lts.cli.service", "run LTS as a service of the system"),
    "pair": Command(
        "Administer", "lts.cli.pair", "main and standby: roles, lag, fingerprints, history of take-overs"
    ),
    "backup": Command(
        "Administer", "lts.cli.upkeep", "copy the whole data folder into one file, also while serving"
    ),
    "vendor": Command("Sell", "lts.cli.vendor", "make keys and license files (for vendors)"),
    "demo": Command("Develop", "lts.cli.demo", "see a server with 60 days of history, on a new data folder"),
    "sandbox": Command("Develop", "lts.cli.sandbox", "a server that gives any answer on demand, for developers"),
    "authorize": Command("Develop", "lts.cli.client", "authorize a device, as an application would"),
    "report": Command("Develop", "lts.cli.client", "report usage of a device"),
    "release": Command("Develop", "lts.cli.client", "give a device's seat back"),
    "conformance": Command("Develop", "lts.cli.conformance", "drive a client through the vectors (docs/protocol.md)"),
    "doctor": Command("Repair", "lts.cli.upkeep", "check this installation and say what to fix"),
    "explain": Command("Repair", "lts.cli.questions", "dry run of an authorization: the verdict of each item"),
    "verify": Command(
        "Repair", "lts.cli.upkeep", "recompute every total from the change feed and check all signatures"
    ),
    "restore": Command("Repair", "lts.cli.upkeep", "replace the data folder's content with a backup"),
    "clock": Command("Repair", "lts.cli.upkeep", "the highest time the server has seen"),
    "promote": Command("Repair", "lts.cli.pair", "make this standby the main, when the old main is gone for good"),
}  # fmt: skip


def overview() -> str:
    """All commands in their groups, a line each."""
    width = max(map(len, COMMANDS))
    lines: list[str] = []
    for group in GROUPS:
        lines += ["", group]
        lines += [f"  {name:{width}}  {one.words}" for name, one in COMMANDS.items() if one.group == group]
    return "\n".join(lines[1:])
