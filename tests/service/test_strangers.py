"""Licensees who try to get more than was bought (docs/design/charging.md, Caps and Overdraft; Release)."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, SLOT_SECONDS, iso, slot_of
from lts.service.maintenance import attention
from lts.service.metering import release, report
from lts.store.changes.records import DayClosingChange
from lts.store.rows.dayrow import decode_day
from lts.store.tables import closing, usage
from lts.store.writing.transaction import Transaction
from tests.support.kit import NOON, Lab, entry, item


def spent(server: Lab, key: int = 1) -> int:
    now = server.time.now
    item_now = server.ctx.clock.item_time(now)
    return server.ctx.store.write(lambda tx: usage.overdraft_spent(tx, tx.catalog.items[key], now, item_now))


def refused(call: Callable[[], object]) -> int | str:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.code


def yearly(server: Lab) -> str:
    begin = iso(NOON - 365 * DAY_SECONDS - 5 * 3600)
    return server.load(item(way="concurrentDevice", quota=1, overdraft=1, startsAt=begin, expiresAt=None))


def test_a_clock_set_back_into_an_earlier_period_gives_no_new_overdraft(server: Lab) -> None:
    code = yearly(server)
    server.ctx.clock.look()
    for lease in [server.authorize(code).lease for _ in range(2)]:
        server.report(lease, {})
    assert spent(server) == 1
    for back in (3, 400, 800):
        server.time.wall = NOON - back * DAY_SECONDS
        server.ctx.clock.look()
        assert refused(lambda: server.authorize(code)) == 120
        assert spent(server) == 1


def test_what_is_spent_while_the_clock_is_set_back_stays_spent(server: Lab) -> None:
    code = yearly(server)
    server.ctx.clock.look()
    leases = [server.authorize(code).lease for _ in range(2)]
    server.time.wall = NOON - 400 * DAY_SECONDS
    server.ctx.clock.look()
    assert refused(lambda: server.authorize(code)) == 120, "the overdraft rests"
    for lease in leases:
        server.report(lease, {})
    assert spent(server) == 1
    server.time.wall = NOON - 800 * DAY_SECONDS
    server.ctx.clock.look()
    assert spent(server) == 1
    assert refused(lambda: [server.authorize(code) for _ in range(3)]) == 120


def test_who_goes_on_after_a_release_is_counted_and_shown_by_name(server: Lab) -> None:
    code = server.load(item(way="device", quota=1, graceQuota=0, maxOfflineDays=7))
    device = str(uuid4())
    lease = server.authorize(code, device).lease
    release.release(server.ctx, lease, server.time.now)

    def told() -> list[tuple[str, dict[str, object]]]:
        found = attention.notices(server.ctx, server.time.now)
        return [(one.detail, dict(one.params)) for one in found if one.code == "used-after-release"]

    server.report(lease, {"QR": 2}, NOON // SLOT_SECONDS)
    server.report(lease, {"QR": 1}, NOON // SLOT_SECONDS - 5)
    assert told() == [], "used before it was given back, told later"
    server.time.forward(3600)
    server.authorize(code)
    for count in (3, 4):
        assert server.report(lease, {"QR": count}).lease is None
    [(sentence, params)] = told()
    assert params == {"device": device, "item": "one"}
    assert sentence.startswith(f"Device {device} kept using license item one after its seat was given back,")
    assert server.rows("SELECT subject FROM audit WHERE action = 'used-after-release'") == [(device,)], "once a day"
    assert server.used() == 2 + 1 + 4
    server.time.forward(8 * DAY_SECONDS)
    assert told() == []


def test_a_day_of_many_devices_is_closed_in_pieces_that_each_do_the_same_work(server: Lab) -> None:
    server.load(item())
    lease = server.authorize().lease
    server.report(lease, {"QR": 7})
    today, most = NOON // DAY_SECONDS, closing.ROWS
    [(data,)] = server.rows("SELECT data FROM usage_days")

    def more(tx: Transaction) -> None:
        tx.note_written_beside()
        rows = [(today, n, 1, data) for n in range(1000, 1000 + 3 * most)]
        tx.db.executemany("INSERT INTO usage_days VALUES (?, ?, ?, ?)", rows)

    server.ctx.store.write(more)
    sizes = []

    def close(tx: Transaction) -> bool:
        piece = closing.next_piece(tx.db, today)
        if piece is not None:
            sizes.append(tx.emit(piece, NOON))
        return piece is not None

    while server.ctx.store.write(close):
        pass
    assert sizes == [most, most, most, 1]
    assert server.ctx.store.catalog.closed_day == today
    assert all(
        series.closed_sum is not None
        for (row,) in server.rows("SELECT data FROM usage_days")
        for series in decode_day(row).values()
    )
    assert server.rows("SELECT 1 FROM settings WHERE name = 'closing'") == []


def test_a_day_half_closed_is_closed_on_after_a_restart(server: Lab) -> None:
    server.load(item())
    server.report(server.authorize().lease, {"QR": 7})
    today = NOON // DAY_SECONDS
    server.ctx.store.write(lambda tx: tx.emit(DayClosingChange(today, (0, 1)), NOON))
    piece = server.ctx.store.write(lambda tx: closing.next_piece(tx.db, today))
    assert piece == DayClosingChange(today, (1, 0))


def test_a_report_that_uses_up_the_overdraft_itself_extends_no_lease_that_it_does_not_renew(server: Lab) -> None:
    code = server.load(item(way="concurrentDevice", quota=1, overdraft=1, expiresAt=None))
    older, younger = (server.authorize(code).lease for _ in range(2))
    server.report(older, {})
    server.time.forward(SLOT_SECONDS)
    before = server.rows("SELECT device, ends, since FROM leases ORDER BY device")
    answer = server.report(younger, {"QR": 1}, NOON // SLOT_SECONDS)
    assert (answer.lease, [one.status for one in answer.results]) == (None, ["counted"])
    assert spent(server) == 1
    assert server.rows("SELECT device, ends, since FROM leases ORDER BY device") == before
    assert server.report(older, {}).lease is not None


def test_a_report_is_judged_by_what_it_makes_of_the_counts_itself_in_a_group_too(server: Lab) -> None:
    code = server.load(item(quota=10, graceQuota=0), item("two", quota=10))
    leases = [server.authorize(code).lease for _ in range(3)]
    begun = [
        report.begin(server.ctx, server.ctx.leases.verify(lease), None, [entry(slot_of(NOON), {"QR": 4})], NOON)
        for lease in leases
    ]
    renewed = [one.finish().lease is not None for one in begun]
    assert (renewed, server.used()) == ([True, True, False], 12)


def test_a_report_is_judged_by_what_others_reported_since_its_first_try(server: Lab) -> None:
    code = server.load(item(quota=100, graceQuota=5))
    first, second = (server.authorize(code).lease for _ in range(2))
    server.report(second, {"QR": 99})
    passing = report.begin(
        server.ctx, server.ctx.leases.verify(first), None, [entry(slot_of(NOON), {"QR": 1})], server.time.now
    )
    assert passing.write is not None
    with pytest.raises(Exception, match=r"^$"):
        passing.write.result()
    server.report(second, {"QR": 149})
    assert (passing.finish().lease, server.used()) == (None, 150)
    assert refused(lambda: server.authorize(code)) == 120
