"""Parts of a data folder: what is said of one that cannot be used, backups, and what was put in place of it."""

from __future__ import annotations

import errno
import json
import os
import random
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from lts import plainfile, whoami
from lts.errors import AdminError, DatabaseDamaged, DataFolderError, DataFolderLocked
from lts.protocol import DAY_SECONDS
from lts.service.core import identity
from lts.service.core.trust import TrustStore
from lts.service.folder import contents, datafolder, folderstate, mark, placing, restoring
from lts.service.maintenance import backups, doctor, heads, verify
from lts.store.changes import feed
from lts.store.file.watermark import Watermark
from tests.support.damage import flip
from tests.support.kit import NOON, Lab, item, lab


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, r"\(its disk: .*\); mount it so that it can be written\.$"),
        (errno.ENOSPC, r"\(its disk: .*\); free some space there\.$"),
        (errno.EDQUOT, r"\(its disk: .*\); free some space there\.$"),
        (errno.EACCES, "cannot be written by .*; give that user the rights, or set dataDir to a folder of its own"),
    ],
)
def test_why_a_folder_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    for name in ("mkdir", "open"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, name, refuse)
            with pytest.raises(DataFolderError, match=words):
                datafolder.DataFolder.hold(tmp_path)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "is not open to"),
        (errno.ENOTDIR, "is not a folder"),
        (errno.EISDIR, "cannot be opened"),
        (errno.ENOENT, None),
    ],
)
def test_the_message_says_why_nobody_can_know_whether_a_server_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str | None
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / datafolder.LOCK).touch()
    monkeypatch.setattr(plainfile, "check", refuse)
    if words is None:
        assert datafolder.running_server(tmp_path) is None
        return
    with pytest.raises(DataFolderError, match=words):
        datafolder.running_server(tmp_path)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"USERNAME": "jane", "USER": "joe"}, 'the user "jane" (uid 7)'),
        ({"USER": "joe"}, 'the user "joe" (uid 7)'),
        ({}, "uid 7"),
    ],
)
def test_a_user_is_named_by_name_and_number(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], words: str) -> None:
    for name in ("USERNAME", "USER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.geteuid", lambda: 7, raising=False)
    assert whoami.user_name() == words
    monkeypatch.delattr("os.geteuid")
    assert whoami.user_name() == (words.split(" (")[0] if env else "this user")


@pytest.mark.parametrize("note", ["", "[]", "{", None])
def test_a_note_that_says_nothing_is_no_fault(tmp_path: Path, note: str | None) -> None:
    with pytest.raises(DataFolderError, match="The server's token"):
        datafolder.read_token(tmp_path)
    held = datafolder.DataFolder.hold(tmp_path)
    try:
        assert len(held.new_token()) == len(datafolder.read_token(tmp_path)) == 43
        held.announce("http://127.0.0.1:1")
        assert datafolder.running_server(tmp_path) == {"pid": os.getpid(), "address": "http://127.0.0.1:1"}
        (tmp_path / datafolder.NOTE).unlink()
        if note is not None:
            (tmp_path / datafolder.NOTE).write_text(note)
        assert datafolder.running_server(tmp_path) == {}
    finally:
        held.release()
    assert datafolder.running_server(tmp_path) is None
    assert not (tmp_path / datafolder.TOKEN).exists()
    held.release()  # again does nothing


@pytest.mark.parametrize(("left", "unclean"), [(False, False), (True, True)])
def test_a_folder_that_was_not_closed_properly_is_reported(tmp_path: Path, *, left: bool, unclean: bool) -> None:
    if left:
        (tmp_path / datafolder.NOTE).write_text("{}")
    held = datafolder.DataFolder.hold(tmp_path / ("" if left else "deep/er"))
    assert held.unclean is unclean
    held.release()


@pytest.mark.parametrize(("lost", "words"), [(["a"], "a is gone"), (["a", "b"], "a and 1 more are gone"),
                                            (["a", "b", "c"], "a and 2 more are gone")])  # fmt: skip
def test_archives_that_are_gone_are_counted(tmp_path: Path, lost: list[str], words: str) -> None:
    assert words in folderstate.archive_words(tmp_path, lost)


@pytest.mark.parametrize(("time", "words"), [(0, "changes, the last."), (NOON, "the last of 2026-11-25T12:17:43Z.")])
def test_an_older_database_says_what_it_lacks(tmp_path: Path, time: int, words: str) -> None:
    found = folderstate._older(tmp_path, Watermark(1, (), time), has_log=True)
    assert found.endswith(words)
    assert "left out when the folder was copied" not in found
    assert "left out when the folder was copied" in folderstate._older(tmp_path, Watermark(1, (), time), has_log=False)


def test_a_mark_comes_back_as_it_was_written_and_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Watermark(3, (("UUID", "incarnation", 7, b"\x01\x02"),), NOON)
    assert mark.read(tmp_path) is None
    kept = mark.Mark(tmp_path)
    assert kept.keep(lambda: said)
    assert mark.read(tmp_path) == said
    (tmp_path / mark.FILE).unlink()
    assert kept.keep(lambda: said)
    assert mark.read(tmp_path) is None  # it states nothing new
    with monkeypatch.context() as patch:
        patch.setattr(mark, "write_private", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        assert not kept.keep(lambda: replace(said, time=1))
    for damaged in ("", "{}", '{"positions": [[1]]}', '{"generation": 1, "time": 1, "positions": 7}'):
        (tmp_path / mark.FILE).write_text(damaged)
        with pytest.raises(ValueError, match=r".*"):
            mark.read(tmp_path)


def test_what_is_replaced_goes_to_a_folder_with_the_next_number(tmp_path: Path) -> None:
    assert placing.next_kept(tmp_path) == "replaced-1"
    for name in ("replaced-2", "replaced-10", "replaced-x", "replaced-", "replaced-\u0663"):
        (tmp_path / name).mkdir()
    assert placing.numbers(tmp_path) == [2, 10]
    assert placing.next_kept(tmp_path) == "replaced-11"


@pytest.mark.parametrize(
    ("name", "good"),
    [("lts.db", True), ("pair.json", True), ("trust/a.pub", True), ("archive/a.ltsa", True), ("other", False),
     ("trust/..", False), ("trust/.", False), ("trust/", False), ("trust/a/b", False), ("../lts.db", False),
     ("trust/a\\b", False), ("trust/c:d", False), ("/lts.db", False)],
)  # fmt: skip
def test_a_backup_puts_nothing_beside_its_place(tmp_path: Path, name: str, *, good: bool) -> None:
    source = tmp_path / "backup.lts"
    with zipfile.ZipFile(source, "w") as bundle:
        bundle.writestr(contents.MANIFEST, json.dumps({"files": {name: ""}}))
    with zipfile.ZipFile(source) as bundle:
        if good:
            assert list(restoring._checked_names(bundle, str(source))) == [name]
            return
        with pytest.raises(AdminError, match="is not a backup of LTS"):
            restoring._checked_names(bundle, str(source))


def test_a_backup_is_whole_private_and_named_by_its_time(server: Lab, tmp_path: Path) -> None:
    server.load(item())
    folder = tmp_path / "data"
    made = backups.backup(folder / "lts.db", folder, NOON, server.ctx.trust)
    assert made.parent == folder / "backups"
    assert sys.platform == "win32" or (folder / "lts.db").stat().st_mode & 0o777 == 0o600
    assert made.name.startswith("20261125T121743Z-")
    assert len(made.name) == len("20261125T121743Z-") + 8 + len(".lts")
    assert sys.platform == "win32" or (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (
        0o600, 0o700,
    )  # fmt: skip
    with zipfile.ZipFile(made) as bundle:
        names = set(bundle.namelist())
        manifest = json.loads(bundle.read(contents.MANIFEST))
    assert names == {*manifest["files"], contents.MANIFEST}
    assert {"lts.db", identity.IDENTITY, identity.KEY, "vault.key"} < names
    assert verify.verify_backup(made, tmp_path / "nowhere") == []
    assert sorted(path.name for path in made.parent.iterdir()) == [made.name]


@pytest.mark.parametrize("later", [0, DAY_SECONDS])
def test_the_head_of_the_feed_is_signed_once_a_day(server: Lab, later: int) -> None:
    for at in (NOON, NOON + 60, NOON + later, NOON + later + 60):
        server.ctx.note_event("test", {"at": at})
        heads.sign_head(server.ctx, at)
    with server.ctx.store.reader() as db:
        signed = feed.heads(db)
    assert [head.time for head in signed] == sorted({NOON, NOON + later})
    me = server.ctx.identity
    for head in signed:
        statement = feed.head_statement(me.uuid, me.incarnation, head.serial, head.hash)
        me.key.public.verify(head.signature, statement)


def test_a_license_of_a_vendor_that_is_not_trusted_any_more_is_a_fault(server: Lab, tmp_path: Path) -> None:
    server.load(item())
    empty = tmp_path / "empty"
    empty.mkdir()
    found = verify.verify(tmp_path / "data", TrustStore(empty, empty))
    assert found == ["licenses: 100 is signed by a key that is not in the trust store."]


def test_doctor_looks_for_a_place_where_a_folder_can_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(0o700)
    assert doctor._to_be_made(tmp_path / "deep" / "er").level == doctor.OK
    assert doctor._to_be_made(file / "deep" / "er").level == doctor.FAULT


@pytest.mark.parametrize(("times", "after", "held"), [(3, 0.0, True), (1, 0.4, True), (2, 0.6, False)])
def test_a_command_that_only_looks_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, after: float, *, held: bool
) -> None:
    now, locked = [100.0], [times]

    def try_lock(descriptor: int) -> bool:
        now[0] += after
        locked[0] -= 1
        return locked[0] < 0

    monkeypatch.setattr(plainfile, "try_lock", try_lock)
    monkeypatch.setattr("lts.service.folder.datafolder.time.monotonic", lambda: now[0])
    monkeypatch.setattr("lts.service.folder.datafolder.time.sleep", lambda seconds: None)
    if held:
        datafolder.DataFolder.hold(tmp_path).release()
        return
    with pytest.raises(DataFolderLocked):
        datafolder.DataFolder.hold(tmp_path)


@pytest.mark.parametrize("stray", [False, True])
def test_no_damaged_database_is_accepted_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stray: bool
) -> None:
    with lab(tmp_path) as here:
        here.load(item(way="device", quota=50))
        for _ in range(6):
            here.authorize()
    data = tmp_path / "data"
    flip(data / "lts.db", "devices_by_uuid", random.Random(1))
    monkeypatch.setattr(folderstate, "examine", lambda folder: folderstate.Untrue("It is.", stray=stray))
    with pytest.raises(DatabaseDamaged, match="devices_by_uuid"):
        restoring.accept(data, "Ann")
    assert not list(data.glob("replaced-*"))
