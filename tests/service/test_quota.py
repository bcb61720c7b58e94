"""Seats and quotas (docs/design/charging.md, Charge ways)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, SLOT_SECONDS, iso, slot_of
from lts.rules.licensing import licensefile
from lts.service.licensing import handshakes, itemlist, licenses
from lts.service.licensing.licenses import Choice
from lts.service.metering import release
from lts.store.tables import devices
from lts.vendor import issuing
from tests.support.kit import NOON, FakeTime, Lab, Vendor, entry, item, lab
from tests.support.wait import PATIENCE


def at_once(calls: list[Callable[[], Any]], threads: int = 16) -> list[Any]:
    """Results or errors of calls that start together."""
    barrier = threading.Barrier(threads)

    def begin(call: Callable[[], Any]) -> Any:
        if not barrier.broken:
            try:
                barrier.wait(timeout=PATIENCE)
            except threading.BrokenBarrierError:
                pass
        try:
            return call()
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(begin, call) for call in calls]
        return [future.result() for future in futures]


def fill(server: Lab, code: str, count: int) -> list[str]:
    return [server.authorize(code).lease for _ in range(count)]


def test_fifty_new_devices_race_for_the_last_seat_and_the_grace_one(server: Lab) -> None:
    code = server.load(item(way="device", quota=10))
    fill(server, code, 9)
    outcomes = at_once([lambda: server.authorize(code) for _ in range(50)], threads=50)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert len(outcomes) - len(refusals) == 2
    assert {refusal.code for refusal in refusals} == {120}
    assert server.live() == 11
    graces = [o.items[0].grace for o in outcomes if not isinstance(o, Refusal)]
    assert sorted(graces) == [False, True]


def test_one_device_fifty_times_at_once_takes_one_seat_and_is_no_clone(server: Lab) -> None:
    code = server.load(item(way="device", quota=10))
    device = str(uuid4())
    outcomes = at_once([lambda: server.authorize(code, device) for _ in range(50)], threads=50)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    assert server.live() == 1
    token = outcomes[17].clone_token
    for _ in range(5):
        token = server.authorize(code, device, clone_token=token).clone_token
    assert server.live() == 1
    with server.ctx.store.reader() as db:
        found = devices.find(db, UUID(device).bytes)
    assert found is not None
    assert not found.clone_state.forked


@pytest.mark.parametrize(("period", "days"), [("daily", 1), ("monthly", 30), ("quarterly", 90), ("yearly", 365)])
def test_a_seat_ends_with_its_active_period_after_the_last_contact(server: Lab, period: str, days: int) -> None:
    code = server.load(item(way="device", quota=1, graceQuota=0, activePeriod=period, expiresAt=None))
    server.authorize(code)
    server.time.forward(days * DAY_SECONDS - 1)
    with pytest.raises(Refusal):
        server.authorize(code)
    server.time.forward(1)
    server.authorize(code)
    assert server.live() == 1


def test_any_contact_refreshes_a_seat_and_the_end_of_the_item_bounds_it(server: Lab) -> None:
    code = server.load(
        item(way="device", quota=1, graceQuota=0, activePeriod="daily", maxOfflineDays=1,
             expiresAt=iso(NOON + 2 * DAY_SECONDS), graceDays=0)
    )  # fmt: skip
    first = server.authorize(code)
    server.time.forward(DAY_SECONDS // 2)
    renewed = server.report(first.lease).lease
    assert renewed is not None
    server.time.forward(DAY_SECONDS // 2 + 60)
    with pytest.raises(Refusal):
        server.authorize(code)
    server.time.forward(DAY_SECONDS // 4)
    assert server.report(renewed).lease is not None
    assert server.rows("SELECT ends FROM seats") == [(NOON + 2 * DAY_SECONDS,)]


def test_released_seats_are_free_at_once_and_stay_closed(server: Lab) -> None:
    code = server.load(item(way="device", quota=1, graceQuota=0))
    lease = server.authorize(code).lease
    release.release(server.ctx, lease, server.time.now)
    assert server.live() == 0
    release.release(server.ctx, lease, server.time.now)
    late = server.report(lease, {"QR": 2})
    assert (late.results[0].status, late.lease) == ("counted", None)
    assert server.live() == 0
    server.authorize(code)


def test_a_known_device_goes_on_when_the_quota_is_lowered_below_it(server: Lab) -> None:
    license_file = server.vendor.activate(server.vendor.issue(item(way="device", quota=5, graceQuota=0)), server.ctx)
    licenses.import_license(server.ctx, licensefile.render(license_file).encode(), Choice(), "test", NOON)
    code = "216998-100"
    devices = [str(uuid4()) for _ in range(5)]
    for device in devices:
        server.authorize(code, device)
    lower = issuing.amend(license_file, {"items": [{"itemId": "one", "quota": 2}]}, server.vendor.key, "Vendor")
    done = licenses.import_license(server.ctx, licensefile.render(lower).encode(), Choice(), "test", NOON)
    assert done.effects.over_quota == {"one": 3}
    server.authorize(code, devices[4])
    with pytest.raises(Refusal):
        server.authorize(code)
    assert server.live() == 5


def test_one_seat_serves_a_device_whatever_code_it_comes_by_and_a_cap_counts_it_in_each(server: Lab) -> None:

    first = server.load(item(way="device", quota=10))
    second = handshakes.add(server.ctx, "216998", {"custom": "b", "items": [{"id": 1, "cap": 1}]}, "test", NOON).name
    device = str(uuid4())
    server.authorize(first, device)
    server.authorize(second, device)
    assert server.live() == 1
    with pytest.raises(Refusal):
        server.authorize(second)
    server.authorize(first)
    assert server.live() == 2


def test_what_is_full_stays_full_over_a_restart(tmp_path: Path) -> None:
    time, vendor = FakeTime(), Vendor()
    with lab(tmp_path, time, vendor) as server:
        seats = item("seats", "device", 1, graceQuota=0, product="seats", activePeriod="daily")
        scans = item("scans", "scan", 10, graceQuota=0, product="scans")
        many = item("many", "concurrentDevice", 1, overdraft=1, product="many", maxOfflineDays=1)
        code = server.load(seats, scans, many, item("shared", "server", 5, product="shared"), item("page", "page", 50))
        keys = {row.item_id: row.id for row in itemlist.describe(server.ctx, time.now)}
        capped = [{"id": keys["shared"], "cap": 1}, {"id": keys["page"], "cap": 2}]
        narrow = handshakes.add(server.ctx, "216998", {"custom": "narrow", "items": capped}, "test", time.now).name
        server.authorize(code, product="seats")
        server.report(server.authorize(code, product="scans").lease, {"QR": 10})
        for lease in [server.authorize(code, product="many").lease for _ in range(2)]:
            server.report(lease, {})
        server.authorize(narrow, product="shared")
        server.report(server.authorize(narrow).lease, {"QR": 2})
    time.forward(DAY_SECONDS - 1)  # within the hour in which the seat ends
    with lab(tmp_path, time, vendor) as server:
        for name, product in ((code, "seats"), (code, "scans"), (code, "many"), (narrow, "shared"), (narrow, "reader")):
            with pytest.raises(Refusal) as caught:
                server.authorize(name, product=product)
            assert caught.value.code == 120, product
        time.forward(1)
        server.authorize(code, product="seats")


def test_the_holder_of_the_last_seat_under_a_cap_goes_on(server: Lab) -> None:
    server.load(item("other"), item("seats", "device", 5, product="seats"))
    key = next(row.id for row in itemlist.describe(server.ctx, server.time.now) if row.item_id == "seats")
    change = {"custom": "narrow", "items": [{"id": key, "cap": 1}]}
    code = handshakes.add(server.ctx, "216998", change, "test", server.time.now).name
    device = str(uuid4())
    lease = server.authorize(code, device, product="seats").lease
    assert server.authorize(code, device, product="seats").items[0].grant == 1
    assert server.report(lease, {"QR": 1}).lease is not None
    with pytest.raises(Refusal) as caught:
        server.authorize(code, product="seats")
    assert caught.value.code == 120


def test_instances_that_came_by_another_code_fill_the_cap_of_each(server: Lab) -> None:
    capped = server.load(item("one", "concurrentInstance", 10, overdraft=0, maxOfflineDays=30))
    handshakes.edit(server.ctx, capped, {"items": [{"id": 1, "cap": 3}]}, "test", server.time.now)
    open_one = handshakes.add(
        server.ctx, "216998", {"custom": "open", "items": [{"id": 1, "cap": None}]}, "test", NOON
    ).name
    device = str(uuid4())
    server.authorize(capped, device)
    server.time.forward(1)
    server.authorize(open_one, device, instances=9)
    with pytest.raises(Refusal) as caught:
        server.authorize(capped)
    assert caught.value.code == 120
    server.time.forward(1)
    server.authorize(open_one, device)
    server.authorize(capped)


def test_scans_are_recorded_whole_beyond_the_quota_and_then_refused(server: Lab) -> None:
    code = server.load(item(quota=100))
    lease = server.authorize(code).lease
    server.report(lease, {"QR": 104})
    assert server.authorize(code).items[0].grace
    answer = server.report(lease, {"QR": 300}, slot=slot_of(NOON) - 1)
    assert answer.results[0].status == "counted"
    assert answer.lease is None, "its own counts used the item up"
    assert server.used() == 404
    with pytest.raises(Refusal) as caught:
        server.authorize(code)
    assert caught.value.code == 120
    assert server.report(lease, {"QR": 1}, slot=slot_of(NOON) - 2).lease is None


def test_concurrent_devices_beyond_n_spend_the_overdraft_and_then_only_the_eldest_go_on(server: Lab) -> None:
    code = server.load(item(way="concurrentDevice", quota=2, overdraft=3))
    devices = [str(uuid4()) for _ in range(4)]
    leases = []
    for device in devices:
        leases.append(server.authorize(code, device).lease)
        server.time.forward(1)
    slot = slot_of(server.time.now)
    for lease in leases:
        server.report(lease, {}, slot)
    spent = server.ctx.store.write(lambda tx: tx.counters.sums["overdraft", 1, 0])
    assert spent == 2
    server.time.forward(SLOT_SECONDS)
    renewed = [server.report(lease, {}, slot + 1).lease is not None for lease in leases]
    assert renewed == [True, True, False, False], "the third spends the last of it: only the eldest two go on"
    server.authorize(code, devices[0])
    server.authorize(code, devices[1])
    for device in devices[2:]:
        with pytest.raises(Refusal) as caught:
            server.authorize(code, device)
        assert caught.value.code == 120
    server.time.forward(3 * SLOT_SECONDS)
    server.authorize(code, devices[3])


def test_a_concurrent_lease_goes_on_as_one_when_the_clock_steps_back(server: Lab) -> None:
    code = server.load(item(way="concurrentInstance", quota=4, maxOfflineDays=1), item("other"))
    device = str(uuid4())
    server.authorize(code, device)
    server.time.wall -= 3001
    again = server.authorize(code, device, instances=3)
    assert again.items[0].grant == 1
    used = itemlist.describe(server.ctx, server.time.now)[0].used
    assert used == 3, "it is one lease, and holds what was asked last"
    assert server.rows("SELECT count(*) FROM seats") == [(0,)]


def test_a_newcomer_is_younger_than_every_live_lease_also_when_the_clock_stepped_back(server: Lab) -> None:
    code = server.load(item(way="concurrentDevice", quota=1, overdraft=0))
    server.authorize(code)
    server.time.wall -= 30
    with pytest.raises(Refusal) as caught:
        server.authorize(code)
    assert caught.value.code == 120


def test_what_an_old_lease_asks_beyond_what_it_holds_is_no_older_than_the_youngest(server: Lab) -> None:
    code = server.load(item(way="concurrentInstance", quota=5, overdraft=0, maxOfflineDays=7))
    machines = [str(uuid4()) for _ in range(5)]
    for machine in machines:
        server.authorize(code, machine)
    for n, machine in enumerate(reversed(machines), 1):
        with pytest.raises(Refusal) as caught:
            server.authorize(code, machine, instances=n + 1)
        assert caught.value.code == 120
    assert itemlist.describe(server.ctx, server.time.now)[0].used == 5
    server.time.forward(DAY_SECONDS)
    for machine in machines[:3]:
        server.authorize(code, machine)
    server.time.forward(6 * DAY_SECONDS + 3600)  # the leases of the other two have ended
    server.authorize(code, machines[2], instances=3)
    with pytest.raises(Refusal):
        server.authorize(code, machines[0], instances=2)
    assert itemlist.describe(server.ctx, server.time.now)[0].used == 5


def test_the_overdraft_is_cleared_with_each_period(server: Lab) -> None:
    code = server.load(item(way="concurrentDevice", quota=1, overdraft=1, expiresAt=None))
    leases = [server.authorize(code).lease for _ in range(3)]
    for lease in leases:
        server.report(lease, {})
    with pytest.raises(Refusal):
        server.authorize(code)
    server.time.forward(365 * DAY_SECONDS)
    server.authorize(code)
    server.authorize(code)


def test_a_concurrent_lease_lasts_two_slots(server: Lab) -> None:
    code = server.load(item(way="concurrentDevice", quota=1))
    done = server.authorize(code)
    assert done.expires_at == (slot_of(NOON) + 2) * SLOT_SECONDS
    server.time.forward(2 * SLOT_SECONDS)
    assert server.report_many(done.lease, [entry(slot_of(NOON), {"QR": 1})]).lease is None


def test_a_device_stays_on_the_item_it_has_a_seat_or_lease_in_when_the_order_changes(server: Lab) -> None:
    for way in ("device", "concurrentDevice"):
        number = "1" if way == "device" else "2"
        code = server.load(
            item("a", way, 5, expiresAt=iso(NOON + 10 * DAY_SECONDS)), item("b", way, 5), license_id=number
        )
        device = str(uuid4())
        first = server.authorize(code, device)
        assert first.items[0].item_id == "a"
        keys = {e.item.terms.item_id: e.item.key for e in server.ctx.store.catalog.codes[code].items}
        order = [{"id": keys["b"]}, {"id": keys["a"]}]
        handshakes.edit(server.ctx, code, {"items": order, "manualOrder": True}, "test", NOON)
        assert server.authorize(code, device).items[0].item_id == "a"
        assert server.authorize(code).items[0].item_id == "b"
