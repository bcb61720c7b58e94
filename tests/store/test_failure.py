"""What goes wrong with disks and files (docs/design/architecture.md, Failure)."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from lts.errors import CannotStore, DatabaseDamaged, DataFolderError, Refusal
from lts.server import opened
from lts.service.maintenance import verify
from lts.service.metering.authorize import AuthorizeOutcome
from lts.store.changes.records import EventChange
from lts.store.file import database
from lts.store.file.schema import MIGRATIONS
from lts.store.writing.transaction import Transaction
from tests.store.faulty import Disk
from tests.support.killed import every_step
from tests.support.kit import LABELS, NOON, FakeTime, Vendor, config_for, item, lab
from tests.support.wait import PATIENCE, ended


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk()
    yield made
    made.close()


@pytest.mark.parametrize("fault", [apsw.FullError, apsw.IOError, apsw.ReadOnlyError])
def test_a_full_or_failing_disk_refuses_with_150_and_recovers_by_itself(
    tmp_path: Path, disk: Disk, fault: type[apsw.Error]
) -> None:
    time_, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time_, vendor) as server:
        code = server.load(item(way="device", quota=5, graceQuota=0))
        lease = server.authorize(code).lease
        disk.fault = fault
        for _ in range(3):
            with pytest.raises(CannotStore) as caught:
                server.authorize(code)
            assert caught.value.retry_after
        with pytest.raises(CannotStore):
            server.report(lease, {"QR": 5})
        assert any("Nothing can be stored" in warning.detail for warning in server.ctx.running.warnings.all())
        with pytest.raises(Refusal) as refused:
            server.authorize("nothing")
        assert refused.value.code == 101, "what needs no disk is still answered"
        disk.fault = None
        assert server.live() == 1
        assert server.used() == 0
        server.authorize(code)
        assert server.report(lease, {"QR": 5}).results[0].status == "counted"
        assert not server.ctx.running.warnings.all()
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []


def test_one_failing_operation_does_not_harm_the_others_of_its_group(tmp_path: Path) -> None:
    def bad(tx: Transaction) -> None:
        tx.emit(EventChange("test", "half", {}), NOON)
        raise ZeroDivisionError

    with lab(tmp_path) as server:
        hold, held = threading.Event(), threading.Event()

        def slow(tx: Transaction) -> None:
            held.set()
            hold.wait(PATIENCE)

        leader = threading.Thread(target=lambda: server.ctx.store.write(slow))
        leader.start()
        assert held.wait(PATIENCE)
        before = server.ctx.store.serial
        good = [server.ctx.store.submit(lambda tx: tx.emit(EventChange("test", "good", {}), NOON)) for _ in range(3)]
        wrong = server.ctx.store.submit(bad)
        good += [server.ctx.store.submit(lambda tx: tx.emit(EventChange("test", "good", {}), NOON)) for _ in range(3)]
        hold.set()
        for waiting in good:
            waiting.result()
        with pytest.raises(ZeroDivisionError):
            wrong.result()
        leader.join()
        assert server.ctx.store.serial == before + 6
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []


def test_a_lock_held_for_a_moment_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 1000 * int(PATIENCE))
    with lab(tmp_path) as server:
        code = server.load(item())
        other = apsw.Connection(str(tmp_path / "data" / "lts.db"))
        other.execute("BEGIN IMMEDIATE")
        done: list[AuthorizeOutcome] = []
        waiting = threading.Thread(target=lambda: done.append(server.authorize(code)))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        other.execute("ROLLBACK")
        ended(waiting)
        assert done[0].lease
        other.close()


def test_a_lock_held_for_long_is_150(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 100)
    with lab(tmp_path) as server:
        code = server.load(item())
        other = apsw.Connection(str(tmp_path / "data" / "lts.db"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CannotStore):
            server.authorize(code)
        other.execute("ROLLBACK")
        other.close()
        server.authorize(code)


def use(folder: Path) -> None:
    with lab(folder) as server:
        server.authorize(server.load(item()))


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "torn"])
def test_a_lost_or_damaged_database_is_named_and_never_replaced_by_an_empty_one(tmp_path: Path, damage: str) -> None:
    use(tmp_path)
    path = tmp_path / "data" / "lts.db"
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_bytes(b"not a database" * 1000)
    else:
        path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(DatabaseDamaged) as caught, lab(tmp_path):
        pass
    assert "restore" in caught.value.detail
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_lost_identity_or_key_is_named(tmp_path: Path) -> None:
    use(tmp_path)
    for name in ("server.key", "vault.key", "identity.json"):
        kept = (tmp_path / "data" / name).read_bytes()
        (tmp_path / "data" / name).unlink()
        with pytest.raises(DataFolderError) as caught, lab(tmp_path):
            pass
        assert name in caught.value.detail
        (tmp_path / "data" / name).write_bytes(kept)
    with lab(tmp_path):
        pass


@pytest.mark.slow
def test_a_first_start_killed_at_any_step_begins_again(tmp_path: Path) -> None:
    def folder(number: int) -> Path:
        made = tmp_path / f"start-{number}"
        made.mkdir()
        return made

    def start(here: Path) -> None:
        with lab(here):
            pass

    for _, here in every_step(folder, start):
        gc.collect()  # what the killed process held
        with lab(here) as server:
            assert server.ctx.store.serial >= 1
            server.authorize(server.load(item()))


@pytest.mark.parametrize(
    "left", ["lts.mark", "server.key", "vault.key", "lts.db-wal", "archive/a.ltsa", "replaced-1/x"]
)
def test_no_server_begins_where_something_of_another_is_left(tmp_path: Path, left: str) -> None:
    (tmp_path / "data" / left).parent.mkdir(parents=True)
    (tmp_path / "data" / left).write_bytes(b"something")
    with pytest.raises(DataFolderError, match="was in use") as caught, lab(tmp_path):
        pass
    assert "restore" in caught.value.detail
    assert not (tmp_path / "data" / "identity.json").exists()


def test_an_older_program_refuses_a_newer_database_untouched(tmp_path: Path) -> None:
    use(tmp_path)
    path = tmp_path / "data" / "lts.db"
    db = apsw.Connection(str(path))
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(DatabaseDamaged) as caught, lab(tmp_path):
        pass
    assert "newer" in caught.value.detail
    assert path.read_bytes() == before


def test_a_failed_migration_leaves_the_old_schema_and_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(tmp_path)
    monkeypatch.setattr(database, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (x); SELECT * FROM nowhere"))
    with pytest.raises(apsw.SQLError), lab(tmp_path):
        pass
    assert (tmp_path / "data" / f"lts-schema{len(MIGRATIONS)}.db").exists()
    monkeypatch.undo()
    with lab(tmp_path) as server:
        assert server.rows("SELECT count(*) FROM sqlite_master WHERE name = 'more'") == [(0,)]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="drops rights, which only root can")
def test_a_folder_without_rights_names_path_and_user(tmp_path: Path) -> None:
    place = tmp_path / "data"
    place.mkdir(mode=0o500)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            tmp_path.chmod(0o755)
            os.seteuid(65534)
            try:
                with opened(config_for(tmp_path), read_labels=lambda: LABELS):
                    pass
            except DataFolderError as error:
                code = 0 if str(place) in error.detail and "65534" in error.detail else 2
        finally:
            os._exit(code)
    # 0 only when the sentence named both; pytest's folders above are closed to others, which is refused the same way
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
