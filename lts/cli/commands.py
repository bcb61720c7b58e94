"""The table of commands: the group of each, its module, and one line of help.

It is all that `lts --help` needs: a module is loaded when its command is asked for (lts/cli/main.py).
"""

from __future__ import annotations

from dataclasses import dataclass

GROUPS = ("Administer", "Sell", "Develop", "Repair")


@dataclass(frozen=True)
class Command:
    """One word after `lts`: the module at `place` in lts.cli has `add_parsers(commands)`, which registers it with the
    same `words`."""

    group: str
    place: str
    words: str

    @property
    def module(self) -> str:
        """The module's full name."""
        return f"lts.cli.{self.place}"


COMMANDS = {
    "serve": Command("Administer", "serving.serve", "run the server (the default)"),
    "portal": Command("Administer", "administer.portal", "open the portal in the browser"),
    "status": Command("Administer", "administer.questions", "role, licenses, warnings"),
    "license": Command("Administer", "administer.licenses", "show and import license files"),
    "trust": Command("Administer", "administer.licenses", "trust a vendor's key"),
    "request": Command("Administer", "administer.licenses", "write this machine's activation request for the vendor"),
    "handshake": Command("Administer", "administer.handshakes", "handshake codes"),
    "device": Command("Administer", "administer.devices", "devices, and those that look copied"),
    "usage": Command("Administer", "administer.questions", "usage of a handshake code, a license item, or all"),
    "alerts": Command("Administer", "administer.alerts", "usage alerts: what was sent, and a test"),
    "setup-code": Command("Administer", "administer.account", "show the one-time code for setting the password"),
    "password": Command("Administer", "administer.account", "the password of the user admin"),
    "service": Command("Administer", "serving.service", "run LTS as a service of the system"),
    "pair": Command(
        "Administer", "administer.pair", "main and standby: roles, lag, fingerprints, history of take-overs"
    ),
    "backup": Command(
        "Administer", "repair.upkeep", "copy the whole data folder into one file, also while serving"
    ),
    "vendor": Command("Sell", "sell.vendor", "make keys and license files (for vendors)"),
    "demo": Command("Develop", "develop.demo", "see a server with 60 days of history, on a new data folder"),
    "sandbox": Command("Develop", "develop.sandbox", "a server that gives any answer on demand, for developers"),
    "authorize": Command("Develop", "develop.client", "authorize a device, as an application would"),
    "report": Command("Develop", "develop.client", "report usage of a device"),
    "release": Command("Develop", "develop.client", "give a device's seat back"),
    "conformance": Command("Develop", "develop.conformance", "drive a client through the vectors (docs/protocol.md)"),
    "doctor": Command("Repair", "repair.upkeep", "check this installation and say what to fix"),
    "explain": Command("Repair", "administer.questions", "dry run of an authorization: the verdict of each item"),
    "verify": Command(
        "Repair", "repair.upkeep", "recompute every total from the change feed and check all signatures"
    ),
    "restore": Command("Repair", "repair.upkeep", "replace the data folder's content with a backup"),
    "clock": Command("Repair", "repair.upkeep", "the highest time the server has seen"),
    "promote": Command("Repair", "administer.pair", "make this standby the main, when the old main is gone for good"),
}  # fmt: skip


def overview() -> str:
    """All commands in their groups, a line each."""
    width = max(map(len, COMMANDS))
    lines: list[str] = []
    for group in GROUPS:
        lines += ["", group]
        lines += [f"  {name:{width}}  {one.words}" for name, one in COMMANDS.items() if one.group == group]
    return "\n".join(lines[1:])
