"""`lts setup-code` and `lts password reset`: what only somebody on the server's machine may do."""

from __future__ import annotations

import argparse
from typing import Any

from lts.cli.admin import session
from lts.cli.options import config_of
from lts.cli.serve import portal_url


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    code = commands.add_parser("setup-code", help="show the one-time code with which the password is set")
    code.set_defaults(run=_setup_code)
    password = commands.add_parser("password", help="the password of the user admin")
    calls = password.add_subparsers(dest="password_call", required=True)
    reset = calls.add_parser("reset", help="forget it, end its sessions, and show a new one-time code")
    reset.set_defaults(run=_reset)


def _show(url: str, code: str) -> None:
    print(f"Set-up code: {code}")
    print(f"Set the password at {portal_url(url, code)}")


def _setup_code(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        answer = server.call("GET", "/setup-code")
    if answer["setupCode"] is None:
        print("The password is set; `lts password reset` forgets it.")
        return 0
    _show(answer["url"], answer["setupCode"])
    return 0


def _reset(args: argparse.Namespace) -> int:
    with session(config_of(args)) as server:
        answer = server.call("POST", "/password/reset")
    print("The password of admin is forgotten and its sessions have ended; everything else is as it was.")
    _show(answer["url"], answer["setupCode"])
    return 0
