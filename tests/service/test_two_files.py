"""Two files of one revision of a license, imported on two servers that were cut apart (docs/design/pair.md, Both
serving): that of the promoted server counts, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lts.rules.licensing import licensefile
from lts.rules.licensing.licensefile import License
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.store.tables import audit
from lts.store.tables import licenses as stored
from tests.service.conftest import with_one_item
from tests.support.duet import Duet, Player, copy_of, in_step
from tests.support.kit import item
from tests.support.picture import picture


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def files(duet: Duet, *, higher: str) -> dict[str, License]:
    """For each server a file bound to it, of one revision; that of the server `higher` has the higher digest."""
    for n in range(100):
        issued = duet.vendor.issue(item("more", "scan", 100 + n), license_id="500")
        made = {p.name: duet.vendor.activate(issued, p.server.ctx) for p in duet.players}
        if max(made, key=lambda name: made[name].digest) == higher:
            return made
    raise AssertionError("no such file")


def take(player: Player, file: License) -> None:
    data = licensefile.render(file).encode()
    licenses.import_license(player.server.ctx, data, Choice(), player.name, player.clock.now)


def counting(player: Player) -> str:
    """The digest of what counts."""
    with player.server.ctx.store.reader() as db:
        return next(one.digest for one in stored.newest(db) if one.license_id == "500")


def losers(player: Player) -> list[str]:
    """Who imported what was overruled."""
    with player.server.ctx.store.reader() as db:
        lines = audit.lines(db, audit.AuditFilter(actions=("license-imported",)), 0, 100)
    return [line.actor for line in lines if line.overruled]


@pytest.mark.parametrize("higher", ["main", "standby"])
@pytest.mark.parametrize("first", ["main", "standby"])
@pytest.mark.parametrize("when", ["after", "before"])
def test_the_file_of_the_promoted_server_counts(duet: Duet, higher: str, first: str, when: str) -> None:
    """Imported `when`, after it was promoted or before, while it acted."""
    duet.cut = True
    duet.run(17)
    made = files(duet, higher=higher)
    if when == "after":
        duet.standby.node.promote()
    for player in sorted(duet.players, key=lambda player: player.name != first):
        take(player, made[player.name])
        duet.forward(5)
    if when == "before":
        duet.standby.node.promote()
    duet.cut = False
    duet.run(5)
    assert counting(duet.standby) == made["standby"].digest
    assert losers(duet.standby) == ["main"]
    assert duet.standby.faults() == []


@pytest.mark.parametrize("higher", ["main", "standby"])
def test_without_a_promotion_both_take_the_same_and_show_the_other_as_overruled(duet: Duet, higher: str) -> None:
    duet.cut = True
    duet.run(17)
    made = files(duet, higher=higher)
    for player in duet.players:
        take(player, made[player.name])
    duet.settle()
    [loser] = [name for name in made if name != higher]
    for player in duet.players:
        assert counting(player) == made[higher].digest
        assert losers(player) == [loser]
        assert player.faults() == []
    assert picture(duet.main.server) == picture(duet.standby.server)


def test_one_file_imported_on_both_overrules_nothing(duet: Duet) -> None:
    duet.cut = True
    duet.run(17)
    duet.standby.node.promote()
    file = files(duet, higher="main")["standby"]
    file = duet.vendor.activate(file, duet.main.server.ctx)
    for player in duet.players:
        take(player, file)
    duet.cut = False
    duet.run(5)
    assert counting(duet.standby) == file.digest
    assert losers(duet.standby) == []
    assert duet.standby.faults() == []
