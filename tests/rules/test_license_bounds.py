"""The smallest and largest values of a license file, and the defaults of what it leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from lts.crypto import canonical_json
from lts.errors import LicenseFileError
from lts.rules.licensing import licensefile
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
        ({"startsAt": "1970-01-01T00:00:00Z"}, "starts_at", 0),
        ({"modules": None}, "modules", ()),
        ({"editions": None, "deploymentTypes": None}, "editions", ()),
        ({"productVersions": None}, "product_versions", ("*",)),
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


def test_times_and_what_may_be_left_out_of_a_license() -> None:
    made = {**good(), "issuedAt": "1970-01-01T00:00:00Z", "activatedAt": "2026-11-25T12:00:00Z"}
    found = read({name: value for name, value in made.items() if name not in ("revokes", "certificates", "alias")})
    assert (found.issued_at, found.activated_at) == (0, 1795608000)
    assert (found.revokes, found.certificates, found.alias) == (frozenset(), (), "")
    assert read({**made, "issuedAt": "2026-11-25T12:00:00Z"}).issued_at == 1795608000


@pytest.mark.parametrize(
    ("item_id", "named"), [("x", True), ("x" * 500, True), ("x" * 501, False), ("", False), ("a\nb", False), (7, False)]
)
def test_a_fault_names_the_id_of_its_item_where_that_can_be_shown(item_id: object, *, named: bool) -> None:
    with pytest.raises(LicenseFileError) as caught:
        read(payload(itemId=item_id, quota=-1))
    assert (f"({item_id})" in caught.value.detail) is named


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
    assert licensefile.compare(None, read(made)) == licensefile.Difference("new", ("two",), (), ("one",))
    assert "\nOnly the signed block below counts. Do not change this file.\n" in text
    assert "  one: reader, scan 100, until 2027-11-25, 12:17 UTC (revoked)" in text
    assert "  two: reader, device 5, until 2027-01-31\n" in text


@pytest.mark.parametrize(
    ("way", "grace", "overdraft"),
    [("scan", 5, 5000), ("page", 5, 5000), ("device", 10, 5000), ("server", 10, 5000), ("concurrentDevice", 0, 5000)],
)
def test_grace_and_overdraft_where_nothing_is_said(way: str, grace: int, overdraft: int) -> None:
    made = payload(chargeWay=way, graceQuota=None, overdraft=None, graceDays=None)
    found = read(made).items[1]
    assert (found.grace_quota, found.overdraft, found.grace_days) == (grace, overdraft, 7)


def test_a_license_never_goes_over_to_another_organization() -> None:
    held, other = read(good()), read({**good(), "organizationId": "2", "revision": 10**9})
    with pytest.raises(LicenseFileError) as caught:
        licensefile.compare(held, other)
    assert (caught.value.code, "for organization 2;" in caught.value.detail) == ("organization-changed", True)
