"""Days that are closed, and what a clock that was wrong did to them (docs/design/machine.md, Clock)."""

from __future__ import annotations

from pathlib import Path

from lts.background import jobs
from lts.protocol import DAY_SECONDS, SLOTS_PER_DAY, iso
from lts.rules.metering.usage import Entry, judge_closed
from lts.service.maintenance import attention, clock, days, verify
from tests.support.kit import NOON, FakeTime, Lab, Vendor, item, lab

TODAY = NOON // DAY_SECONDS


def run_for(server: Lab, how_many: int) -> None:
    """The server runs on so many days, with its jobs."""
    for _ in range(how_many):
        server.time.forward(DAY_SECONDS)
        jobs.watch_clock(server.ctx)
        jobs.close_days(server.ctx)


def believe(server: Lab) -> None:
    """The clock is believed once it has stood for over an hour."""
    jobs.watch_clock(server.ctx)
    server.time.forward(3700)
    jobs.watch_clock(server.ctx)


def told(server: Lab) -> bool:
    found = [notice for notice in attention.notices(server.ctx, server.time.now) if notice.code == "days-closed"]
    day = iso(server.ctx.store.catalog.closed_day * DAY_SECONDS)[:10]
    assert all(notice.detail.startswith(f"The days up to {day} are closed, ") for notice in found)
    return bool(found)


def counted(server: Lab, units: int, *, back_days: int = 0) -> str:
    lease = server.authorize("216998-100").lease
    slot = (server.time.now - back_days * DAY_SECONDS) // 180
    return server.report(lease, {"QR": units}, slot).results[0].status


def test_days_that_a_wrong_clock_closed_are_opened_by_setting_it_right(tmp_path: Path) -> None:
    with lab(tmp_path, FakeTime(), Vendor()) as server:
        server.load(item(quota=10**6, expiresAt=None))
        run_for(server, 40)
        assert counted(server, 3) == "counted"
        server.time.wall += 365 * DAY_SECONDS
        believe(server)
        assert counted(server, 50) == "counted", "a report of a day that is still to come"
        run_for(server, 40)
        assert server.ctx.store.catalog.closed_day > TODAY + 400
        server.time.wall -= 365 * DAY_SECONDS
        assert counted(server, 7) == "rejected"
        assert told(server)
        clock.reset_clock(server.ctx, "test")
        assert not told(server)
        used = server.used()
        assert counted(server, 7) == "counted"
        assert counted(server, 9, back_days=29) == "counted"
        assert counted(server, 3, back_days=40) == "rejected", "the day that was counted before is closed for good"
        assert server.used() == used + 16
        assert max(server.ctx.store.served_days()) == server.time.now // DAY_SECONDS
        server.time.forward(325 * DAY_SECONDS)
        believe(server)
        assert counted(server, 5) == "counted", "the day of the early report came"
        assert server.used() == used + 21
        assert verify.verify(tmp_path / "data", server.ctx.trust) == []


def test_days_of_a_wrong_clock_do_not_shorten_the_time_for_late_reports(tmp_path: Path) -> None:
    with lab(tmp_path, FakeTime(), Vendor()) as server:
        server.load(item(quota=10**6, expiresAt=None))
        run_for(server, 40)
        server.time.wall += 365 * DAY_SECONDS
        believe(server)
        run_for(server, 20)
        server.time.wall -= 365 * DAY_SECONDS
        clock.reset_clock(server.ctx, "test")
        run_for(server, 30)
        assert counted(server, 1, back_days=29) == "counted"


def test_a_day_is_closed_up_to_its_last_slot_and_no_further() -> None:
    slots = (6 * SLOTS_PER_DAY - 1, 6 * SLOTS_PER_DAY)
    found = judge_closed([Entry(slot, "", {"QR": 1}, None) for slot in slots], 5)
    assert [result and result.code for result in found] == [143, None]


def test_days_that_are_still_to_come_close_nothing(server: Lab) -> None:
    server.load(item())
    days.close_old_days(server.ctx, list(range(TODAY + 300, TODAY + 400)), NOON)
    assert server.ctx.store.catalog.closed_day == -1
