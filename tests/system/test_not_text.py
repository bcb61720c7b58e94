"""Folders whose names are bytes that are no text: one sentence, and nothing is made there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lts.cli.main import main
from tests.support.kit import lab

pytestmark = [
    pytest.mark.usefixtures("nowhere"),
    pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names"),
]
Said = pytest.CaptureFixture[str]
SAID = "is not text in utf-8; rename that, or use another folder."


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, whose name is no text."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path / "b") + b"\xff\xfe"))
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    "words", [("serve",), ("doctor",), ("status",), ("setup-code",), ("restore", "x"), ("restore", "--list"),
              ("verify",), ("backup", "x"), ("handshake", "list"), ("license", "list")], ids=str,
)  # fmt: skip
@pytest.mark.parametrize("place", ["--data", "--config", "LTS_DATA_DIR", "program"])
def test_every_command_says_that_a_path_is_no_text_before_it_makes_anything(
    words: tuple[str, ...], place: str, odd: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "LTS_DATA_DIR":
        monkeypatch.setenv(place, str(odd / "d"))
    elif place == "program":
        monkeypatch.delenv("LTS_DATA_DIR")
        monkeypatch.setattr("lts.cli.options.BASE", odd)
    elif place == "--config":
        Path("lts.json").write_text("{}", encoding="utf-8")
    named = {"--data": ("--data", "d"), "--config": ("--config", "lts.json")}.get(place, ())
    before = sorted(odd.iterdir())
    assert main([*words, *named]) == 1
    told = capsys.readouterr()
    assert f"b??{'' if place == 'program' else '/'}" in told.out + told.err
    assert len([line for line in (told.out + told.err).splitlines() if line.endswith(SAID)]) == 1
    assert sorted(odd.iterdir()) == before


def test_the_folder_for_passing_files_is_named_too(odd: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    for command in ("demo", "sandbox"):
        assert main([command]) == 1
        assert capsys.readouterr().err.endswith(f"{SAID}\n")


def test_a_backup_there_is_restored_but_not_unpacked(tmp_path: Path, odd: Path, capsys: Said) -> None:
    with lab(tmp_path):
        pass
    assert main(["backup", "b.lts"]) == 0
    assert main(["restore", "b.lts"]) == 0
    capsys.readouterr()
    assert main(["verify", "b.lts"]) == 1
    assert capsys.readouterr().err == (
        f"lts: The folder in which the backup is unpacked to be checked, {tmp_path}/b??, {SAID}\n"
    )
