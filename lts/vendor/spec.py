"""The spec of a license: what each field means, and one to start from (docs/vendor.md, Issue). Signs nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from lts.protocol import DAY_SECONDS, iso
from lts.rules.licensing.licensefile import (
    CHARGE_WAYS,
    DEFAULT_GRACE_DAYS,
    DEFAULT_GRACE_QUOTA,
    DEPLOYMENT_TYPES,
    OVERDRAFT_FACTOR,
    PERIOD_DAYS,
)
from lts.rules.metering.terms import DEFAULT_OFFLINE_DAYS
from lts.rules.values import domains
from lts.rules.values.fields import Fields


def _by_way(percents: Mapping[str, int]) -> str:
    """Such as `5 (scan, page), else 0`."""
    ways: dict[int, list[str]] = {}
    for way, percent in percents.items():
        ways.setdefault(percent, []).append(way)
    return ", ".join([f"{percent} ({', '.join(names)})" for percent, names in ways.items()] + ["else 0"])


LICENSE_FIELDS: dict[str, str] = {
    "licenseId": "your number for the sale; with your key it identifies the license",
    "organizationId": "the customer",
    "alias": "a name for people; default LTS_{licenseId}_Date{activation date}",
    "items": "list of license items, 1 to 10,000",
}
ITEM_FIELDS: dict[str, str] = {
    "itemId": "unique within the license",
    "description": "for people; default none",
    "product": "exactly the name that the application sends",
    "productVersions": 'major versions, such as ["8", "9"]; default ["*"], any',
    "editions": "list of editions; default any",
    "deploymentTypes": f"of {', '.join(DEPLOYMENT_TYPES)}; default any",
    "modules": "features that an application asks for; default none",
    "chargeWay": f"one of {', '.join(CHARGE_WAYS)}",
    "quota": "units, devices, instances or servers; not for domain",
    "activePeriod": f"of device items: {', '.join(PERIOD_DAYS)}; default yearly",
    "domains": "of domain items: each covers its subdomains",
    "startsAt": "such as 2026-12-01, the beginning of that day, or 2026-12-01T00:00:00Z (UTC)",
    "expiresAt": "such as 2027-11-30, the end of that day, or a time; null for never",
    "graceDays": f"days after the end in which it still works, marked; default {DEFAULT_GRACE_DAYS}",
    "graceQuota": f"percent beyond the quota; default {_by_way(DEFAULT_GRACE_QUOTA)}",
    "overdraft": "of concurrent items: what excess devices may spend in 365 days;"
                 f" default {OVERDRAFT_FACTOR} x quota",
    "maxOfflineDays": f"how long a lease lasts without contact; default {DEFAULT_OFFLINE_DAYS}, of device and server"
                      " items the active period",
    "trial": "true or false, shown to people; default false",
}  # fmt: skip
REQUIRED = ("licenseId", "organizationId", "items", "itemId", "product", "chargeWay", "quota", "startsAt", "expiresAt")


def sample(now: int) -> dict[str, Any]:
    """A spec with every field in use somewhere, valid from the day of `now` (UTC seconds) for a year."""
    year = {"startsAt": _day(now), "expiresAt": _day(now + 364 * DAY_SECONDS)}
    product = {"product": "example-product", "productVersions": ["*"]}
    return {
        "licenseId": "1001",
        "organizationId": "customer-1",
        "alias": "Example license",
        "items": [
            {"itemId": "scans", "description": "Scans for a year", **product, "editions": ["standard", "professional"],
             "deploymentTypes": ["browser", "mobile", "desktop"], "modules": ["QR Code", "1D barcode"],
             "chargeWay": "scan", "quota": 100_000, **year, "graceDays": 7, "graceQuota": 5, "maxOfflineDays": 7},
            {"itemId": "desks", "description": "Named devices", **product, "deploymentTypes": ["desktop"],
             "modules": ["QR Code"], "chargeWay": "device", "activePeriod": "quarterly", "quota": 25, **year},
            {"itemId": "floating", "description": "Devices at once, on trial", **product, "modules": ["PDF"],
             "chargeWay": "concurrentDevice", "quota": 10, "overdraft": 10_000, "trial": True, **year},
            {"itemId": "site", "description": "A web site, forever", **product, "deploymentTypes": ["browser"],
             "modules": ["QR Code"], "chargeWay": "domain", "domains": ["example.com"],
             **year, "expiresAt": None},
        ],
    }  # fmt: skip


_DOUBLES = ("productVersions", "editions", "deploymentTypes", "modules", "domains")
_MAJOR = re.compile("0|[1-9][0-9]*")


def check_item(fields: Fields) -> None:
    """Refuse what a server accepts but no application could ever request. Raises LicenseFileError, which names the
    field.

    Checked only when something is sold: a customer's older file must stay readable, and can be changed.
    """
    for name in _DOUBLES:
        values = fields.texts(name, optional=True)
        if len(set(values)) < len(values):
            twice = Counter(values).most_common(1)[0][0]
            raise fields.fault(name, f"names {twice!r} twice; name it once")
    for version in fields.texts("productVersions", optional=True):
        if version != "*" and not _MAJOR.fullmatch(version):
            major = re.match(r"[vV]?([0-9]+)", version)
            instead = f'write "{int(major[1])}"' if major else 'write a number such as "8", or "*" for any'
            raise fields.fault(
                "productVersions", f"has {version!r}; a major version is a whole number, compared alone: {instead}"
            )
    for domain in fields.texts("domains", optional=True):
        fault = domains.binding_fault(domain)
        if fault is not None:
            raise fields.fault("domains", fault)


def _day(seconds: int) -> str:
    return iso(seconds)[:10]
