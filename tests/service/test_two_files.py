"""Two files of one revision of a license, imported on two servers that were cut apart (docs/design/pair.md, Both
serving): that of the promoted server counts, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import pytest

from lts.rules.licensing import licensefile
from lts.rules.licensing.licensefile import License
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.store import sql
from lts.store.changes.records import KIND_OF, EpochChange, LicenseChange, Record, encode_payload
from lts.store.tables import audit
from lts.store.tables import licenses as stored
from lts.store.writing.transaction import Transaction
from tests.service.conftest import with_one_item
from tests.support.duet import Duet, Player, copy_of, in_step
from tests.support.kit import Lab, Vendor, item
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


@pytest.mark.parametrize("higher", ["main", "standby"])
@pytest.mark.parametrize("newest", ["main", "standby"])
def test_both_keep_one_file_of_a_revision_that_is_not_the_newest(duet: Duet, higher: str, newest: str) -> None:
    duet.cut = True
    duet.run(17)
    made = files(duet, higher=higher)
    for player in duet.players:
        take(player, made[player.name])
        if player.name == newest:
            take(player, duet.vendor.activate(made[player.name], player.server.ctx))  # its next revision
    duet.settle()
    [loser] = [name for name in made if name != higher]
    for player in duet.players:
        assert losers(player) == [loser]
        assert player.faults() == []
    assert picture(duet.main.server)["files"] == picture(duet.standby.server)["files"]
    assert picture(duet.main.server) == picture(duet.standby.server)


class Kept(NamedTuple):
    """What is known of a license, whatever the order in which it came: (revision, time, text) of the files, the digest
    of the newest, and the imports that were overruled, as (server, serial)."""

    files: list[sql.Row]
    digest: str
    overruled: list[sql.Row]


class Undone(Exception):
    """Nothing of it is to stay."""


def imported(name: str, revision: int, n: int) -> LicenseChange:
    """A license file of that revision, made for `name`."""
    one = Vendor().issue(item(name, "scan", n), license_id="500")
    return LicenseChange(name, "V", "500", revision, one.digest, ((name, 900 + n),), one.jws)


def kept(server: Lab, changes: list[tuple[str, int, int, Record]]) -> Kept:
    """What comes of (server, serial, time, change) in that order."""
    found: list[Kept] = []

    def apply(tx: Transaction) -> None:
        for uuid, serial, time, record in changes:
            number = tx.feed.origin_number(uuid, "one")
            tx.follow(number, serial, time, int(KIND_OF[type(record)]), encode_payload(record))
        tx.flush()
        rows = sql.rows(tx.db, "SELECT f.revision, f.time, f.jws FROM licenses l JOIN license_files f"
                               " ON f.license = l.id WHERE l.license_id = '500' ORDER BY 1")  # fmt: skip
        digest = sql.value(tx.db, "SELECT digest FROM licenses WHERE license_id = '500'")
        lost = sql.rows(
            tx.db, "SELECT o.uuid, v.serial FROM overruled v JOIN origins o ON o.id = v.origin ORDER BY 1, 2"
        )
        found.append(Kept(rows, digest, lost))
        raise Undone

    with pytest.raises(Undone):
        server.ctx.store.write(apply)
    return found[0]


@pytest.mark.parametrize("promoted", [True, False])
@pytest.mark.parametrize("again", [True, False])
def test_what_is_kept_does_not_depend_on_the_order_of_arrival(duet: Duet, promoted: bool, again: bool) -> None:
    """One server imports revisions 2 and 3, another one 2 (`again`: and the first one's 2 as well, later), and confirms
    it where it is promoted; a third one imports another 2."""
    first, third, second = (
        imported(name, revision, n) for name, revision, n in (("a", 2, 1), ("a", 3, 2), ("b", 2, 3))
    )
    feeds: dict[str, list[Record]] = {
        "A": [EpochChange(3, True, "start", "k", ()), first, third],
        "B": [EpochChange(4, False, "take-over", "k", ()), second, *([first] if again else [])],
        "C": [imported("c", 2, 4)],
    }
    if promoted:
        feeds["B"] += [EpochChange(5, True, "promoted", "k", (), 1), second]
    results = set()
    order = [name for name, feed in feeds.items() for _ in feed]
    for turn in sorted(set(permutations(order)))[:: 7 if promoted else 1]:
        taken = dict.fromkeys(feeds, 0)
        changes = []
        for name in turn:
            taken[name] += 1
            changes.append((name, taken[name], 1000 + 10 * ord(name) + taken[name], feeds[name][taken[name] - 1]))
        results.add(str(kept(duet.main.server, changes)))
    assert len(results) == 1
