"""Copies and archives of a pair's database (docs/design/pair.md, Restored and copied servers)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from lts.errors import PeerError
from lts.protocol import DAY_SECONDS
from lts.service.folder import placing, restoring
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import archives, backups
from lts.service.pair import peermessages
from lts.service.pair.copygiver import CopyGiver
from lts.service.pair.peermessages import CopyRequest
from lts.store.history import archive
from tests.service.conftest import DEVICE, made_once
from tests.support.duet import Duet, copy_of
from tests.support.killed import killed_before
from tests.support.kit import NOON, Vendor, item
from tests.support.picture import counts, picture


def test_a_standby_with_licenses_of_its_own_keeps_them_and_says_what_to_do(tmp_path: Path) -> None:
    duet = copy_of(made_once(), tmp_path / "duet")
    shutil.rmtree(duet.standby.folder / "data")
    (duet.main.folder / "data" / "pair.json").unlink()
    duet.standby.open()
    duet.standby.server.ctx.store.begin_feed(("S", "ab" * 8), "", NOON)
    other = Vendor()
    (duet.standby.folder / "trust" / "o.pub").write_bytes(other.pub)
    data = other.file(duet.standby.server.ctx, item("own", "scan", 5), license_id="7", organization="999")
    licenses.import_license(duet.standby.server.ctx, data, Choice(), "admin", NOON)
    duet.main.open()
    duet.run(20)
    assert any("move its data folder away" in text for text in duet.standby.node.peer.faults.values())
    assert duet.main.answers()
    assert "999-7" in duet.standby.server.ctx.store.catalog.codes
    duet.close()


@pytest.mark.parametrize("where", ["stat", "unlink"])
def test_a_first_copy_that_cannot_be_read_is_refused_by_a_signed_sentence(
    where: str, duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = duet.main.node
    giving = CopyGiver(node.ctx, node.archives)
    real = getattr(Path, where)

    def fail(path: Path, *args: Any, **more: Any) -> Any:
        if path.name.startswith("copy-for-standby") and path.suffix == ".db":
            raise OSError(5, "Input/output error", str(path))
        return real(path, *args, **more)

    request = peermessages.encode(CopyRequest(X25519PrivateKey.generate().public_key().public_bytes_raw()))
    if where == "unlink":
        giving.offer(request)
    with monkeypatch.context() as patch:
        patch.setattr(Path, where, fail)
        if where == "stat":
            with pytest.raises(PeerError, match=r"No copy can be made: Input/output error"):
                giving.offer(request)
            assert not list(node.ctx.store.path.parent.glob("copy-for-standby*")), "its room is given back"
        else:
            giving.offer(request)
    giving.offer(request)
    assert len(list(node.ctx.store.path.parent.glob("copy-for-standby*"))) == 1


def test_what_is_left_of_a_copy_is_removed_by_the_next_start_alone(duet: Duet) -> None:
    left = duet.main.node.ctx.store.path.parent / "copy-for-standby-0.db"
    left.write_bytes(b"left")
    duet.main.node.endpoint()
    assert left.exists(), "asking who answers changes nothing"
    duet.main.close()
    duet.main.open()
    assert not left.exists()


def keep_database(duet: Duet) -> Path:
    """A copy of the main's data folder as it is now."""
    duet.main.close()
    kept = shutil.copytree(duet.main.folder / "data", duet.folder / "kept")
    duet.main.open()
    duet.settle()
    return Path(kept)


def put_back(kept: Path, duet: Duet) -> None:
    """The closed main has its old data folder again."""
    shutil.rmtree(duet.main.folder / "data")
    shutil.copytree(kept, duet.main.folder / "data")


def test_an_old_database_put_back_on_the_main_gets_back_what_the_standby_holds(duet: Duet) -> None:
    kept = keep_database(duet)
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.server.report(lease, {"QR": 8})
    duet.turn()
    duet.main.close()
    put_back(kept, duet)
    duet.main.open()
    duet.settle()
    assert list(counts(duet.main.server).values()) == [8]
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


def test_an_old_database_that_served_alone_numbers_nothing_twice(duet: Duet) -> None:
    kept = keep_database(duet)
    for number in range(3):
        duet.main.server.report(duet.main.server.authorize(None, str(UUID(int=100 + number))).lease, {"X": 1})
    duet.turn()
    duet.main.close()
    duet.standby.close()
    put_back(kept, duet)
    duet.main.open()
    duet.run(20)
    for number in range(3):
        duet.main.server.report(duet.main.server.authorize(None, str(UUID(int=200 + number))).lease, {"Y": 2})
    duet.settle()
    assert sorted(counts(duet.standby.server).values()) == [1, 1, 1, 2, 2, 2]
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert duet.main.faults() == duet.standby.faults() == []


def test_a_backup_restored_on_the_standby_catches_up(duet: Duet) -> None:
    folder = duet.standby.folder / "data"
    bundle = backups.backup(
        duet.standby.server.ctx.store.path, folder, int(duet.time.wall), duet.standby.server.ctx.trust
    )
    duet.main.server.report(duet.main.server.authorize(None, DEVICE).lease, {"QR": 2})
    duet.turn()
    duet.standby.close()
    restoring.restore(bundle, folder)
    duet.standby.open()
    duet.settle()
    assert picture(duet.main.server) == picture(duet.standby.server)


def test_a_standby_long_away_is_served_from_the_archives(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "STRETCH", 10)
    duet.standby.close()
    main = duet.main.server
    for number in range(40):
        main.report(main.authorize(None, str(UUID(int=1000 + number))).lease, {"QR": 1})
    assert archives.archive_old_changes(main.ctx.store, main.ctx.store.path.parent, NOON + 9 * DAY_SECONDS) >= 50
    duet.settle()
    assert len(counts(duet.standby.server)) == 40
    assert duet.standby.faults() == []


@pytest.mark.slow
def test_a_first_copy_killed_at_any_step_is_in_place_or_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = copy_of(made_once(), tmp_path / "original")
    shutil.rmtree(original.standby.folder / "data")
    (original.main.folder / "data" / "pair.json").unlink()
    original.main.open()
    original.run(17)
    original.standby.open()
    original.close()
    number, done, placed = 0, None, []
    while done is None:
        number += 1
        duet = copy_of(original, tmp_path / "duet")
        duet.main.open()
        duet.run(17)
        duet.standby.open()
        assert duet.standby.follower is not None
        monkeypatch.setattr(duet.standby.follower, "_reopen", lambda: None)
        for player in (duet.standby, duet.main):
            player.follow()
        done = killed_before(number, duet.standby.folder / "data", duet.standby.follow)
        duet.standby.close()
        placed.append((duet.standby.folder / "data" / placing.MARKER).exists())
        duet.standby.open()
        assert bool(duet.standby.server.ctx.store.catalog.codes) is placed[-1], "all of it or nothing"
        duet.settle()
        assert picture(duet.main.server) == picture(duet.standby.server)
        mine = duet.standby.server.ctx.identity.uuid
        lines = duet.standby.server.rows(
            "SELECT count(*) FROM audit a JOIN origins o ON o.id = a.origin"
            f" WHERE a.action = 'first-copy' AND o.uuid = '{mine}'"
        )
        assert lines == [(1,)]
        assert not (duet.standby.folder / "data" / placing.INCOMING).exists()
        duet.close()
    assert set(placed) == {False, True}
