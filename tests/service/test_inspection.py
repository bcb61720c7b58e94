"""Damage is found before it counts: at the start, by commands, and while the server serves."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import apsw
import pytest

from lts.cli.main import main
from lts.errors import DatabaseDamaged
from lts.protocol import DAY_SECONDS
from lts.service.core import labels
from lts.service.folder import datafolder
from lts.service.maintenance import attention, backups
from lts.service.maintenance.inspection import DAMAGED, Inspection
from lts.store import store
from lts.store.file import integrity
from lts.store.store import DATABASE
from tests.support.damage import flip
from tests.support.kit import FakeTime, Lab, Vendor, config_for, item, lab

Said = pytest.CaptureFixture[str]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stopped server that counted, with one bit turned over in the index by which devices are found."""
    monkeypatch.setattr("tests.support.kit.LABELS", labels.fingerprints())
    monkeypatch.setenv("LTS_DATA_DIR", str(tmp_path / "data"))
    settings = {"vendorKeys": str(config_for(tmp_path).vendor_keys), "dataDir": str(tmp_path / "data")}
    (tmp_path / "lts.json").write_text(json.dumps(settings), encoding="utf-8")
    monkeypatch.setenv("LTS_CONFIG", str(tmp_path / "lts.json"))
    monkeypatch.chdir(tmp_path)
    with lab(tmp_path) as here:
        code = here.load(item(way="device", quota=50))
        for _ in range(6):
            here.report(here.authorize(code).lease, {"QR": 3})
    flip(tmp_path / "data" / DATABASE, "devices_by_uuid", random.Random(1))
    return tmp_path


def test_a_damaged_index_keeps_the_server_from_starting_and_every_command_says_how_it_is_mended(
    house: Path, capsys: Said
) -> None:
    way = "stop the server and run `lts verify --rebuild-indexes`"
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert way in out
    assert err == "lts: 1 fault found.\n"
    assert main(["verify"]) == 1
    assert way in capsys.readouterr().out
    assert main(["serve", "--no-browser", "--port", "0"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "index devices_by_uuid" in told[0]
    assert way in told[0]
    assert main(["verify", "--rebuild-indexes"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "All indexes were rebuilt.",
        "Everything matches the change feed; all signatures are valid.",
    ]
    assert main(["doctor"]) == 0
    with lab(house) as here:
        assert here.live() == 6


def test_indexes_are_rebuilt_neither_under_a_running_server_nor_in_a_backup(tmp_path: Path, capsys: Said) -> None:
    with lab(tmp_path):
        assert main(["verify", "--rebuild-indexes", "--data", str(tmp_path / "data")]) == 1
        assert "in use by another LTS" in capsys.readouterr().err
    assert main(["verify", "--rebuild-indexes", "a.lts", "--data", str(tmp_path / "data")]) == 2
    assert main(["verify", "--rebuild-indexes", "--data", str(tmp_path / "none")]) == 1


def rounds(here: Lab, inspection: Inspection) -> int:
    """A whole round of steps; how many there were."""
    with here.ctx.store.reader() as db:
        tables = len(integrity.tables(db))
    for _ in range(tables):
        inspection.step()
    return tables


def test_a_serving_server_finds_the_damage_within_a_day_and_reports_it_once(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHECKED_BYTES", 0)
    time_ = FakeTime()
    with lab(house, time_) as here:
        inspection = Inspection(here.ctx)
        steps = rounds(here, inspection)
        found = [one for one in attention.notices(here.ctx, time_.now) if one.code == DAMAGED]
        assert len(found) == 1
        assert "lts verify --rebuild-indexes" in found[0].detail
        seen: list[str] = []

        def check(_: object, table: str) -> list[integrity.DatabaseFault]:
            seen.append(table)
            return []

        monkeypatch.setattr(integrity, "faults_of", check)
        time_.forward(DAY_SECONDS - 1)
        inspection.step()
        assert not seen, "once a day"
        time_.forward(1)
        rounds(here, inspection)
        inspection.step()
        assert len(seen) == len(set(seen)) == steps
        audited = here.rows("SELECT action FROM audit WHERE action = 'database-damaged'")
        assert len(audited) == 1


def test_a_large_database_is_read_whole_only_after_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lab(tmp_path) as here:
        code = here.load(item(way="device", quota=50))
        here.authorize(code)
    flip(tmp_path / "data" / DATABASE, "devices_by_uuid", random.Random(1))
    monkeypatch.setattr(store, "CHECKED_BYTES", 1)
    with lab(tmp_path):
        pass
    (tmp_path / "data" / datafolder.NOTE).write_text("{}", encoding="utf-8")
    with pytest.raises(DatabaseDamaged, match="devices_by_uuid"), lab(tmp_path):
        pass


def test_the_end_of_the_server_ends_the_check_of_a_large_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lab(tmp_path, vendor=Vendor()) as here:
        here.load(item())
        inspection = Inspection(here.ctx)
        endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

        calls: list[object] = []

        def ending() -> bool:
            inspection.stop()
            return False

        def interrupting(db: object, table: str) -> list[integrity.DatabaseFault]:
            calls.append(table)
            db.set_progress_handler(ending, 1000)  # type: ignore[attr-defined]
            db.execute(endless).fetchall()  # type: ignore[attr-defined]
            return []

        monkeypatch.setattr(integrity, "faults_of", interrupting)
        inspection.step()
        inspection.step()
        assert len(calls) == 1


def test_a_schema_that_is_damaged_under_the_server_is_reported_and_in_no_backup(server: Lab) -> None:
    server.authorize(server.load(item()))
    path = server.ctx.store.path
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, 'd2 INTEGER NOT NULL DEFAULT 0', 'd2 INTEGER')")
    with pytest.raises(DatabaseDamaged, match=r"data.lts\.db is damaged \(schema: the table usage_devices is"):
        backups.backup(path, path.parent, server.time.now, server.ctx.trust)
    assert list((path.parent / "backups").iterdir()) == []
    Inspection(server.ctx).step()
    [notice] = [one for one in server.ctx.running.warnings.all() if one.code == DAMAGED]
    assert notice.params["reason"] == "schema: the table usage_devices is not as this program makes it"
