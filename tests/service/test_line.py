"""Promotions one after another (docs/design/pair.md, Taking over): whoever was replaced by one of them never serves
again, whichever server of those that came after it meets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec
import pytest

from lts.crypto import SigningKey
from lts.errors import AdminError
from lts.rules.licensing.vendorkey import fingerprint
from lts.service.pair import delegating
from tests.service.conftest import with_one_item
from tests.service.test_gathering import words
from tests.service.test_parted import says, set_alone, told
from tests.service.test_promoted import ANOTHER, restart
from tests.support.duet import URLS, Duet, Player, copy_of, in_step
from tests.support.picture import counts

DEVICE = str(UUID(int=77))


class Three(NamedTuple):
    """The first main, the one that was promoted in its place, and the new standby of that one."""

    first: Player
    second: Player
    third: Player


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Three]:
    """The second is promoted while it is cut off from the first, which counts alone and is off then; the third is in
    step with the second."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as duet:
        three = _set_up(duet, monkeypatch)
        yield three
        three.third.close()


def _set_up(duet: Duet, monkeypatch: pytest.MonkeyPatch) -> Three:
    first, second = duet.players
    duet.cut = True
    duet.run(17)
    second.node.promote()
    first.server.report(first.server.authorize(None, DEVICE).lease, {"QR": 5})
    first.close()
    third = Player("standby", duet.folder / "third", duet.vendor, duet.time, labels=("third:1", "third:2", "third:3"))
    (third.folder / "trust").mkdir(parents=True)
    restart(second, "self", ANOTHER, monkeypatch=monkeypatch)
    meet(second, third)
    restart(third, URLS["standby"], "self", monkeypatch=monkeypatch)
    run(40, second, third)
    assert second.answers()
    assert second.node.acknowledgments.in_step
    return Three(first, second, third)


def meet(one: Player, other: Player) -> None:
    """The URL that each of them calls leads to the other one."""
    one.other, other.other = other, one
    one.linked = other.linked = lambda: True


def run(seconds: float, *players: Player) -> None:
    for _ in range(int(seconds * 2)):
        players[0].time.forward(0.5)
        for player in players:
            player.beat()
            player.hand()
            player.follow()


def promote_third(three: Three) -> None:
    """The second is lost too."""
    three.second.close()
    run(17, three.third)
    three.third.node.promote()


@pytest.mark.parametrize("promoted", [True, False])
@pytest.mark.parametrize("way", ["calls", "is called"])
def test_a_main_that_was_replaced_two_promotions_back_never_serves_again(
    three: Three, promoted: bool, way: str
) -> None:
    first, _, third = three
    if promoted:
        promote_third(three)
    else:
        three.second.close()
        run(17, third)
    meet(first, third)
    if way == "is called":
        first.linked = lambda: False
    first.open()
    run(40, first, third)
    assert not first.answers()
    assert third.answers() or not promoted
    assert "peer-promoted" in told(first)
    assert "peer-key-changed" not in told(first)
    first.close()
    first.linked = lambda: False
    first.open()
    run(20, first)
    assert not first.answers(), "for good"


def test_a_main_two_promotions_back_gives_what_it_alone_has(three: Three, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, third = three
    promote_third(three)
    restart(third, "self", URLS["main"], monkeypatch=monkeypatch)
    meet(first, third)
    first.open()
    run(20, first, third)
    assert (first.answers(), third.answers()) == (False, True)
    assert sum(counts(third.server).values()) == 5
    assert "is taken. Set" in words(third, "peer-replaced")
    assert "It has all" in words(first, "peer-promoted")
    assert third.faults() == []
    with pytest.raises(AdminError, match="which never gets contact again"):
        third.node.approve(fingerprint(first.server.ctx.identity.key.kid))


@pytest.mark.parametrize("alone", ["first", "third"])
def test_one_that_runs_alone_informs_and_learns_of_all_promotions_before(three: Three, alone: str) -> None:
    first, _, third = three
    promote_third(three)
    first.open()
    player = first if alone == "first" else third
    set_alone(player)
    meet(first, third)
    for _ in range(20):
        run(0.5, third if alone == "first" else first)
        says(player)
    assert (first.answers(), third.answers()) == (False, True)
    assert "peer-promoted" in told(first)


def test_a_stranger_cannot_make_a_main_retire(three: Three) -> None:
    first, second, third = three
    first.open()
    me, pinned = first.server.ctx.identity, first.node.pinned.now
    who = third.node.membership.me()
    assert delegating.is_replaced_by(me, pinned, who)
    other = SigningKey.generate().public.x
    change = msgspec.structs.replace
    assert not delegating.is_replaced_by(me, pinned, change(who, key=other))
    assert not delegating.is_replaced_by(me, pinned, change(who, line=[]))
    assert not delegating.is_replaced_by(me, pinned, change(who, line=[*who.line, "noise"]))
    assert not delegating.is_replaced_by(me, pinned, change(who, delegation=""))
    assert not delegating.is_replaced_by(me, change(pinned, key=other), who), "it has approved another standby since"
    assert not delegating.is_replaced_by(second.server.ctx.identity, second.node.pinned.now, who), "its own standby"
