"""Every command of lts, its parser and options, and running one in this process."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from lts.cli.main import main
from lts.cli.parser import make_parser

FOREVER = {("serve",), ("demo",), ("sandbox",)}
SYSTEM = {("service", "install"), ("service", "remove")}


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of a group's commands."""
    return next(dict(group.choices) for group in parser._actions if isinstance(group, argparse._SubParsersAction))


def leaves(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every single command, by its words."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield path
    for group in groups:
        for name, child in group.choices.items():
            yield from leaves(child, (*path, name))


LEAVES = sorted(leaves(make_parser()))
ENDING = [leaf for leaf in LEAVES if leaf not in FOREVER | SYSTEM]


def named(leaf: tuple[str, ...]) -> str:
    """A command as people write it, for the names of tests."""
    return " ".join(leaf)


def run_here(*words: str) -> int:
    """The exit code of a command in this process."""
    try:
        return main(list(words))
    except SystemExit as ended:
        return int(ended.code or 0)


def options(parser: argparse.ArgumentParser, path: str = "lts") -> Iterator[tuple[str, argparse.Action]]:
    """Every option and argument of a parser and of those below it, by the words of its command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from options(child, f"{path} {name}")
        else:
            yield path, action
