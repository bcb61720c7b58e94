"""Counts of live seats and leases, exact to the second at any second, after a restart and after a failed group; and
how they are looked up."""

from __future__ import annotations

import contextlib
import random
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import apsw
import pytest

from lts.errors import Refusal
from lts.protocol import DAY_SECONDS, iso
from lts.rules.licensing import licensefile
from lts.rules.metering.checks import Request
from lts.rules.values.paging import Page
from lts.service.licensing import codeuse, handshakes, itemlist, licenses
from lts.service.licensing.licenses import Choice
from lts.service.metering import authorize, explain, release
from lts.service.statistics import devicelist
from lts.store import sql
from lts.store.changes import records
from lts.store.tables import seats
from lts.store.tables import usage as stored
from lts.store.writing.counters import HOUR_SECONDS, Ends, SeatCounts
from lts.store.writing.transaction import Transaction
from lts.vendor import issuing
from tests.support.kit import NOON, FakeTime, Lab, Vendor, at, item, lab
from tests.support.steps import WORST, counted, statements

ODD = NOON + 17
SEATS, FLOATING = 1, 2
CODES = ("216998-100", "216998-two")


def counts(server: Lab) -> dict[tuple[str, int, int], int]:
    """What the writer believes of both items, by code, and the overdraft spent."""

    def operation(tx: Transaction) -> dict[tuple[str, int, int], int]:
        now = server.time.now
        found = {}
        for code in (0, 1, 2):
            found["seats", SEATS, code] = seats.live(tx, SEATS, code, now)
            found["leases", FLOATING, code] = seats.live_instances(tx, FLOATING, code, now)
        found["overdraft", FLOATING, 0] = stored.overdraft_spent(tx, tx.catalog.items[FLOATING], now, now)
        return found

    return server.ctx.store.write(operation)


def counted_anew(server: Lab) -> dict[tuple[str, int, int], int]:
    """The same from the rows alone."""
    now = server.time.now
    with server.ctx.store.reader() as db:
        found = {}
        for code in (0, 1, 2):
            for table, key in (("seats", SEATS), ("leases", FLOATING)):
                found[table, key, code] = sum(
                    seat.instances if table == "leases" else 1
                    for (device,) in sql.rows(db, "SELECT id FROM devices")
                    if (seat := seats.find(db, device, key, table == "leases")) is not None
                    and seat.live(now)
                    and (not code or code in seat.codes)
                )
        days = sql.rows(db, "SELECT data FROM activity WHERE scope = 0 AND id = ?", (FLOATING,))
        active = [n for (data,) in days for n in memoryview(data).cast("I")[:480]]
        found["overdraft", FLOATING, 0] = sum(max(0, n - 3) for n in active)
    return found


def snapshot(server: Lab) -> dict[tuple[str, int, int], int]:
    """The same as a reader sees it, without the writer."""
    now = server.time.now
    with server.ctx.store.snapshot() as view:
        found = {}
        for code in (0, 1, 2):
            found["seats", SEATS, code] = seats.live(view, SEATS, code, now)
            found["leases", FLOATING, code] = seats.live_instances(view, FLOATING, code, now)
        found["overdraft", FLOATING, 0] = stored.overdraft_spent(view, view.catalog.items[FLOATING], now, now)
    return found


class Failing(Exception):
    """A fault of an operation."""


def fail(tx: Transaction, server: Lab, device: str) -> None:
    """Fail after a device got all that it may have, so that the whole group is undone."""
    now = server.time.now
    for code in CODES:
        for product in ("seats", "floating"):
            with contextlib.suppress(Refusal):
                request = Request(UUID(device).bytes, product, "server", code, instances=2)
                authorize.decide(tx, server.ctx, request, None, at(now))
    licenses.end_grants(tx, [SEATS, FLOATING], now)
    raise Failing


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_the_rows_at_any_second(tmp_path: Path, seed: int) -> None:
    rng, time, vendor = random.Random(seed), FakeTime(ODD), Vendor()
    devices = [str(UUID(int=n + 1)) for n in range(9)]
    held: list[str] = []
    spec = (
        item("seats", "device", 6, graceQuota=0, activePeriod="daily", product="seats"),
        item("floating", "concurrentInstance", 3, product="floating"),
    )
    with lab(tmp_path, time, vendor) as server:
        server.load(*spec)
        entries = [{"id": SEATS, "cap": 4}, {"id": FLOATING, "cap": 4}]
        handshakes.add(server.ctx, "216998", {"custom": "two", "items": entries}, "test", NOON)
    for _ in range(3):
        with lab(tmp_path, time, vendor) as server:
            for _ in range(40):
                step(server, rng, devices, held)
                expected = counted_anew(server)
                assert snapshot(server) == expected
                assert counts(server) == expected


def step(server: Lab, rng: random.Random, devices: list[str], held: list[str]) -> None:
    """Something happens to a device, or time passes, oftenest by odd seconds."""
    doing = rng.randrange(9)
    if doing < 4:
        product, instances = rng.choice([("seats", 1), ("floating", rng.randint(1, 3))])
        try:
            done = server.authorize(rng.choice(CODES), rng.choice(devices), product=product, instances=instances)
            held.append(done.lease)
        except Refusal as refusal:
            assert refusal.code == 120
    elif doing == 4 and held:
        release.release(server.ctx, rng.choice(held), server.time.now)
    elif doing == 5 and held:
        server.report(rng.choice(held), {"QR": 1})
    elif doing == 6:
        with pytest.raises(Failing):
            server.ctx.store.write(lambda tx: fail(tx, server, rng.choice(devices)))
    elif doing == 7:
        ended = rng.sample([SEATS, FLOATING], rng.randint(0, 2))
        server.ctx.store.write(lambda tx: licenses.end_grants(tx, ended, server.time.now))
    else:
        server.time.forward(rng.choice([1, 7, 179, 1801, 3599, 3600, 5 * 3600, DAY_SECONDS - 1, -1, -3601]))


def test_a_full_quota_is_granted_again_only_as_its_seats_end_within_the_hour(tmp_path: Path) -> None:
    time, vendor = FakeTime(ODD), Vendor()
    with lab(tmp_path, time, vendor) as server:
        code = server.load(item(way="device", quota=2, graceQuota=0, activePeriod="daily"))
        server.authorize(code)
        time.forward(1700)
        server.authorize(code)
        time.forward(DAY_SECONDS - 1701)
        full(server, code)
    for restart in (False, True):
        with lab(tmp_path, time, vendor) as server:
            if restart:
                full(server, code)
                time.forward(1699)
                full(server, code)
            time.forward(1)
            assert server.live() == 1
            server.authorize(code)
            assert server.live() == 2
            full(server, code)


def full(server: Lab, code: str) -> None:
    """A new device gets no seat."""
    with pytest.raises(Refusal) as refused:
        server.authorize(code)
    assert refused.value.code == 120


def test_all_seats_that_end_with_their_item_at_an_odd_second_end_at_once(server: Lab) -> None:
    server.time.forward(17)
    end = NOON + 3 * HOUR_SECONDS + 1234
    code = server.load(item(way="device", quota=3, graceQuota=0, activePeriod="daily", expiresAt=iso(end), graceDays=1))
    for _ in range(3):
        server.authorize(code)
    server.time.forward(end - server.time.now - 1)
    assert server.live() == 3
    full(server, code)
    server.time.forward(1)
    assert server.live() == 0
    for _ in range(3):
        server.authorize(code)
    full(server, code)


def test_a_group_that_fails_leaves_no_seat_of_the_hour_behind(server: Lab) -> None:
    server.time.forward(17)
    code = server.load(item(way="device", quota=2, graceQuota=0, activePeriod="daily"))
    server.authorize(code)
    server.time.forward(DAY_SECONDS - 1000)
    full_at = server.time.now

    def operation(tx: Transaction) -> None:
        assert seats.live(tx, 1, 0, full_at) == 1
        record = records.SeatRecord(1, 1, 900, 0, (1,), -1)
        tx.emit(records.GrantChange(99, b"n" * 16, 1, 1, 0, None, (record,)), full_at)
        assert seats.live(tx, 1, 0, full_at) == 2
        raise Failing

    with pytest.raises(Failing):
        server.ctx.store.write(operation)
    assert server.live() == 1
    server.authorize(code)
    full(server, code)


def test_a_renewal_within_the_hour_that_a_failed_group_undid_ends_when_it_did(server: Lab) -> None:
    code = server.load(item(way="device", quota=2, graceQuota=0, activePeriod="daily"))
    device = str(UUID(int=5))
    server.authorize(code, device)
    first_end = NOON + DAY_SECONDS

    def operation(tx: Transaction) -> None:
        request = Request(UUID(device).bytes, "reader", "server", code)
        authorize.decide(tx, server.ctx, request, None, at(NOON + 60))
        assert seats.live(tx, 1, 0, first_end + 59) == 1, "asked for the first time in this hour: its ends are learned"
        raise Failing

    with pytest.raises(Failing):
        server.ctx.store.write(operation)
    before, after = (server.ctx.store.write(partial(seats.live, item=1, code=0, now=first_end + n)) for n in (-1, 0))
    assert (before, after) == (1, 0)


def test_a_seat_is_read_again_once_it_was_written(server: Lab) -> None:
    """By whatever writes it: a grant, a release, the end of all grants of its item."""

    def operation(tx: Transaction) -> list[tuple[int, bool, bool]]:
        found = []

        def look() -> None:
            seat = seats.of_view(tx, 1, 1, False)
            assert seat is not None
            assert seat == seats.of_view(tx, 1, 1, False) == seats.find(tx.db, 1, 1, False)
            found.append((seat.end, seat.closed, seat.ended))

        for grant, lasts in ((1, 100), (1, 200), (2, 300)):
            seat = records.SeatRecord(1, grant, lasts, 0, (1,))
            new = b"d" * 16 if not found else None
            tx.emit(records.GrantChange(1, new, 1, len(found) + 1, 0, None, (seat,)), NOON)
            look()
        tx.emit(records.ReleaseChange(1, ((1, 2),)), NOON + 50)
        look()
        tx.emit(records.GrantChange(1, None, 1, 4, 0, None, (records.SeatRecord(1, 3, 400, 0, (1,)),)), NOON)
        look()
        tx.emit(records.GrantsEndChange(((1, 1),)), NOON)
        look()
        return found

    ends = [(NOON + 100, False, False), (NOON + 200, False, False), (NOON + 300, False, False)]
    ends += [(NOON + 50, True, False), (NOON + 400, False, False), (NOON + 400, False, True)]
    assert server.ctx.store.write(operation) == ends


def test_an_overdraft_first_asked_for_by_a_group_that_fails_is_asked_for_again(server: Lab) -> None:
    code = server.load(item(way="concurrentDevice", quota=1))
    leases = [server.authorize(code).lease for _ in range(2)]
    for lease in leases:
        server.report(lease)
    entry = server.ctx.store.catalog.items[1]

    def operation(tx: Transaction, *, failing: bool) -> int:
        tx.counters.forget("overdraft")
        if failing:
            tx.gathered.activity((0, 1, NOON // DAY_SECONDS))[0] += 50
            tx.emit(records.EventChange("test", "nothing", {}), NOON)
        spent = stored.overdraft_spent(tx, entry, NOON, NOON)
        if failing:
            assert spent == 50
            raise Failing
        return spent

    with pytest.raises(Failing):
        server.ctx.store.write(partial(operation, failing=True))
    assert server.ctx.store.write(lambda tx: stored.overdraft_spent(tx, entry, NOON, NOON)) == 1
    assert server.ctx.store.write(partial(operation, failing=False)) == 1


def test_how_many_end_later_is_right_whichever_way_time_goes() -> None:
    rng = random.Random(5)
    ends = Ends()
    plain: list[int] = []
    for _ in range(3000):
        if rng.random() < 0.5 or not plain:
            plain.append(rng.randrange(400))
            ends.add(plain[-1], 1)
        elif rng.random() < 0.4:
            ends.add(plain.pop(rng.randrange(len(plain))), -1)
        now = rng.randrange(-5, 410)
        assert ends.after(now) == sum(end > now for end in plain)


def test_renewals_within_the_hour_cost_the_same_however_many_end_in_it() -> None:
    """A hundred renewals, counted in calls and in what lists and dictionaries move."""

    def work(known: int) -> int:
        made = SeatCounts()
        for n in range(known):
            made.add(1, (), NOON + n % HOUR_SECONDS, 1)
        made.learn(1, NOON, [(0, NOON + n % HOUR_SECONDS, 1) for n in range(known)])
        with counted() as steps:
            return steps.of(lambda: renew(made))

    def renew(made: SeatCounts) -> None:
        for n in range(100):
            made.add(1, (), NOON + n, -1)
            made.add(1, (), NOON + n + 1, 1)
            made.live((1, 0), NOON + n // 50)

    assert work(40_000) < work(10_000) * 1.1


def fill(server: Lab, many: int, item_key: int = 1, table: str = "seats") -> None:
    """So many seats or leases that end within the next hour, one a second, the newest device's first."""

    def operation(tx: Transaction) -> None:
        tx.note_written_beside()
        rows = [(n, UUID(int=n).bytes, NOON) for n in range(1, many + 1)]
        tx.db.executemany("INSERT INTO devices VALUES (?, ?, ?, 1, 0, NULL, NULL)", rows)
        ends = [(n, item_key, NOON + HOUR_SECONDS - 1 - n * 3000 // many) for n in range(1, many + 1)]
        more = ", ?4, 1" if table == "leases" else ""
        columns = "device, item, ends, grants, flags, codes" + (", since, instances" if more else "")
        values = "?1, ?2, ?3, 1, 0, 1" + more.replace("?4", str(NOON - 1))
        tx.db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({values})", ends)

    server.ctx.store.write(operation)


@pytest.mark.parametrize("way", ["device", "concurrentDevice"])
def test_the_first_authorization_of_an_hour_costs_what_ends_in_it_and_the_next_ones_nothing(
    tmp_path: Path, way: str
) -> None:
    costs = []
    for many in (2000, 4000):
        folder, time, vendor = tmp_path / str(many), FakeTime(), Vendor()
        folder.mkdir()
        with lab(folder, time, vendor) as server:
            code = server.load(item(way=way, quota=10**6, overdraft=0))
            handshakes.edit(server.ctx, code, {"items": [{"id": 1, "cap": 10**5}]}, "test", NOON)
            fill(server, many, table="seats" if way == "device" else "leases")
        with counted() as steps, lab(folder, time, vendor) as server:
            first = steps.of(partial(server.authorize, code))
            again = partial(server.authorize, code, str(UUID(int=5)))
            again()
            time.forward(1)
            costs.append((first, steps.of(again)))
    assert costs[1][0] < costs[0][0] * WORST
    assert costs[1][1] < costs[0][1] * 1.2


def test_no_question_about_ends_or_holders_scans_the_seats(tmp_path: Path) -> None:
    with statements() as seen, lab(tmp_path) as server:
        spec = item("a", "device", 9), item("b", "concurrentDevice", 1, overdraft=0), item("c", "concurrentInstance", 9)
        license_file = server.vendor.activate(server.vendor.issue(*spec), server.ctx)
        licenses.import_license(server.ctx, licensefile.render(license_file).encode(), Choice(), "test", NOON)
        code = "216998-100"
        handshakes.edit(server.ctx, code, {"items": [{"id": n, "cap": 9} for n in (1, 2, 3)]}, "test", NOON)
        seen.clear()
        for way in ("device", "concurrentDevice", "concurrentInstance"):
            for device in (UUID(int=1), UUID(int=2)):
                for _ in range(2):
                    try:
                        lease = server.authorize(code, str(device), charge_way=way).lease
                        server.report(lease)
                    except Refusal as refusal:
                        assert refusal.code == 120
            request = Request(device.bytes, "reader", "server", code, charge_way=way)
            explain.explain(server.ctx, request, server.time.now)
        release.release(server.ctx, lease, server.time.now)
        itemlist.describe(server.ctx, server.time.now)
        amended = issuing.amend(license_file, {"items": [{"itemId": "a", "quota": 1}]}, server.vendor.key, "Vendor")
        licenses.preview(server.ctx, licensefile.render(amended).encode(), Choice(), NOON)
        codeuse.code_use(server.ctx, code, NOON)
        devicelist.find(server.ctx, Page(), 1, True, False, NOON)
        devicelist.find(server.ctx, Page(), None, True, False, NOON)
        with server.ctx.store.reader() as db:
            of_seats = {text: values for text, values in seen.items() if "seats" in text or "leases" in text}
            plans = {text: plan(db, text, values) for text, values in of_seats.items()}
    assert len({text for text in plans if "ends >" in text}) >= 6, plans
    for text, lines in plans.items():
        scans = [line for line in lines if line.startswith("SCAN") and line.split()[1] in ("seats", "leases", "s")]
        assert not scans, (text, lines)


def plan(db: apsw.Connection, text: str, values: Any) -> list[str]:
    """What SQLite says of how it runs a statement."""
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values)]
