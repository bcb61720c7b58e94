"""What upkeep does when, and what `lts doctor` and *Home* make of it, at the bounds."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from lts.errors import DatabaseDamaged
from lts.protocol import DAY_SECONDS, iso
from lts.rules.alerting.notices import ERROR, LEVELS, WARNING
from lts.service.core import identity
from lts.service.folder import datafolder, evidence
from lts.service.maintenance import archives, attention, doctor, heads, verify
from lts.service.pair import delegated
from lts.store import replay
from lts.store.changes import feed
from lts.store.history import archive
from lts.store.tables import audit
from tests.support.kit import NOON, Lab, config_for, item, lab


def levels(folder: Path, words: str) -> list[str]:
    """Levels of the findings with these words."""
    return [one.level for one in doctor.examine(config_for(folder)) if words in one.words]


def test_changes_are_archived_once_they_are_older_than_a_day(server: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "STRETCH", 3)
    for n in range(8):
        server.ctx.note_event("test", {"n": n})
    newest, data = server.ctx.store.serial, server.config.data_dir
    assert archives.archive_old_changes(server.ctx.store, data, NOON + DAY_SECONDS) == 0
    moved = (newest - 1) // 3 * 3
    assert archives.archive_old_changes(server.ctx.store, data, NOON + DAY_SECONDS + 1) == moved
    assert archives.archive_old_changes(server.ctx.store, data, NOON + 9 * DAY_SECONDS) == 0
    folder = datafolder.archives_folder(data)
    assert sys.platform == "win32" or folder.stat().st_mode & 0o777 == 0o700
    with server.ctx.store.reader() as db:
        assert sorted(path.name for path in folder.iterdir()) == list(archive.files(db))
        assert len(archive.files(db)) == moved // 3
        assert [entry[0] for entry in archive.feed_after(db, folder, 1)] == [*range(1, newest + 1)]
        for after in (0, 1, 3, 4, moved, newest):
            assert [entry[0] for entry in archive.feed_after(db, folder, 1, after)] == [*range(after + 1, newest + 1)]
        assert list(archive.ends(db, 1)) == [*range(3, moved + 1, 3)]
        assert feed.hash_at(db, 1, 3) == archive.ends(db, 1)[3]
        assert feed.hash_at(db, 1, 2) is None
        assert feed.newest_time(db, server.ctx.identity.uuid, server.ctx.identity.incarnation) == NOON


@pytest.mark.parametrize(
    ("free", "level", "end"), [(500 << 20, "!!", "make room"), ((500 << 20) + 1, "ok", "its disk")]
)
def test_room_is_low_at_five_hundred_mebibytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str, end: str
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    [found] = [one for one in doctor.examine(config_for(tmp_path)) if "free on its disk" in one.words]
    assert (found.level, found.words.startswith("500 MiB"), found.words.endswith(end)) == (level, True, True)


def test_a_folder_that_is_whole_is_said_to_be(server: Lab) -> None:
    server.load(item())
    folder = server.config.data_dir.parent
    for words in (
        "Python", "Configuration: defaults, no lts.json", "served by process", "free on its disk", "lts.db: ok",
        "identity and its key can be read", "belong together", "stored secrets can be read", "1 vendor key trusted",
    ):  # fmt: skip
        assert levels(folder, words) == ["ok"], words
    public = replace(config_for(folder), public_url="http://lts.example.com/lts/")
    for config, level in ((public, "!!"), (replace(public, public_url=None, host="192.0.2.1"), "note")):
        found = [one.level for one in doctor.examine(config) if one.level != "ok" and "http" in one.words]
        assert found[:1] == [level], config


def test_a_folder_without_a_server_is_said_to_be_empty_and_one_that_is_not_there_to_be_made(tmp_path: Path) -> None:
    assert levels(tmp_path, "does not exist yet; the first start makes it") == ["ok"]
    (tmp_path / "data").mkdir()
    assert levels(tmp_path, "holds no server yet; the first start makes it") == ["ok"]
    assert levels(tmp_path, "Database") == levels(tmp_path, "belong together") == []
    (tmp_path / "data" / "lts.db").write_bytes(b"")
    assert levels(tmp_path, "lts.db is empty") == ["!!"]


def test_what_the_folder_of_a_stopped_server_lacks_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lab(tmp_path) as here:
        monkeypatch.setattr(evidence, "faults", lambda folder: ["an edit"])
        assert levels(tmp_path, "an edit") == []
        del here
    assert levels(tmp_path, "an edit") == ["!!"]


@pytest.mark.parametrize(("ahead", "told"), [(7200, False), (7201, True)])
def test_a_time_that_was_taken_back_by_more_than_two_hours_is_evidence(
    tmp_path: Path, ahead: int, *, told: bool
) -> None:
    with lab(tmp_path) as here:
        here.ctx.note_event("test", {})
        here.ctx.store.keep_clock(lambda: (NOON - ahead, NOON - ahead))
    assert bool(evidence.faults(tmp_path / "data")) is told
    with lab(tmp_path, here.time) as here:
        here.ctx.store.keep_clock(lambda: (NOON - ahead, NOON - ahead))
        here.ctx.note_event("clock-ahead", {})
    assert evidence.faults(tmp_path / "data") == []


def test_notices_come_worst_first_and_those_of_the_clock_say_what_to_do(server: Lab) -> None:
    server.load(item(quota=5, expiresAt=iso(NOON + DAY_SECONDS)))
    server.time.wall += 3 * DAY_SECONDS
    server.ctx.clock.look()
    found = attention.notices(server.ctx, NOON)
    assert [LEVELS.index(one.level) for one in found] == sorted(LEVELS.index(one.level) for one in found)
    [pending] = [one for one in found if one.code == "clock-unconfirmed"]
    assert (pending.level, pending.params["time"]) == (WARNING, iso(NOON + 3 * DAY_SECONDS))
    assert not [one for one in found if one.code == "clock-back"]
    server.time.wall -= 6 * DAY_SECONDS
    server.ctx.clock.look()
    [back] = [one for one in attention.notices(server.ctx, NOON) if one.code == "clock-back"]
    assert back.level == ERROR


def test_urls_are_shown_once_there_is_a_code(server: Lab) -> None:
    def urls() -> list[str]:
        return [one.code for one in attention.notices(server.ctx, NOON) if one.code.startswith("url-")]

    assert urls() == []
    server.load(item())
    assert urls()


def test_what_happened_is_shown_for_a_week_and_of_what_was_placed_only_the_last(server: Lab) -> None:
    for number, name in enumerate(("restored", "restore-undone", "clock-reset")):
        server.ctx.note_event(name, {"kept": f"replaced-{number}"}, actor="Ann")
        server.time.forward(1)
    with server.ctx.store.reader() as db:
        assert {line.action for line in audit.lines(db, audit.AuditFilter(), 0, 99)} > {"restored", "clock-reset"}
        for now, number in ((NOON + 3, 2), (NOON + 1 + 7 * DAY_SECONDS, 2), (NOON + 2 + 7 * DAY_SECONDS, 1),
                            (NOON + 3 + 7 * DAY_SECONDS, 0)):  # fmt: skip
            assert len(attention._happened(server.ctx, db, now)) == number, now - NOON


def test_a_main_is_needed_until_the_last_item_of_a_license_has_gone_through_its_grace(server: Lab) -> None:
    server.load(item("a", expiresAt=iso(NOON + 5)), item("b", expiresAt=iso(NOON + 9), graceDays=2))
    [(jws,)] = server.rows("SELECT jws FROM license_files")
    file, last = server.ctx.files.content(jws), NOON + 9 + 2 * DAY_SECONDS
    assert [delegated._goes_on(file, now) for now in (NOON, NOON + 9, last - 1)] == [True] * 3
    assert not delegated._goes_on(replace(file, items=file.items[1:]), last)
    assert not delegated._goes_on(replace(file, revokes=frozenset(("a", "b"))), NOON)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "is missing though"),
        (lambda path: path.write_bytes(b""), "is empty though"),
        (lambda path: altered(path, "PRAGMA user_version = 999"), "written by a newer LTS"),
        (lambda path: altered(path, "PRAGMA application_id = 1"), "is the database of another program"),
    ],
)
def test_indexes_are_rebuilt_only_in_a_database_of_this_program(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    with lab(tmp_path):
        pass
    path = tmp_path / "data" / "lts.db"
    spoil(path)
    with pytest.raises(DatabaseDamaged, match=words):
        verify.rebuild_indexes(tmp_path / "data")
    assert not path.with_name("lts.db.rebuilt").exists()


def altered(path: Path, statement: str) -> None:
    """One statement changes a closed database."""
    db = apsw.Connection(str(path))
    db.execute(statement)
    db.close()


def test_a_server_knows_the_keys_that_it_states_from_its_first_start_on(server: Lab) -> None:
    me = server.ctx.identity
    stated = identity.load(server.config.data_dir)
    assert (me.key_print, me.vault_print) == (stated.key_print, stated.vault_print)
    assert (me.key_print, me.vault_print) == (me.key.public.kid, server.ctx.vault.fingerprint)


def test_of_a_feed_whose_archive_is_lost_nothing_else_is_said_than_that(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "STRETCH", 3)
    data = server.config.data_dir
    for n in range(9):
        server.ctx.note_event("test", {"n": n})
    heads.sign_head(server.ctx, NOON)
    assert archives.archive_old_changes(server.ctx.store, data, NOON + 2 * DAY_SECONDS) == 9
    assert verify.verify(data, server.ctx.trust) == []
    first, *_ = sorted(datafolder.archives_folder(data).iterdir())
    first.unlink()
    found = [fault for fault in verify.verify(data, server.ctx.trust) if not fault.startswith(("audit:", "origins:"))]
    assert found == [f"The archive {first.name} of the change feed is lost; restore it.", replay.NOT_COMPARED]
    first.mkdir()  # as one of another user: there, and not to be read
    found = [fault for fault in verify.verify(data, server.ctx.trust) if not fault.startswith(("audit:", "origins:"))]
    assert found[0].startswith(f"An archive of the change feed: {first} cannot be read (")
