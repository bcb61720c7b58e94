"""What a new revision of a license ends, named in the preview before anybody confirms it."""

from __future__ import annotations

from lts.protocol import DAY_SECONDS, iso
from lts.rules.licensing import licensefile
from lts.rules.licensing.licensefile import License
from lts.service.licensing import licenses
from lts.service.licensing.licenses import Choice
from lts.vendor import issuing
from tests.service.test_import import first, load
from tests.support.kit import NOON, Lab, item


def _seated(server: Lab) -> License:
    """A license of three seated items with a live seat (or instance) each, and one that nobody draws on."""
    ways = {"a": "device", "b": "server", "c": "concurrentDevice", "d": "device"}
    sold = first(server, *(item(name, way, 10, product=name, graceDays=0) for name, way in ways.items()))
    load(server, sold)
    for name in "abc":
        server.authorize(product=name)
    return sold


def _stops(server: Lab, license_file: License) -> list[tuple[str, str, int]]:
    """(item, why, seats) as the preview shows them; the import reports the same."""
    data = licensefile.render(license_file).encode()
    shown = licenses.preview(server.ctx, data, Choice(), server.time.now)
    assert load(server, license_file).effects == shown.effects
    return [(stop.item_id, stop.why, stop.seats) for stop in shown.effects.stops]


def test_seats_that_end_with_a_revoked_item_are_named_before(server: Lab) -> None:
    sold = _seated(server)
    revoked = issuing.revoke(sold, ["a", "d"], server.vendor.key, "Vendor")
    assert _stops(server, revoked) == [("a", "revoked", 1)]
    assert _stops(server, issuing.amend(revoked, {"remove": ["b"]}, server.vendor.key, "Vendor")) == [
        ("b", "revoked", 1)
    ]


def test_seats_that_end_with_a_changed_charge_way_end_or_start_are_named_before(server: Lab) -> None:
    sold = _seated(server)
    changes = [
        {"itemId": "a", "chargeWay": "server", "quota": 0, "graceQuota": 0},
        {"itemId": "b", "expiresAt": iso(NOON - 3600)},
        {"itemId": "c", "startsAt": iso(NOON + DAY_SECONDS)},
        {"itemId": "d", "expiresAt": iso(NOON - 3600)},
    ]
    amended = issuing.amend(sold, {"items": changes}, server.vendor.key, "Vendor")
    told = _stops(server, amended)
    assert told == [("a", "charged-anew", 1), ("b", "ended", 1), ("c", "pending", 1), ("d", "ended", 0)]
    again = issuing.amend(amended, {"items": [{"itemId": "d", "quota": 1}]}, server.vendor.key, "Vendor")
    assert _stops(server, again) == []


def test_seats_go_on_in_grace_and_with_another_end(server: Lab) -> None:
    sold = _seated(server)
    changes = [{"itemId": "a", "expiresAt": iso(NOON - 3600), "graceDays": 3}, {"itemId": "b", "quota": 1}]
    assert _stops(server, issuing.amend(sold, {"items": changes}, server.vendor.key, "Vendor")) == []
