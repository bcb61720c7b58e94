"""The licenses and handshake codes of a server as one immutable picture.

Built by lts/service/catalog.py after every commit that changes it; rules and requests only read it.
Integer keys are those of the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lts.rules.certificates import Certificates, LicenseName
from lts.rules.licensefile import Item

ACTIVE, REVOKED, INVALID = "active", "revoked", "invalid"


@dataclass(frozen=True)
class LicenseItem:
    """An item as this server holds it. `vendor` is the root key id of the vendor that sold it.

    `state` is active, revoked, or invalid (signature, trust or binding do not hold; `reason` says which).
    """

    key: int
    license_id: str
    vendor: str
    organization_id: str
    item: Item
    state: str = ACTIVE
    reason: str | None = None

    @property
    def license_name(self) -> LicenseName:
        """The license it stands in."""
        return self.vendor, self.license_id


@dataclass(frozen=True)
class CodeItem:
    """An item's place in a handshake code; `cap` is the most of its quota that the code may use."""

    item: LicenseItem
    cap: int | None = None


@dataclass(frozen=True)
class Validation:
    """What binds a code to an application; empty = not bound by that field."""

    domains: tuple[str, ...] = ()
    application_ids: tuple[str, ...] = ()
    process_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Code:
    """A handshake code: its items in order of use.

    With `manual_order` the administrator's order holds as it stands; otherwise `items` is sorted by the
    default order and items in grace are moved behind at the time of a request. `password_change` is the number of the
    change that last set or removed the session password, 0 = none since LTS 0.1.0.
    """

    key: int
    organization_id: str
    custom: str
    items: tuple[CodeItem, ...]
    is_default: bool = False
    manual_order: bool = False
    session_password: str | None = field(default=None, repr=False)
    password_change: int = 0
    validation: Validation = Validation()
    note: str = ""
    removed: bool = False

    @property
    def name(self) -> str:
        """`{organizationId}-{custom}`, what applications send."""
        return f"{self.organization_id}-{self.custom}"


@dataclass(frozen=True)
class Catalog:
    """Everything an authorization reads of licenses, codes and settings."""

    items: Mapping[int, LicenseItem] = field(default_factory=lambda: MappingProxyType({}))
    codes: Mapping[str, Code] = field(default_factory=lambda: MappingProxyType({}))
    codes_by_key: Mapping[int, Code] = field(default_factory=lambda: MappingProxyType({}))
    defaults: Mapping[str, Code] = field(default_factory=lambda: MappingProxyType({}))
    vendors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """organization id -> root key id of its vendor."""
    certificates: Certificates = field(default_factory=Certificates)
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def code_named(self, name: str) -> Code | None:
        """The code of this name, else the newest removed one: reports for a removed code still count."""
        if name in self.codes:
            return self.codes[name]
        removed = [code for code in self.codes_by_key.values() if code.name == name]
        return max(removed, key=lambda code: code.key, default=None)

    def item_of(self, organization_id: str, license_id: str, item_id: str) -> LicenseItem | None:
        """The item that a lease's claims name, None when this server does not hold it."""
        return self._by_name.get((organization_id, license_id, item_id))

    @property
    def _by_name(self) -> Mapping[tuple[str, str, str], LicenseItem]:
        names: Mapping[tuple[str, str, str], LicenseItem] | None = self.__dict__.get("_names")
        if names is None:
            names = {(i.organization_id, i.license_id, i.item.item_id): i for i in self.items.values()}
            self.__dict__["_names"] = names
        return names


def _specificity(item: Item) -> tuple[int, int, int, int, int]:
    wildcard = int("*" in item.product_versions)
    return (
        wildcard,
        len(item.product_versions),
        len(item.editions) or 1000,
        len(item.deployment_types) or 1000,
        len(item.modules),
    )


def default_order(items: list[CodeItem]) -> tuple[CodeItem, ...]:
    """Order of use (docs/design/authorizing.md, Order of use): nearest expiry, more specific, least restrictive."""

    def key(entry: CodeItem) -> tuple[object, ...]:
        item = entry.item.item
        return (
            item.expires_at if item.expires_at is not None else float("inf"),
            _specificity(item),
            len(item.domains),
            -(item.max_offline_days or 7),
            -item.quota,
            entry.item.key,
        )

    return tuple(sorted(items, key=key))
