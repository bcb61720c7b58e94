"""Node and the tools for JavaScript of the tests' environment."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from lts.bootstrap import SetupError
from tests.support.lines import ROOT, environment
from tools.javascript import Tools


def tools() -> Tools:
    """Of the environment that runs the tests, installed; fails the test where they cannot be, tried once for a run."""
    found = Tools(Path(sys.prefix))
    if fault := _fault(found.folder):
        pytest.fail(fault, pytrace=False)
    return found


@cache
def _fault(folder: Path) -> str:
    try:
        Tools(folder.parent).install()
    except SetupError as error:
        return str(error)
    return ""


def run(command: list[str]) -> str:
    """Run at the top of the project; fails the test with what was printed when it does not end with 0."""
    done = _done(command)
    if done.returncode:
        pytest.fail(done.stdout, pytrace=False)
    return done.stdout


def type_faults(folder: Path) -> list[str]:
    """What the type checker says of the .ts files in a folder, by the rules of tsconfig.json; [] when all is well."""
    files = {"include": ["**/*.ts", "**/*.js"], "exclude": []}
    own = {"extends": str(ROOT / "tsconfig.json"), "compilerOptions": {"rootDirs": []}, **files}
    (folder / "tsconfig.json").write_text(json.dumps(own), encoding="utf-8")
    said = _done(tools().command("typescript/bin/tsc", "-p", str(folder), "--pretty", "false")).stdout
    return [line for line in said.splitlines() if "error TS" in line]


def _done(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, encoding="utf-8", check=False)  # fmt: skip
