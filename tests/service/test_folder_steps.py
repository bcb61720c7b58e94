"""A data folder at every step of its server: a kill is no false alarm, and a commit costs little."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from lts.service.core.files import write_private
from lts.service.folder import folderstate, mark
from lts.store.file import checkpoints
from tests.store.faulty import Disk
from tests.support.killed import each_change, killed_now, work
from tests.support.kit import FakeTime, Vendor, item, lab

TIME, VENDOR = FakeTime(), Vendor()


@pytest.fixture(autouse=True)
def made(tmp_path: Path) -> None:
    """A folder for the server."""
    (tmp_path / "made").mkdir()


class Watched(Disk):
    """A disk on which something is done before every write of SQLite."""

    def __init__(self) -> None:
        self.before: Callable[[], None] = lambda: None
        self.syncs = 0
        super().__init__()

    def on_write(self) -> None:
        self.before()

    def on_sync(self) -> None:
        self.syncs += 1

    @contextmanager
    def watched(self, before: Callable[[], None]) -> Iterator[None]:
        self.before = before
        try:
            yield
        finally:
            self.before = lambda: None


@pytest.mark.slow
def test_a_kill_before_any_write_of_the_database_or_change_of_a_file_is_no_false_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run of a server, first start, work over several generations of the log, stop and another start, is looked at
    as each step would have left it."""
    monkeypatch.setattr(checkpoints, "WAL_PAGES", 12)
    data, snap = tmp_path / "made" / "data", tmp_path / "snap"
    looked: list[int] = []
    with steps_watched(data, lambda: looked.append(look(data, snap))):
        with lab(tmp_path / "made", TIME, VENDOR) as server:
            server.load(item(quota=10_000))
            work(server, 1, 12)
            server.ctx.keep_mark()
            last = server.ctx.store.watermark().generation
        with lab(tmp_path / "made", TIME, VENDOR) as server:
            work(server, 1)
    assert last > 3
    assert len(looked) > 200
    assert sum(looked) > len(looked) // 2, "most of these folders had an identity to look at"


def look(data: Path, snap: Path) -> int:
    """Copy the folder as it is, and look at it as a start does. Whether there was an identity."""
    shutil.rmtree(snap, ignore_errors=True)
    shutil.copytree(data, snap)
    if not (snap / "identity.json").exists():
        return 0
    assert folderstate.check(snap) is False
    return 1


@contextmanager
def steps_watched(folder: Path, then: Callable[[], None]) -> Iterator[None]:
    """Call `then` before each change of a file below a folder, by Python or by SQLite."""
    disk = Watched()
    try:
        with disk.watched(then), each_change(folder, then):
            yield
    finally:
        disk.close()


def test_a_commit_costs_one_sync_and_the_mark_is_written_once_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Watched()
    marks: list[Path] = []

    def write(path: Path, data: bytes) -> None:
        marks.append(path)
        write_private(path, data)

    monkeypatch.setattr(mark, "write_private", write)
    monkeypatch.setattr(checkpoints, "WAL_PAGES", 400)
    try:
        with lab(tmp_path / "made", TIME, VENDOR) as server:
            server.load(item(quota=100_000))
            work(server, 1, 3)
            marks.clear()
            disk.syncs, commits = 0, server.ctx.store.writer.commits
            generation = server.ctx.store.watermark().generation
            work(server, 1, 100)
            logs = server.ctx.store.watermark().generation - generation
            assert 0 < logs < 12
            assert len(marks) == logs
            assert disk.syncs <= server.ctx.store.writer.commits - commits + 3 * logs
    finally:
        disk.close()


def test_a_log_that_another_process_reads_over_several_starts_is_no_false_alarm(tmp_path: Path) -> None:
    """`lts verify` reads while the server is killed and started, again and again: nothing can be put into the file."""
    with lab(tmp_path / "made", TIME, VENDOR) as server:
        server.load(item())
        reader = apsw.Connection(str(server.ctx.store.path), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM changes").get
        work(server, 1)
    for number in range(4):
        with lab(tmp_path / "made", TIME, VENDOR) as server:
            work(server, 1)
            killed_now(server, tmp_path / f"killed-{number}")
        assert folderstate.check(tmp_path / f"killed-{number}" / "data") is False
    reader.close()
    with lab(tmp_path / "made", TIME, VENDOR) as server:
        assert server.used() == 5
