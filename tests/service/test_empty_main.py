"""A main that was set up anew, or got another machine, and to which no license is bound (docs/design/pair.md, Handing
back): its standby, which authorizes by the word of the main before, goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS
from lts.rules.licensing import licensefile
from lts.rules.licensing.vendorkey import fingerprint
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.service.maintenance import attention
from lts.service.pair import pairstatus
from tests.service.conftest import with_one_item
from tests.support.duet import Duet, Player, copy_of, in_step
from tests.support.kit import item

DEVICE = str(UUID(int=77))


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def faults(player: Player) -> set[str]:
    return {fault.code for fault in pairstatus.describe(player.node).faults}


def approve(player: Player) -> None:
    """The other one's new key, with its fingerprint compared."""
    player.node.approve(fingerprint(player.other.server.ctx.identity.key.kid))


def lose_the_main(duet: Duet, way: str) -> None:
    """It comes back with nothing, or with everything on another machine."""
    duet.main.close()
    if way == "empty":
        shutil.rmtree(duet.main.folder / "data")
    else:
        duet.main.labels = ("machine-id:ee", "mac:ff")


@pytest.mark.parametrize("way", ["empty", "moved"])
def test_the_acting_standby_continues_until_its_delegation_ends(duet: Duet, way: str) -> None:
    lose_the_main(duet, way)
    duet.run(17)
    duet.main.open()
    duet.run(3)
    approve(duet.standby)
    for _ in range(40):
        duet.run(1)
        assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    assert duet.standby.server.authorize(None, DEVICE).lease
    for player in duet.players:
        assert "peer-no-license" in faults(player)
    duet.forward(2 * 3600)  # the main's own word is renewed by now
    duet.run(3)
    assert duet.standby.server.authorize(None, DEVICE).lease
    duet.forward(7 * DAY_SECONDS)
    duet.run(5)
    assert (duet.main.answers(), duet.standby.answers()) == (True, False)
    assert "peer-no-license" not in faults(duet.main) | faults(duet.standby)


def test_promoting_the_standby_is_the_way_out(duet: Duet) -> None:
    lose_the_main(duet, "empty")
    duet.run(17)
    duet.main.open()
    duet.run(3)
    approve(duet.standby)
    duet.run(10)
    duet.standby.node.promote()
    duet.run(3)
    assert duet.standby.server.authorize(None, DEVICE).lease
    assert faults(duet.main) == {"peer-promoted"}


def test_a_standby_that_stands_by_is_asked_to_serve(duet: Duet) -> None:
    lose_the_main(duet, "empty")
    duet.main.open()
    duet.run(3)
    approve(duet.standby)
    duet.run(10)
    for _ in range(20):
        duet.run(1)
        assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    duet.standby.close()
    duet.standby.open()
    duet.run(10)
    assert duet.standby.server.authorize(None, DEVICE).lease


def test_a_standby_that_cannot_serve_leaves_it_to_a_main_that_counts(duet: Duet) -> None:
    lease = duet.main.server.authorize(None, DEVICE).lease
    duet.run(2)
    lose_the_main(duet, "empty")
    duet.main.open()
    duet.run(3)
    approve(duet.standby)
    duet.standby.node.pinned.change(joined=False)
    duet.main.fates["take-over"] = "request lost"
    for _ in range(90):
        duet.standby.node.pinned.change(joined=False)
        duet.run(0.5)
        assert not duet.standby.answers()
    assert duet.main.answers()
    with pytest.raises(Refusal) as caught:
        duet.main.server.authorize(None, DEVICE)
    assert caught.value.code == 113
    nobody = [bool(attention.authorizes_nobody(player.server.ctx, player.clock.now)) for player in duet.players]
    assert nobody == [True, False]
    assert duet.main.server.report(lease, {"QR": 3}).results[0].status == "counted"
    assert "peer-no-license" in faults(duet.main) & faults(duet.standby)
    ctx = duet.main.server.ctx
    issued = duet.vendor.issue(item("scans", "scan", 10_000))
    bound = duet.vendor.activate(duet.vendor.activate(issued, ctx), ctx)
    licenses.import_license(ctx, licensefile.render(bound).encode(), Choice(), "admin", duet.main.clock.now)
    assert duet.main.server.authorize(None, DEVICE).lease
    duet.run(3)
    assert "peer-no-license" not in faults(duet.main) | faults(duet.standby)


def test_a_main_that_serves_leaves_serving_to_a_standby_that_is_back(duet: Duet) -> None:
    """It served alone, without a license, while the acting standby was down."""
    lose_the_main(duet, "empty")
    duet.run(17)
    duet.main.open()
    duet.run(3)
    approve(duet.standby)
    duet.run(3)
    duet.standby.close()
    duet.run(17)
    assert duet.main.answers()
    duet.standby.open()
    duet.run(5)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    for _ in range(40):
        duet.run(1)
        assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    assert duet.standby.server.authorize(None, DEVICE).lease
