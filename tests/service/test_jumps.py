"""A clock that is ahead for a moment, or set back, gives nobody more (docs/design/machine.md, Clock)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from lts.background import jobs
from lts.protocol import DAY_SECONDS
from lts.rules.metering.checks import Request
from lts.service.licensing import itemlist
from lts.service.metering import explain
from lts.service.metering.explain import Explanation
from lts.service.pair import pairstatus
from tests.service.conftest import fail_over, refused, with_one_item
from tests.support.duet import Duet, copy_of, in_step
from tests.support.kit import ORGANIZATION, Lab, item

SEATS = item("seats", "device", 3, graceQuota=0)
CAPPED_DAY = item("seats", "device", 3, graceQuota=0, activePeriod="daily")


@pytest.fixture
def duet(tmp_path: Path) -> Iterator[Duet]:
    """Main and standby in step, the main with a license."""
    with in_step(copy_of(with_one_item(), tmp_path / "duet")) as found:
        yield found


def explained(server: Lab) -> Explanation:
    """The answer that a new device would get, and why."""
    asked = Request(uuid4().bytes, "reader", "server", handshake_code=f"{ORGANIZATION}-100")
    return explain.explain(server.ctx, asked, server.ctx.clock.now())


def why(server: Lab) -> int:
    """The answer that a new device would get."""
    return explained(server).code


@pytest.mark.parametrize("way", ["device", "server"])
def test_a_jump_between_two_looks_frees_no_seat(server: Lab, way: str) -> None:
    server.load(item("seats", way, 3, graceQuota=0))
    held = [server.authorize() for _ in range(3)]
    server.ctx.clock.look()
    for days in (35, 400, 800):
        server.time.wall += days * DAY_SECONDS
        server.time.forward(1)
        assert (why(server), refused(server.authorize)) == (120, 120)
        server.time.wall -= days * DAY_SECONDS
        server.time.forward(1)
        assert [event.name for event in server.ctx.clock.look()] == ["clock-ahead"]
        assert refused(server.authorize) == 120
    assert server.live() == 3
    assert server.report(held[0].lease, {"QR": 1}).lease


def test_a_known_device_goes_on_by_a_doubted_clock_and_a_new_one_once_it_is_believed(server: Lab) -> None:
    server.load(CAPPED_DAY)
    devices = [str(uuid4()) for _ in range(3)]
    first = [server.authorize(None, device) for device in devices]
    server.time.wall += 20 * DAY_SECONDS
    assert refused(server.authorize) == 120
    again = server.authorize(None, devices[0])
    assert again.items[0].grant == first[0].items[0].grant
    assert again.expires_at == first[0].expires_at, "by the trusted time"
    assert server.report(first[1].lease, {"QR": 1}).lease, "its seat is live as long as nobody else may have it"
    server.ctx.clock.adopt(server.ctx.clock.accepted())
    assert why(server) == 0
    for device in (*devices[:2], None):
        server.authorize(None, device)
    assert refused(server.authorize) == 120


def test_what_is_shown_of_seats_goes_by_the_time_by_which_they_are_refused(server: Lab) -> None:
    server.load(CAPPED_DAY)
    for _ in range(3):
        server.authorize()
    before = explained(server)
    server.time.wall += 3 * DAY_SECONDS
    server.ctx.clock.look()
    assert refused(server.authorize) == 120
    assert explained(server) == before
    [shown] = before.items
    assert (before.code, shown.used, len(shown.holders or ())) == (120, 3, 3)
    [listed] = itemlist.describe(server.ctx, server.ctx.clock.now())
    assert listed.used == 3
    server.ctx.clock.adopt(server.ctx.clock.accepted())
    assert [one.used for one in itemlist.describe(server.ctx, server.ctx.clock.now())] == [0]


def test_days_asleep_are_no_jump(server: Lab) -> None:
    server.load(CAPPED_DAY)
    for _ in range(3):
        server.authorize()
    server.time.forward(40 * DAY_SECONDS)
    server.authorize()
    assert (server.live(), server.ctx.clock.look()) == (1, [])


@pytest.mark.parametrize("step", [DAY_SECONDS - 60, 6 * 3600])
def test_a_clock_that_creeps_frees_no_seat(server: Lab, step: int) -> None:
    server.load(item("seats", "device", 3, graceQuota=0))
    for _ in range(3):
        server.authorize()
    told = []
    for _ in range(30 * DAY_SECONDS // step):
        server.time.wall += step
        assert refused(server.authorize) == 120, "between two looks too"
        server.time.forward(5)
        told += server.ctx.clock.look()
        assert refused(server.authorize) == 120
    assert {event.name for event in told} == {"clock-ahead"}
    assert server.live() == 3


def test_time_that_elapsed_is_remembered_over_restarts_by_a_clock_that_is_set_back(server: Lab) -> None:
    begun = server.time.now
    server.ctx.clock.look()
    for _ in range(7):
        server.time.forward(26 * 3600)
        server.time.wall = begun - 3600
        jobs.watch_clock(server.ctx)
        kept = server.ctx.store
        clock = server.time.clock()
        clock.begin(kept.highest_time, kept.least_time)
        server.ctx = replace(server.ctx, clock=clock)
    server.time.elapsed += 59
    drift = 7 * 26 * 60 // 24
    assert abs(server.ctx.clock.item_time(server.time.now) - (begun - 7200 + 7 * 26 * 3600 + 59 - drift)) <= 7
    server.ctx.clock.adopt(server.ctx.clock.taken_back())
    assert server.ctx.clock.item_time(server.time.now) == server.time.now
    jobs.watch_clock(server.ctx)
    assert server.ctx.store.least_time == server.time.now - 7200


def days_pass(duet: Duet, days: int) -> None:
    """A day at a time, the standby alone."""
    for _ in range(days):
        duet.forward(DAY_SECONDS)
        duet.standby.beat()
        duet.run(17)
        duet.standby.server.ctx.clock.look()
    jobs.watch_delegation(duet.standby.server.ctx)


@pytest.mark.parametrize("days", [2, 6, 100])
def test_a_clock_set_back_does_not_extend_the_mains_delegation(duet: Duet, days: int) -> None:
    acting = fail_over(duet)
    days_pass(duet, 6)
    duet.standby.clock.skew -= days * DAY_SECONDS
    days_pass(duet, 0)
    acting.authorize()
    days_pass(duet, 2)
    assert acting.ctx.clock.item_time(acting.time.now) < acting.time.now + days * DAY_SECONDS
    assert acting.ctx.delegation() is None
    assert refused(acting.authorize) == 113
    told = pairstatus.describe(duet.standby.node).delegation
    assert told is not None
    assert told.seconds_left == 0


def test_a_highest_time_taken_back_gives_the_mains_delegation_its_time_again(duet: Duet) -> None:
    acting = fail_over(duet)
    clock = acting.ctx.clock
    duet.standby.clock.skew += 30 * DAY_SECONDS
    clock.adopt(clock.accepted())
    duet.standby.clock.skew -= 30 * DAY_SECONDS
    assert acting.ctx.delegation() is None
    clock.adopt(clock.taken_back())
    assert acting.ctx.delegation()


def ends_in_days(duet: Duet) -> float:
    """How long the standby's word from the main lasts, by a clock that is right."""
    held = duet.standby.node.pinned.now.delegation
    assert held is not None
    return (held.until - duet.standby.clock.now) / DAY_SECONDS


def test_by_a_time_that_is_not_trusted_the_main_gives_no_delegation(duet: Duet) -> None:
    duet.main.clock.skew += 300 * DAY_SECONDS
    duet.run(30)
    assert 6 < ends_in_days(duet) <= 7.1
    duet.main.clock.skew -= 300 * DAY_SECONDS
    duet.run(30)
    assert 6 < ends_in_days(duet) <= 7.1


def test_a_delegation_of_a_clock_that_was_ahead_and_trusted_is_replaced_once_it_is_right(duet: Duet) -> None:
    duet.main.clock.skew += 300 * DAY_SECONDS
    duet.main.server.ctx.clock.adopt(duet.main.server.ctx.clock.accepted())
    duet.run(30)
    assert ends_in_days(duet) > 300
    duet.main.clock.skew -= 300 * DAY_SECONDS
    duet.main.server.ctx.clock.adopt(duet.main.server.ctx.clock.taken_back())
    duet.run(30)
    assert 6 < ends_in_days(duet) <= 7.1
