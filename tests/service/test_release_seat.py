"""An administrator frees a seat: it is free at once, the device's lease runs to its end.

See docs/design/charging.md, Seats.
"""

from __future__ import annotations

from uuid import uuid4

import pytest

from lts.errors import AdminError
from lts.protocol import DAY_SECONDS, iso
from lts.service.metering import release
from tests.support.kit import NOON, Lab, item


def test_a_seat_freed_by_an_administrator_is_free_at_once(server: Lab) -> None:
    code, device = server.load(item(way="device", quota=1, graceQuota=0, activePeriod="monthly")), str(uuid4())
    lease = server.authorize(code, device).lease
    assert release.release_seat(server.ctx, device, 1, "cli:test", NOON) == NOON + 30 * DAY_SECONDS
    assert server.live() == 0
    assert server.report(lease, {"QR": 1}).lease is None
    server.authorize(code)


def test_a_seat_that_is_not_held_cannot_be_freed(server: Lab) -> None:
    code, device = server.load(item(way="device", quota=1)), str(uuid4())
    with pytest.raises(AdminError) as caught:
        release.release_seat(server.ctx, device, 1, "cli:test", NOON)
    assert caught.value.status == 404
    server.authorize(code, device)
    release.release_seat(server.ctx, device, 1, "cli:test", NOON)
    with pytest.raises(AdminError):
        release.release_seat(server.ctx, device, 1, "cli:test", NOON)


def test_a_seat_that_is_live_for_others_can_be_freed_while_the_clock_is_doubted(server: Lab) -> None:
    """Ten days ahead at once are used as the time, and no seat frees itself by them (docs/design/machine.md, Clock)."""
    ends = iso(NOON + DAY_SECONDS)
    code, device = server.load(item(way="device", quota=1, graceQuota=0, graceDays=0, expiresAt=ends)), str(uuid4())
    server.authorize(code, device)
    server.time.wall += 10 * DAY_SECONDS
    server.ctx.clock.look()
    moment = server.ctx.clock.moment(server.ctx.clock.now())
    assert moment.seat_now < NOON + DAY_SECONDS
    assert release.release_seat(server.ctx, device, 1, "cli:test", NOON + 10 * DAY_SECONDS) == NOON + DAY_SECONDS
