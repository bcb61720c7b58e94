"""What must outlast a power cut is on the disk, whole, before it takes its place."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from lts.service.core.trust import TrustStore
from lts.service.folder import placing
from lts.service.maintenance import backups, verify
from lts.store.file import database, schema
from lts.store.store import DATABASE, prepare
from tests.service.conftest import made_once
from tests.support.damage import flip
from tests.support.duet import copy_of
from tests.support.kit import NOON, Vendor, config_for, item, lab


class Disk:
    """Remembers what was synced, of which size, and what was renamed in which order."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.synced: dict[int, int] = {}
        self.renamed: list[tuple[str, bool]] = []
        """(name, whether the file was on the disk as it is)."""
        self._fsync, self._replace = os.fsync, os.replace
        patch.setattr(os, "fsync", self.fsync)
        patch.setattr(os, "replace", self.replace)

    def fsync(self, descriptor: int) -> None:
        self._fsync(descriptor)
        found = os.fstat(descriptor)
        self.synced[found.st_ino] = found.st_size

    def replace(self, source: Any, target: Any) -> None:
        self.renamed.append((Path(target).name, self.holds(Path(source))))
        self._replace(source, target)

    def holds(self, path: Path) -> bool:
        """Whether all of a file, or the names in a folder, were synced."""
        found = path.stat()
        return self.synced.get(found.st_ino, -1) == found.st_size


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A stopped server that counted."""
    with lab(tmp_path, vendor=Vendor()) as here:
        code = here.load(item(way="device", quota=50))
        for _ in range(6):
            here.authorize(code)
    return tmp_path / "data"


def test_a_backup_is_whole_on_the_disk_before_it_has_its_name(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust, disk = TrustStore(config_for(house.parent).vendor_keys, house), Disk(monkeypatch)
    made = backups.backup(house / DATABASE, house, NOON, trust)
    assert (made.name, True) in disk.renamed


def test_rebuilt_indexes_are_whole_on_the_disk_before_they_take_the_place(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(house / DATABASE, "devices_by_uuid", random.Random(1))
    (house / f"{DATABASE}.rebuilt").write_bytes(b"left by one that was killed")
    disk = Disk(monkeypatch)
    verify.rebuild_indexes(house)
    assert disk.renamed == [(DATABASE, True)]
    assert (house / DATABASE).stat().st_mode & 0o077 == 0


def test_the_copy_from_before_an_upgrade_is_on_the_disk(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    monkeypatch.setattr(database, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE more (x)"))
    prepare(house, create=False)
    assert disk.holds(house / f"lts-schema{len(schema.MIGRATIONS)}.db")


def test_new_content_is_on_the_disk_before_it_is_decided_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = placing.prepare(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "trust").mkdir()
    (folder / "trust" / "a.pub").touch()
    (tmp_path / "b").touch()
    disk = Disk(monkeypatch)
    placing.decide(tmp_path, ["b"], ("restored", {"n": 1}, "Ann"))
    assert disk.renamed == [(placing.MARKER, True)]
    assert disk.holds(folder)
    assert disk.holds(folder / "trust")
    plan = placing.pending(tmp_path)
    assert plan is not None
    assert (plan.source, plan.names, plan.scope, plan.kept) == ("incoming", ["trust"], ["b", "trust"], "replaced-1")
    assert (plan.action, plan.detail, plan.actor) == ("restored", {"n": 1, "kept": "replaced-1"}, "Ann")


def test_a_first_copy_is_whole_on_the_disk_before_it_is_decided_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    duet = copy_of(made_once(), tmp_path / "duet")
    data = duet.standby.folder / "data"
    shutil.rmtree(data)
    (duet.main.folder / "data" / "pair.json").unlink()
    duet.open()
    disk, found = Disk(monkeypatch), []
    decide = placing.decide

    def look(*given: Any, **named: Any) -> None:
        found.append(disk.holds(data / placing.INCOMING / DATABASE))
        decide(*given, **named)

    monkeypatch.setattr(placing, "decide", look)
    duet.run(3)
    assert found == [True]
    duet.close()
