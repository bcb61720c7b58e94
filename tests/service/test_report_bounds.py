"""Which reports are worked off in pieces, and which places that leases name are looked up."""

from __future__ import annotations

from typing import Any

import pytest

from lts.protocol import Lease, slot_of
from lts.service.metering import report
from tests.support.kit import NOON, Lab, entry, item


@pytest.mark.parametrize(("entries", "in_pieces"), [(1, False), (32, False), (33, True)])
def test_a_report_that_may_be_more_than_a_piece_is_worked_off_in_pieces(
    server: Lab, entries: int, *, in_pieces: bool
) -> None:
    """A piece is work of 9,000: a day is 2,500, an entry may be 201 under a lease of one item."""
    server.load(item("one"))
    lease = server.ctx.leases.verify(server.authorize().lease)
    sent: list[Any] = [entry(slot_of(NOON) - n, {"QR": 1}) for n in range(entries)]
    begun = report.begin(server.ctx, lease, None, sent, NOON)
    assert [result.status for result in begun.finish().results] == ["counted"] * entries
    assert (begun.takes_long, server.used()) == (in_pieces, entries)


@pytest.fixture
def lease(server: Lab) -> Lease:
    """One of a server whose feed has gone on since: 20 changes, of which 4 were there when it was opened."""
    server.load(item("one"))
    lease = server.ctx.leases.verify(server.authorize().lease)
    while server.ctx.store.serial < 20:
        server.ctx.note_event("test-event", {})
    server.ctx.running.found_serial = 4
    return lease


def reached(server: Lab, lease: Lease, **changes: Any) -> int | None:
    """How far this server's feed was, where the lease names a place that it has otherwise."""
    other = lease._replace(**changes)
    return server.ctx.store.write(lambda tx: report._reached_elsewhere(tx, server.ctx, other))


def test_of_places_since_the_start_each_eighth_is_looked_at_and_all_before(server: Lab, lease: Lease) -> None:
    """A report pays for each; see docs/design/pair.md, Restored and copied servers."""
    found = [serial for serial in range(1, 23) if reached(server, lease, serial=serial, head="00000000") is not None]
    assert found == [1, 2, 3, 4, 8, 16, 21, 22]
    assert reached(server, lease, serial=21, head=None) == 20, "a place that the feed has not"
    assert reached(server, lease, serial=8, head=None) is None, "of LTS 0.1.0, which names no head"
    server.ctx.running.found_serial = lease.serial
    assert reached(server, lease) is None, "it is there as it was"
    assert reached(server, lease, head="00000000") == 20


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"origin": "00" * 8}, 0),
        ({"origin": None}, None),
        ({"origin": "00" * 8, "issuer": "another"}, None),
    ],
)
def test_of_an_incarnation_that_the_feed_knows_not_nothing_was_reached(
    server: Lab, lease: Lease, changes: dict[str, Any], found: int | None
) -> None:
    assert reached(server, lease, jti="00000000-7", **changes) == found
