"""The licenses and handshake codes of a server as one immutable snapshot.

Built by lts/service/licensing/catalog.py after every commit that changes it; rules and requests only read it.
Integer keys are those of the store.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, overload

from msgspec import Struct

from lts.protocol import Lease
from lts.rules.licensing.certificates import Certificates, LicenseName
from lts.rules.licensing.codenames import Names
from lts.rules.licensing.licensefile import ItemTerms
from lts.rules.values import domains

LIGHT_ITEMS = 20
"""Items of a lease, or of a code for a product, that cost no more than the call itself."""

ACTIVE, REVOKED, INVALID, ARCHIVED = "active", "revoked", "invalid", "archived"


@dataclass(frozen=True)
class LicenseItem:
    """An item as this server holds it. `vendor` is the root key id of the vendor that sold it.

    `state` is active, revoked, invalid (signature, trust or binding do not hold; `reason` says which), or archived
    with its license. Only its grants of `round` are valid.
    """

    key: int
    license_id: str
    vendor: str
    organization_id: str
    terms: ItemTerms
    state: str = ACTIVE
    reason: str | None = None
    round: int = 0

    @property
    def license_name(self) -> LicenseName:
        return self.vendor, self.license_id

    @cached_property
    def place(self) -> tuple[object, ...]:
        """What `default_order` goes by."""
        terms = self.terms
        return (
            terms.expires_at if terms.expires_at is not None else float("inf"),
            _specificity(terms),
            len(terms.domains),
            -(terms.max_offline_days or 7),
            -terms.quota,
            self.key,
        )


class CodeItem(Struct, frozen=True, gc=False):
    """An item's place in a handshake code; `cap` is the most of its quota that the code may use."""

    item: LicenseItem
    cap: int | None = None


class LinkedItems(Sequence[CodeItem]):
    """The items that a code is linked with, in order of use; put together when they are first asked for, since a
    license that changes may be in many codes that nobody asks for now.

    `links` are (license number, item number, cap) in the administrator's order, `pool` has the items of these licenses,
    by both numbers.
    """

    def __init__(
        self, links: Sequence[tuple[int, int, int | None]], pool: Mapping[int, Mapping[int, LicenseItem]], manual: bool
    ) -> None:
        self.links = links
        self.pool = pool
        self._manual = manual

    @cached_property
    def _entries(self) -> tuple[CodeItem, ...]:
        entries = [CodeItem(self.pool[license_key][item], cap) for license_key, item, cap in self.links]
        return tuple(entries) if self._manual else default_order(entries)

    def over(self, changed: Mapping[int, Mapping[int, LicenseItem]]) -> LinkedItems:
        """The same links, to what some licenses are now."""
        own = {key: items for key, items in changed.items() if key in self.pool}
        return LinkedItems(self.links, {**self.pool, **own}, self._manual)

    def __len__(self) -> int:
        return len(self.links)

    @overload
    def __getitem__(self, place: int) -> CodeItem: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[CodeItem]: ...
    def __getitem__(self, place: int | slice) -> CodeItem | Sequence[CodeItem]:
        return self._entries[place]

    def __iter__(self) -> Iterator[CodeItem]:
        return iter(self._entries)

    def __eq__(self, other: object) -> bool:
        return self._entries == (other._entries if isinstance(other, LinkedItems) else other)

    def __hash__(self) -> int:
        return hash(self._entries)


class CodeBinding(NamedTuple):
    """What binds a code to an application; empty = not bound by that field."""

    domains: tuple[str, ...] = ()
    application_ids: tuple[str, ...] = ()
    process_names: tuple[str, ...] = ()


UNBOUND = CodeBinding()


@dataclass(frozen=True)
class Code:
    """A handshake code: its items in order of use.

    With `manual_order` the administrator's order is kept; otherwise `items` is sorted by the
    default order and items in grace are moved behind at the time of a request. `password_change` is the number of the
    change that last set or removed the session password, 0 = none since LTS 0.1.0.
    """

    key: int
    organization_id: str
    custom: str
    items: Sequence[CodeItem]
    is_default: bool = False
    manual_order: bool = False
    session_password: str | None = field(default=None, repr=False)
    password_change: int = 0
    validation: CodeBinding = UNBOUND
    note: str = ""
    removed: bool = False

    @cached_property
    def name(self) -> str:
        """`{organizationId}-{custom}`, what applications send."""
        return f"{self.organization_id}-{self.custom}"

    @cached_property
    def entries(self) -> Mapping[int, CodeItem]:
        """`items` by the item's number."""
        return {entry.item.key: entry for entry in self.items}

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The domains that the code is bound to, as a set in which a request's is looked up."""
        return domains.hosts(self.validation.domains)

    @cached_property
    def by_product(self) -> Mapping[str, Code]:
        """The code reduced to one product: a code may hold thousands of items, and a report needs only those of its
        own."""
        entries: defaultdict[str, list[CodeItem]] = defaultdict(list)
        for entry in self.items:
            entries[entry.item.terms.product].append(entry)
        return {name: replace(self, items=tuple(found)) for name, found in entries.items()}


@dataclass(frozen=True)
class Catalog:
    """Everything an authorization reads of licenses, codes and settings."""

    items: Mapping[int, LicenseItem] = field(default_factory=lambda: MappingProxyType({}))
    codes: Mapping[str, Code] = field(default_factory=lambda: MappingProxyType({}))
    """By full name; of two organizations' codes with the same full name, that of the name's `owner`, else the one that
    has had the name longer."""
    by_place: Mapping[tuple[str, str], Code] = field(default_factory=lambda: MappingProxyType({}))
    """By (organization, custom part of the name)."""
    codes_by_key: Mapping[int, Code] = field(default_factory=lambda: MappingProxyType({}))
    defaults: Mapping[str, Code] = field(default_factory=lambda: MappingProxyType({}))
    vendors: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """organization id -> root key id of its vendor."""
    certificates: Certificates = field(default_factory=Certificates)
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    names: Names = field(default_factory=Names)
    stands_in: bool = False
    """Whether the licenses of a main count as this server's own."""
    made_of: Any = field(default=None, repr=False, compare=False)
    """What who builds the next catalog wants to know of this one (lts.service.licensing.catalog)."""

    @property
    def present(self) -> list[Code]:
        """Codes that were not removed, in the order of `codes_by_key`."""
        return [code for code in self.codes_by_key.values() if not code.removed]

    @cached_property
    def closed_day(self) -> int:
        """The last day (since 1970) for which only sums are kept, -1 for none."""
        return int(str(self.settings.get("closedDay", -1)))

    @cached_property
    def many_items(self) -> frozenset[str]:
        """Spelled names of the codes that hold many items, and their organizations, whose default code each may be: one
        look-up shows whether an authorization may concern many."""
        large = [code for code in self.codes_by_key.values() if len(code.items) > LIGHT_ITEMS]
        return frozenset([*(code.name for code in large), *(code.organization_id for code in large)])

    def settings_of(self, prefix: str) -> dict[str, dict[str, Any]]:
        """The settings whose names begin so, by the rest of the name; those that hold an object."""
        return {
            name.removeprefix(prefix): value
            for name, value in self.settings.items()
            if name.startswith(prefix) and isinstance(value, dict)
        }

    def code_called(self, name: str, organization_id: str | None = None) -> Code | None:
        """The code of this spelled name, of the organization if one is given; or None."""
        if organization_id is None:
            return self.codes.get(name)
        if not name.startswith(f"{organization_id}-"):
            return None
        return self.by_place.get((organization_id, name[len(organization_id) + 1 :]))

    def owner(self, name: str) -> str | None:
        """The organization whose code was the first to have a spelled name, even if that code is gone; None for a
        name that was never given."""
        bearers = self.names.bearers(name)
        first = self.codes_by_key.get(bearers[0]) if bearers else None
        return None if first is None else first.organization_id

    def code_meant(self, name: str, organization_id: str | None) -> Code | None:
        """The code that a request means by a spelled name. Without an organization that is the name's owner, so that
        its requests never reach another organization's code of the same full name."""
        return self.code_called(name, self.owner(name) if organization_id is None else organization_id)

    def bore(self, code: Code, name: str) -> bool:
        """Whether the code has this name, or once had it."""
        return name == code.name or self.names.bore(code.key, name)

    def bearer(self, lease: Lease) -> Code | None:
        """The code that had the name in a lease when it was given, None for a name that was never given."""
        origin = lease.jti.partition("-")[0]
        number = self.names.bearer(lease.handshake_code, origin, lease.serial, lease.issued_at)
        return self.codes_by_key.get(number)

    def once_meant(self, name: str, organization_id: str | None) -> Code | None:
        """Of the codes that a request could have meant before, the last to have the name that is not removed; None
        while it means one."""
        owner = self.owner(name) if organization_id is None else organization_id
        if owner is None or self.code_called(name, owner) is not None:
            return None
        bearers = [self.codes_by_key.get(number) for number in reversed(self.names.bearers(name))]
        own = (code for code in bearers if code is not None and code.organization_id == owner and not code.removed)
        return next(own, None)

    @cached_property
    def items_by_name(self) -> Mapping[tuple[str, str, str], LicenseItem]:
        """The items as a lease's claims name them: by organization, license id and item id."""
        return {(i.organization_id, i.license_id, i.terms.item_id): i for i in self.items.values()}

    @cached_property
    def codes_of_items(self) -> Mapping[int, list[Code]]:
        """The codes that hold an item, by its number; an item of no code is missing."""
        found: defaultdict[int, list[Code]] = defaultdict(list)
        for code in self.present:
            for entry in code.items:
                found[entry.item.key].append(code)
        return dict(found)


def _specificity(terms: ItemTerms) -> tuple[int, int, int, int, int]:
    wildcard = int("*" in terms.product_versions)
    return (
        wildcard,
        len(terms.product_versions),
        len(terms.editions) or 1000,
        len(terms.deployment_types) or 1000,
        len(terms.modules),
    )


def default_order(items: list[CodeItem]) -> tuple[CodeItem, ...]:
    """Order of use (docs/design/authorizing.md, Order of use): nearest expiry, more specific, least restrictive."""
    return tuple(sorted(items, key=lambda entry: entry.item.place))
