"""`lts setup-code` and `lts password reset`: what only somebody on the server's machine may do."""

from __future__ import annotations

import argparse
from typing import Any

from lts.cli import ask
from lts.cli.admin import Session, session
from lts.cli.options import config_of
from lts.cli.serving.serve import portal_url
from lts.rules.values.plural import counted


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    code = commands.add_parser("setup-code", help="show the one-time code for setting the password")
    code.set_defaults(run=_setup_code)
    password = commands.add_parser("password", help="the password of the user admin")
    calls = password.add_subparsers(dest="password_call", required=True)
    reset = calls.add_parser("reset", help="forget it, end its sessions, and show a new one-time code")
    reset.set_defaults(run=_reset)
    reset.add_argument("--yes", action="store_true", help="do not ask")


def _show(server: Session, answer: dict[str, Any]) -> None:
    print(f"Set-up code: {answer['setupCode']}")
    begin = "Set" if server.running else "Start the server first, then set"
    print(f"{begin} the password at {portal_url(answer['url'], answer['setupCode'])}")


def _setup_code(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        answer = server.call("GET", "/setup-code")
    if answer["setupCode"] is None:
        print("The password is set; `lts password reset` forgets it.")
        return 0
    _show(server, answer)
    return 0


def _reset_effects(server: Session) -> str:
    """What forgetting the password changes, and for whom."""
    open_ones = sum(one["user"] == "admin" for one in server.call("GET", "/sessions")["sessions"])
    ending = counted(open_ones, "session of that user", "sessions of that user")
    return (
        f"The password of admin would be forgotten and {ending} would end at once; other users, API tokens and all data"
        " would stay."
    )


def _reset(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        present = server.call("GET", "/setup-code")
        if present["setupCode"] is not None:  # a new code would take the one that somebody holds
            print("No password is set, so there is none to forget.")
            _show(server, present)
            return 0
        if not args.yes:
            ask.confirm(_reset_effects(server), "Forget the password of admin?", yes=False)
        answer = server.call("POST", "/password/reset")
    print("The password of admin is forgotten and its sessions have ended; everything else is as it was.")
    _show(server, answer)
    return 0
