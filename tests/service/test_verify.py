"""`lts verify`, backup, restore, archives: every hand-made edit is named, every total comes back."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import apsw
import pytest

from lts.crypto import SigningKey
from lts.errors import AdminError, DatabaseDamaged
from lts.protocol import DAY_SECONDS, SLOTS_PER_DAY, slot_of
from lts.rules.licensing import vendorkey
from lts.service.core.trust import TrustStore
from lts.service.folder import restoring
from lts.service.licensing import handshakes
from lts.service.maintenance import archives, backups, days, heads, verify
from lts.service.statistics import usage
from lts.store.changes import feed
from lts.store.file import database
from lts.store.file.schema import MIGRATIONS
from lts.store.history import archive
from tests.support.kit import NOON, FakeTime, Lab, Vendor, entry, item, lab

SLOT = slot_of(NOON)


def busy(server: Lab) -> None:
    """Something in every table."""
    code = server.load(item("scans", modules=["QR"]), item("seats", "device", 10, modules=["OCR"]),
                       item("live", "concurrentDevice", 2, modules=["PDF"]))  # fmt: skip
    second = handshakes.add(server.ctx, "216998", {"custom": "two", "items": [{"id": 1}, {"id": 2, "cap": 3}]},
                            "test", NOON).name  # fmt: skip
    for name, modules in ((code, ("QR", "OCR")), (second, ("OCR",)), (code, ("PDF",))):
        done = server.authorize(name, modules=modules)
        server.report_many(done.lease, [entry(SLOT - n, {modules[0]: n + 1}) for n in range(5)], done.clone_token)
    handshakes.edit(server.ctx, second, {"password": "secret", "note": "a note"}, "test", NOON)


def edit(folder: Path, statement: str) -> None:
    db = apsw.Connection(str(folder / "data" / "lts.db"))
    db.execute(statement)
    assert db.changes() > 0, "the edit must hit a row"
    db.close()


def test_nothing_is_found_in_an_honest_database_even_while_it_serves(server: Lab, tmp_path: Path) -> None:
    busy(server)
    assert verify.verify(tmp_path / "data", server.ctx.trust) == []


EDITS = {
    "licenses": "UPDATE licenses SET revision = revision + 1",
    "license_files": "UPDATE license_files SET time = time - 1",
    "items": "UPDATE items SET item_id = 'other' WHERE id = 1",
    "codes": "UPDATE codes SET custom = 'stolen' WHERE id = 2",
    "code_items": "UPDATE code_items SET cap = 1000 WHERE code = 2 AND item = 2",
    "devices": "UPDATE devices SET contact = contact + 1 WHERE id = 1",
    "seats": "UPDATE seats SET ends = ends + 1 WHERE device = 1",
    "leases": "DELETE FROM leases",
    "types": "UPDATE types SET name = 'x' WHERE id = 1",
    "usage_days": "DELETE FROM usage_days WHERE device = 1",
    "usage_hours": "UPDATE usage_hours SET units = units - 1 WHERE item = 1",
    "usage_devices": "UPDATE usage_devices SET units = units - 1, d10 = d10 - 1 WHERE device = 1",
    "activity": "UPDATE activity SET data = zeroblob(1924)",
    "tallies": "UPDATE tallies SET n = n + 1",
    "origins": "UPDATE origins SET numbers = numbers + 1",
    "turns": "UPDATE turns SET position = position + 1",
    "turns: turn 1": "UPDATE turns SET first = 2",
    "turns: turn 2": "INSERT INTO turns (origin, first) VALUES (1, 5)",
    "changes": "UPDATE changes SET payload = payload || x'00' WHERE serial = 9",
    "changes: origin": "DELETE FROM changes WHERE serial = 7",
}


@pytest.mark.parametrize("table", EDITS)
def test_a_row_edited_by_hand_is_named(tmp_path: Path, table: str) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        busy(server)
    edit(tmp_path, EDITS[table])
    faults = verify.verify(tmp_path / "data", server.ctx.trust)
    assert any(fault.startswith(table) for fault in faults), faults


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE TRIGGER quiet AFTER INSERT ON changes BEGIN DELETE FROM seats; END", "the trigger quiet is not"),
        (
            "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_u', 'meta', 0,"
            " 'CREATE TRIGGER sqlite_u AFTER INSERT ON meta BEGIN SELECT 1; END')",
            "the trigger sqlite_u is not",
        ),
        ("CREATE INDEX more ON devices (contact)", "the index more is not"),
        ("DROP INDEX seats_by_end", "the index seats_by_end is missing"),
        ("INSERT INTO turns (origin, first) VALUES (77, 1)", "nothing is known of origin 77"),
        ("ALTER TABLE archives RENAME COLUMN digest TO \u00a0digest", "the table archives is not"),
    ],
)
def test_what_this_program_did_not_make_is_named(tmp_path: Path, statement: str, named: str) -> None:
    with lab(tmp_path, FakeTime(), Vendor()) as server:
        busy(server)
        trust = server.ctx.trust
    db = apsw.Connection(str(tmp_path / "data" / "lts.db"))
    db.execute(statement)
    db.close()
    try:
        faults = verify.verify(tmp_path / "data", trust)
    except DatabaseDamaged as error:
        faults = [error.detail]
    assert [fault for fault in faults if named in fault]


def test_a_backup_made_while_serving_verifies_and_restores(server: Lab, tmp_path: Path) -> None:
    busy(server)
    target = backups.backup(server.ctx.store.path, tmp_path / "data", server.time.now, server.ctx.trust)
    assert target.parent == tmp_path / "data" / "backups"
    assert os.name == "nt" or stat.S_IMODE(target.stat().st_mode) == 0o600
    assert verify.verify_backup(target, server.config.vendor_keys) == []
    (tmp_path / "new").mkdir()
    names = restoring.restore(target, tmp_path / "new")
    assert {"lts.db", "server.key", "vault.key", "identity.json"} <= set(names)
    assert not (tmp_path / "new" / "replaced-1").exists(), "there was nothing to keep"


def test_a_backup_of_a_newer_program_is_refused_before_anything_is_touched(
    server: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = backups.backup(server.ctx.store.path, tmp_path / "data", server.time.now, server.ctx.trust)
    place = tmp_path / "new"
    place.mkdir()
    (place / "lts.db").write_bytes(b"precious")
    monkeypatch.setattr(database, "MIGRATIONS", MIGRATIONS[:-1])
    with pytest.raises(AdminError, match="newer LTS"):
        restoring.restore(target, place)
    assert (place / "lts.db").read_bytes() == b"precious"
    monkeypatch.undo()
    assert "lts.db" in restoring.restore(target, place)


def test_a_damaged_backup_is_refused_before_anything_is_touched(server: Lab, tmp_path: Path) -> None:

    busy(server)
    target = backups.backup(server.ctx.store.path, tmp_path / "data", server.time.now, server.ctx.trust)
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 0xFF
    target.write_bytes(data)
    place = tmp_path / "new"
    place.mkdir()
    (place / "lts.db").write_bytes(b"precious")
    with pytest.raises(AdminError):
        restoring.restore(target, place)
    assert (place / "lts.db").read_bytes() == b"precious"
    target.write_bytes(b"no zip")
    with pytest.raises(AdminError):
        restoring.restore(target, place)


def test_archived_changes_verify_and_a_lost_archive_is_named(
    server: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "STRETCH", 4)
    busy(server)
    server.time.forward(2 * DAY_SECONDS)
    server.authorize("216998-100")
    moved = archives.archive_old_changes(server.ctx.store, tmp_path / "data", server.time.now)
    assert moved >= 8
    data = tmp_path / "data"
    assert verify.verify(data, server.ctx.trust) == []
    server.authorize("216998-100")
    assert verify.verify(data, server.ctx.trust) == []
    lost = sorted((data / "archive").iterdir())[0]
    kept = lost.read_bytes()
    lost.unlink()
    assert any(lost.name in fault for fault in verify.verify(data, server.ctx.trust))
    lost.write_bytes(kept[:-1] + b"\x00")
    assert any(lost.name in fault for fault in verify.verify(data, server.ctx.trust))


@pytest.mark.parametrize(
    "change", ["hash = zeroblob(32) WHERE first = 1", "last = last - 1 WHERE first = 1", "hash = 'text'"]
)
def test_a_stretch_of_which_the_database_says_what_is_not_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(archive, "STRETCH", 4)
    with lab(tmp_path, FakeTime(), Vendor()) as server:
        busy(server)
        server.time.forward(2 * DAY_SECONDS)
        server.authorize("216998-100")
        archives.archive_old_changes(server.ctx.store, tmp_path / "data", server.time.now)
        trust = server.ctx.trust
    assert verify.verify(tmp_path / "data", trust) == []
    edit(tmp_path, f"UPDATE archives SET {change}")
    assert [fault for fault in verify.verify(tmp_path / "data", trust) if fault.startswith("archives: ")]


def test_closed_days_keep_their_sums_and_verify(server: Lab, tmp_path: Path) -> None:
    busy(server)
    before = {by: usage.usage(server.ctx, grouping=by).rows for by in ("device", "type")}
    today = NOON // DAY_SECONDS
    days.close_old_days(server.ctx, list(range(today, today + 36)), NOON + 36 * DAY_SECONDS)
    assert server.ctx.store.catalog.settings["closedDay"] == today
    assert {by: usage.usage(server.ctx, grouping=by).rows for by in ("device", "type")} == before
    assert verify.verify(tmp_path / "data", server.ctx.trust) == []


def test_a_jump_of_the_clock_closes_no_day(server: Lab) -> None:
    busy(server)
    days.close_old_days(server.ctx, [NOON // DAY_SECONDS, NOON // DAY_SECONDS + 400], NOON + 400 * DAY_SECONDS)
    assert "closedDay" not in server.ctx.store.catalog.settings


def test_a_tail_cut_off_or_rewritten_after_a_signed_head_is_named(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        busy(server)
        heads.sign_head(server.ctx, NOON)
        heads.sign_head(server.ctx, NOON + 60)
        assert server.rows("SELECT count(*) FROM heads") == [(1,)]
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []
        newest = server.ctx.store.serial
    edit(tmp_path, f"DELETE FROM changes WHERE serial = {newest}")
    assert any("head was signed" in fault for fault in verify.verify(tmp_path / "data", server.ctx.trust))
    edit(tmp_path, "UPDATE heads SET serial = serial - 1")
    faults = verify.verify(tmp_path / "data", server.ctx.trust)
    assert any("differs" in fault for fault in faults)
    assert any("signature" in fault for fault in faults)


def test_an_archive_holds_what_it_was_given(server: Lab) -> None:
    busy(server)
    with server.ctx.store.reader() as db:
        changes = list(feed.stored(db, 1))
    assert [c[3] for c in archive.unpack(archive.pack(changes))] == [c.payload for c in changes]
    assert len(changes) * SLOTS_PER_DAY > 0


def test_a_backup_holds_the_vendor_keys_that_its_licenses_need_and_no_others(server: Lab, tmp_path: Path) -> None:
    busy(server)
    old, new, stranger = server.vendor.key, SigningKey.generate(), Vendor()
    succeeding = vendorkey.build("Vendor", new, NOON, old).encode()
    (server.config.vendor_keys / "new.pub").write_bytes(succeeding)
    (server.config.vendor_keys / "stranger.pub").write_bytes(stranger.pub)
    server.vendor.key = new
    server.load(item("later"), license_id="200")
    bundle = backups.backup(server.ctx.store.path, tmp_path / "data", server.time.now, server.ctx.trust)
    restored = tmp_path / "new"
    restored.mkdir()
    restoring.restore(bundle, restored)
    assert {path.stem for path in (restored / "trust").iterdir()} == {old.kid, new.kid}
    trust = TrustStore(tmp_path / "none", restored)
    assert trust.root(new.kid) == old.kid
    assert verify.verify(restored, trust) == []
