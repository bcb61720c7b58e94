"""argparse with short answers to what was mistyped, and `--config` and `--data` at every command.

Python's own lists every name there is; this one names the nearest and the help that lists the rest.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
from collections.abc import Iterable
from typing import Any, NoReturn

from lts import __version__
from lts.cli.commands import COMMANDS, overview
from lts.cli.options import add_place


class Parser(argparse.ArgumentParser):
    """A parser of `lts` or of one of its commands; the parsers below it are of this class too."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register("action", "parsers", _Commands)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is; exit code 2."""
        end = "" if message.endswith("?") else "."
        self.exit(2, f"{self.prog}: {message}{end} `{self.prog} --help` says what there is.\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; but what nobody knows is an error here, where the options that there are are known."""
        if args == [] and (known := listed(self)):
            self.error(f"say which: {', '.join(known)}")
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            option = next((word.partition("=")[0] for word in unknown if word.startswith("--")), None)
            if option is None:
                self.error(f"there is no place for {unknown[0]!r}")
            self.error(f"there is no option {option}{nearest(option, self._option_string_actions)}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            self.error(f"there is no command {value!r}{nearest(value, action.choices)}")
        super()._check_value(action, value)


class _Commands(argparse._SubParsersAction):  # type: ignore[type-arg]  # the class takes no type while it runs
    def add_parser(self, name: str, **options: Any) -> Any:
        """As argparse; the line that lists the command also heads its own help."""
        words = options.get("help")
        if words and words is not argparse.SUPPRESS:
            options.setdefault("description", f"{words[:1].upper()}{words[1:]}.")
        return super().add_parser(name, **options)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` for a mistyped word, empty when nothing is near."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def overview_parser() -> Parser:
    """The parser of `lts` without its commands, for `lts --help`: they are listed from the table, none is loaded."""
    parser = Parser(
        prog="lts",
        usage="lts [--config FILE] [--data DIR] COMMAND …",
        description=f"License Tracking Server. Without a command it serves.\n\n{overview()}",
        epilog="`lts COMMAND --help` describes a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser)
    return parser


def make_parser(names: Iterable[str] = COMMANDS) -> Parser:
    """The parser of these commands and of what their modules bring along; no other module is loaded."""
    parser = Parser(prog="lts")
    _add_common(parser)
    commands = parser.add_subparsers(metavar="COMMAND")
    for module in dict.fromkeys(COMMANDS[name].module for name in names):
        importlib.import_module(module).add_parsers(commands)
    for command in _leaves(parser):
        add_place(command)
    return parser


def _add_common(parser: Parser) -> None:
    parser.add_argument("--version", action="version", version=f"lts {__version__}")
    add_place(parser)


def _groups(parser: argparse.ArgumentParser) -> list[Any]:
    return [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]


def listed(parser: argparse.ArgumentParser) -> dict[str, str]:
    """The commands that the help of a parser lists, with the line of each; none for a single command."""
    return {one.dest: str(one.help) for group in _groups(parser) for one in group._choices_actions}


def _leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of single commands."""
    groups = _groups(parser)
    return [leaf for group in groups for child in group.choices.values() for leaf in _leaves(child)] or [parser]
