"""`servers` names one of a pair alone (docs/design/pair.md, Run alone): never do both serve while they are linked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from lts.crypto import SigningKey
from lts.errors import PeerError
from lts.protocol import DAY_SECONDS
from lts.server import opened
from lts.service.core.clock import Clock
from lts.service.maintenance import attention
from lts.service.pair.parted import Parted
from lts.service.pair.peerclient import PeerClient
from lts.service.pair.peermessages import Introduction, News, StateAnswer
from tests.service.conftest import with_one_item
from tests.support.duet import LABELS, Duet, Player, copy_of, in_step
from tests.support.kit import Lab


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def set_alone(player: Player) -> None:
    """`servers` names the server alone; the other one still calls it."""
    player.close()
    player._stack = ExitStack()
    config = replace(player.made_config(), servers=("self",))
    clock = Clock(0, lambda: player.clock.now, lambda: player.time.elapsed)
    here = player._stack.enter_context(opened(config, read_labels=lambda: LABELS[player.name], clock=clock))
    player.lab = Lab(here, player.clock, player.vendor, config)
    player.endpoint = here.ctx.running.partner  # type: ignore[assignment]  # it has the same "answer"
    assert isinstance(here.ctx.running.partner, Parted)


def run(player: Player, seconds: float, watch: Callable[[], None] = lambda: None) -> None:
    """That one continues as one of a pair."""
    for _ in range(int(seconds * 2)):
        player.time.forward(0.5)
        player.beat()
        player.hand()
        player.follow()
        watch()


def says(player: Player) -> str:
    """What health answers."""
    [step] = player.server.ctx.running.partner.work(lambda: None).steps
    step.do()
    return player.server.ctx.running.status


def told(player: Player) -> set[str]:
    return {notice.code for notice in attention.notices(player.server.ctx, player.clock.now)}


@pytest.mark.parametrize("linked", [True, False])
def test_the_old_main_of_a_promoted_server_that_runs_alone_retires(duet: Duet, linked: bool) -> None:
    duet.main.close()
    duet.run(17)
    duet.standby.node.promote()
    set_alone(duet.standby)
    duet.cut = not linked
    duet.main.open()
    run(duet.main, 40)
    assert duet.standby.answers()
    assert duet.main.answers() != linked
    duet.cut = False
    run(duet.main, 3)
    assert not duet.main.answers()
    assert "peer-promoted" in told(duet.main)
    duet.cut = True
    duet.main.close()
    duet.main.open()
    run(duet.main, 40)
    assert not duet.main.answers(), "for good"


def test_a_main_that_is_back_waits_while_its_standby_runs_alone_by_its_delegation(duet: Duet) -> None:
    duet.main.close()
    duet.run(17)
    set_alone(duet.standby)
    duet.main.open()
    run(duet.main, 40)
    assert (duet.main.answers(), duet.standby.answers()) == (False, True)
    assert "peer-roles" in told(duet.main)
    assert "pair-parted" in told(duet.standby)
    duet.standby.close()
    run(duet.main, 20)
    assert duet.main.answers(), "with the other one down it serves"
    set_alone(duet.standby)
    run(duet.main, 1)
    assert (duet.main.answers(), duet.standby.answers()) == (True, False)
    assert (says(duet.standby), "pair-held-back" in told(duet.standby)) == ("standby", True)
    duet.main.close()
    duet.forward(6)
    assert says(duet.standby) == "serving"
    assert duet.standby.answers(), "with the main gone it serves again"
    assert "pair-parted" in told(duet.standby)
    duet.forward(6)
    assert "pair-parted" not in told(duet.standby)


def test_a_standby_run_alone_counts_for_nothing_once_its_delegation_has_ended(duet: Duet) -> None:
    duet.main.close()
    duet.run(17)
    set_alone(duet.standby)
    duet.forward(7 * DAY_SECONDS + 1)
    duet.main.open()
    run(duet.main, 20)
    assert duet.main.answers(), "it alone can authorize"


def test_a_standby_does_not_serve_beside_its_main_that_runs_alone(duet: Duet) -> None:
    set_alone(duet.main)

    def never_both() -> None:
        assert (duet.main.answers(), duet.standby.answers()) == (True, False)

    def not_the_standby() -> None:
        assert not duet.standby.answers()

    run(duet.standby, 2, not_the_standby)
    run(duet.standby, 40, never_both)
    assert "peer-parted" in told(duet.standby)
    duet.main.close()
    run(duet.standby, 20)
    assert duet.standby.answers()
    set_alone(duet.main)
    run(duet.standby, 2)
    never_both()


def test_a_main_that_runs_alone_waits_until_its_acting_standby_stops(duet: Duet) -> None:
    duet.main.close()
    duet.run(17)
    for _ in range(2):
        assert duet.standby.answers()
        set_alone(duet.main)
        served: list[str] = []

        def watch(served: list[str] = served) -> None:
            served += [player.name for player in duet.players if player.answers()]
            assert not all(player.answers() for player in duet.players)

        watch()
        run(duet.standby, 3, watch)
        assert served[-1] == "main"
        duet.main.close()
        run(duet.standby, 20)
    set_alone(duet.main)
    assert (says(duet.main), duet.main.answers()) == ("starting", False)
    duet.forward(2)
    assert says(duet.main) == "serving"
    assert duet.main.answers(), "with the other one down it waits no longer"


def test_a_stranger_and_an_invalid_request_learn_nothing(duet: Duet) -> None:
    set_alone(duet.main)
    former = duet.main.server.ctx.running.partner
    assert isinstance(former, Parted)
    assert former.answer("hello", {}, b"nothing")[0] == 400
    me = duet.standby.node.membership.me

    def stranger() -> Introduction:
        return msgspec.structs.replace(me(), key=key.public.x)

    key = SigningKey.generate()
    line = PeerClient(duet.standby.send, key, stranger, lambda who: None)
    with pytest.raises(PeerError, match="not LTS"):
        line.call("changes", StateAnswer(duet.standby.node.statuses.state()), News, 1)
    assert not former.notices()
