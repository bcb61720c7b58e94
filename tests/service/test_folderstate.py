"""A data folder that was not copied whole is named at start, and never served as if nothing was lost."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from lts.cli.main import main
from lts.errors import AdminError, DataFolderError
from lts.service.core import identity
from lts.service.core.trust import TrustStore
from lts.service.folder import folderstate, mark, restoring
from lts.service.maintenance import archives, doctor, verify
from lts.store.file import checkpoints
from lts.store.history import archive
from lts.store.store import prepare
from tests.support.killed import killed_now, work
from tests.support.kit import NOON, FakeTime, Vendor, config_for, item, lab
from tests.support.olddatabase import turn_to_schema
from tests.support.partcopy import all_of, cut, flipped, part, without, written

TIME, VENDOR = FakeTime(), Vendor()


@pytest.fixture
def early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`early/` and `late/`: one server killed at two moments, with two generations of the log between; `before/` is a
    little before `late/`, in the log's same generation; `other/` is another server. All have a log."""
    monkeypatch.setattr(checkpoints, "WAL_PAGES", 40)
    with lab(tmp_path / "made", TIME, VENDOR) as server:
        server.load(item(quota=10_000))
        work(server, 1)
        killed_now(server, tmp_path / "early")
        begun = server.ctx.store.watermark().generation
        while server.ctx.store.watermark().generation < begun + 3:
            work(server, 1)
        monkeypatch.setattr(checkpoints, "WAL_PAGES", 4000)
        killed_now(server, tmp_path / "before")
        work(server, 1, 4)
        server.ctx.keep_mark()
        killed_now(server, tmp_path / "late")
        assert server.ctx.store.watermark().generation == begun + 3
    with lab(tmp_path / "else", TIME, VENDOR) as other:
        other.load(item(quota=10_000))
        work(other, 1, 3)
        killed_now(other, tmp_path / "other")
    monkeypatch.undo()
    yield tmp_path


@pytest.fixture(autouse=True)
def made(tmp_path: Path) -> None:
    """Folders for servers."""
    for name in ("made", "else"):
        (tmp_path / name).mkdir()


LOG = "lts.db-wal"
DAMAGED = "changes that were stored after that cannot be read"
OLDER, STRAY, OTHER = "is older than lts.mark", "does not belong to the lts.db", "is not the database that lts.mark"
APART, NO_MARK = "do not belong together", "lts.mark is missing"
COPIES: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "without its log": (without(LOG), OLDER),
    "without its log and its mark": (without(LOG, "lts.mark"), NO_MARK),
    "without its mark": (without("lts.mark"), NO_MARK),
    "with a log of before": (part(LOG, "early"), STRAY),
    "with a log of a moment before": (part(LOG, "before"), OLDER),
    "with the database of before under a newer log": (part("lts.db", "early"), STRAY),
    "with another server's log": (part(LOG, "other"), STRAY),
    "with the database of before": (all_of(part("lts.db", "early"), part(LOG, "early")), OLDER),
    "with another server's database": (all_of(part("lts.db", "other"), part(LOG, "other")), OTHER),
    "with the log half": (cut(LOG, lambda size: size // 2), OLDER),
    "with a log of nothing": (cut(LOG, lambda size: 0), OLDER),
    "with a bit of the log turned over": (flipped(LOG, lambda size: 32 + 4120 + 500), DAMAGED),
    "with a bit of the log's header turned over": (flipped(LOG, lambda size: 17), DAMAGED),
    "with another server's identity": (
        all_of(part("identity.json", "other"), part("server.key", "other")), APART),
    "with a mark that is noise": (written("lts.mark", b"\0" * 100), "lts.mark is damaged"),
    "with a mark of brackets": (written("lts.mark", b"[" * 100_000), "lts.mark is damaged (it is not what LTS wrote)"),
    "with a mark of nothing": (written("lts.mark", b"null"), "lts.mark is damaged (it is not what LTS wrote)"),
    "with a mark cut off": (cut("lts.mark", lambda size: size // 2), "lts.mark is damaged"),
}  # fmt: skip
LOST: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "with the database half": (cut("lts.db", lambda size: size // 2), "lts.db is "),
    "without the database": (without("lts.db"), "lts.db is missing"),
    "without the database and its log": (without("lts.db", LOG), "lts.db is missing"),
    "with a database of nothing": (cut("lts.db", lambda size: 0), "lts.db is empty"),
    "without its identity": (without("identity.json"), "identity.json is missing"),
    "without its identity and its database": (without("identity.json", "lts.db", LOG), "identity.json is missing"),
    "without its key": (without("server.key"), "server.key is missing"),
    "with another server's key": (part("server.key", "other"), "server.key is not this server's"),
    "with another server's vault key": (part("vault.key", "other"), "vault.key is not this server's"),
}


def refused(folder: Path) -> str:
    """What a start says that serves nobody, and changes nothing."""
    passing = ("lts.db-shm", "lts.running", "lts.lock", "cli.token")
    before = {p: p.read_bytes() for p in (folder / "data").iterdir() if p.name not in passing and p.is_file()}
    with pytest.raises(DataFolderError) as caught, lab(folder, TIME, VENDOR):
        pass
    for path, content in before.items():
        assert path.read_bytes() == content, path
    return caught.value.detail


def faults(folder: Path) -> list[str]:
    """What `lts doctor` says is to be mended."""
    return [one.words for one in doctor.examine(config_for(folder)) if one.level == doctor.FAULT]


def verified(folder: Path) -> list[str]:
    """What `lts verify` says while no server runs."""
    trust = TrustStore(folder / "trust", folder / "data")
    return verify.verify_folder(folder / "data", trust, lambda done: None, in_use=False)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_that_is_not_whole_is_named_and_goes_on_only_as_it_is(how: str, early: Path) -> None:
    spoil, words = COPIES[how]
    folder = early / "late"
    before = identity.load(folder / "data").incarnation
    spoil(folder / "data", early)
    said = refused(folder)
    assert words in said, said
    assert "`lts backup`" in said
    if "mark is damaged" in words:
        first, second = said.index("database itself is whole: continue with it"), said.index("`lts restore BACKUP`")
        assert first < said.index("`lts restore --accept-as-is`.") < second
    else:
        assert said.endswith("`lts restore --accept-as-is`.")
    assert any(words in fault for fault in faults(folder)), "doctor says it too"
    assert verified(folder) == [said], "and lts verify"
    assert refused(folder) == said, "looking changes nothing"
    done = restoring.accept(folder / "data", "Ann")
    with lab(folder, TIME, VENDOR) as server:
        assert server.ctx.identity.incarnation != before
        [(found, actor)] = server.rows("SELECT detail, actor FROM audit WHERE action = 'folder-accepted'")
        assert actor == "Ann"
        assert words.split()[-1] in found
        assert verify.verify(folder / "data", server.ctx.trust) == []
        if server.ctx.store.catalog.codes and "another server" not in how:
            work(server, 1)
    assert done.kept == "replaced-1"
    with lab(folder, TIME, VENDOR):
        pass
    with pytest.raises(AdminError, match="is whole"):
        restoring.accept(folder / "data", "Ann")


def test_a_bit_of_the_mark_turned_over_is_damage_of_the_mark(early: Path) -> None:
    data = early / "late" / "data"
    whole = (data / "lts.mark").read_bytes()
    assert folderstate.untrue(data) is None
    seen = {"told": 0, "nothing": 0}
    for at in range(len(whole)):
        content = bytearray(whole)
        content[at] ^= 1 << at % 7
        (data / "lts.mark").write_bytes(content)
        found = folderstate.examine(data)
        assert found is None or "lts.mark is damaged" in found.sentence, (at, found)
        seen["nothing" if found is None else "told"] += 1
    assert seen["nothing"] < 20, "a space, or a letter of the digest's name"
    early_mark = {name: value for name, value in json.loads(whole).items() if name != "digest"}
    (data / "lts.mark").write_bytes(json.dumps(early_mark).encode())
    assert folderstate.untrue(data) is None, "those of before have none"


def test_an_identity_of_an_earlier_incarnation_is_named_and_the_folder_goes_on_as_a_new_one(early: Path) -> None:
    folder = early / "late"
    data = folder / "data"
    old = (data / "identity.json").read_bytes()
    seen = {identity.load(data).incarnation}
    (data / "lts.mark").unlink()
    restoring.accept(data, "Ann")
    with lab(folder, TIME, VENDOR) as server:
        work(server, 1)
        seen.add(server.ctx.identity.incarnation)
    (data / "identity.json").write_bytes(old)
    said = refused(folder)
    assert "identity.json is older than the lts.db next to it" in said
    assert said in faults(folder)
    assert verified(folder) == [said]
    restoring.accept(data, "Bob")
    with lab(folder, TIME, VENDOR) as server:
        assert server.ctx.identity.incarnation not in seen
        told = server.rows("SELECT actor FROM audit WHERE action = 'folder-accepted' ORDER BY origin, serial")
        assert told == [("Ann",), ("Bob",)]
        assert verify.verify(data, server.ctx.trust) == []


@pytest.mark.parametrize("how", LOST)
def test_a_folder_without_what_it_needs_is_named_and_only_a_backup_helps(how: str, early: Path) -> None:
    spoil, words = LOST[how]
    folder = early / "late"
    spoil(folder / "data", early)
    said = refused(folder)
    assert words in said, said
    assert "restore" in said
    if "key" in how:
        assert any(words in fault for fault in faults(folder)), "doctor says it too"
    for ask in (verified, lambda place: restoring.accept(place / "data", "Ann")):
        with pytest.raises(DataFolderError, match=re.escape(words)):
            ask(folder)
    assert refused(folder) == said


def test_a_killed_server_goes_on_with_all_it_had(early: Path) -> None:
    counts = []
    for name in ("early", "before", "late"):
        with lab(early / name, TIME, VENDOR) as server:
            counts.append(server.used())
            assert verify.verify(early / name / "data", server.ctx.trust) == []
    assert counts == sorted(set(counts))


def test_what_is_lost_with_a_stray_log_is_nothing_that_the_mark_knew(early: Path) -> None:
    """The log of before beside the database of now: the database continues without it, and is as the mark says."""
    said = mark.read(early / "late" / "data")
    part(LOG, "early")(early / "late" / "data", early)
    folderstate_found = folderstate.examine(early / "late" / "data")
    assert folderstate_found is not None
    assert folderstate_found.stray
    restoring.accept(early / "late" / "data", "Ann")
    assert (early / "late" / "data" / "replaced-1" / LOG).exists()
    with lab(early / "late", TIME, VENDOR) as server:
        assert said is not None
        assert server.ctx.store.watermark().time >= said.time - 1


def test_a_damaged_log_keeps_what_is_before_the_damage_and_lies_whole_in_what_was_replaced(early: Path) -> None:
    data = early / "late" / "data"

    def half(size: int) -> int:
        return 32 + (size - 32) // 4120 // 2 * 4120 + 60

    mark_before = (early / "before" / "data" / "lts.mark").read_bytes()
    (data / "lts.mark").write_bytes(mark_before)  # nothing but the log itself tells of what is lost
    flipped(LOG, half)(data, early)
    content = (data / LOG).read_bytes()
    assert DAMAGED in refused(early / "late")
    restoring.accept(data, "Ann")
    assert (data / "replaced-1" / LOG).read_bytes() == content
    assert (data / LOG).read_bytes() == content[: half(len(content)) - 60]
    assert not faults(early / "late")
    with lab(early / "late", TIME, VENDOR) as server:
        work(server, 1, 2)
        killed_now(server, early / "again")
    assert folderstate.check(early / "again" / "data") is False, "what lay behind the damage is gone from the log"


def test_a_damaged_log_that_is_in_the_database_already_is_set_aside_whole(early: Path) -> None:
    data = early / "late" / "data"
    content = (data / LOG).read_bytes()
    db = apsw.Connection(str(data / "lts.db"))
    with contextlib.closing(db):
        assert db.execute("SELECT count(*) FROM changes").get
        pages, done = db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        assert pages == done > 5
        (data / "kept").write_bytes((data / "lts.db").read_bytes())
    (data / "kept").replace(data / "lts.db")
    (data / LOG).write_bytes(content)
    flipped(LOG, lambda size: 32 + 4120 + 500)(data, early)
    assert DAMAGED in refused(early / "late")
    restoring.accept(data, "Ann")
    assert not (data / LOG).exists()
    with lab(early / "late", TIME, VENDOR) as server, lab(early / "before", TIME, VENDOR) as before:
        assert server.used() == before.used() + 4


@pytest.mark.parametrize("when", ["stopped", "killed before it began its feed", "restored", "moved"])
def test_a_folder_of_the_first_release_gets_a_mark_at_its_first_start(when: str, tmp_path: Path) -> None:
    data = first_release(tmp_path / "made")
    if when != "stopped":
        known = identity.load(data)
        uuid = "NEW" if when == "moved" else known.uuid
        previous = (known.uuid,) if when == "moved" else ()
        identity._save(data, identity.Identity(uuid, known.key, known.labels, "ab" * 8, previous))
    with lab(tmp_path / "made", TIME, VENDOR):
        assert mark.read(data) is not None
        assert identity.load(data).feed == identity.BEGUN
    (data / "lts.mark").unlink()
    assert NO_MARK in refused(tmp_path / "made")


def first_release(folder: Path) -> Path:
    """A data folder as LTS 0.1.0 left it: no mark, and an identity that says nothing of its feed."""
    with lab(folder, TIME, VENDOR) as server:
        server.load(item())
        work(server, 1)
    data = folder / "data"
    (data / "lts.mark").unlink()
    known = identity.load(data)
    identity._save(data, identity.Identity(known.uuid, known.key, known.labels, known.incarnation))
    db = apsw.Connection(str(data / "lts.db"))
    db.execute("DELETE FROM meta WHERE name = 'generation'")
    db.close()
    turn_to_schema(data / "lts.db", 3)
    return data


def test_a_folder_of_the_first_release_without_its_log_is_named_where_nothing_else_is_left(tmp_path: Path) -> None:
    data = first_release(tmp_path / "made")
    (data / "lts.db").unlink()
    prepare(data, create=True)
    assert "holds nothing though this data folder was in use" in refused(tmp_path / "made")
    restoring.accept(data, "Ann")
    with lab(tmp_path / "made", TIME, VENDOR):
        pass


def test_an_archive_that_is_gone_is_named_at_start_and_by_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "STRETCH", 4)
    with lab(tmp_path / "made", TIME, VENDOR) as server:
        server.load(item())
        work(server, 1, 8)
        assert archives.archive_old_changes(server.ctx.store, server.config.data_dir, NOON + 9 * 86400) >= 8
        assert not faults(tmp_path / "made")
    lost = sorted((tmp_path / "made" / "data" / "archive").iterdir())[0]
    kept = lost.read_bytes()
    lost.unlink()
    with lab(tmp_path / "made", TIME, VENDOR) as server:
        [notice] = [one for one in server.ctx.running.warnings.all() if one.code == "archive-lost"]
        assert lost.name in notice.detail
        server.authorize()
    assert any(lost.name in fault for fault in faults(tmp_path / "made"))
    lost.write_bytes(kept)
    with lab(tmp_path / "made", TIME, VENDOR) as server:
        assert not server.ctx.running.warnings.all()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_mark_that_this_user_may_not_read_is_no_reason_to_go_on_without_it(tmp_path: Path) -> None:
    with lab(tmp_path / "made", TIME, VENDOR):
        pass
    (tmp_path / "made" / "data" / "lts.mark").chmod(0)
    assert "--accept-as-is" not in refused(tmp_path / "made")


@pytest.mark.parametrize("left", [1, 99, 100, 511, 512, 4095, 4096, 5000, 8192, -4096, -1])
def test_a_database_of_a_stopped_server_that_was_cut_off_is_called_that(
    left: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with lab(tmp_path / "made", FakeTime(), VENDOR) as here:
        here.load(item(quota=10_000))
    file = tmp_path / "made" / "data" / "lts.db"
    whole = file.stat().st_size
    os.truncate(file, left % whole)
    said = f"lts.db is cut off after {left % whole:,} of "
    assert said in refused(tmp_path / "made")
    for command in ("verify", "doctor", "status"):
        assert main([command, "--data", str(file.parent)]) == 1
        assert said in "".join(capsys.readouterr())
