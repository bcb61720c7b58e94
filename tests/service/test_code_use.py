"""Who draws on a handshake code: seats and reports by it, and by no other."""

from __future__ import annotations

import pytest

from lts.errors import AdminError
from lts.protocol import DAY_SECONDS
from lts.service.licensing import handshakes
from lts.service.licensing.codeuse import code_use
from tests.support.kit import Lab, item


def use(server: Lab, code: str) -> tuple[int, int]:
    told = code_use(server.ctx, code, server.time.now)
    return told.seats, told.reported


def test_seats_and_reports_count_for_the_code_they_came_by(server: Lab) -> None:
    server.load(item("seats", "device", 10, activePeriod="monthly"), item("live", "concurrentDevice", 10, product="w"))
    items = [{"id": 1, "cap": None}, {"id": 2, "cap": None}]
    handshakes.add(server.ctx, "216998", {"custom": "two", "items": items}, "test", server.time.now)
    for _ in range(3):
        given = server.authorize("216998-two")
    server.report(given.lease, {"QR": 1})
    server.authorize("216998-two", product="w")
    server.authorize("216998-100")
    assert use(server, "216998-two") == (4, 1)
    assert use(server, "216998-100") == (1, 0)
    server.time.forward(29 * DAY_SECONDS)
    assert use(server, "216998-two") == (3, 1)  # the concurrent lease has run out
    server.time.forward(2 * DAY_SECONDS)
    assert use(server, "216998-two") == (0, 0)


def test_a_device_counts_once_whatever_it_holds(server: Lab) -> None:
    server.load(item("seats", "device", 10), item("more", "device", 10, modules=["PDF"]))
    given = server.authorize(modules=("QR", "PDF"))
    server.report(given.lease, {"QR": 1, "PDF": 2})
    assert use(server, "216998-100") == (1, 1)


def test_a_released_seat_counts_no_more_and_an_unknown_code_is_named(server: Lab) -> None:
    from lts.service.metering import release

    server.load(item("seats", "device", 10))
    release.release(server.ctx, server.authorize().lease, server.time.now)
    assert use(server, "216998-100") == (0, 0)
    with pytest.raises(AdminError, match="no handshake code '1-none'"):
        use(server, "1-none")
