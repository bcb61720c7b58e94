"""Style, types and imports of the whole project, as its tools judge them; setup.cfg and pyproject.toml set them up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.lines import ROOT, environment
from tests.support.order import LONGEST
from tools import style

_LINT = "import sys; from importlinter.cli import lint_imports_command as lint; lint(sys.argv[1:])"


@pytest.mark.parametrize(
    "command",
    [
        *(pytest.param(["-m", "ruff", *words], id=words[0]) for words in style.commands([])),
        pytest.param(["-m", "mypy"], id="types"),
        pytest.param(["-m", "mypy", "--platform", "win32", "--cache-dir", ".mypy_cache/win32", "-p", "lts"],
                     id="types on Windows", marks=pytest.mark.slow),
        pytest.param(["-c", _LINT, "--no-cache"], id="imports"),
    ],
)  # fmt: skip
def test_the_sources_are_as_the_tools_want_them(command: list[str]) -> None:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, encoding="utf-8", check=False)  # fmt: skip
    if done.returncode:
        pytest.fail(done.stdout, pytrace=False)


def test_the_files_that_begin_first_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_file()] == []
