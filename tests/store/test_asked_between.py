"""Which devices used a code between two moments, to the slot and to the second."""

from __future__ import annotations

import pytest

from lts.protocol import DAY_SECONDS, SLOT_SECONDS, SLOTS_PER_DAY, slot_of
from lts.service.licensing import handshakes
from lts.service.metering import release
from lts.store.tables import seats, usage
from tests.support.kit import DAY, NOON, Lab, item

FIRST = slot_of(DAY) - SLOTS_PER_DAY
"""The first slot of yesterday."""
SECONDS = FIRST * SLOT_SECONDS


@pytest.mark.parametrize("slot", [0, 7, SLOTS_PER_DAY - 1])
def test_reports_are_for_slots_from_that_of_the_beginning_to_before_that_of_the_end(server: Lab, slot: int) -> None:
    server.load(item("one"))
    server.report(server.authorize().lease, {"QR": 1}, FIRST + slot)
    begin, end = SECONDS + slot * SLOT_SECONDS, SECONDS + (slot + 1) * SLOT_SECONDS
    with server.ctx.store.reader() as db:
        for first, last, found in (
            (begin, end, True),
            (end - 1, end, True),
            (begin - 1, end - 1, False),
            (begin - 1, end, True),
            (end, end + SLOT_SECONDS, False),
            (begin, begin, False),
            (end, begin, False),
            (begin - DAY_SECONDS, end + DAY_SECONDS, True),
            (begin - 2 * DAY_SECONDS, end + 2 * DAY_SECONDS, True),
            (begin - 2 * DAY_SECONDS, begin, False),
            (end, end + 2 * DAY_SECONDS, False),
        ):
            assert usage.devices_between(db, 1, first, last) == ({1} if found else set()), (first, last)
        assert usage.devices_between(db, 2, begin, end) == set()
        day = SECONDS // DAY_SECONDS
        for days, found in (((day,), True), ((day - 1,), True), ((day + 1,), False), ((day, day), True),
                            ((day - 2, day - 1), False)):  # fmt: skip
            assert usage.devices_by_code(db, 1, *days) == ({1} if found else set())
        assert usage.devices_by_code(db, 2, day) == set()


@pytest.mark.parametrize("way", ["device", "concurrentDevice"])
def test_who_got_a_seat_was_last_heard_of_from_the_beginning_to_before_the_end(server: Lab, way: str) -> None:
    server.load(item("one", way))
    handshakes.add(server.ctx, None, {"custom": "two", "items": [{"id": 1}]}, "test", NOON)
    lease = server.authorize().lease
    server.time.forward(-10)
    server.authorize("216998-two")
    server.time.forward(10)
    with server.ctx.store.reader() as db:
        for begin, end, found in (
            (NOON, NOON + 1, {1}), (NOON - 5, NOON, set()), (NOON + 1, NOON + 9, set()), (NOON, NOON, set()),
            (NOON + 1, NOON, set()), (NOON - 20, NOON + 20, {1}),
        ):  # fmt: skip
            assert seats.last_heard_between(db, 1, begin, end) == found, (begin, end)
        assert seats.last_heard_between(db, 2, NOON - 10, NOON) == {2}
        assert (seats.holders_by_code(db, 1, NOON), seats.holders_by_code(db, 2, NOON)) == ({1}, {2})
    release.release(server.ctx, lease, NOON)
    with server.ctx.store.reader() as db:
        assert (seats.holders_by_code(db, 1, NOON), seats.holders_by_code(db, 2, NOON)) == (set(), {2})
        assert seats.last_heard_between(db, 1, NOON - 20, NOON + 20) == {1}


def test_the_first_seats_to_end_are_listed_in_order(server: Lab) -> None:
    server.load(item("one", "device", 9, activePeriod="monthly"))
    for _ in range(3):
        server.authorize()
        server.time.forward(1)
    first, second, third = (row[0] for row in server.rows("SELECT ends FROM seats ORDER BY device"))
    with server.ctx.store.reader() as db:
        for now, limit, expected in (
            (NOON, 9, [first, second, third]),
            (NOON, 2, [first, second]),
            (first - 1, 9, [first, second, third]),
            (first, 9, [second, third]),
        ):
            assert [end for end, _ in seats.next_ends(db, 1, False, now, limit)] == expected
        assert seats.next_ends(db, 1, True, NOON, 9) == seats.next_ends(db, 2, False, NOON, 9) == []


def test_leases_are_older_by_their_beginning_then_by_the_device_that_was_met_first(server: Lab) -> None:
    server.load(item("one", "concurrentInstance", 9))
    for n in range(2):
        server.authorize(instances=n + 1)
    server.time.forward(1)
    server.authorize(instances=4)
    [(end,)] = server.rows("SELECT DISTINCT ends FROM leases")
    with server.ctx.store.reader() as db:
        for device, begun, older in (
            (1, NOON, 0), (2, NOON, 1), (3, NOON, 3), (9, NOON - 1, 0), (3, NOON + 1, 3), (9, NOON + 1, 7),
        ):  # fmt: skip
            assert seats.elders(db, 1, device, begun, end - 1) == older, (device, begun)
        assert seats.elders(db, 1, 9, NOON + 1, end) == 0
