"""A lease from after the backup shows that an old database was put back: alerted once, and only when it is stored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from lts.errors import CannotStore
from tests.store.faulty import Disk
from tests.support.kit import FakeTime, Lab, Vendor, item, lab


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.close()


def put_back(kept: Path, folder: Path) -> None:
    """An old copy takes the place of a data folder."""
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)


def noticed(server: Lab) -> tuple[int, int]:
    """How often the portal and the audit log say it."""
    [(lines,)] = server.rows("SELECT count(*) FROM audit WHERE action = 'database-restored'")
    return sum(warning.code == "database-restored" for warning in server.ctx.running.warnings.all()), lines


def test_a_restored_database_is_reported_once_however_storing_fails_in_between(tmp_path: Path, disk: Disk) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        code = server.load(item(quota=100))
        first = server.authorize(code).lease
    kept = tmp_path / "kept"
    shutil.copytree(tmp_path / "data", kept)
    with lab(tmp_path, time, vendor) as server:
        later = [server.authorize(code).lease for _ in range(9)][-1]
        assert server.report(later, {"QR": 1}).results[0].status == "counted"
        assert noticed(server) == (0, 0)
    put_back(kept, tmp_path / "data")
    with lab(tmp_path, time, vendor) as server:
        server.report(first, {"QR": 1})
        assert noticed(server) == (0, 0), "a lease that this database knows of"
        disk.fault = apsw.FullError
        with pytest.raises(CannotStore):
            server.report(later, {"QR": 2})
        disk.fault = None
        assert noticed(server) == (0, 0), "nothing is told of what was not stored"
        for units in (2, 3):
            server.report(later, {"QR": units})
        assert noticed(server) == (1, 1)


def test_a_restored_database_that_grew_past_a_lease_is_revealed_by_the_head_in_the_lease(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        code = server.load(item(quota=100))
        first = server.authorize(code).lease
    kept = tmp_path / "kept"
    shutil.copytree(tmp_path / "data", kept)
    with lab(tmp_path, time, vendor) as server:
        later = [server.authorize(code).lease for _ in range(3)][-1]
    put_back(kept, tmp_path / "data")
    with lab(tmp_path, time, vendor) as server:
        time.forward(60)
        for _ in range(9):
            server.authorize(code)
        server.report(first, {"QR": 1})
    with lab(tmp_path, time, vendor) as server:
        server.report(first, {"QR": 2})
        assert noticed(server) == (0, 0), "a lease that this database gave"
        server.report(later, {"QR": 1})
        assert noticed(server) == (1, 1)


def test_a_copied_folder_that_serves_too_is_revealed_by_its_leases(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path / "here", time, vendor) as server:
        code = server.load(item(quota=100))
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    with lab(tmp_path / "here", time, vendor) as here, lab(tmp_path / "there", time, vendor) as there:
        for _ in range(20):
            here.report(here.authorize(code).lease, {"QR": 1})
        assert noticed(here) == (0, 0)
        time.forward(60)
        for _ in range(20):
            there.report(there.authorize(code).lease, {"QR": 1})
        assert noticed(there) == (0, 0)
        for _ in range(20):  # devices that go from one to the other
            there.report(here.authorize(code).lease, {"QR": 1})
        assert noticed(there) == (1, 1)
