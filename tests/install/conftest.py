"""What is built once for all tests of installing: the packages of this system, and those of Windows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.wine import ROOT, Wine, windows_path
from tools.package import build_installer


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what `python3 -m tools.package` makes on this system."""
    out = tmp_path_factory.mktemp("packages")
    command = [sys.executable, "-m", "tools.package", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="session")
def wine() -> Iterator[Wine]:
    """A Windows, with Python for building."""
    one = Wine(ROOT / ".wine")
    one.prepare()
    yield one
    one.end()


@pytest.fixture(scope="session")
def windows_packages(wine: Wine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what `python3 -m tools.package` makes on Windows, and the installer."""
    out = tmp_path_factory.mktemp("windows packages")
    done = wine.run(wine.python, "-m", "tools.package", windows_path(out), seconds=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    build_installer(out / "LTS", out)
    return out


@pytest.fixture(scope="module")
def windows(wine: Wine) -> Iterator[Wine]:
    """A Windows that stays up between programs: wine ends services with the last program of a person."""
    command = ["wine", str(wine.python), "-c", "import sys; print('here', flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=wine.environment) as person:  # fmt: skip
        # Wine's own services start with its first program and keep that one's streams open: wait until it is there,
        # or they would hold those of a program that a test waits for.
        assert person.stdout is not None
        assert person.stdout.readline().strip() == b"here"
        yield wine
        assert person.stdin is not None
        person.stdin.close()
