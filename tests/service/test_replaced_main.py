"""A main in whose place its standby was promoted (docs/design/pair.md, Taking over): it stops before the other one
serves, and never serves again."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from unittest import mock

import msgspec
import pytest

from lts.errors import PeerError
from lts.service.core import files, pinned
from lts.service.folder import restoring
from lts.service.licensing import serverurls
from lts.service.maintenance import backups
from lts.service.pair import promotion
from lts.store.changes import feed
from lts.store.tables import pair
from lts.store.writing.transaction import Transaction
from tests.service.conftest import with_one_item
from tests.service.test_gathering import check_all_is_there, serve_both, words
from tests.service.test_parted import says, set_alone, told
from tests.support.duet import Duet, copy_of, in_step
from tests.support.wait import wait_until


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def test_a_main_that_can_be_reached_has_stopped_before_the_promoted_server_serves(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    leadership, seen = duet.standby.node.leadership, []
    begin = leadership.begin

    def look(reason: str) -> None:
        seen.append(duet.main.answers())
        begin(reason)

    monkeypatch.setattr(leadership, "begin", look)
    duet.standby.node.promote()
    assert (seen, duet.main.answers(), duet.standby.answers()) == ([False], False, True)
    duet.run(3)
    assert "It has all" in words(duet.main, "peer-promoted")


def test_a_main_that_cannot_call_is_informed_by_the_promoted_server(duet: Duet) -> None:
    serve_both(duet)
    duet.main.linked = lambda: False
    duet.cut = False
    duet.run(3)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    assert not duet.main.node.acknowledgments.in_step
    check_all_is_there(duet)


def test_all_is_taken_only_once_the_main_has_stored_that_it_was_replaced(
    duet: Duet, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_both(duet)
    write = files.write_private

    def full(path: Path, data: bytes) -> None:
        if duet.main.folder in path.parents:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(pinned, "write_private", full)
        duet.cut = False
        duet.run(3)
        assert not duet.main.answers()
        assert "peer-promoted" in told(duet.main)
        check_all_is_there(duet)
        assert "taken from it first" in words(duet.standby, "peer-replaced")
        assert not duet.main.node.pinned.has_retired
        assert "make room" in words(duet.main, "peer-promoted")
    duet.cut = True
    duet.run(1)
    assert duet.main.node.pinned.has_retired
    duet.cut = False
    duet.run(3)
    assert "is taken. Set" in words(duet.standby, "peer-replaced")
    duet.cut = True
    duet.main.close()
    duet.main.open()
    duet.run(17)
    assert not duet.main.answers()


@pytest.mark.parametrize("knows", [True, False])
def test_a_replaced_main_that_runs_alone_serves_nobody(duet: Duet, knows: bool) -> None:
    duet.cut = not knows
    duet.run(17)
    duet.standby.node.promote()
    duet.run(3)
    assert ("All that" in words(duet.standby, "peer-replaced")) == knows
    had_given_all = knows
    for _ in range(2):
        set_alone(duet.main)
        duet.forward(3)
        assert duet.main.answers() != knows
        duet.cut = False
        for _ in range(6):
            duet.forward(0.5)
            duet.standby.beat()
            duet.standby.follow()
        assert (duet.main.answers(), duet.standby.answers()) == (False, True)
        assert says(duet.main) == "replaced"
        assert "peer-promoted" in told(duet.main)
        assert ("All that" in words(duet.standby, "peer-replaced")) == had_given_all, "it can gain nothing more"
        knows = True
    duet.main.close()
    duet.main.open()
    duet.run(3)
    assert "is taken. Set" in words(duet.standby, "peer-replaced")


@pytest.mark.parametrize("higher", ["main", "standby"])
def test_settings_of_the_promoted_server_win_over_as_many_epochs_of_the_main(
    duet: Duet, higher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the two has the higher name."""
    own = {player.server.ctx.identity.uuid: player.name for player in duet.players}

    def name(tx: Transaction, origin: int) -> bool:
        uuid = next(uuid for key, uuid, _ in feed.origin_names(tx.db) if key == origin)
        return own[uuid] == higher

    monkeypatch.setattr(pair, "_name", name)
    duet.cut = True
    duet.run(17)
    duet.standby.node.promote()
    while (last := number(duet, "main")) < number(duet, "standby"):
        duet.main.close()
        duet.main.open()
        duet.run(17)
        assert number(duet, "main") == last + 1
    for player in (duet.standby, duet.main):
        serverurls.change(player.server.ctx, [f"https://{player.name}.example.com/"], "admin", player.clock.now, None)
    duet.cut = False
    duet.run(3)
    assert serverurls.describe(duet.standby.server.ctx).urls == ["https://standby.example.com/"]
    assert "All that" in words(duet.standby, "peer-replaced")
    assert duet.standby.faults() == []


@pytest.mark.parametrize("retired", [True, False])
def test_a_backup_of_before_does_not_let_a_replaced_main_serve(duet: Duet, retired: bool) -> None:
    ctx = duet.main.server.ctx
    backup = backups.backup(ctx.store.path, ctx.store.path.parent, duet.main.clock.now, ctx.trust)
    if retired:
        duet.standby.node.promote()
        duet.run(2)
    duet.cut = True
    duet.main.close()
    restoring.restore(backup, duet.main.folder / "data")
    duet.main.open()
    duet.run(20)
    assert duet.main.answers() != retired
    assert ("peer-promoted" in told(duet.main)) == retired


@pytest.mark.parametrize("what", ["database", "pair.json"])
def test_one_put_back_to_before_whose_disk_is_full_says_so_when_it_hears_of_its_promotion(
    duet: Duet, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    ctx = duet.standby.server.ctx
    made = backups.backup(ctx.store.path, ctx.store.path.parent, duet.standby.clock.now, ctx.trust)
    duet.standby.node.promote()
    duet.run(3)
    duet.standby.close()
    restoring.restore(made, duet.standby.folder / "data")
    duet.standby.open()
    duet.cut = True
    duet.run(1)
    assert "peer-unreachable" in told(duet.standby)
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        if what == "database":
            duet.standby.set_disk(full=True)
        else:
            patch.setattr(pinned, "write_private", mock.Mock(side_effect=full))
        duet.cut = False
        duet.run(3)
        assert not duet.standby.answers()
        assert "peer-unreachable" not in told(duet.standby)
        assert ("full" if what == "database" else "No space left") in words(duet.standby, "peer-not-stored")
    duet.standby.set_disk(full=False)
    duet.run(3)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    assert "peer-not-stored" not in told(duet.standby)


@pytest.mark.parametrize("alone", [True, False])
def test_a_promoted_server_put_back_to_before_hears_of_its_promotion_from_the_old_main(duet: Duet, alone: bool) -> None:
    """`alone`: the old main's `servers` names itself only."""
    ctx = duet.standby.server.ctx
    made = backups.backup(ctx.store.path, ctx.store.path.parent, duet.standby.clock.now, ctx.trust)
    duet.standby.node.promote()
    duet.run(3)
    assert "It has all" in words(duet.main, "peer-promoted")
    duet.standby.close()
    restoring.restore(made, duet.standby.folder / "data")
    if alone:
        set_alone(duet.main)
    duet.standby.open()
    assert (duet.standby.node.role, duet.standby.answers()) == ("standby", False)
    for _ in range(6):
        duet.forward(0.5)
        duet.standby.beat()
        duet.standby.follow()
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    assert (duet.standby.node.role, duet.standby.node.membership.promoted) == ("main", True)
    assert {"pair-promoted", "peer-replaced"} <= told(duet.standby)
    assert alone != ("is taken. Set" in words(duet.standby, "peer-replaced"))
    assert duet.standby.faults() == []
    duet.standby.close()
    duet.standby.open()
    duet.forward(2)
    duet.standby.beat()
    assert duet.standby.answers()


def test_a_main_that_can_only_call_hears_it_before_the_promoted_server_serves(duet: Duet) -> None:
    duet.standby.linked = lambda: False
    promoting = threading.Thread(target=duet.standby.node.promote)
    promoting.start()
    wait_until(lambda: duet.standby.node.pinned.now.promoted_at is not None, "it is stored", 5)
    assert (duet.main.answers(), duet.standby.answers()) == (True, False)
    duet.standby.beat()
    for _ in range(2):
        duet.main.follow()
    assert (duet.main.answers(), duet.standby.answers()) == (False, False)
    promoting.join(5)
    assert duet.standby.answers()


def test_a_server_that_serves_already_does_not_wait_for_the_old_main(duet: Duet) -> None:
    duet.cut = True
    duet.run(17)
    began = time.monotonic()
    duet.standby.node.promote()
    assert time.monotonic() - began < promotion.INFORM_SECONDS / 2


def test_faults_of_the_pair_before_a_main_was_replaced_are_shown_no_longer(duet: Duet) -> None:
    serve_both(duet)
    assert "peer-unreachable" in duet.main.node.peer.faults
    duet.main.linked = lambda: False
    duet.cut = False
    duet.run(3)
    assert {code for code in told(duet.main) if code.startswith("peer-")} == {"peer-promoted"}

    def calls_meanwhile(*words: object) -> NoReturn:
        duet.standby.follow()
        raise PeerError("peer-unreachable", "Nothing came back.")

    duet.main.node.pinned.now = msgspec.structs.replace(duet.main.node.pinned.now, retired=False)
    duet.main.node.peer.mend("peer-promoted")
    assert duet.main.follower is not None
    assert duet.standby.follower is not None
    duet.main.follower._line._send = calls_meanwhile
    duet.standby.follower._gathering._line.forget_session()
    duet.main.follow()
    assert {code for code in told(duet.main) if code.startswith("peer-")} == {"peer-promoted"}


def test_what_a_restore_replaced_does_not_let_a_replaced_main_serve(duet: Duet) -> None:
    ctx = duet.main.server.ctx
    made = backups.backup(ctx.store.path, ctx.store.path.parent, duet.main.clock.now, ctx.trust)
    duet.main.close()
    restoring.restore(made, duet.main.folder / "data")
    duet.main.open()
    duet.settle()
    duet.standby.node.promote()
    duet.run(2)
    duet.cut = True
    duet.main.close()
    restoring.undo(duet.main.folder / "data", "Ann")
    duet.main.open()
    duet.run(20)
    assert not duet.main.answers()
    assert "peer-promoted" in told(duet.main)


def test_that_the_old_main_gives_nothing_is_logged_once(duet: Duet, caplog: pytest.LogCaptureFixture) -> None:
    duet.standby.node.promote()
    duet.run(3)
    set_alone(duet.main)
    with caplog.at_level("INFO", "lts.pair"):
        for _ in range(20):
            duet.forward(0.5)
            duet.standby.follow()
    assert len([one for one in caplog.messages if "sends nothing" in one]) == 1


def number(duet: Duet, name: str) -> int:
    """The epoch that this server began last."""
    store = (duet.main if name == "main" else duet.standby).server.ctx.store
    return store.epochs[store.origin].number
