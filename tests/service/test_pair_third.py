"""A third server with the identity of one of a pair (docs/design/pair.md, Restored and copied servers)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from lts.service.maintenance import attention
from lts.service.pair import pairstatus
from lts.service.pair.handover import HandOver
from tests.service.conftest import with_one_item
from tests.support.duet import Duet, Player, copy_of, in_step
from tests.support.fulldisk import run
from tests.support.picture import counts, picture

DEVICE = str(UUID(int=77))


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def third_of(duet: Duet, of: str = "main") -> Player:
    """A server in a copy of a folder of the pair, with its settings; it calls the other one, and nobody calls it."""
    original = duet.main if of == "main" else duet.standby
    third = Player(of, duet.folder / "third", duet.vendor, duet.time)
    third.other = original.other
    third.linked = lambda: not duet.cut
    original.close()
    shutil.copytree(original.folder, third.folder)
    original.open()
    duet.settle()
    return third


def step(third: Player) -> None:
    third.beat()
    third.hand()
    third.follow()


def go_on(duet: Duet, third: Player, seconds: float) -> None:
    """Time passes for all three; the third one never answers clients."""
    for _ in range(int(seconds / 0.5)):
        run(duet, 0.5)
        step(third)
        assert not third.answers()


def told(player: Player) -> set[str]:
    faults = {fault.code for fault in pairstatus.describe(player.node).faults}
    assert faults <= {notice.code for notice in attention.troubles(player.server.ctx)}
    return faults


@pytest.mark.parametrize("of", ["main", "standby"])
def test_a_copy_that_calls_beside_a_server_of_the_pair_never_serves_and_both_report_it(duet: Duet, of: str) -> None:
    third = third_of(duet, of)
    original = duet.main if of == "main" else duet.standby
    third.open()
    go_on(duet, third, 40.0)
    assert duet.in_step()
    assert told(original) == set()
    assert told(third) == {"peer-twin"}
    assert told(third.other) == {"peer-copied"}
    lease = duet.main.server.authorize(None, DEVICE).lease
    assert duet.main.server.report(lease, {"QR": 3}).durable == "both"
    third.close()
    run(duet, 11.0)
    assert told(third.other) == set()


@pytest.mark.parametrize("stop", [True, False])
def test_the_standby_takes_over_from_the_main_whatever_a_copy_of_it_says(duet: Duet, stop: bool) -> None:
    third = third_of(duet)
    third.open()
    go_on(duet, third, 5.0)
    if stop:
        assert duet.main.stop()
    else:
        duet.main.close()
        go_on(duet, third, 16.0)
    assert duet.standby.answers()
    go_on(duet, third, 30.0)
    assert duet.standby.answers()
    duet.main.open()
    go_on(duet, third, 5.0)
    assert duet.in_step(), "it takes back what is its own"


def test_a_copy_serves_neither_where_the_standby_starts_again(duet: Duet) -> None:
    third = third_of(duet)
    third.open()
    go_on(duet, third, 5.0)
    duet.standby.close()
    duet.standby.open()
    third.follow()
    go_on(duet, third, 40.0)
    assert told(third) == {"peer-twin"}
    assert duet.in_step()


def test_a_copy_that_the_standby_meets_in_the_mains_place_is_the_main(duet: Duet) -> None:
    """The folder moved to another machine, whose server was started a little too soon."""
    third = third_of(duet)
    third.open()
    go_on(duet, third, 5.0)
    assert duet.main.stop()
    lease = duet.standby.server.authorize(None, DEVICE).lease
    duet.standby.server.report(lease, {"QR": 3})
    duet.standby.other, third.name = third, "main"
    duet.main = third
    duet.settle()
    assert told(duet.main) == told(duet.standby) == set()
    assert sum(counts(third.server).values()) == 3
    assert picture(duet.main.server) == picture(duet.standby.server)


@pytest.mark.parametrize("after", [0.0, 3.0, 6.0])
def test_a_main_that_is_started_again_is_believed_at_once(duet: Duet, after: float) -> None:
    duet.main.close()
    duet.run(after)
    duet.main.open()
    run(duet, 1.5)
    assert duet.in_step()
    assert told(duet.main) == told(duet.standby) == set()


def test_a_main_whose_url_the_standby_does_not_reach_is_believed_once_its_earlier_start_is_silent(duet: Duet) -> None:
    assert duet.standby.follower is not None
    duet.main.close()
    duet.main.open()
    duet.standby.linked = lambda: False
    run(duet, 4.0)
    assert not duet.main.answers()
    run(duet, 3.0)
    assert duet.main.answers()
    assert told(duet.main) == set()


def test_what_an_earlier_start_says_late_makes_no_copy_of_it(duet: Duet) -> None:
    duet.main.fates["changes"] = "late"
    duet.main.follow()
    duet.main.close()
    duet.main.open()
    run(duet, 2.0)
    assert duet.in_step()
    duet.main.deliver_late()
    run(duet, 5.0)
    assert not duet.standby.node.starts._others
    assert told(duet.standby) == set()


def test_a_copy_asks_the_standby_in_vain_to_serve(duet: Duet) -> None:
    third = third_of(duet)
    third.open()
    go_on(duet, third, 5.0)
    assert isinstance(third.hand_over, HandOver)
    third.hand_over._ask("hand-over")
    assert not duet.standby.answers()
    assert third.node.hand_over.pending == 0
