"""`lts service install | remove | status`: run LTS as a service of the system, started at boot."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Protocol, cast

from lts.cli.options import uses_only
from lts.cli.place import is_frozen
from lts.errors import AdminError


class System(Protocol):
    """What a kind of system does; each call prints what it did. All raise AdminError."""

    def install(self, command: list[str]) -> None:
        """Make a service of `command` (the program with its first words), start it, and start it at each boot."""
        ...

    def remove(self) -> None:
        """Stop it and take it away; configuration and data stay."""
        ...

    def is_running(self) -> bool:
        """Whether it runs; prints its state."""
        ...


def add_parsers(commands: Any) -> None:
    """Register the commands."""
    service = commands.add_parser("service", help="run LTS as a service of the system")
    calls = service.add_subparsers(dest="service_call", required=True, metavar="CALL")
    for name, run, words in (
        ("install", _install, "install it, start it, and start it at each boot"),
        ("remove", _remove, "stop and remove it; configuration and data stay"),
        ("status", _status, "whether it runs"),
    ):
        one = calls.add_parser(name, help=words)
        one.set_defaults(run=run)
        uses_only(one)
    if sys.platform == "win32":
        from lts.cli.serving import service_windows

        calls.add_parser(service_windows.HOSTED).set_defaults(run=service_windows.host)


def _system() -> System:
    if sys.platform == "win32":
        from lts.cli.serving import service_windows

        return cast("System", service_windows)
    from lts.cli.serving import service_linux

    return cast("System", service_linux)


def program() -> list[str]:
    """The words that start this program's command line."""
    return [sys.executable] if is_frozen() else [sys.executable, "-I", "-m", "lts.cli.main"]


def _install(_: argparse.Namespace) -> int:
    _system().install(program())
    return 0


def _remove(_: argparse.Namespace) -> int:
    _system().remove()
    return 0


def _status(_: argparse.Namespace) -> int:
    if not _system().is_running():
        raise AdminError("not-running", "The service does not run.")
    return 0
