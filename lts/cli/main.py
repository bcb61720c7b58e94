"""The command line's entry. Exit codes: 0 done, 1 failed with one plain sentence on stderr, 2 usage."""

from __future__ import annotations

import argparse
import contextlib
import sys
import traceback

from lts import __version__
from lts.cli import (
    account,
    alerts,
    client,
    conformance,
    demo,
    handshakes,
    licenses,
    pair,
    portal,
    questions,
    sandbox,
    serve,
    service,
    upkeep,
    vendor,
)
from lts.cli.options import add_place
from lts.errors import LtsError

_MODULES = (serve, demo, portal, licenses, handshakes, questions, pair, alerts, account, upkeep, service, vendor,
            client, sandbox, conformance)  # fmt: skip


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(prog="lts", description="License Tracking Server")
    parser.add_argument("--version", action="version", version=f"lts {__version__}")
    add_place(parser)
    commands = parser.add_subparsers(metavar="COMMAND")
    for module in _MODULES:
        module.add_parsers(commands)
    for command in _leaves(parser):
        if command is not parser:
            add_place(command)
    return parser


def _leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of single commands, below groups such as `license`."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        return [parser]
    return [leaf for group in groups for child in group.choices.values() for leaf in _leaves(child)]


def main(argv: list[str] | None = None) -> int:
    """Run one command; without any, serve."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a console of any code page
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = make_parser()
    if not arguments:
        arguments = ["serve"]
    args = parser.parse_args(arguments)
    if not hasattr(args, "run"):
        args = parser.parse_args(["serve", *arguments])
    try:
        result: int = args.run(args)
        return result
    except LtsError as error:
        print(f"lts: {error.detail}", file=sys.stderr)
        return 2 if error.code == "usage" else 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    except Exception:  # noqa: BLE001 - told whole, then in words: a window that closes would take it along
        traceback.print_exc()
        print("lts: LTS itself is at fault; please report the lines above to its developers.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
