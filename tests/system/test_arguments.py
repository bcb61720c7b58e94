"""What people write after `lts`: an option, value or number that cannot be is named, with what to write instead."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.cli.options import or_empty
from lts.cli.parser import make_parser
from tests.support.everycommand import LEAVES, commands_of, named, options, run_here

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nowhere")]

REPORT = ("report", "--server", "http://127.0.0.1:9/", "--code", "1-1")


def test_an_order_without_items_is_the_default_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here("handshake", "order") == 2
    assert "required: code." in capsys.readouterr().err


@pytest.mark.parametrize("leaf", LEAVES, ids=named)
def test_an_unknown_option_is_a_usage_error_and_help_is_none(
    leaf: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(*leaf, "--nonsense") == 2
    assert capsys.readouterr().err.startswith(f"lts {named(leaf)}: there is no option --nonsense")
    assert run_here(*leaf, "--help") == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if len(leaf) > 1], ids=named)
def test_the_place_of_a_server_may_be_named_before_the_command_of_a_group(
    leaf: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(leaf[0], "--data", "there", "--config=f", *leaf[1:], "--nonsense") == 2
    assert capsys.readouterr().err.startswith(f"lts {' '.join(leaf)}: there is no option --nonsense")


def test_the_data_folder_named_before_the_command_of_a_group_is_the_one_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here("license", "--data", str(tmp_path / "there"), "list") == 1
    assert f"no data folder {tmp_path / 'there'} yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("report", "--instances", "x", "--useage"), "lts report: there is no option --useage; did you mean --usage?"),
        (("authorize", "-z"), "lts authorize: there is no option -z."),
        (("license", "--dta", "there", "list"), "lts license: there is no option --dta; did you mean --data?"),
        (("license", "--json", "list"), "lts license: --json goes after its command: `lts license list --json`."),
        (("--json", "status"), "lts: --json goes after its command: `lts status --json`."),
        (("--jsno", "status"), "lts serve: there is no option --jsno."),
        (("--host", "demo", "--prt", "1"), "lts serve: there is no option --prt; did you mean --port?"),
        (("handshake", "remove", "1-1", "--ye"), "lts handshake remove: there is no option --ye; did you mean --yes?"),
        (("--dat", "x", "status"), "lts serve: there is no option --dat; did you mean --data?"),
        (("license", "--dat=x", "list"), "lts license: there is no option --dat; did you mean --data?"),
        (("--hel",), "lts serve: there is no option --hel; did you mean --help?"),
        (("license", "--data"), "lts license: argument --data: expected one argument."),
        (("license", "--data", "there"), "lts license: say which: show, list, archive, import."),
        (("status", "more"), "lts status: 'more' is one argument too many."),
    ],
)  # fmt: skip
def test_an_unknown_or_misplaced_option_is_named_before_all_else(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(*words) == 2
    assert capsys.readouterr().err.startswith(f"{said} `lts ")


def test_no_option_may_be_shortened() -> None:
    for leaf in LEAVES:
        parser: argparse.ArgumentParser = make_parser([leaf[0]])
        for word in leaf:
            parser = commands_of(parser)[word]
        assert not parser.allow_abbrev


def test_every_option_has_help_words() -> None:
    every = [(path, action.option_strings or action.dest, action.help) for path, action in options(make_parser())]
    assert len(every) > 200
    assert [(path, name) for path, name, words in every if not words] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("usage", "--by", ""), "argument --by: it is empty; write one of type, hour, day,"),
        (("usage", "--by", "week"), "argument --by: there is no 'week'; write one of type, hour, day,"),
        (("serve", "--host", ""), "argument --host: it is empty; name an address of this machine, such as 127.0.0.1."),
        (("demo", "--host", " "), "argument --host: it is empty; name an address of this machine"),
        (("license", "--", "list"), "lts license: -- goes after the command, before names that begin with"),
        (("--", "license", "list"), "lts: -- goes after the command, before names that begin with"),
        (("license", "list", "--"), "lts license list: '--' is one argument too many."),
        ((*REPORT, "--usage", "X=-3"), "--usage X=-3 counts '-3': a count is a whole number from 0, such as 3."),
        ((*REPORT, "--usage", "X"), "Write usage as TYPE=N, such as QR=3, not 'X'."),
        ((*REPORT, "--usage", "=3"), "Write usage as TYPE=N, such as QR=3, not '=3'."),
        ((*REPORT, "--usage", "X=²"), "counts '²': a count is a whole number"),
    ],
)
def test_what_is_empty_or_no_choice_says_what_to_write(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(*words) == 2
    assert said in capsys.readouterr().err


WITHOUT_DATA = {("demo",), ("sandbox",), ("authorize",), ("report",), ("release",), ("conformance",)}
"""Beside `vendor` and `service`, commands that do nothing with a server's data folder."""


@pytest.mark.parametrize("leaf", LEAVES, ids=named)
def test_help_lists_the_place_of_a_server_where_a_command_looks_there(
    leaf: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(*leaf, "--help") == 0
    told = capsys.readouterr().out
    alone = leaf in WITHOUT_DATA or leaf[0] in ("vendor", "service")
    assert ("--data" in told) is not alone
    assert ("--config" in told) is (not alone or leaf[0] in ("demo", "sandbox"))


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_a_command_with_a_folder_of_its_own_takes_no_other(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here(command, "--data", "there") == 2
    said = f"lts: `lts {command}` makes a new data folder of its own; leave out --data.\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("words", [("status", "--data", ""), ("vendor", "init", "", "--name", "V"), ("verify", "")])
def test_an_empty_name_is_not_the_current_folder(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(*words) == 2
    assert "it is empty; name a file or folder." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def with_an_empty_value() -> Iterator[tuple[str, ...]]:
    """Every command with one of its options or arguments empty, and nothing after it."""
    for leaf in LEAVES:
        parser: argparse.ArgumentParser = make_parser([leaf[0]])
        for word in leaf:
            parser = commands_of(parser)[word]
        before: list[str] = []
        for action in parser._actions:
            if action.nargs == 0 or action.type is or_empty:
                continue
            yield (*leaf, *before, *action.option_strings[-1:], "")
            if not action.option_strings and action.nargs is None:
                before.append("x")


@pytest.mark.parametrize("words", sorted(with_an_empty_value()), ids=repr)
def test_an_empty_value_is_named_and_never_taken_for_none(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(*words) == 2
    told = capsys.readouterr()
    assert not told.out
    assert "it is empty" in told.err or "''" in told.err
    assert list(tmp_path.iterdir()) == []


def test_help_says_which_empty_value_removes_something() -> None:
    told = [action.help for _, action in options(make_parser()) if action.type is or_empty]
    assert len(told) == 12
    assert all("''" in str(words) for words in told)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("handshake", "order", "1-1", "first"), "argument NO: 'first' is not an item number, such as 3."),
        (("explain", "--code", "1-1", "--product", "p", "--instances", "1.5"), "'1.5' is not a whole number."),
    ],
)
def test_what_is_no_number_is_named_in_words(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(*words) == 2
    assert said in capsys.readouterr().err
