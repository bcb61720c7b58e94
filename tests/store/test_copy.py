"""Copies of a database that is written meanwhile: one moment, whole, and without holding up who writes."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Any

import apsw
import pytest

from lts.store.file import database
from lts.store.store import DATABASE
from tests.support.kit import lab

ROWS = 4000


def filled(folder: Path) -> Path:
    """A database of some thousand pages."""
    with lab(folder):
        pass
    path = folder / "data" / DATABASE
    with contextlib.closing(database.open_writer(path, create=False)) as db, db:
        db.executemany("INSERT INTO meta VALUES (?, ?)", ((f"row {n}", bytes(3000)) for n in range(ROWS)))
    return path


def test_a_copy_takes_every_page_once_however_often_others_commit_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path)
    monkeypatch.setattr(database, "_COPIED_PAGES", 100)
    writer = database.open_writer(path, create=False)
    steps = 0

    class Watched:
        def __init__(self, backup: Any) -> None:
            self._backup = backup

        def step(self, pages: int) -> None:
            nonlocal steps
            steps += 1
            assert steps < 1000, "the copy begins anew with every commit"
            self._backup.step(pages)
            writer.execute("INSERT INTO meta VALUES (?, ?)", (f"meanwhile {steps}", bytes(3000)))

        @property
        def done(self) -> bool:
            return bool(self._backup.done)

        def __enter__(self) -> Watched:
            return self

        def __exit__(self, *fault: Any) -> None:
            self._backup.__exit__(*fault)

    class Destination(apsw.Connection):
        def backup(self, *names: Any) -> Any:
            return Watched(super().backup(*names))

    with contextlib.closing(database.open_reader(path)) as reader:
        pages = reader.execute("PRAGMA page_count").get
        monkeypatch.setattr(apsw, "Connection", Destination)
        database.copy(reader, tmp_path / "copy.db")
    assert steps <= pages / 100 + 2
    writer.close()
    with contextlib.closing(database.open_reader(tmp_path / "copy.db")) as copied:
        assert copied.execute("SELECT count(*) FROM meta WHERE name LIKE 'row %'").get == ROWS
        assert copied.execute("SELECT count(*) FROM meta WHERE name LIKE 'meanwhile %'").get == 0
        assert copied.execute("PRAGMA integrity_check").get == "ok"
    assert not list(tmp_path.glob("*.part"))


def test_a_copy_that_has_no_room_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("lts.store.file.database.os.replace", full)
    with contextlib.closing(database.open_reader(path)) as reader, pytest.raises(OSError, match="No space"):
        database.copy(reader, tmp_path / "copy.db")
    assert not list(tmp_path.glob("copy*"))


def test_a_journal_that_grew_while_somebody_read_shrinks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_WAL_KEPT_BYTES", 1 << 20)
    path = filled(tmp_path)
    writer = database.open_writer(path, create=False)
    with contextlib.closing(database.open_reader(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchall()
        for number in range(8):
            with writer:
                writer.execute("UPDATE meta SET value = ? WHERE name LIKE 'row %'", (bytes([number]) * 3000,))
        wal = path.with_name(path.name + "-wal")
        assert wal.stat().st_size > 20 << 20
        reader.execute("ROLLBACK")
    for number in range(3):
        writer.execute("INSERT INTO meta VALUES (?, ?)", (f"later {number}", b""))
    assert wal.stat().st_size <= 1 << 20
    writer.close()
