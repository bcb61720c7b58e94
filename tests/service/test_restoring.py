"""A restore, a first copy and the way back are whole or not at all, at whichever step they are killed."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
import zipfile
from functools import partial
from pathlib import Path
from unittest import mock

import apsw
import pytest

from lts.cli.main import main
from lts.errors import AdminError, DataFolderError
from lts.protocol import DAY_SECONDS
from lts.rules.alerting.attention import HAPPENED
from lts.service.core import identity
from lts.service.folder import placing, restoring
from lts.service.maintenance import attention, doctor, verify
from lts.store.file import database
from tests.support.backedup import TIME, VENDOR, backed_up
from tests.support.killed import every_step, killed_before
from tests.support.kit import FakeTime, Lab, config_for, lab
from tests.support.lines import environment
from tests.support.wait import wait_until


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """See `backed_up`."""
    return backed_up(tmp_path)


def told(server: Lab, *actions: str) -> list[tuple[str, str]]:
    """(action, actor) of these lines of the audit log."""
    return [
        (action, actor)
        for action, actor in server.rows("SELECT action, actor FROM audit ORDER BY origin, serial")
        if action in actions
    ]


def another(place: Path, number: int) -> Path:
    """A copy of the server's folder."""
    return Path(shutil.copytree(place / "origin", place / f"copy-{number}"))


def whole(folder: Path, incarnation: str) -> str:
    """Which content a killed folder has once it is opened again: `old` or `new`, which is checked."""
    with lab(folder, TIME, VENDOR) as server:
        used = server.used()
        assert verify.verify(folder / "data", server.ctx.trust) == []
        server.authorize()
        lines = told(server, "restored")
        if used == 3:
            assert lines == []
            assert server.ctx.identity.incarnation == incarnation
        else:
            assert used == 1
            assert lines == [("restored", "Ann")]
            assert server.ctx.identity.incarnation != incarnation
        assert server.ctx.identity.feed == identity.BEGUN
        assert not server.ctx.identity.causes
    left = {path.name for path in (folder / "data").iterdir()}
    assert not left & {placing.INCOMING, placing.MARKER}
    return "old" if used == 3 else "new"


@pytest.mark.slow
def test_a_restore_killed_at_any_step_leaves_the_old_content_or_the_new_one(place: Path) -> None:
    before = identity.load(place / "origin" / "data").incarnation
    found = []
    for _, folder in every_step(
        lambda n: another(place, n), lambda here: restoring.restore(place / "backup.lts", here / "data", "Ann")
    ):
        found.append(whole(folder, before))
        shutil.rmtree(folder)
    assert set(found) == {"old", "new"}
    assert found == sorted(found, reverse=True), "the old one up to one step, the new one from there on"


@pytest.mark.slow
@pytest.mark.parametrize("undone", [False, True], ids=["restore", "undo"])
def test_until_a_restore_is_finished_nothing_else_is_judged_and_any_command_finishes_it(
    undone: bool, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin, pending = place / "origin", 0
    if undone:
        restoring.restore(place / "backup.lts", origin / "data", "Ann")

    def work(here: Path) -> None:
        if undone:
            restoring.undo(here / "data", "Ann")
        else:
            restoring.restore(place / "backup.lts", here / "data", "Ann")

    for _, here in every_step(lambda n: another(place, n), work):
        data = here / "data"
        if (data / placing.MARKER).exists():
            pending += 1
            what = "Putting back what was replaced" if undone else "A restore"
            words = (
                f"{what} is decided and not finished in {data}. The next start finishes it, and so does `lts status`"
            )
            faults = [one.words for one in doctor.examine(config_for(here)) if one.level != doctor.OK]
            assert [fault.startswith(words) for fault in faults] == [True]
            for command in (["verify"], ["restore", "--list"]):
                assert main(["--data", str(data), *command]) == 1
                said = capsys.readouterr()
                assert said.out == ""
                assert said.err.startswith(f"lts: {words}")
            again = ["verify", "--rebuild-indexes"] if pending % 2 else ["status"]
            assert main(["--data", str(data), *again]) in (0, 1)  # the vendor's key is elsewhere
            assert not (data / placing.MARKER).exists()
            assert "decided" not in capsys.readouterr().err
        shutil.rmtree(here)
    assert pending > 8


@pytest.mark.parametrize("way", ["restore", "undo"])
def test_what_is_in_the_way_of_the_new_identity_is_reported_before_the_decision(way: str, place: Path) -> None:
    data = place / "origin" / "data"
    if way == "undo":
        restoring.restore(place / "backup.lts", data, "Ann")
    part = data / f"{identity.IDENTITY}.part"
    part.mkdir()
    with pytest.raises(AdminError, match=r"identity\.json\.part is a folder; move the folder away"):
        if way == "undo":
            restoring.undo(data, "Ann")
        else:
            restoring.restore(place / "backup.lts", data, "Ann")
    assert not (data / placing.MARKER).exists()
    found = [one.words for one in doctor.examine(config_for(place / "origin")) if one.level == doctor.FAULT]
    assert any(words.startswith(f"{part} is a folder") for words in found)
    part.rmdir()
    with lab(place / "origin", TIME, VENDOR):
        pass


def test_what_is_in_the_way_after_the_decision_is_reported_and_then_it_continues(place: Path) -> None:
    data = place / "origin" / "data"
    with mock.patch.object(placing, "_move", side_effect=OSError(5, "broken", "x")), pytest.raises(DataFolderError):
        restoring.restore(place / "backup.lts", data, "Ann")
    part = data / f"{identity.IDENTITY}.part"
    part.mkdir()
    with pytest.raises(DataFolderError, match=r"identity\.json\.part is a folder; move the folder away"):
        placing.finish(data)
    part.rmdir()
    assert placing.finish(data)


@pytest.mark.slow
def test_what_was_decided_is_finished_however_often_it_is_killed(place: Path) -> None:
    """The restore is killed right after its decision, the next start at each of its steps, the one after continues."""
    before = identity.load(place / "origin" / "data").incarnation
    folder, step = another(place, 0), 0
    while not (folder / "data" / placing.MARKER).exists():
        shutil.rmtree(folder)
        folder, step = another(place, 0), step + 1
        killed_before(step, folder, partial(restoring.restore, place / "backup.lts", folder / "data", "Ann"))
    decided = Path(shutil.copytree(folder, place / "decided"))
    for _, here in every_step(
        lambda n: Path(shutil.copytree(decided, place / f"again-{n}")), lambda here: placing.finish(here / "data")
    ):
        assert whole(here, before) == "new"
        assert (here / "data" / "replaced-1" / "lts.db").exists()
        shutil.rmtree(here)
    starts = 1
    while killed_before(starts, folder, lambda: placing.finish(folder / "data")) is None:
        starts += 1
    assert starts > 5
    assert whole(folder, before) == "new"


@pytest.mark.slow
def test_the_way_back_is_whole_or_not_at_all_and_has_a_way_back(place: Path) -> None:
    folder = another(place, 0)
    data = folder / "data"
    restoring.restore(place / "backup.lts", data, "Ann")
    with lab(folder, TIME, VENDOR) as server:
        server.report(server.authorize().lease, {"QR": 5})
        assert server.used() == 6
    [kept] = restoring.replaced(data)
    assert kept.name == "replaced-1"
    assert kept.action == "restored"
    assert "1 license, 1 handshake code" in kept.words
    restored = Path(shutil.copytree(folder, place / "restored"))
    found = []
    for _, here in every_step(
        lambda n: Path(shutil.copytree(restored, place / f"undone-{n}")),
        lambda here: restoring.undo(here / "data", "Bob"),
    ):
        with lab(here, TIME, VENDOR) as server:
            found.append(server.used())
            assert verify.verify(here / "data", server.ctx.trust) == []
            assert bool(told(server, "restore-undone")) is (found[-1] == 3)
        shutil.rmtree(here)
    assert set(found) == {6, 3}
    assert found == sorted(found, reverse=True)
    assert restoring.undo(data, "Bob").kept == "replaced-2"
    assert restoring.undo(data, "Bob").kept == "replaced-3"
    with lab(folder, TIME, VENDOR) as server:
        assert server.used() == 6
        assert told(server, "restored", "restore-undone") == [("restored", "Ann"), ("restore-undone", "Bob")]
    assert [one.name for one in restoring.replaced(data)] == ["replaced-3"]


def test_there_is_no_way_back_where_nothing_was_replaced_or_what_was_is_not_whole(place: Path) -> None:
    data = place / "origin" / "data"
    with pytest.raises(AdminError, match="Nothing was replaced"):
        restoring.undo(data, "Ann")
    assert restoring.replaced(data) == []
    restoring.restore(place / "backup.lts", data, "Ann")
    with mock.patch.object(database, "open_reader", side_effect=apsw.FullError("full")):
        [told] = restoring.replaced(data)
    assert told.words.endswith("lts.db cannot be written (its disk is full); free some space there.")
    assert "no database" not in told.words
    (data / "replaced-1" / "lts.db").unlink()
    assert "no database that can be read" in restoring.replaced(data)[0].words
    with pytest.raises(AdminError, match=r"lacks lts\.db"):
        restoring.undo(data, "Ann")


@pytest.mark.parametrize("name", ["lts.db", "identity.json", "server.key", "vault.key"])
def test_a_kept_folder_that_lost_a_file_is_not_put_back_in_place_of_a_whole_one(place: Path, name: str) -> None:
    data = place / "origin" / "data"
    restoring.restore(place / "backup.lts", data, "Ann")
    (data / "replaced-1" / name).unlink()
    for which in (None, "replaced-1"):
        with pytest.raises((AdminError, DataFolderError), match=rf"{name.replace('.', '[.]')}"):
            restoring.undo(data, "Ann", which)
    with lab(place / "origin", TIME, VENDOR) as server:
        assert server.used() == 1, "what was restored is still in place"
        assert verify.verify(data, server.ctx.trust) == []


def test_a_refused_restore_leaves_nothing_behind(place: Path) -> None:
    data = place / "origin" / "data"
    before = sorted(data.rglob("*"))
    (place / "bad.lts").write_bytes((place / "backup.lts").read_bytes()[:-200])
    with pytest.raises(AdminError):
        restoring.restore(place / "bad.lts", data)
    assert sorted(data.rglob("*")) == before


PYTHONS = ("'", "CRC", "zip", "Error", "codec", "object", "incoming", "char ", "decompressing")


@pytest.mark.parametrize("how", ["cut", "noise", "bits", "no list", "list of nothing", "list of brackets"])
def test_a_backup_that_is_damaged_is_a_plain_sentence(how: str, place: Path) -> None:
    data, bad, rng = place / "origin" / "data", place / "bad.lts", random.Random(3)
    whole = (place / "backup.lts").read_bytes()
    for number in range(150 if how == "bits" else 1):
        content = bytearray(whole)
        if how == "bits":
            content[rng.randrange(len(content))] ^= 1 << number % 8
        bad.write_bytes({"cut": whole[:-200], "noise": b"PK" + bytes(99)}.get(how, bytes(content)))
        if "list" in how:
            with zipfile.ZipFile(bad, "w") as bundle:
                bundle.writestr("lts.db", b"")
                if how != "no list":
                    bundle.writestr("backup.json", b"null" if "nothing" in how else b"[" * 100_000)
        try:
            restoring.restore(bad, data, called="Standard input")
        except (AdminError, DataFolderError) as error:
            said = error.detail
            assert said.startswith("Standard input "), said
            assert not any(word in said for word in PYTHONS), said
        else:
            assert how == "bits", "of some bits nothing depends"


def test_a_decision_that_cannot_be_read_is_named(place: Path) -> None:
    data = place / "origin" / "data"
    (data / placing.MARKER).write_text(json.dumps({"source": "incoming"}), encoding="utf-8")
    with pytest.raises(Exception, match=placing.MARKER), lab(place / "origin", TIME, VENDOR):
        pass


def noticed(server: Lab) -> dict[str, str]:
    """What home says by code, of what somebody did."""
    return {n.code: n.detail for n in attention.notices(server.ctx, server.time.now) if n.code in HAPPENED}


def test_what_was_done_to_a_server_is_shown_for_a_week(place: Path) -> None:
    folder = place / "origin"
    with lab(folder, TIME, VENDOR) as server:
        assert noticed(server) == {}
    restoring.restore(place / "backup.lts", folder / "data", "Ann")
    clock = FakeTime()
    with lab(folder, clock, VENDOR) as server:
        [(code, detail)] = noticed(server).items()
        assert code == "restored"
        assert "by Ann" in detail
        assert "replaced-1" in detail
        for name in ("clock-reset", "pair-promoted"):
            server.ctx.note_event(name, {}, "Bob")
        assert set(noticed(server)) == {"restored", "clock-reset", "pair-promoted"}
        clock.forward(8 * DAY_SECONDS)
        assert noticed(server) == {}


def test_of_a_restore_and_the_ways_back_the_last_is_shown(place: Path) -> None:
    folder = place / "origin"
    restoring.restore(place / "backup.lts", folder / "data", "Ann")
    clock = FakeTime()
    for _ in range(2):
        clock.forward(60)
        with lab(folder, clock, VENDOR) as server:
            assert len(noticed(server)) == 1
        restoring.undo(folder / "data", "Ann")
    clock.forward(60)
    with lab(folder, clock, VENDOR) as server:
        [(code, detail)] = noticed(server).items()
    [kept] = (folder / "data").glob("replaced-*")
    assert code == "restore-undone"
    assert kept.name in detail


def test_the_way_back_of_a_restore_stays_when_the_folder_is_accepted_later(place: Path) -> None:
    data = place / "origin" / "data"
    restoring.restore(place / "backup.lts", data, "Ann")
    with lab(place / "origin", TIME, VENDOR) as server:
        assert server.used() == 1
    (data / "lts.mark").unlink()
    restoring.accept(data, "Ann")
    restoring.undo(data, "Bob")
    with lab(place / "origin", TIME, VENDOR) as server:
        assert server.used() == 3


def test_what_was_set_aside_where_a_folder_was_accepted_is_no_way_back(place: Path) -> None:
    data = place / "origin" / "data"
    (data / "lts.mark").write_text("{}")
    restoring.accept(data, "Ann")
    [kept] = restoring.replaced(data)
    assert "It holds what did not fit and was set aside when the folder was accepted" in kept.words
    for name in (None, "replaced-1"):
        with pytest.raises(AdminError, match=r"replaced-1 holds what did not fit .*; that cannot be undone"):
            restoring.undo(data, "Ann", name)


def test_what_is_in_the_way_of_a_restore_is_named(place: Path) -> None:
    data = place / "origin" / "data"
    (data / "incoming").write_text("")
    with pytest.raises(AdminError, match=r"incoming is not a folder; move away .*Nothing was restored"):
        restoring.restore(place / "backup.lts", data, "Ann")
    (data / "incoming").unlink()
    (data / "replaced-1").write_text("")
    restoring.restore(place / "backup.lts", data, "Ann")
    assert [one.name for one in restoring.replaced(data)] == ["replaced-2"]


def test_what_is_left_out_is_named_where_a_folder_is_accepted(place: Path) -> None:
    folder = place / "origin" / "data"
    (folder / "vault.key").unlink()
    with pytest.raises(DataFolderError, match=r"vault\.key is missing"):
        restoring.accept(folder, "Ann")


@pytest.mark.slow
def test_a_restore_killed_by_the_system_leaves_the_old_content_or_the_new_one(place: Path) -> None:
    """`kill -9` at moments that nobody chose; the steps are tried one by one above."""
    before = identity.load(place / "origin" / "data").incarnation
    found = []
    dice = random.Random(7)
    command = [sys.executable, "-m", "lts.cli.main", "restore", str(place / "backup.lts"), "--data"]
    environ = {**environment(), "LOGNAME": "Ann", "USERNAME": "Ann"}
    for number in range(6):
        folder = another(place, number)
        with subprocess.Popen([*command, str(folder / "data")], env=environ, stdout=subprocess.DEVNULL) as running:
            held = folder / "data" / "lts.running"
            wait_until(lambda: held.exists() or running.poll() is not None, "it holds the folder, or has ended")  # noqa: B023 - asked at once
            time.sleep(dice.uniform(0, 0.5))
            running.kill()
        found.append(whole(folder, before))
    assert len(found) == 6


def test_what_has_no_identity_that_can_be_read_is_never_put_in_place(place: Path) -> None:
    """It would be decided, and then no start could finish it."""
    data = place / "origin" / "data"
    whole_identity = (data / "identity.json").read_bytes()
    (data / "identity.json").write_bytes(b"noise")
    restoring.restore(place / "backup.lts", data, "Ann")
    with pytest.raises(DataFolderError, match="identity"):
        restoring.undo(data, "Ann")
    assert not (data / placing.MARKER).exists()
    (data / "replaced-1" / "identity.json").write_bytes(whole_identity)
    restoring.undo(data, "Ann")
    with lab(place / "origin", TIME, VENDOR) as server:
        assert server.used() == 3
