"""argparse with short messages for what was mistyped, and `--config` and `--data` at every command.

Python's own lists all names; this one names the nearest, and the help that lists the rest.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from lts import __version__
from lts.cli import streams
from lts.cli.commands import COMMANDS, overview
from lts.cli.options import add_place

_PLACE = ("--config", "--data")


class CommandParser(argparse.ArgumentParser):
    """A parser of `lts` or of one of its commands; the parsers below it are of this class too."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "allow_abbrev": False})  # `--ye` does not mean yes
        self.register("action", "parsers", _Commands)
        self.register("type", Path, _path)

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and where to find help; exit code 2."""
        end = "" if message.endswith("?") else "."
        self.exit(2, f"{self.prog}: {message}{end} `{self.prog} --help` shows what there is.\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """As argparse. Raises OSError, which argparse passes over, when help cannot be written to standard output."""
        if file is None or file is sys.stderr:
            streams.complain(message.rstrip("\n"))
        else:
            print(message, end="", file=file, flush=True)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but unknown arguments are an error here, where the known options can be suggested; an unknown
        option is reported before other errors. --config and --data may come before the command of a group."""
        if known := listed(self):
            args = self._behind_command(args, known)
        else:
            self._check_options(args)
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"{unknown[0]!r} is one argument too many")
        return found, unknown

    def _check_options(self, words: list[str], more: Iterable[str] = ()) -> None:
        """Name the first option that is neither this parser's nor allowed here too."""
        words = words[: words.index("--")] if "--" in words else words
        for option in (word.partition("=")[0] for word in words if self._is_unknown(word)):
            self.error(f"there is no option {option}{nearest(option, [*self._option_string_actions, *more])}")

    def _behind_command(self, words: list[str], known: Iterable[str]) -> list[str]:
        """The words of a group with its command first; --config and --data may come before it."""
        place, rest = split_place(words)
        if not rest:
            self.error(f"say which: {', '.join(known)}")
        refuse_dashes(lambda: self, rest)
        if is_place(rest[0]):
            self.error(f"argument {rest[0]}: expected one argument")
        if self._is_unknown(rest[0]):
            self.name_owner(rest)
            self._check_options(rest[:1], _PLACE)
        return [rest[0], *place, *rest[1:]]

    def name_owner(self, words: list[str], default: str = "") -> None:
        """For an option that comes before the command it belongs to, say where it goes, unless it is one of the
        command that is meant when none is named."""
        option = words[0].partition("=")[0]
        owners = [name for name, child in _children(self).items() if option in child._option_string_actions]
        if owners and default not in owners:
            name = next((word for word in words if word in owners), owners[0])
            self.error(f"{option} goes after its command: `{self.prog} {name} {option}`")

    def _is_unknown(self, word: str) -> bool:
        """Whether argparse takes a word for an option, though this parser has no such option."""
        if not word.startswith("-") or " " in word or not word[1:] or word[1].isdigit():
            return False
        if word.startswith("--"):
            return word.partition("=")[0] not in self._option_string_actions
        return word[:2] not in self._option_string_actions

    def _get_value(self, action: argparse.Action, text: str) -> Any:
        """As argparse, but refuses an empty text, such as the value of a variable that is not set. Options that may be
        empty have their own type (`lts.cli.options.or_empty`), and other types their own message."""
        if not text and action.type is None and action.choices is None:
            raise argparse.ArgumentError(action, "it is empty; write its value")
        return super()._get_value(action, text)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            self.error(f"there is no command {value!r}{nearest(value, action.choices)}")
        if action.choices is not None and value not in action.choices:
            said = f"there is no {value!r}" if value else "it is empty"
            raise argparse.ArgumentError(action, f"{said}; write one of {', '.join(action.choices)}")
        super()._check_value(action, value)


class _Commands(argparse._SubParsersAction):  # type: ignore[type-arg]  # the class takes no type while it runs
    def add_parser(self, name: str, **options: Any) -> Any:
        """As argparse; the line that lists the command also heads its own help."""
        words = options.get("help")
        if words and words is not argparse.SUPPRESS:
            options.setdefault("description", f"{words[:1].upper()}{words[1:]}.")
        return super().add_parser(name, **options)


def _path(text: str) -> Path:
    """A path that somebody named. An empty one, such as the value of a variable that is not set, would mean the current
    folder. Raises ArgumentTypeError."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty; name a file or folder")
    return Path(text)


def split_place(words: list[str]) -> tuple[list[str], list[str]]:
    """--config and --data in front of the command, and what follows them."""
    at = 0
    while at < len(words) and is_place(words[at].partition("=")[0]):
        at += 1 if "=" in words[at] else 2
    if at > len(words):  # the value is missing, as the command will say
        at -= 2
    return words[:at], words[at:]


def refuse_dashes(parser: Callable[[], CommandParser], rest: list[str]) -> None:
    """A bare `--` in place of a command is a usage error of that parser."""
    if rest[:1] == ["--"]:
        parser().error("-- goes after the command, before names that begin with a dash; leave it out here")


def is_place(word: str) -> bool:
    """Whether a word is --config or --data."""
    return word in _PLACE


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` for a mistyped word, empty when nothing is near."""
    words = {one.lstrip("-"): one for one in known}
    found = difflib.get_close_matches(word.lstrip("-"), words, n=1)
    return f"; did you mean {words[found[0]]}?" if found else ""


def overview_parser() -> CommandParser:
    """The parser of `lts` without its commands, for `lts --help`: they are listed from the table, none is loaded."""
    parser = CommandParser(
        prog="lts",
        usage="lts [--config FILE] [--data DIR] COMMAND …",
        description=f"License Tracking Server. Without a command it serves.\n\n{overview()}",
        epilog="`lts COMMAND --help` describes a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser)
    return parser


def make_parser(names: Iterable[str] = COMMANDS) -> CommandParser:
    """The parser of these commands and of those that their modules add; no other module is loaded."""
    parser = CommandParser(prog="lts")
    _add_common(parser)
    commands = parser.add_subparsers(metavar="COMMAND")
    for module in dict.fromkeys(COMMANDS[name].module for name in names):
        importlib.import_module(module).add_parsers(commands)
    for command in _leaves(parser):
        add_place(command)
    return parser


def _add_common(parser: CommandParser) -> None:
    parser.add_argument("--version", action="version", version=f"lts {__version__}")
    add_place(parser)


def _groups(parser: argparse.ArgumentParser) -> list[Any]:
    return [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]


def listed(parser: argparse.ArgumentParser) -> dict[str, str]:
    """The commands that the help of a parser lists, with the line of each; none for a single command."""
    return {one.dest: str(one.help) for group in _groups(parser) for one in group._choices_actions}


def _children(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return {name: child for group in _groups(parser) for name, child in group.choices.items()}


def _leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of single commands."""
    return [leaf for child in _children(parser).values() for leaf in _leaves(child)] or [parser]
