"""native_windows.py, which tries the packages on a real Windows, in wine: as far as wine goes.

Without a display wine opens no console of its own that a program could write to: test_windows.py has the double-click.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.install import native_windows
from tests.install.native_windows import Failure, becomes, expect
from tests.install.wine import Wine, windows_path
from tests.support.ports import free_port

SCRIPT = Path(native_windows.__file__)


def try_in(wine: Wine, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return wine.run(wine.python, windows_path(SCRIPT), *words, seconds=600)


@pytest.fixture
def port(windows: Wine) -> int:
    """A free port, in the configuration that the installer finds; LTS was never installed."""
    program = windows.drive / "Program Files" / "LTS" / "LTS.exe"
    if program.exists():  # of a test that failed
        windows.run(program, "service", "remove")
    for folder in (windows.drive / "Program Files" / "LTS", windows.drive / "ProgramData" / "LTS"):
        shutil.rmtree(folder, ignore_errors=True)
    settings = windows.drive / "ProgramData" / "LTS"
    settings.mkdir(parents=True)
    free = free_port()
    (settings / "lts.json").write_text(json.dumps({"port": free, "log": {"file": "data/lts.log"}}))
    return free


@pytest.mark.skipif(sys.platform == "win32", reason="a Windows needs no wine")
@pytest.mark.slow
@pytest.mark.needs("wine", "wine64", "gcc-mingw-w64-x86-64", "nsis")
def test_the_installer_and_the_service_hold(wine: Wine, windows_packages: Path, port: int) -> None:
    done = try_in(wine, windows_path(windows_packages), "installer", "--port", str(port))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the data stay: yes" in done.stdout
    again = try_in(wine, windows_path(windows_packages), "installer", "--port", str(port))
    assert again.returncode == 1
    assert again.stdout.splitlines()[-1].startswith("LTS is not installed here: NO")


@pytest.mark.skipif(sys.platform == "win32", reason="tried where it would install")
@pytest.mark.parametrize("words", [[], ["."], ["dist", "no-such-part"]])
def test_it_does_nothing_without_a_windows(words: list[str]) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1].partition("error: ")[2]) == (2, "this needs a Windows")


def test_what_is_not_so_is_said_and_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    expect("the sky is up", True)
    with pytest.raises(Failure, match="the sky is green: NO blue"):
        expect("the sky is green", False, "blue")
    assert capsys.readouterr().out == "the sky is up: yes\n"


def test_it_waits_for_what_comes_and_no_longer_than_it_may() -> None:
    answers = iter([None, None, "serving", "never asked"])
    assert becomes(lambda: next(answers), "serving")
    assert next(answers) == "never asked"
    assert not becomes(lambda: None, "serving", seconds=0.3)
