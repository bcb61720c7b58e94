"""What a request asks for, and the checks of one item (docs/design/authorizing.md, Checks of an item).

Pure. Choosing among the items of a code is in authorize.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lts.errors import RefusalCode
from lts.rules.licensing.catalog import ACTIVE, CodeItem, LicenseItem
from lts.rules.licensing.licensefile import ChargeWay, ItemTerms
from lts.rules.metering.seats import Seat
from lts.rules.metering.terms import CONCURRENT_WAYS, SEAT_WAYS, UNIT_WAYS, grace_end, grace_units
from lts.rules.metering.verdicts import CapUse
from lts.rules.values import domains

STAGES = (
    RefusalCode.OTHER_PRODUCT,
    RefusalCode.OTHER_VERSION,
    RefusalCode.OTHER_EDITION,
    RefusalCode.OTHER_DEPLOYMENT,
    RefusalCode.OTHER_CHARGE_WAY,
    RefusalCode.NO_VALIDATION,
    RefusalCode.WRONG_VALIDATION,
    RefusalCode.MODULE_MISSING,
    RefusalCode.INVALID_ITEM,
    RefusalCode.NOT_STARTED,
    RefusalCode.EXPIRED,
    RefusalCode.USED_UP,
)
"""Checks of one item in their order (docs/design/authorizing.md, Checks of an item); 114 and 103 for domain
items alone."""


class Request(NamedTuple):
    """An authorization request, names in NFC, `device` the 16 bytes of its UUID. None = not sent."""

    device: bytes
    product: str
    deployment_type: str
    handshake_code: str | None = None
    organization_id: str | None = None
    session_password: str | None = None
    version: str | None = None
    edition: str | None = None
    charge_way: str | None = None
    modules: tuple[str, ...] = ()
    instances: int = 1
    domain: str | None = None
    application_id: str | None = None
    process_name: str | None = None
    clone_token: str | None = None
    client_name: str | None = None


class ItemUse(NamedTuple):
    """What an item's counters say for one device: units used, live seats, overdraft spent.

    `seat` is the device's live grant in the item, if any, `in_code` whether it was granted by this code before; `peak`
    is the highest grant number the device ever had there. `elders` counts the instances (devices) whose unbroken lease
    of a concurrent item is older than this device's; it is read only once overused, and so is `live` of a concurrent
    item.
    """

    used: int = 0
    code_used: int = 0
    live: int = 0
    code_live: int = 0
    spent: int = 0
    elders: int = 0
    seat: Seat | None = None
    peak: int = 0
    in_code: bool = False


UseOf = Callable[[CodeItem], ItemUse]


def mismatch(item: LicenseItem, request: Request) -> int:
    """The first of 106, 107, 109, 108, 115, 114, 103 that refuses the item, else 0."""
    terms = item.terms
    if terms.product != request.product:
        return RefusalCode.OTHER_PRODUCT
    if request.version is not None and not _version_fits(terms, request.version):
        return RefusalCode.OTHER_VERSION
    if request.edition is not None and terms.editions and request.edition not in terms.editions:
        return RefusalCode.OTHER_EDITION
    if terms.deployment_types and request.deployment_type not in terms.deployment_types:
        return RefusalCode.OTHER_DEPLOYMENT
    if request.charge_way is not None and request.charge_way != terms.charge_way:
        return RefusalCode.OTHER_CHARGE_WAY
    if terms.charge_way == ChargeWay.DOMAIN:
        if request.domain is None:
            return RefusalCode.NO_VALIDATION
        if not domains.matches_any(request.domain, terms.hosts):
            return RefusalCode.WRONG_VALIDATION
    return 0


def _version_fits(terms: ItemTerms, version: str) -> bool:
    return "*" in terms.product_versions or version.partition(".")[0] in terms.product_versions


def item_fault(item: LicenseItem, item_now: int) -> int:
    """113, 112 or 111 when the item authorizes nobody at `item_now`, else 0."""
    if item.state != ACTIVE:
        return RefusalCode.INVALID_ITEM
    if item_now < item.terms.starts_at:
        return RefusalCode.NOT_STARTED
    return RefusalCode.EXPIRED if item_now >= grace_end(item.terms) else 0


def quota_fault(code_item: CodeItem, use: ItemUse, instances: int) -> int:
    """120 when quota, grace, overdraft or cap (docs/design/charging.md, Caps) leave no room for this device, else 0."""
    terms, cap = code_item.item.terms, code_item.cap
    way = terms.charge_way
    if way in UNIT_WAYS:
        return RefusalCode.USED_UP if used_up(code_item, use) else 0
    if way in SEAT_WAYS:
        full = use.seat is None and use.live >= terms.quota + grace_units(terms)
        capped = cap is not None and use.code_live >= cap and not use.in_code
        return RefusalCode.USED_UP if full or capped else 0
    if way in CONCURRENT_WAYS:
        return _concurrent_fault(code_item, use, instances)
    return 0


def cap_use(code_item: CodeItem, use: ItemUse, instances: int) -> CapUse | None:
    """The cap of an item that `quota_fault` refuses; None if it would without the cap too."""
    if code_item.cap is None or quota_fault(CodeItem(code_item.item), use, instances):
        return None
    counted = code_item.item.terms.charge_way in UNIT_WAYS
    return CapUse(code_item.cap, use.code_used if counted else use.code_live)


def _concurrent_fault(code_item: CodeItem, use: ItemUse, instances: int) -> int:
    terms, cap = code_item.item.terms, code_item.cap
    asked = instances if terms.charge_way == ChargeWay.CONCURRENT_INSTANCE else 1
    if asked > terms.quota:
        return RefusalCode.USED_UP
    held = use.seat.instances if use.seat is not None and use.in_code else 0
    if cap is not None and asked > held and use.code_live + asked - held > cap:
        return RefusalCode.USED_UP
    if not used_up(code_item, use):
        return 0
    own = use.seat.instances if use.seat is not None else 0
    young = use.elders + min(asked, own) > terms.quota
    return RefusalCode.USED_UP if young or (asked > own and use.live + asked - own > terms.quota) else 0


def used_up(code_item: CodeItem, use: ItemUse) -> bool:
    """Whether units reach the quota with its grace, or the cap; of a concurrent item, whether its overdraft is
    spent."""
    terms, cap = code_item.item.terms, code_item.cap
    if terms.charge_way in UNIT_WAYS:
        return use.used >= terms.quota + grace_units(terms) or (cap is not None and use.code_used >= cap)
    return terms.charge_way in CONCURRENT_WAYS and use.spent >= terms.overdraft


def is_counted(terms: ItemTerms) -> bool:
    """Whether reports can use up the item."""
    return terms.charge_way in UNIT_WAYS or terms.charge_way in CONCURRENT_WAYS


def in_quota_grace(terms: ItemTerms, use: ItemUse) -> bool:
    """Whether the next use draws on the grace beyond the quota."""
    if terms.charge_way in UNIT_WAYS:
        return use.used >= terms.quota
    if terms.charge_way in SEAT_WAYS:
        return use.seat.grace if use.seat is not None else use.live >= terms.quota
    return False
