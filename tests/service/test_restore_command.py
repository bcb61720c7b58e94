"""`lts restore`: what was replaced is listed, and put back by its name; files of any time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lts.cli.main import main
from lts.service.core import identity
from lts.service.core.trust import TrustStore
from lts.service.folder import restoring
from lts.service.maintenance import backups, verify
from tests.support.backedup import TIME, VENDOR, backed_up
from tests.support.kit import lab


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """See `backed_up`."""
    return backed_up(tmp_path)


@pytest.fixture
def data(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The origin's data folder, which commands find that are typed beside the backup."""
    folder = place / "origin" / "data"
    monkeypatch.setenv("LTS_DATA_DIR", str(folder))
    monkeypatch.chdir(place)
    return folder


def test_after_two_restores_what_was_there_first_is_put_back_by_its_name(
    place: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        restoring.restore(place / "backup.lts", data, "Ann")
    for name in ("replaced-7", "..", "backup.lts"):
        assert main(["restore", "--undo", name]) == 1
        assert f"keeps no {name}; lts restore --list" in capsys.readouterr().err
    assert main(["restore", "--undo"]) == 0
    with lab(place / "origin", TIME, VENDOR) as server:
        assert server.used() == 1
    assert main(["restore", "--undo", "replaced-1"]) == 0
    assert "what was there before is kept in replaced-4" in capsys.readouterr().out
    with lab(place / "origin", TIME, VENDOR) as server:
        assert server.used() == 3
        assert verify.verify(data, server.ctx.trust) == []


def test_the_command_line_restores_lists_and_takes_the_way_back(
    place: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["restore", "--list"]) == 0
    assert "Nothing was replaced" in capsys.readouterr().out
    assert main(["restore", "backup.lts"]) == 0
    assert capsys.readouterr().out.endswith("; what was there is kept in replaced-1.\n")
    assert main(["restore", "--list"]) == 0
    assert "replaced-1: until " in capsys.readouterr().out
    assert main(["restore", "--undo"]) == 0
    assert "what was there before is kept in replaced-2" in capsys.readouterr().out
    assert main(["restore", "--accept-as-is"]) == 1
    assert "is whole; start the server" in capsys.readouterr().err
    assert main(["restore"]) == 2
    assert main(["restore", "--undo", "--data", str(place / "none")]) == 1
    assert "There is no data folder" in capsys.readouterr().err
    assert not (place / "none").exists()
    assert main(["restore", "backup.lts", "--data", str(place / "new")]) == 0
    assert "is kept" not in capsys.readouterr().out
    assert not list((place / "new").glob("replaced-*"))
    assert main(["restore", "--list", "--data", str(place / "new")]) == 0
    assert "Nothing was replaced" in capsys.readouterr().out
    assert "kept" not in identity.load(place / "new").causes[-1][1]


@pytest.mark.parametrize("when", [-86_400, 0, 7_000_000_000])
def test_a_backup_is_made_at_any_time_and_of_files_of_any_time(
    when: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip file knows times from 1980 to 2107 alone."""
    data = place / "origin" / "data"
    (data / "archive").mkdir(exist_ok=True)
    (data / "archive" / "large").write_bytes(b"x")
    for path in data.rglob("*"):
        os.utime(path, (when, when))
    trust = TrustStore(place / "origin" / "trust", data)
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: float(when))
        patch.setattr(backups, "_LARGE", 0)
        bundle = backups.backup(data / "lts.db", data, when, trust)
    assert bundle.name.startswith(time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime(when)))
    restoring.restore(bundle, data, "Ann")
    with lab(place / "origin", TIME, VENDOR) as server:
        assert server.used() == 3
