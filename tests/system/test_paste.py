"""Commands that LTS prints can be pasted: called as it was called, quoted for the system's shell."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from lts.bootstrap import STARTED_AS, started_as
from lts.cli import paste


def test_it_is_called_as_it_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTED_AS, json.dumps(["python3", "run_lts.py"]))
    assert paste.command("usage", "--by", "day") == "python3 run_lts.py usage --by day"


def test_a_script_is_named_by_its_whole_path_and_python_by_its_name_where_that_leads_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    script = str(tmp_path / "run_lts.py")
    python = Path(sys.executable)
    monkeypatch.setenv("PATH", str(python.parent))
    assert started_as([str(python), "-X", "utf8", "run_lts.py"]) == [python.name, "-X", "utf8", script]
    assert started_as([python.name, script]) == [python.name, script]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert started_as([python.name, "run_lts.py"]) == [sys.executable, script]


def test_otherwise_it_is_the_lts_of_its_environment_by_name_where_the_path_leads_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(STARTED_AS, raising=False)
    script = tmp_path / "lts"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert paste.program() == [str(tmp_path / "python"), "-m", "lts.cli.main"]
    script.touch(0o755)
    monkeypatch.setenv("PATH", "")
    assert paste.program() == [str(script)]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert paste.program() == ["lts"]


def test_a_program_of_its_own_is_called_by_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "LTS.exe"))
    monkeypatch.setenv(STARTED_AS, json.dumps(["python3", "run_lts.py"]))
    assert paste.program() == [str(tmp_path / "LTS.exe")]


@pytest.mark.parametrize("word", ["/tmp/a b/data", "it's", "$HOME", "caf\u00e9", ""])
def test_a_posix_shell_reads_a_word_back(word: str) -> None:
    assert shlex.split(paste.quoted("lts", word)) == ["lts", word]


def test_windows_shells_get_double_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    quoted = paste.quoted(r"C:\My LTS\LTS.exe", "--data", r"C:\Users\me\data")
    assert quoted == r'"C:\My LTS\LTS.exe" --data C:\Users\me\data'
