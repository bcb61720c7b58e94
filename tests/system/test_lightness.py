"""Commands load what they need, and what is mistyped is answered in one line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from lts.cli.commands import COMMANDS, GROUPS
from lts.cli.parser import listed, make_parser
from tests.support.lines import environment, lts

HEAVY = {"flask", "waitress", "apscheduler", "apsw", "argon2", "msgspec", "psutil", "prometheus_client", "lts.server"}
AFTER = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"


def loaded_by(code: str) -> set[str]:
    """Names of all modules that a new Python has loaded after some code."""
    done = subprocess.run([sys.executable, "-c", code + AFTER], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def parsed(*arguments: str) -> str:
    """Code that parses arguments and runs nothing."""
    return f"from lts.cli.parser import make_parser\nmake_parser([{arguments[0]!r}]).parse_args({list(arguments)!r})"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_is_brought_by_the_module_of_the_table_with_the_words_of_the_table(name: str) -> None:
    found = listed(make_parser([name]))
    assert found[name] == COMMANDS[name].words
    assert set(found) == {other for other, one in COMMANDS.items() if one.module == COMMANDS[name].module}


def test_the_help_lists_every_command_once_in_its_group() -> None:
    lines = lts("--help").out.splitlines()
    headings = [line for line in lines if line in GROUPS]
    assert headings == list(GROUPS)
    at = {name: [n for n, line in enumerate(lines) if line.startswith(f"  {name} ")] for name in COMMANDS}
    for name, numbers in at.items():
        above = [line for line in lines[: numbers[0]] if line in GROUPS]
        assert len(numbers) == 1
        assert above[-1] == COMMANDS[name].group


def test_version_and_help_load_no_command() -> None:
    for option in ("--version", "--help"):
        code = f"from lts.cli.main import main\ntry: main([{option!r}])\nexcept SystemExit: pass"
        loaded = loaded_by(code)
        assert not loaded & {one.module for one in COMMANDS.values()}
        assert not loaded & {*HEAVY, "cryptography"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",), ("handshake", "list"), ("usage",), ("license", "list"), ("pair",), ("setup-code",),
        ("backup", "x"),
        ("vendor", "init", "x", "--name", "y"), ("authorize", "--key", "k"), ("service", "status"), ("portal",),
        ("serve",), ("doctor",), ("conformance", "x"),
    ],
)  # fmt: skip
def test_a_command_that_asks_a_running_server_or_none_loads_no_server(arguments: tuple[str, ...]) -> None:
    assert not loaded_by(parsed(*arguments)) & HEAVY


def test_the_client_library_loads_no_library_but_that_of_keys() -> None:
    assert not loaded_by("import lts.client") & {*HEAVY, "argparse", "lts.cli", "lts.config", "lts.rules", "lts.store"}


@pytest.mark.parametrize(
    ("mistyped", "told"),
    [
        (["statsu"], "lts: there is no command 'statsu'; did you mean status? `lts --help` shows what there is."),
        (["--data", "x", "sttus"], "lts: there is no command 'sttus'; did you mean status?"),
        (["xyzzy"], "lts: there is no command 'xyzzy'. `lts --help` shows what there is."),
        (["vendor", "int"], "lts vendor: there is no command 'int'; did you mean init?"),
        (["vendor"], "lts vendor: say which: init, "),
        (["status", "--jsom"], "lts status: there is no option --jsom; did you mean --json?"),
        (["status", "--jsom=1"], "lts status: there is no option --jsom; did you mean --json?"),
        (["status", "more"], "lts status: 'more' is one argument too many."),
        (["--prot", "5"], "lts serve: there is no option --prot; did you mean --port?"),
        (["status", "--data"], "lts status: argument --data: expected one argument."),
        (["--data"], "lts serve: argument --data: expected one argument."),
        (["backup"], "lts backup: the following arguments are required: output."),
    ],
)
def test_what_is_mistyped_is_answered_in_one_line(mistyped: list[str], told: str) -> None:
    done = lts(*mistyped)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(told)
    assert done.err.count("\n") == 1


def test_the_place_may_be_named_before_the_command_or_after_it() -> None:
    parser = make_parser(["status"])
    for arguments in (["--data", "d", "status"], ["status", "--data", "d"], ["--data=d", "status"]):
        assert str(parser.parse_args(arguments).data) == "d"
