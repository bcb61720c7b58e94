"""Folders for work that leaves nothing behind (lts/service/folder/workfolder.py)."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from lts import plainfile
from lts.service.folder import workfolder
from lts.service.maintenance import verify
from tests.support.kit import lab


def left(place: Path, name: str, *files: str, age: float = 0) -> Path:
    """A folder with these files, as a killed process left it."""
    (place / name).mkdir()
    for file in files:
        (place / name / file).write_bytes(b"x")
    os.utime(place / name, (time.time() - age,) * 2)
    return place / name


def test_what_a_killed_process_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    gone = [
        left(tmp_path, "verify-abcd_123", ".lts-work", "replayed.db"),
        left(tmp_path, "backup-abcd_123", ".lts-work"),
        left(tmp_path, "verify-of_befor", "replayed.db", "lts.db", age=7200),
    ]
    kept = [
        left(tmp_path, "verify-of_befo2", "replayed.db"),
        left(tmp_path, "verify-of_mine_", "replayed.db", "letter.txt", age=7200),
        left(tmp_path, "verify-mine", ".lts-work"),
        left(tmp_path, "other-abcd_123", ".lts-work"),
    ]
    workfolder.clear(tmp_path)
    assert not any(folder.exists() for folder in gone)
    assert all(folder.exists() for folder in kept)
    workfolder.clear(tmp_path / "nowhere")


@pytest.mark.skipif(os.name == "nt", reason="Windows lets no open file go")
def test_one_in_which_somebody_works_stays_and_one_that_was_taken_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workfolder.working(tmp_path, "verify") as folder:
        with workfolder.working(tmp_path, "verify") as other:
            assert folder.exists() and other != folder
        assert not other.exists()
        workfolder.clear(tmp_path)
        assert folder.exists()
    assert list(tmp_path.iterdir()) == []
    tried: list[int] = []

    def lock(descriptor: int) -> bool:
        tried.append(descriptor)
        if len(tried) == 1:
            for found in tmp_path.iterdir():
                shutil.rmtree(found)
        return True

    monkeypatch.setattr(plainfile, "try_lock", lock)
    with workfolder.working(tmp_path, "verify") as folder:
        assert folder.exists()
    assert len(tried) == 2


def test_a_start_and_a_verify_clear_what_was_left(tmp_path: Path) -> None:
    with lab(tmp_path) as server:
        one = left(tmp_path / "data", "verify-abcd_123", ".lts-work", "replayed.db")
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []
        assert not one.exists()
        two = left(tmp_path / "data", "backup-abcd_123", ".lts-work", "lts.db")
    with lab(tmp_path):
        assert not two.exists()
