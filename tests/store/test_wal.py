"""Damage in the middle of SQLite's log is found, and no kill, failing disk or power cut looks like it."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import apsw
import pytest

from lts.store.file import wal
from tests.store.faulty import BASE

SECTOR = 512
FRAME = 24 + 4096


class Torn(apsw.VFS):
    """A disk that keeps of what was not synced what it likes; of the log it tells what a power cut may leave."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.durable = bytearray()
        self.pending: list[tuple[int, bytes]] = []
        self.failing = 0.0
        super().__init__("torn", BASE, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        """See SQLite."""
        is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
        return _TornFile(self, name, flags, is_log=is_log)

    def cut(self) -> bytes:
        """The log after a power cut at this moment."""
        image = bytearray(self.durable)
        kept = self.rng.random()
        for offset, data in self.pending:
            if len(image) < offset + len(data):
                image += bytes(offset + len(data) - len(image))
            for begin in range(offset - offset % SECTOR, offset + len(data), SECTOR):
                if self.rng.random() < kept:
                    here, end = max(begin, offset), min(begin + SECTOR, offset + len(data))
                    image[here:end] = data[here - offset : end - offset]
        return bytes(image[: self.rng.randint(len(self.durable), len(image))])

    def sync(self) -> None:
        for offset, data in self.pending:
            if len(self.durable) < offset + len(data):
                self.durable += bytes(offset + len(data) - len(self.durable))
            self.durable[offset : offset + len(data)] = data
        self.pending.clear()


class _TornFile(apsw.VFSFile):
    def __init__(self, disk: Torn, name: Any, flags: list[int], *, is_log: bool) -> None:
        self._disk, self._is_log = disk, is_log
        super().__init__(BASE, name, flags)

    def xWrite(self, data: Any, offset: int) -> None:
        """See SQLite."""
        super().xWrite(data, offset)
        if self._is_log:
            self._disk.pending.append((offset, bytes(data)))

    def xSync(self, flags: int) -> None:
        """See SQLite."""
        if self._is_log:
            if self._disk.rng.random() < self._disk.failing:
                raise apsw.IOError("made up")
            self._disk.sync()
        super().xSync(flags)


def changed(db: apsw.Connection, rng: random.Random) -> None:
    """A transaction of any size, which may outgrow the cache, touch pages twice, or be taken back."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for _ in range(rng.choice((1, 1, 2, 30))):
            db.execute("INSERT OR REPLACE INTO t VALUES (?, randomblob(3000))", (rng.randrange(60),))
        db.execute(rng.choice(("COMMIT", "COMMIT", "COMMIT", "ROLLBACK")))
    except apsw.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")


def opened(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = 5", "wal_autocheckpoint = 0"):
        db.execute(f"PRAGMA {pragma}").fetchall()
    db.execute("CREATE TABLE IF NOT EXISTS t (k INTEGER PRIMARY KEY, v)")
    return db


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 9))])
def test_no_power_cut_kill_or_failing_disk_looks_like_damage(seed: int, tmp_path: Path) -> None:
    """The log continues after each of them, over what they left, and now and then starts again."""
    rng = random.Random(seed)
    path, log, looked = tmp_path / "a.db", tmp_path / "a.db-wal", tmp_path / "looked"
    disk, lost = Torn(rng), 0
    try:
        for _ in range(8):
            db = opened(path)
            disk.failing = rng.choice((0.0, 0.0, 0.4))
            for _ in range(rng.randrange(1, 6)):
                changed(db, rng)
                if rng.random() < 0.15:
                    with contextlib.suppress(apsw.Error):
                        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                looked.write_bytes(log.read_bytes())
                assert wal.damage(looked) is None, "a kill"
                for _ in range(2):
                    looked.write_bytes(disk.cut())
                    assert wal.damage(looked) is None, "a power cut"
            begun = rng.random() < 0.8
            if begun:  # in the middle of a transaction, half of which is in the log already
                db.execute("BEGIN IMMEDIATE")
                with contextlib.suppress(apsw.Error):
                    for number in range(25):
                        db.execute("INSERT OR REPLACE INTO t VALUES (?, randomblob(3000))", (number,))
            image, files = disk.cut(), path.read_bytes()
            lost += image != log.read_bytes()
            disk.failing = 0.0
            db.close()
            path.write_bytes(files)
            log.write_bytes(image)
            path.with_name("a.db-shm").unlink(missing_ok=True)
            disk.durable, disk.pending = bytearray(image), []
            looked.write_bytes(image)
            assert wal.damage(looked) is None
    finally:
        disk.unregister()
    assert lost > 1


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of many commits of one page or two, in two generations: old frames lie behind its end."""
    db = opened(tmp_path / "a.db")
    rng = random.Random(1)
    for count in (80, 40):
        for _ in range(count):
            db.execute("INSERT OR REPLACE INTO t VALUES (?, randomblob(3000))", (rng.randrange(60),))
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    (tmp_path / "log").write_bytes((tmp_path / "a.db-wal").read_bytes())
    db.close()
    return tmp_path / "log"


def valid_frames(log: Path) -> int:
    data = log.read_bytes()
    frames = [data[begin : begin + FRAME] for begin in range(32, len(data), FRAME)]
    return sum(frame[8:16] == data[16:24] for frame in frames)


def test_one_bit_anywhere_but_in_the_last_changes_is_found(log: Path) -> None:
    content, frames, rng = log.read_bytes(), valid_frames(log), random.Random(2)
    assert 40 < frames < (len(content) - 32) // FRAME
    assert wal.damage(log) is None
    for number in (0, 1, frames // 2, frames - 15, *rng.sample(range(frames - 15), 20)):
        bad = bytearray(content)
        place = 32 + number * FRAME + rng.choice((rng.randrange(24), rng.randrange(FRAME)))
        bad[place] ^= 1 << rng.randrange(8)
        log.write_bytes(bad)
        assert wal.damage(log) == wal.Damage(32 + number * FRAME, len(content)), place - 32 - number * FRAME
    for place in range(32):
        bad = bytearray(content)
        bad[place] ^= 1 << rng.randrange(8)
        log.write_bytes(bad)
        assert wal.damage(log) == wal.Damage(0, len(content)), place


def test_a_hole_is_found_and_what_follows_the_end_is_no_hole(log: Path) -> None:
    content, end = log.read_bytes(), 32 + valid_frames(log) * FRAME
    log.write_bytes(content[: 32 + 9 * FRAME] + bytes(5 * FRAME + 100) + content[32 + 14 * FRAME + 100 :])
    assert wal.damage(log) == wal.Damage(32 + 9 * FRAME, len(content))
    for cut in (0, 31, 32, 33, 32 + 9 * FRAME, 32 + 9 * FRAME + 500, end):
        log.write_bytes(content[:cut])
        assert wal.damage(log) is None
    bad = bytearray(content)
    bad[end + 3 * FRAME] ^= 1  # of the log before, which the database holds
    log.write_bytes(bad)
    assert wal.damage(log) is None
