"""Licenses and handshake codes as the model holds them: dictionaries of what the files and the administrator said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DAY = 86_400
PERIODS = {"yearly": 365, "quarterly": 90, "monthly": 30, "daily": 1}
SEAT_WAYS = ("device", "server")
CONCURRENT_WAYS = ("concurrentDevice", "concurrentInstance")
UNIT_WAYS = ("scan", "page")
GRACE_PERCENT = {"scan": 5, "page": 5, "device": 10, "server": 10}
FOREVER = 10**15

ItemKey = tuple[str, str, str]
"""(vendor, licenseId, itemId)."""


@dataclass
class Item:
    """One license item: the newest words of the vendor, with the defaults of license files.

    See docs/design/license-files.md, License item.

    Times in UTC seconds; `expires` FOREVER for null. `age` orders items as they came.
    """

    key: ItemKey
    organization: str
    age: int
    product: str
    way: str
    quota: int
    starts: int
    expires: int
    versions: tuple[str, ...] = ("*",)
    editions: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    period_days: int = 365
    grace_days: int = 7
    grace_percent: int = 0
    overdraft: int = 0
    offline_days: int | None = None
    revoked: bool = False
    archived: bool = False
    bound: tuple[str, ...] = ()
    """LTS UUIDs that its license is activated for."""
    era: int = 0
    """Raised when all grants end: its license was archived, or its charge way changed."""

    @property
    def seats(self) -> bool:
        """Whether devices hold seats or live leases in it."""
        return self.way in SEAT_WAYS or self.way in CONCURRENT_WAYS

    @property
    def grace_units(self) -> int:
        """Units or devices beyond the quota, rounded half up (docs/design/charging.md, Grace)."""
        return (self.quota * self.grace_percent * 2 + 100) // 200

    def end(self, item_now: int) -> int:
        """Its end, days of grace included where they have begun."""
        return self.expires + self.grace_days * DAY if self.in_expiry_grace(item_now) else self.expires

    def in_expiry_grace(self, item_now: int) -> bool:
        """Whether it has ended."""
        return item_now >= self.expires


def read_item(key: ItemKey, organization: str, age: int, spec: dict[str, Any], seconds: dict[str, int]) -> Item:
    """An item of a spec; `seconds` holds its `startsAt` and `expiresAt` as UTC seconds."""
    way = spec["chargeWay"]
    quota = spec.get("quota", 0)
    period = "monthly" if way == "server" else spec.get("activePeriod", "yearly")
    return Item(
        key,
        organization,
        age,
        spec["product"],
        way,
        quota,
        seconds["startsAt"],
        seconds["expiresAt"],
        tuple(spec.get("productVersions", ["*"])),
        tuple(spec.get("editions", ())),
        tuple(spec.get("deploymentTypes", ())),
        tuple(spec.get("modules", ())),
        tuple(spec.get("domains", ())),
        PERIODS[period],
        spec.get("graceDays", 7),
        spec.get("graceQuota", GRACE_PERCENT.get(way, 0)),
        spec.get("overdraft", 1000 * quota),
        spec.get("maxOfflineDays"),
    )


@dataclass
class Code:
    """One handshake code. `number` never changes; `removed` ones stay for their history."""

    number: int
    organization: str
    custom: str
    default: bool = False
    items: list[tuple[ItemKey, int | None]] = field(default_factory=list)
    manual: bool = False
    password: str | None = None
    password_change: int = 0
    """Number of the last change of the session password, 0 before the first."""
    domains: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    removed: bool = False
    named: int = 0
    """The turn in which it got its name: of codes spelled alike the one that had the name first is meant."""
    former: list[tuple[int, str]] = field(default_factory=list)
    """(turn in which it got it, name) of each name it had before."""

    @property
    def name(self) -> str:
        """As applications spell it."""
        return f"{self.organization}-{self.custom}"

    def bore(self, name: str) -> bool:
        """Whether it has this name, or once had it."""
        return name == self.name or any(name == former for _, former in self.former)
