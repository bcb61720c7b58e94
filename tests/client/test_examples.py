"""The examples called the wrong way say how they are called, and end with 2; a wrong key is a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lines import ROOT, environment

EXAMPLES = ROOT / "examples"


def run(name: str, *words: str, folder: Path, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    env = {**environment(), "HOME": str(folder), "USERPROFILE": str(folder)}
    for setting in ("LICENSE_KEY", "VENDOR_KEY"):
        env.pop(setting, None)
    command = [sys.executable, str(EXAMPLES / name), *words]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=env, cwd=folder, stdin=stdin, timeout=60,
                          check=False)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("scanner.py", []),
        ("scanner.py", ["LTS2"]),
        ("scanner.py", ["--help"]),
        ("service.py", []),
        ("driver.py", ["x"]),
    ],
)
def test_an_example_called_the_wrong_way_says_the_right_one(name: str, words: list[str], tmp_path: Path) -> None:
    done = run(name, *words, folder=tmp_path)
    assert done.returncode == 2
    assert any(begin in done.stderr for begin in ("usage: ", "Start it with: "))
    assert "Traceback" not in done.stderr


def test_every_python_example_is_among_them() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {"scanner.py", "service.py", "driver.py"}


def test_a_text_that_is_no_key_is_a_sentence(tmp_path: Path) -> None:
    done = run("scanner.py", "nonsense", "nonsense", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("No license: Not a license key")


def test_the_service_without_its_settings_names_the_one_that_is_missing(tmp_path: Path) -> None:
    env = environment()
    env.pop("LICENSE_KEY", None)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import service; service.create_app()"
    done = subprocess.run([sys.executable, "-c", code, str(EXAMPLES)], capture_output=True, encoding="utf-8", env=env,
                          cwd=tmp_path, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("LICENSE_KEY is not set. Start it with: ")
