"""What a lease refers to here, and whether a report renews it (docs/design/charging.md, Renewal by report)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lts.errors import NotVerified, Refusal
from lts.protocol import Lease, LeaseItem
from lts.rules.clock import Moment
from lts.rules.licensing.catalog import Catalog, Code, CodeItem, LicenseItem
from lts.rules.metering import admission, asked
from lts.rules.metering import authorize as rules
from lts.rules.metering.authorize import Grant, has_seat
from lts.rules.metering.checks import ItemUse, UseOf, item_fault, quota_fault
from lts.rules.metering.clonetokens import TokenStep
from lts.store.tables import pair
from lts.store.tables.itemuse import held_items, use_of
from lts.store.writing.transaction import Transaction


class LeasedItems(NamedTuple):
    """The code, which may have been renamed or removed, and the lease's items in order; None for an item that this
    server does not hold."""

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


def code_and_items(tx: Transaction, lease: Lease) -> tuple[Code, list[LicenseItem]]:
    """What a lease refers to here. Raises NotVerified (141)."""
    code, items = leased(tx, lease)
    held = [item for item in items if item is not None]
    if len(held) < len(items):
        raise not_held(lease, "items")
    return code, held


def not_held(lease: Lease, what: str) -> NotVerified:
    """The refusal of a verified lease whose code or items this server does not have (any more)."""
    detail = f"This server does not know the {what} of the lease. Authorize again."
    return NotVerified(detail, device=lease.device, handshake_code=lease.handshake_code)


def _by_number(tx: Transaction, catalog: Catalog, lease: Lease) -> Code | None:
    """A number counts only together with a name that its code once had: after a restore another code may have it."""
    assert lease.code is not None
    code = catalog.codes_by_key.get(tx.aliases.get((pair.CODE, lease.code), lease.code))
    return code if code is not None and catalog.bore(code, lease.handshake_code) else None


def renewal(
    tx: Transaction,
    lease: Lease,
    code: Code,
    items: list[LicenseItem],
    device: int | None,
    moment: Moment,
    so_far: Mapping[int, ItemUse],
) -> tuple[Grant, ...]:
    """The lease's items granted again, all or none: only live grants, and only what an authorization with the same
    request would grant now (docs/design/charging.md, Renewal by report), of one that `may_renew`. `device` by number,
    None for one that is new; `so_far` as in use_of."""
    look_up = use_of(tx, code, device, moment, so_far)
    if lease.asked is None:
        return _of_items(lease, code, items, look_up, moment)
    if not asked.is_still_asked_for(lease.asked, code, tx.catalog):
        return ()
    request = asked.request_of(lease.asked, lease.device_bytes, code)
    try:
        admission.admit(code, request)
    except Refusal:
        return ()
    part = code.by_product.get(request.product)
    if part is None:
        return ()
    granted = rules.decide(part, request, look_up, moment, held_items(tx, part, device)).granted
    same = len(granted) == len(items) and all(map(_is_same, granted, lease.items, items))
    return granted if same else ()


def may_renew(lease: Lease, code: Code, step: TokenStep, issuer: str) -> bool:
    """Whether a lease can be renewed at all, whatever is counted. A lease of the pair's other server cannot: its holder
    has other certificates, and authorizes again."""
    return not step.cloned and not code.removed and lease.issuer == issuer


def _is_same(granted: Grant, claim: LeaseItem, item: LicenseItem) -> bool:
    """Whether what would be granted is what the lease has, by the same grant."""
    way = item.terms.charge_way
    return (
        granted.item.key == item.key
        and (granted.modules, way) == (claim.modules, claim.charge_way)
        and (not has_seat(way) or granted.seat.grant == claim.grant)
    )


def _of_items(lease: Lease, code: Code, items: list[LicenseItem], look_up: UseOf, moment: Moment) -> tuple[Grant, ...]:
    """The items of a lease of LTS 0.1.0, which does not record the request: each is judged separately."""
    granted = []
    for claim, item in zip(lease.items, items, strict=True):
        entry = code.entries.get(item.key)
        if entry is None or item_fault(item, moment.item_now):
            return ()
        renewed = _renew_item(look_up(entry), claim, entry, code, moment)
        if renewed is None:
            return ()
        granted.append(renewed)
    return tuple(granted)


def _renew_item(use: ItemUse, claim: LeaseItem, entry: CodeItem, code: Code, moment: Moment) -> Grant | None:
    if claim.charge_way != entry.item.terms.charge_way:
        return None  # what was granted then is not what an authorization would grant now
    needs_seat = has_seat(entry.item.terms.charge_way)
    if needs_seat and (use.seat is None or use.seat.grant != claim.grant):
        return None
    if quota_fault(entry, use, claim.instances):
        return None
    return rules.grant_item(entry.item, code.key, claim.modules, use, claim.instances, moment)
