"""`lts pair`, `lts promote`: the pair of main and standby."""

from __future__ import annotations

import argparse
from typing import Any

from lts.cli import ask
from lts.cli.admin import Session, session
from lts.cli.options import JSON_WORDS, config_of
from lts.cli.output import print_json, print_table
from lts.errors import AdminError
from lts.rules.pair import IS_MAIN, MAIN, REPLACED, WAS_REPLACED
from lts.rules.values.plural import counted

_REPLACED = "the former main was there, which this server replaced; no contact with a new standby yet"


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    pair = commands.add_parser("pair", help="main and standby: roles, lag, fingerprints, history of take-overs")
    pair.set_defaults(run=_pair)
    pair.add_argument("--approve", metavar="FINGERPRINT", help="accept the other server's new key")
    pair.add_argument("--json", action="store_true", help=JSON_WORDS)
    promote = commands.add_parser("promote", help="make this standby the main, when the old main is gone for good")
    promote.set_defaults(run=_promote)
    promote.add_argument("--yes", action="store_true", help="do not ask")


def _pair(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        if args.approve:
            found = server.call("POST", "/pair/approve", {"fingerprint": args.approve})
        else:
            found = server.call("GET", "/pair")
    found = of_server(server, found)
    if args.json:
        print_json(found)
    else:
        print_pair(found)
    return 0


def of_server(server: Session, answer: dict[str, Any]) -> dict[str, Any]:
    """An answer that says whether its server is `running`: the `status` of one that does not is `stopped`."""
    return {"running": server.running, **answer, **({} if server.running else {"status": "stopped"})}


def print_pair(found: dict[str, Any]) -> None:
    """The state of the pair for people; `running`: as a running server reports it, else only from its data folder."""
    peer, running = found["peer"], found["running"]
    doing = {"serving": "serves clients", "standby": "is on standby", "starting": "is starting",
             "replaced": "was replaced for good"}  # fmt: skip
    does = doing.get(found["status"], found["status"])
    print(f"This server     {found['role']}, {does if running else 'is not running'}")
    print(f"Fingerprint     {found['fingerprint']}")
    print(f"Other server    {peer['url']}")
    if peer["serverUuid"] is None:
        print(f"                {_REPLACED if found['promoted'] else 'no contact yet'}")
    elif not running:
        print(f"                fingerprint {peer['fingerprint']}")
    else:
        seen = peer["lastContactSeconds"]
        print(f"                {peer['role'] or 'unknown'}, {doing.get(peer['status'] or '', 'not heard from yet')},"
              f" last contact {'-' if seen is None else f'{seen:g} s ago'}")  # fmt: skip
        print(f"                fingerprint {peer['fingerprint']}")
    if peer["offeredFingerprint"]:
        print(f"                NEW KEY     {peer['offeredFingerprint']}")
    lag = found["lagChanges"]
    if running:
        alone = found["promoted"] and peer["serverUuid"] is None
        apart = "without a standby" if alone else "no contact yet" if lag is None else f"{counted(lag, 'change')} apart"
        print(f"In step         {'yes' if found['inStep'] else 'no'}, {apart}")
    if found["delegation"]:
        end = "by the former main's last delegation" if found["role"] == "main" else "if the main is not heard from"
        print(f"Delegation      until {found['delegation']['until']} {end}")
    for over in found["overshoot"]:
        print(f"Over quota      {over['itemId']}: {counted(over['seats'], 'seat')}")
    for notice in (*found["faults"], *found["notices"]):
        print(f"! {notice['detail']}")
    if not running:
        print(
            "! This server is not running, so what the other one does is not known. Start it; the other one shows more."
        )
    rows = [(line["time"], line["event"], line.get("epoch", ""), line["serverUuid"]) for line in found["history"][:10]]
    print_table(("Time (UTC)", "Event", "Epoch", "LTS UUID"), rows, "Nothing has happened yet.")


def _promote(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        before = server.call("GET", "/pair")  # a single server says so before anybody is asked
        if before["status"] == REPLACED:
            raise AdminError("was-replaced", WAS_REPLACED)
        if before["role"] == MAIN:
            raise AdminError("is-main", IS_MAIN)
        warning = "The old main must be gone for good: once this server is the main, the old one may never serve again."
        if (seen := before["peer"]["lastContactSeconds"]) is not None:
            warning += (
                f" It was last heard from {seen:g} s ago. What it stored since, if it served, is copied here when it"
                f" is started again with its data at {before['peer']['url']}."
            )
        ask.confirm(warning, "Make this server the main?", yes=args.yes)
        found = of_server(server, server.call("POST", "/pair/promote", {}))
    until = (
        "Licenses of the old main count here until they are"
        if found["delegation"]
        else "No license counts before it is"
    )
    print(f"This server is the main now. {until} activated for this server:")
    print("send the vendor its activation request (lts request -o request.json).")
    print_pair(found)
    return 0
