"""What commands say at once to somebody who has no rights to the server's data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lts import bootstrap
from tests.support.lines import environment
from tests.support.nobody import NOBODY, ONLY_ROOT, as_nobody, open_to_all


def closed_house(folder: Path) -> Path:
    """A data folder that only root may open."""
    data = folder / "house" / "data"
    data.mkdir(parents=True)
    data.chmod(0o700)
    return data


@ONLY_ROOT
def test_the_portal_of_a_closed_data_folder_that_was_named_is_not_guessed(tmp_path: Path) -> None:
    data = closed_house(tmp_path)
    for words in (("portal", "--data", str(data)), ("portal",)):  # the second names it by LTS_DATA_DIR
        done = as_nobody(tmp_path, *words, stands_in=tmp_path)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith(f"lts: The data folder {data} is not open to ")


@ONLY_ROOT
def test_the_configured_portal_is_shown_to_everybody(tmp_path: Path) -> None:
    closed_house(tmp_path)
    config = tmp_path / "lts.json"
    config.write_text('{"dataDir": "house/data", "port": 1234}', encoding="utf-8")
    done = as_nobody(tmp_path, "portal", "--config", str(config), stands_in=tmp_path, data_named=False)
    assert done.returncode == 0
    assert done.stdout == "http://127.0.0.1:1234/lts/page/#/index.html\n"
    assert "so this is the address from the configuration" in done.stderr


_START = f"""import os, sys
from pathlib import Path
from lts import bootstrap
bootstrap.ROOT = Path(sys.argv[1])
os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY})
sys.exit(bootstrap.run(["--version"]))
"""


@ONLY_ROOT
@pytest.mark.parametrize("closed", ["home/python3", "requirements/runtime.txt"])
def test_a_start_from_what_is_closed_is_a_sentence_with_the_path(closed: str, tmp_path: Path) -> None:
    for file in ("home/python3", "requirements/runtime.txt", ".venv/lts-stamp.txt"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_bytes(b"")
    python = bootstrap.python_of(tmp_path / ".venv")
    python.parent.mkdir()
    python.symlink_to(tmp_path / "home" / "python3")
    (tmp_path / closed).parent.chmod(0o700)
    open_to_all(tmp_path)
    done = subprocess.run([sys.executable, "-c", _START, str(tmp_path)], env=environment(), capture_output=True,
                          encoding="utf-8", timeout=60, check=False)  # fmt: skip
    named = python if closed.startswith("home") else tmp_path / closed
    assert done.returncode == 1
    assert done.stderr.startswith(f'lts: {named} is not open to the user "nobody" (Permission denied)')
    assert len(done.stderr.splitlines()) == 1


def test_a_python_that_cannot_be_started_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.name != "posix":
        pytest.skip("elsewhere the start waits for a child")
    monkeypatch.setattr(bootstrap, "ensure_venv", lambda *_, **__: tmp_path / "bin" / "python")
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, "run_lts.py"])
    monkeypatch.setenv(bootstrap.STARTED_AS, "")
    assert bootstrap.run([]) == 1
    assert f"lts: {tmp_path}/bin/python cannot be started (No such file or directory)" in capsys.readouterr().err
