"""What a lease refers to on this server: a handshake code, by its number, and license items."""

from __future__ import annotations

from typing import NamedTuple

from lts.errors import NotVerified
from lts.protocol import Lease
from lts.rules.catalog import Catalog, Code, LicenseItem
from lts.store import pair
from lts.store.transaction import Transaction


class LeasedItems(NamedTuple):
    """The code, which may have another name by now or be removed, and the lease's items in their order; None for one
    that this server does not hold."""

    code: Code
    items: tuple[LicenseItem | None, ...]


def leased(tx: Transaction, lease: Lease) -> LeasedItems:
    """The code and items of a verified lease (docs/design/authorizing.md, Names and numbers).

    Raises NotVerified (141) when this server knows no such code.
    """
    catalog = tx.catalog
    code = _by_number(tx, catalog, lease) if lease.code is not None else catalog.bearer(lease)
    if code is None:
        raise not_held(lease, "handshake code")
    find = catalog.items_by_name.get
    return LeasedItems(
        code, tuple([find((code.organization_id, item.license_id, item.item_id)) for item in lease.items])
    )


def not_held(lease: Lease, what: str) -> NotVerified:
    """The refusal of a verified lease whose code or items this server does not have (any more)."""
    detail = f"This server does not know the {what} of the lease. Authorize again."
    return NotVerified(detail, device=lease.device, handshake_code=lease.handshake_code)


def _by_number(tx: Transaction, catalog: Catalog, lease: Lease) -> Code | None:
    """A number counts only together with a name that its code once had: after a restore another code may have it."""
    assert lease.code is not None
    code = catalog.codes_by_key.get(tx.aliases.get((pair.CODE, lease.code), lease.code))
    return code if code is not None and catalog.bore(code, lease.handshake_code) else None
