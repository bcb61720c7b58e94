"""A clock that is wrong for a while destroys nothing, and gives nobody more (docs/design/machine.md, Clock)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lts.background import jobs
from lts.protocol import DAY_SECONDS, SLOTS_PER_DAY, iso, slot_of
from lts.service.maintenance import attention
from lts.service.metering.authorize import AuthorizeOutcome
from tests.service.conftest import refused
from tests.support.kit import NOON, FakeTime, Lab, Vendor, entry, item, lab

HOUR = 3600


def lease_of(server: Lab, outcome: AuthorizeOutcome) -> tuple[int, int]:
    """(issued, ends) of the lease, in seconds from now by a clock that is right."""
    lease = server.ctx.leases.verify(outcome.lease)
    right = NOON + int(server.time.elapsed) - 1000
    assert lease.not_before == lease.issued_at
    return lease.issued_at - right, lease.expires_at - right


@pytest.mark.parametrize("days", [2, 6, 31, 40, 300])
def test_usage_is_not_too_old_by_a_clock_that_is_ahead_for_a_minute(server: Lab, days: int) -> None:
    server.load(item())
    lease = server.authorize().lease
    server.time.forward(29 * DAY_SECONDS)
    server.ctx.clock.look()
    slots = [slot_of(NOON) + n for n in (0, 1, 20 * SLOTS_PER_DAY)]
    server.time.wall += days * DAY_SECONDS
    told = server.report_many(lease, [entry(slot, {"QR": 2}) for slot in slots])
    assert [result.status for result in told.results] == ["counted"] * 3
    server.time.wall -= days * DAY_SECONDS
    server.time.forward(60)
    server.ctx.clock.look()
    server.report_many(lease, [entry(slot, {"QR": 2}) for slot in slots])
    assert server.used() == 6


@pytest.mark.parametrize(("days", "restarted"), [(31, False), (300, False), (32, True), (300, True)])
def test_leases_of_a_clock_that_is_far_ahead_are_those_of_the_time_before(
    tmp_path: Path, days: int, restarted: bool
) -> None:
    items = (
        item(maxOfflineDays=1),
        item("con", "concurrentDevice", 1, modules=["C"]),
        item("dev", "device", 1, modules=["D"]),
    )
    with jumped(tmp_path, days, restarted, *items) as (server, held):
        checked(server, held)


@contextmanager
def jumped(folder: Path, days: int, restarted: bool, *items: dict[str, Any]) -> Iterator[tuple[Lab, AuthorizeOutcome]]:
    """A server whose clock jumped ahead after it authorized, while it ran or while it was down, and the outcome."""
    time, vendor = FakeTime(), Vendor()
    with lab(folder, time, vendor) as server:
        server.load(*items)
        held = server.authorize(modules=("QR",))
        jobs.watch_clock(server.ctx)
        time.wall += days * DAY_SECONDS
        if not restarted:
            yield server, held
    if restarted:
        with lab(folder, time, vendor) as server:
            server.ctx.clock.begin(server.ctx.store.highest_time, server.ctx.store.least_time)
            yield server, held


def checked(server: Lab, held: AuthorizeOutcome) -> None:
    assert lease_of(server, server.authorize(modules=("QR",))) == (0, DAY_SECONDS)
    assert lease_of(server, server.authorize(modules=("D",))) == (0, 365 * DAY_SECONDS)
    assert 180 <= lease_of(server, server.authorize(modules=("C",)))[1] <= 360
    renewed = server.report(held.lease, {"QR": 1}, slot_of(NOON)).lease
    assert renewed is not None
    assert server.ctx.leases.verify(renewed).expires_at == NOON + DAY_SECONDS


@pytest.mark.parametrize("days", [2, 3, 7])
def test_leases_of_a_clock_that_a_stop_explains_last_no_longer_than_until_it_is_settled(server: Lab, days: int) -> None:
    server.load(item(maxOfflineDays=1), item("long", maxOfflineDays=30, modules=["L"]))
    server.time.wall += days * DAY_SECONDS
    assert lease_of(server, server.authorize(modules=("QR",))) == (days * DAY_SECONDS, days * DAY_SECONDS + HOUR)
    assert lease_of(server, server.authorize(modules=("L",))) == (days * DAY_SECONDS, 30 * DAY_SECONDS)
    server.ctx.clock.adopt(server.ctx.clock.accepted())
    assert lease_of(server, server.authorize(modules=("QR",)))[1] == (days + 1) * DAY_SECONDS


def test_nothing_ends_or_starts_by_a_clock_that_is_far_ahead(server: Lab) -> None:
    server.load(item(expiresAt=iso(NOON + 20 * DAY_SECONDS), graceDays=0))
    server.load(item("later", startsAt=iso(NOON + 20 * DAY_SECONDS)), license_id="200")
    server.time.wall += 100 * DAY_SECONDS
    server.authorize()
    assert refused(lambda: server.authorize("216998-200")) == 112
    server.ctx.clock.adopt(server.ctx.clock.accepted())
    assert refused(server.authorize) == 111


@pytest.mark.parametrize("days", [8, 10, 29, 31])
def test_a_server_that_starts_from_an_older_backup_lives_in_the_present(tmp_path: Path, days: int) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        server.load(item(maxOfflineDays=1))
        held = server.authorize()
        jobs.watch_clock(server.ctx)
    time.wall += days * DAY_SECONDS
    with lab(tmp_path, time, vendor) as server:
        clock = server.ctx.clock
        clock.begin(server.ctx.store.highest_time, server.ctx.store.least_time)
        assert clock.now() == time.now
        assert [event.name for event in clock.look()] == ["clock-ahead"]
        slots = [slot_of(time.now), slot_of(NOON)]
        told = server.report_many(held.lease, [entry(slot, {"QR": 1}) for slot in slots])
        assert [result.status for result in told.results] == ["counted", "counted"]
        assert lease_of(server, server.authorize()) == (days * DAY_SECONDS, days * DAY_SECONDS + HOUR)
        assert clock.seat_time(time.now) == NOON, "what is final waits"
        time.forward(HOUR)
        clock.look()
        assert clock.seat_time(time.now) == time.now


@pytest.mark.parametrize("restarted", [False, True])
def test_what_the_wall_clock_accepts_is_never_said_to_lie_ahead(tmp_path: Path, restarted: bool) -> None:
    with jumped(tmp_path, 40, restarted, item()) as (server, held):
        reported_at_the_wall(server, held)


def reported_at_the_wall(server: Lab, held: AuthorizeOutcome) -> None:
    """Usage by the machine's clock and by the trusted time counts, what is later than both does not."""
    assert server.ctx.clock.now() == NOON
    wall = slot_of(server.time.now)
    slots = [slot_of(NOON), wall, wall + 3, wall + 5]
    told = server.report_many(held.lease, [entry(slot, {"QR": 1}) for slot in slots])
    assert [result.code for result in told.results] == [None, None, None, 142]
    assert told.lease
    assert server.used() == 3


@pytest.mark.parametrize("days", [2, 6, 20, 100])
def test_a_server_that_was_off_for_long_serves_at_once(tmp_path: Path, days: int) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        server.load(item(maxOfflineDays=1), item("con", "concurrentDevice", 1, modules=["C"]))
        server.authorize()
        jobs.watch_clock(server.ctx)
    time.wall += days * DAY_SECONDS
    with lab(tmp_path, time, vendor) as server:
        clock = server.ctx.clock
        clock.begin(server.ctx.store.highest_time, server.ctx.store.least_time)
        for _ in range(19):
            for module in ("QR", "C"):
                done = server.authorize(modules=(module,))
                assert clock.now() < done.expires_at, "by the time that the answer says it is"
                assert server.report(done.lease, {module: 1}, slot_of(clock.now())).results[0].status == "counted"
            time.forward(200)
            clock.look()
        assert (clock.now(), clock.state.stepped_back) == (time.now, False)


def test_what_ends_ends_though_the_clock_is_set_back_by_an_hour_every_hour(server: Lab) -> None:
    server.load(item(expiresAt=iso(NOON + 3 * HOUR), graceDays=0))
    for _ in range(5):
        for _ in range(20):
            server.time.forward(180)
            jobs.watch_clock(server.ctx)
        server.time.wall -= HOUR
        jobs.watch_clock(server.ctx)
    server.time.forward(600)
    assert refused(server.authorize) == 111
    [told] = [notice for notice in attention.notices(server.ctx, server.time.now) if notice.code == "clock-back"]
    assert iso(NOON + 5 * HOUR)[:13] in told.detail
    assert server.rows("SELECT count(*) FROM audit WHERE action = 'clock-back'") == [(1,)]


def test_an_overdraft_rests_while_slots_come_again(server: Lab) -> None:
    server.load(item("con", "concurrentDevice", 1, overdraft=100))
    leases = [server.authorize().lease for _ in range(3)]
    for lease in leases:
        assert server.report(lease, {}).lease
    server.time.forward(3 * HOUR)
    server.authorize()
    server.ctx.clock.look()
    for _ in range(2):
        server.authorize()
        server.time.wall -= HOUR
        server.ctx.clock.look()
    server.authorize()
    server.time.wall -= 60
    server.ctx.clock.look()
    assert refused(server.authorize) == 120
    server.time.wall += HOUR
    server.authorize()


def test_a_report_of_many_days_of_which_nothing_counts_is_answered(server: Lab) -> None:
    server.load(item())
    lease = server.authorize().lease
    slots = [slot_of(NOON) - n * SLOTS_PER_DAY for n in range(31, 41)]
    told = server.report_many(lease, [entry(slot, {"QR": 1}) for slot in slots])
    assert {result.code for result in told.results} == {143}
    assert told.lease
