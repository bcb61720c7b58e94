"""The smallest and largest values of a license file, and what stands where nothing is said."""

from __future__ import annotations

from typing import Any

import pytest

from lts.crypto import canonical_json
from lts.errors import LicenseFileError
from lts.rules import licensefile
from tests.rules.test_licensefile import FILE, payload
from tests.soak.fuzz_licensefile import UUID, good, signed

OVER = None


def read(made: dict[str, Any]) -> licensefile.License:
    return licensefile.read(signed(canonical_json(made)))


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"quota": 0}, "quota", 0),
        ({"quota": 10**12}, "quota", 10**12),
        ({"quota": 10**12 + 1}, "quota", OVER),
        ({"graceDays": 0}, "grace_days", 0),
        ({"graceDays": 3650}, "grace_days", 3650),
        ({"graceDays": 3651}, "graceDays", OVER),
        ({"graceQuota": 0}, "grace_quota", 0),
        ({"graceQuota": 100}, "grace_quota", 100),
        ({"graceQuota": -1}, "graceQuota", OVER),
        ({"maxOfflineDays": 1}, "max_offline_days", 1),
        ({"maxOfflineDays": 3650}, "max_offline_days", 3650),
        ({"maxOfflineDays": 0}, "maxOfflineDays", OVER),
        ({"maxOfflineDays": 3651}, "maxOfflineDays", OVER),
        ({"overdraft": 0}, "overdraft", 0),
        ({"overdraft": 10**15}, "overdraft", 10**15),
        ({"overdraft": 10**15 + 1}, "overdraft", OVER),
        ({"itemId": "x" * 500}, "item_id", "x" * 500),
        ({"startsAt": "2026-01-01T00:00:00Z", "expiresAt": "2026-01-01T00:00:01Z"}, "expires_at", 1767225601),
        ({"startsAt": "2026-01-01T00:00:00Z", "expiresAt": "2026-01-01T00:00:00Z"}, "expiresAt", OVER),
        ({"chargeWay": "server", "activePeriod": "daily"}, "active_period", "monthly"),
        ({"chargeWay": "device", "activePeriod": "quarterly"}, "active_period", "quarterly"),
        ({"chargeWay": "concurrentInstance", "deploymentTypes": ["server"]}, "deployment_types", ("server",)),
        ({"chargeWay": "concurrentInstance", "deploymentTypes": ["server", "mobile"]}, "deploymentTypes", OVER),
        ({"chargeWay": "domain", "domains": ["example.com"], "quota": None}, "quota", 0),
        ({"chargeWay": "domain", "domains": ["example.com:80"]}, "domains", OVER),
        ({"chargeWay": "scan", "quota": None}, "quota", OVER),
        ({"trial": True}, "trial", True),
    ],
)
def test_a_value_of_an_item_is_read_up_to_its_bounds(changes: dict[str, Any], field: str, value: object) -> None:
    if value is not OVER:
        assert getattr(read(payload(**changes)).items[1], field) == value
        return
    with pytest.raises(LicenseFileError, match=field):
        read(payload(**changes))


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"revision": 1}, None),
        ({"revision": 10**9}, None),
        ({"revision": 0}, "revision"),
        ({"revision": 10**9 + 1}, "revision"),
        ({"items": []}, "must hold 1 to 10000 items, not 0"),
        ({"servers": [{"uuid": UUID}]}, None),
        ({"servers": [{"uuid": UUID}, {"uuid": UUID[:-1] + "0"}]}, None),
        ({"servers": [{"uuid": UUID[:-1] + "0"}, {"uuid": UUID}, {"uuid": UUID[:-1] + "2"}]}, "one or two servers"),
        ({"servers": [{"uuid": UUID, "key": {"kty": "OKP"}}]}, "key is not an Ed25519 key"),
        ({"servers": [{"uuid": UUID + "0"}]}, "uuid is not an LTS UUID"),
        ({"licenseTextVersion": "2.1"}, "version 2.1 is unknown"),
        ({"certificates": ["x" * 4096]}, None),
        ({"certificates": ["x" * 4097]}, "certificates is longer than 4096"),
    ],
)
def test_a_license_is_read_up_to_its_bounds(changes: dict[str, Any], wrong: str | None) -> None:
    if wrong is None:
        assert read({**good(), **changes}).license_status == "Activated"
        return
    with pytest.raises(LicenseFileError, match=wrong):
        read({**good(), **changes})


def test_ten_thousand_items_are_taken_and_none_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert licensefile.MAX_ITEMS == 10_000
    monkeypatch.setattr(licensefile, "MAX_ITEMS", 2)
    assert len(read(payload()).items) == 2
    made = payload()
    made["items"].append({**made["items"][0], "itemId": "three"})
    with pytest.raises(LicenseFileError, match="must hold 1 to 2 items, not 3"):
        read(made)


def test_the_summary_says_what_the_signed_text_holds() -> None:
    made = payload(expiresAt="2027-01-31")
    made["revokes"] = ["one"]
    text = licensefile.render(read(made))
    assert text.splitlines()[:8] == [
        "LTS license file", "", "License:       100", "Alias:         -", "Text version:  2.0",
        f"Organization:  {FILE.organization_id}", "Status:        New, revision 1", "Items:",
    ]  # fmt: skip
    assert "  one: reader, scan 100, until 2027-11-25, 12:17 UTC (revoked)" in text
    assert "  two: reader, device 5, until 2027-01-31\n" in text
