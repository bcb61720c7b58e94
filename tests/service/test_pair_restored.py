"""Backups and copies put back in a pair, of the wrong server or from before a change of the pair itself
(docs/design/pair.md, Restored and copied servers)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from lts.errors import AdminError
from lts.rules.licensing.vendorkey import fingerprint
from lts.service.core import identity
from lts.service.core.pinned import PinnedFile
from lts.service.folder import restoring
from lts.service.maintenance import attention, backups
from tests.service.conftest import with_one_item
from tests.service.test_promoted import ANOTHER, new_machine, promote, restart
from tests.support.duet import LABELS, URLS, Duet, Player, copy_of, in_step
from tests.support.fulldisk import run
from tests.support.picture import counts, picture

DEVICE = str(UUID(int=77))


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def backup(player: Player, name: str) -> Path:
    """A backup of a server that runs, in a file of this name beside its folder."""
    made = backups.backup(
        player.server.ctx.store.path, player.folder / "data", player.clock.now, player.server.ctx.trust
    )
    return made.rename(player.folder.parent / name)


def put_back(player: Player, source: Path, *, of: Player | None = None) -> None:
    """The server starts with a backup; one `of` another server in an empty folder, on a machine that is the same."""
    player.close()
    if of is not None:
        new_machine(player)
        (player.folder / "data").mkdir()
        player.labels = LABELS[of.name]
    restoring.restore(source, player.folder / "data", "Ann")
    player.open()


def faults(player: Player) -> set[str]:
    return set(player.node.peer.faults)


@pytest.mark.parametrize("of", ["main", "standby"])
def test_the_other_servers_backup_is_refused_and_changes_nothing(duet: Duet, of: str) -> None:
    theirs, mine = duet.players if of == "main" else duet.players[::-1]
    made, uuid = backup(theirs, "theirs.lts"), theirs.server.ctx.identity.uuid
    mine.close()
    before = sorted(path.name for path in (mine.folder / "data").iterdir())
    with pytest.raises(AdminError, match=f"backup of the other server of the pair, {uuid}; restore it on that server"):
        restoring.restore(made, mine.folder / "data", "Ann")
    assert sorted(path.name for path in (mine.folder / "data").iterdir()) == before
    duet.settle()


def test_the_old_mains_backup_is_refused_by_the_promoted_one(duet: Duet) -> None:
    made = backup(duet.main, "theirs.lts")
    promote(duet)
    duet.standby.close()
    with pytest.raises(AdminError, match="the other server of the pair"):
        restoring.restore(made, duet.standby.folder / "data", "Ann")


def test_a_pair_file_that_cannot_be_read_keeps_no_backup_out(duet: Duet) -> None:
    made = backup(duet.main, "mine.lts")
    duet.main.close()
    (duet.main.folder / "data" / "pair.json").write_bytes(b"noise")
    restoring.restore(made, duet.main.folder / "data", "Ann")
    duet.settle()


@pytest.mark.parametrize("machine", ["the same", "another"])
def test_a_main_that_came_up_as_its_standby_never_serves_beside_it(duet: Duet, machine: str) -> None:
    made = backup(duet.standby, "theirs.lts")
    assert duet.main.stop()
    put_back(duet.main, made, of=duet.standby if machine == "the same" else duet.main)
    run(duet, 40.0)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    [sentence] = [text for code, text in duet.main.node.peer.faults.items() if code == "peer-twin"]
    assert f"with this server's identity runs at {URLS['standby']}" in sentence
    duet.cut = True
    duet.run(40)
    duet.cut = False
    run(duet, 5.0)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True), "nor after a cut, when it would go on"


def test_a_twin_that_serves_nobody_is_no_reason_to_serve_nobody(duet: Duet) -> None:
    made = backup(duet.standby, "theirs.lts")
    duet.close()
    put_back(duet.main, made, of=duet.standby)
    duet.standby.open()
    run(duet, 40.0)
    assert (duet.main.answers(), duet.standby.answers()) == (True, False)
    assert [faults(player) & {"peer-twin", "peer-self"} for player in duet.players] == [{"peer-twin"}] * 2


@pytest.mark.parametrize("machine", ["the same", "another"])
def test_a_standby_that_came_up_as_its_main_serves_neither_beside_it_nor_after_it(duet: Duet, machine: str) -> None:
    made = backup(duet.main, "theirs.lts")
    put_back(duet.standby, made, of=duet.main if machine == "the same" else duet.standby)
    run(duet, 10.0)
    assert duet.main.answers()
    assert "peer-twin" in faults(duet.standby)
    assert duet.standby.node.contact.stopped
    duet.main.close()
    duet.run(40)
    assert not duet.standby.answers()


@pytest.mark.parametrize("of", ["main", "standby"])
def test_a_twin_that_is_gone_again_keeps_nobody_from_taking_over(duet: Duet, of: str) -> None:
    """A copy of one server's folder serves in the other's place for a while."""
    own, place = duet.players if of == "main" else duet.players[::-1]
    duet.close()
    kept = shutil.copytree(place.folder / "data", duet.folder / "kept")
    shutil.rmtree(place.folder / "data")
    shutil.copytree(own.folder / "data", place.folder / "data")
    labels, place.labels = place.labels, LABELS[own.name]
    place.open()
    place.node.leadership.serve("alone")
    own.open()
    run(duet, 20.0)
    assert own.node.peer.is_copied
    assert "is started again" in own.node.peer.faults["peer-twin"]
    place.close()
    place.labels = labels
    shutil.rmtree(place.folder / "data")
    shutil.copytree(kept, place.folder / "data")
    duet.settle()
    assert faults(own) == set()
    if of == "standby":
        assert duet.main.stop()
        assert duet.standby.answers()
        duet.settle()
    duet.main.close()
    run(duet, 16.0)
    assert duet.standby.answers()


def placed(player: Player) -> dict[str, str]:
    """What Home says of restores, by code."""
    found = attention.notices(player.server.ctx, player.clock.now)
    return {notice.code: notice.detail for notice in found if notice.code.startswith("restore")}


def test_a_restore_and_the_way_back_miss_nothing_in_a_pair(duet: Duet) -> None:
    made = backup(duet.main, "mine.lts")
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.main.server.report(lease, {"QR": 3})
    duet.settle()
    put_back(duet.main, made)
    duet.settle()
    assert sum(counts(duet.main.server).values()) == 3
    [(code, detail)] = placed(duet.main).items()
    assert (code, "missing" in detail) == ("restored-in-pair", False)
    assert "comes back from the other server" in detail
    duet.main.server.report(lease, {"QR": 5})
    duet.settle()
    duet.main.close()
    restoring.undo(duet.main.folder / "data", "Ann")
    duet.settle()
    assert sum(counts(duet.main.server).values()) == 5
    assert set(placed(duet.main)) == {"restore-undone-in-pair"}


def test_a_promoted_server_without_another_misses_what_came_after_the_backup(duet: Duet) -> None:
    promote(duet)
    put_back(duet.standby, backup(duet.standby, "mine.lts"))
    duet.run(2)
    assert "is missing" in placed(duet.standby)["restored"]


def replace_standby(duet: Duet) -> str:
    """Another server at the standby's URL, approved and in step; its fingerprint."""
    new_machine(duet.standby)
    duet.forward(60)
    duet.standby.open()
    duet.run(5)
    new = fingerprint(duet.standby.server.ctx.identity.key.kid)
    duet.main.node.approve(new)
    duet.main.server.ctx.note_event("pair-key-approved", {}, "Ann")
    duet.settle()
    return new


@pytest.mark.parametrize("whole", [True, False])
def test_a_main_from_before_its_standby_was_replaced_knows_it_by_its_own_delegation(duet: Duet, whole: bool) -> None:
    """`whole`: by `lts restore`; else by a folder that was copied and put back."""
    made = backup(duet.main, "before.lts")
    kept = duet.folder / "kept"
    duet.close()
    shutil.copytree(duet.main.folder / "data", kept)
    duet.settle()
    replace_standby(duet)
    duet.main.server.authorize(None, DEVICE)
    assert duet.main.stop()
    duet.standby.server.report(duet.standby.server.authorize(None, DEVICE).lease, {"QR": 5})
    if whole:
        put_back(duet.main, made)
    else:
        new_machine(duet.main)
        shutil.copytree(kept, duet.main.folder / "data")
        duet.main.open()
    for _ in range(60):
        run(duet, 0.5)
    assert duet.in_step()
    assert picture(duet.main.server) == picture(duet.standby.server)
    assert not any(faults(player) for player in duet.players)


def test_a_standby_that_was_replaced_is_not_taken_back_by_the_delegation_it_had(duet: Duet) -> None:
    old = duet.folder / "old"
    duet.close()
    shutil.copytree(duet.standby.folder / "data", old)
    duet.settle()
    replace_standby(duet)
    duet.close()
    new_machine(duet.standby)
    shutil.copytree(old, duet.standby.folder / "data")
    duet.open()
    duet.run(20)
    assert "peer-key-changed" in faults(duet.main)


@pytest.mark.parametrize("url", [URLS["main"], ANOTHER])
def test_a_promoted_server_from_before_its_promotion_is_the_main_of_its_new_standby(
    duet: Duet, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, old = backup(duet.standby, "before.lts"), duet.main.server.ctx.identity.key.public.x
    duet.forward(60)
    promote(duet)
    new_machine(duet.main)
    if url == ANOTHER:
        restart(duet.standby, "self", ANOTHER, monkeypatch=monkeypatch)
    restart(duet.main, URLS["standby"], "self", monkeypatch=monkeypatch)
    duet.run(5)
    if duet.standby.node.pinned.now.offered:
        duet.standby.node.approve(fingerprint(duet.main.server.ctx.identity.key.kid))
    duet.run(20)
    assert duet.main.server.ctx.running.status == "standby"
    duet.standby.server.authorize(None, DEVICE)
    duet.run(5)
    duet.standby.close()
    duet.run(20)
    assert duet.main.answers(), "the new standby acts"
    put_back(duet.standby, made)
    for _ in range(60):
        run(duet, 0.5)
    assert (duet.standby.answers(), duet.main.answers()) == (True, False)
    assert picture(duet.main.server) == picture(duet.standby.server)
    now = PinnedFile(duet.standby.folder / "data").now
    assert (now.key, now.replaced) == (identity.load(duet.main.folder / "data").key.public.x, old)
