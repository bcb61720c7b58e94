"""The demo, as its readers use it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from lts.protocol import LicenseKey
from tests.support.lines import lts


@pytest.fixture(scope="module")
def demo() -> dict[str, Any]:
    done = lts("demo", "--exit", "--json", "--port", "0")
    assert done.code == 0, done.err
    result: dict[str, Any] = json.loads(done.out)
    return result


def test_the_usage_is_what_the_devices_reported(demo: dict[str, Any]) -> None:
    reported: Counter[str] = Counter()
    for device in demo["devices"]:
        reported.update(device["reported"])
    assert len(demo["devices"]) == 3
    assert demo["usage"] == dict(reported)
    assert LicenseKey.decode(demo["licenseKey"]).handshake_code == demo["handshakeCode"]


def test_ten_lines_with_a_jose_library_verify_a_lease_by_the_vendors_key_alone(demo: dict[str, Any]) -> None:
    for device in demo["devices"]:
        key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": demo["vendorKey"]})
        subject = None
        for certificate in device["certificates"]:
            claims = json.loads(jws.deserialize_compact(certificate, key, ["EdDSA"]).payload)
            subject, key = claims["sub"], OKPKey.import_key(claims["cnf"]["jwk"])
        lease = json.loads(jws.deserialize_compact(device["lease"], key, ["EdDSA"]).payload)
        assert lease["iss"] == subject == demo["serverUuid"]
        assert lease["sub"] == device["deviceId"]


def test_for_people_it_prints_the_key_the_leases_and_the_table() -> None:
    done = lts("demo", "--exit", "--port", "0")
    assert done.code == 0, done.err
    assert "LTS2" in done.out
    assert done.out.count("\neyJ") == 3
    assert "QR Code" in done.out.splitlines()[-2]
    assert done.out.splitlines()[-1].split() == ["all", "13", "12", "25"]
