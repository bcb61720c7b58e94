"""The environment that a first start makes: what the lock names, and nothing that only setting up needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lts import bootstrap

ROOT = Path(__file__).resolve().parents[2]


def lock_of(folder: Path, *names: str) -> Path:
    """A lock of some packages of ours, each in pure Python."""
    text = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^([a-z0-9-]+)==.*(?:\n    .*)*", text, re.MULTILINE)
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert len(blocks) == len(entries)
    lock = folder / "lock.txt"
    lock.write_text("\n".join(b for b, name in zip(blocks, entries, strict=True) if name in names), encoding="utf-8")
    return lock


def imported(python: Path, *names: str) -> list[bool]:
    """Which modules an environment has."""
    code = f"import importlib.util as u; print([u.find_spec(n) is not None for n in {names!r}])"
    done = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, check=True)
    return [word == "True" for word in re.findall("True|False", done.stdout)]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with blanks and other letters in its name."""
    folder = tmp_path / "with blank é 许可"
    folder.mkdir()
    monkeypatch.setattr(bootstrap, "ROOT", folder)
    return folder


def test_the_servers_environment_holds_the_locked_packages_and_neither_pip_nor_setuptools(root: Path) -> None:
    python = bootstrap.ensure_venv("env", lock_of(root, "blinker"), keep_pip=False)
    assert imported(python, "blinker", "itsdangerous") == [True, False]
    assert imported(python, "pip", "setuptools", "pkg_resources", "_distutils_hack") == [False] * 4
    left = [path.name for path in (root / "env").rglob("*") if re.match(r"(pip|setuptools|easy_install)", path.name)]
    assert left == []


def test_a_changed_lock_makes_it_anew_though_it_has_no_pip(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bootstrap.ensure_venv("env", lock_of(root, "blinker"), keep_pip=False)
    assert bootstrap.ensure_venv("env", root / "lock.txt", keep_pip=False).exists()
    assert capfd.readouterr().err.count("Setting up") == 1
    python = bootstrap.ensure_venv("env", lock_of(root, "itsdangerous"), keep_pip=False)
    assert imported(python, "blinker", "itsdangerous", "pip") == [False, True, False]
    assert [path.name for path in root.iterdir() if "old" in path.name] == []


def test_an_environment_for_work_on_the_project_keeps_pip(root: Path) -> None:
    assert imported(bootstrap.ensure_venv("env", lock_of(root, "blinker")), "blinker", "pip") == [True, True]


@pytest.mark.skipif(sys.platform == "win32", reason="a file in use is not replaced there")
def test_a_pip_that_cannot_go_does_not_keep_the_server_from_starting(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def break_pip(venv: Path, lock: Path) -> None:
        for main in venv.rglob("pip/__main__.py"):
            main.write_text("raise SystemExit('pip is broken')", encoding="ascii")

    monkeypatch.setattr(bootstrap, "_install", break_pip)
    assert bootstrap.ensure_venv("env", lock_of(root, "blinker"), keep_pip=False).exists()
    assert "pip stays" in capfd.readouterr().err
