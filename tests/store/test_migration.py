"""A data folder of an older program is upgraded at start, killed or not, and nothing in it changes."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from lts.errors import DatabaseDamaged
from lts.protocol import DAY_SECONDS, SLOTS_PER_DAY, slot_of
from lts.service.licensing import handshakes
from lts.service.maintenance import backups, days, verify
from lts.service.statistics import usage
from lts.store import sql
from lts.store.file import database, schema
from lts.store.file.schema import MIGRATIONS
from tests.support.kit import NOON, FakeTime, Lab, Vendor, entry, item, lab
from tests.support.olddatabase import turn_to_schema

ROOT = Path(__file__).parents[2]
TODAY = NOON // DAY_SECONDS
KILLED = """
import os, sys
from pathlib import Path
from lts.store import store
from lts.store.file import schema
from lts.store.rows import deviceunits
def fill(db):
    deviceunits.fill(db)
    os._exit(9)
schema.FILLS[2] = fill
store.prepare(Path(sys.argv[1]), create=False)
"""


def asked(server: Lab) -> dict[str, Any]:
    """What the statistics say, by device above all."""
    today = usage.day_text(TODAY)
    return {
        "all": usage.usage(server.ctx, grouping="device"),
        "today": usage.usage(server.ctx, grouping="device", first=today, last=today),
        "code": usage.usage(server.ctx, grouping="device", code="216998-two"),
        "item": usage.usage(server.ctx, grouping="device", item="b"),
        "type": usage.usage(server.ctx),
    }


def use(server: Lab) -> None:
    """Reports on many days to two codes, some of the days closed."""
    server.load(item("a", quota=10**6), item("b", quota=10**6, modules=["OCR"]))
    handshakes.add(server.ctx, "216998", {"custom": "two", "items": [{"id": 1}, {"id": 2}]}, "test", NOON)
    for code in ("216998-100", "216998-two"):
        for n in range(1, 4):
            lease = server.authorize(code, modules=("QR", "OCR")).lease
            slots = [slot_of(NOON) - back * SLOTS_PER_DAY // n for back in range(29)]
            server.report_many(lease, [entry(slot, {"QR": n, "OCR": slot % 7, "else": 1}) for slot in slots])
    days.close_old_days(server.ctx, list(range(TODAY - 45, TODAY - 9)), NOON)
    days.close_old_days(server.ctx, list(range(TODAY - 45, TODAY + 20)), NOON + 20 * DAY_SECONDS)


@pytest.fixture
def old(tmp_path: Path) -> tuple[Callable[[], Any], dict[str, Any]]:
    """(opens a folder that an older program left, what it said)."""
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        use(server)
        said = asked(server)
    turn_to_schema(tmp_path / "data" / "lts.db", 1)
    return lambda: lab(tmp_path, time, vendor), said


def version(path: Path) -> int:
    db = database.open_reader(path)
    try:
        return int(sql.value(db, "PRAGMA user_version"))
    finally:
        db.close()


def test_an_older_data_folder_says_the_same_once_upgraded_and_counts_on(old: Any, tmp_path: Path) -> None:
    opens, said = old
    assert said["all"].total > said["code"].total > 0
    with opens() as server:
        assert asked(server) == said
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []
        server.report(server.authorize().lease, {"QR": 4})
        assert usage.usage(server.ctx, grouping="device").total == usage.usage(server.ctx).total
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []
    assert version(tmp_path / "data" / "lts.db") == len(MIGRATIONS)
    assert version(tmp_path / "data" / "lts-schema1.db") == 1, "the copy is as it was"


def test_an_upgrade_killed_half_way_begins_again_at_the_next_start(old: Any, tmp_path: Path) -> None:
    opens, said = old
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "data")], cwd=ROOT, check=False)
    assert killed.returncode == 9
    assert version(tmp_path / "data" / "lts.db") == 1
    with opens() as server:
        assert asked(server) == said
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []


def test_the_older_program_refuses_the_upgraded_database(
    old: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens, _ = old
    with opens():
        pass
    monkeypatch.setattr(database, "MIGRATIONS", MIGRATIONS[:1])
    with pytest.raises(DatabaseDamaged) as caught, opens():
        pass
    assert "newer" in caught.value.detail


def test_verify_compares_a_folder_that_is_yet_to_be_upgraded_and_leaves_it_as_it_is(old: Any, tmp_path: Path) -> None:
    opens, _ = old
    with opens() as server:
        trust = server.ctx.trust
    turn_to_schema(tmp_path / "data" / "lts.db", 1)
    before = (tmp_path / "data" / "lts.db").read_bytes()
    there = {path.name for path in (tmp_path / "data").iterdir()}
    assert verify.verify(tmp_path / "data", trust) == []
    assert (tmp_path / "data" / "lts.db").read_bytes() == before
    assert {path.name for path in (tmp_path / "data").iterdir()} <= there | {"lts.db-wal", "lts.db-shm"}
    with contextlib.closing(apsw.Connection(str(tmp_path / "data" / "lts.db"))) as db:
        db.execute("UPDATE types SET name = 'x' WHERE id = 1")
    assert [fault for fault in verify.verify(tmp_path / "data", trust) if fault.startswith("types")]
    (tmp_path / "data" / "lts.db").write_bytes(before)
    backup = backups.backup(tmp_path / "data" / "lts.db", tmp_path / "data", NOON, trust)
    assert verify.verify_backup(backup, tmp_path / "trust") == [], "a backup of an older program is upgraded to compare"


def test_every_fill_belongs_to_a_migration() -> None:
    assert schema.FILLS.keys() <= set(range(1, len(MIGRATIONS) + 1))
