"""A promotion while the two are cut apart (docs/design/pair.md, Taking over): what the old main took is not lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from lts.service.licensing import serverurls
from lts.service.pair import pairstatus
from tests.service.conftest import with_one_item
from tests.service.test_promoted import comes_into_step, restart
from tests.support.duet import URLS, Duet, Player, copy_of, in_step
from tests.support.picture import counts

DEVICE = str(UUID(int=77))


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def words(player: Player, code: str) -> str:
    return next((f.detail for f in pairstatus.describe(player.node).faults if f.code == code), "")


def serve_both(duet: Duet) -> None:
    """The two are cut apart and serve both; the standby is promoted, and both count and are set."""
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.run(2)
    duet.cut = True
    duet.run(17)
    duet.standby.node.promote()
    for player, number in ((duet.main, 3), (duet.standby, 4)):
        device = str(UUID(int=100 + number))
        player.server.report(player.server.authorize(None, device).lease, {"QR": number})
        serverurls.change(player.server.ctx, [f"https://{player.name}.example.com/"], "admin", player.clock.now, None)
    duet.main.server.report(lease, {"QR": 5})


def check_all_is_there(duet: Duet) -> None:
    assert sum(counts(duet.standby.server).values()) == 12
    assert serverurls.describe(duet.standby.server.ctx).urls == ["https://standby.example.com/"]
    assert duet.standby.faults() == []


@pytest.mark.parametrize("way", ["goes on", "is killed", "is set up anew there"])
def test_the_promoted_server_takes_what_the_old_main_alone_has(
    duet: Duet, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_both(duet)
    if way == "is killed":
        duet.main.close()
    if way == "is set up anew there":
        restart(duet.standby, "self", URLS["main"], monkeypatch=monkeypatch)
        duet.run(17)
    word = duet.standby.node.pinned.now.delegation
    duet.forward(2)
    duet.cut = False
    duet.main.open()
    duet.run(5)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    check_all_is_there(duet)
    assert "It has all" in words(duet.main, "peer-promoted")
    assert duet.main.node.delegating.certify(0) == ([], 0)
    assert "is taken. Set" in words(duet.standby, "peer-replaced")
    assert (pairstatus.describe(duet.standby.node).merged[0].changes or 0) >= 3
    held = duet.standby.node.pinned.now
    assert (held.key, held.delegation) == (None, word)
    duet.main.close()
    shutil.rmtree(duet.main.folder / "data")
    restart(duet.standby, "self", URLS["main"], monkeypatch=monkeypatch)
    restart(duet.main, URLS["standby"], "self", monkeypatch=monkeypatch)
    assert comes_into_step(duet)
    check_all_is_there(duet)
    assert counts(duet.main.server) == counts(duet.standby.server)


def test_an_old_main_says_how_much_it_alone_has_until_it_is_taken(duet: Duet) -> None:
    serve_both(duet)
    duet.cut = False
    duet.main.follow()
    assert not duet.main.answers()
    assert "It lacks " in words(duet.main, "peer-promoted")
    duet.main.close()
    duet.main.open()
    assert "once it reaches it" in words(duet.main, "peer-promoted")
    duet.standby.set_disk(full=True)
    duet.standby.follow()
    assert "It lacks " in words(duet.main, "peer-promoted")
    assert "taken from it first" in words(duet.standby, "peer-replaced")
    duet.standby.set_disk(full=False)
    duet.run(3)
    check_all_is_there(duet)
    assert "It has all" in words(duet.main, "peer-promoted")


def test_an_old_main_that_began_more_epochs_by_itself_loses_nothing_and_overrules_nothing_later(duet: Duet) -> None:
    serve_both(duet)
    for _ in range(3):
        duet.main.close()
        duet.main.open()
        duet.run(17)
        assert duet.main.answers()
    duet.cut = False
    duet.run(5)
    assert sum(counts(duet.standby.server).values()) == 12
    serverurls.change(duet.standby.server.ctx, ["https://later.example.com/"], "admin", duet.standby.clock.now, None)
    assert serverurls.describe(duet.standby.server.ctx).urls == ["https://later.example.com/"]
    assert duet.standby.faults() == []


def test_another_than_the_old_main_gives_nothing(duet: Duet) -> None:
    serve_both(duet)
    duet.standby.node.pinned.change(replaced="A" * 43)
    before = counts(duet.standby.server)
    duet.cut = False
    duet.run(5)
    assert counts(duet.standby.server) == before
