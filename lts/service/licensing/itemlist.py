"""License items as administrators see them: their terms, state and use. Only reads.

Importing the files that they come from: lts.service.licensing.licenses.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from lts.errors import RefusalCode
from lts.rules.clock import Moment
from lts.rules.licensing.catalog import ACTIVE, LicenseItem
from lts.rules.licensing.itemstatus import ItemStatus
from lts.rules.metering.checks import item_fault
from lts.rules.metering.terms import CONCURRENT_WAYS, SEAT_WAYS, grace_units, in_expiry_grace
from lts.rules.values.ends import days_left
from lts.service.core.context import Context
from lts.service.licensing.importeffects import live_seats
from lts.store.tables import usage
from lts.store.writing.snapshot import View


class QuotaUse(NamedTuple):
    """How much of an item is used, as in ItemStatus."""

    used: int
    overdraft: int | None = None
    overdraft_spent: int | None = None


def describe(ctx: Context, now: int, of: Collection[int] | None = None) -> list[ItemStatus]:
    """License items with their state and use: all, or those of some numbers. What `used_up_on` says is left out."""
    moment = ctx.clock.moment(now)
    with ctx.store.snapshot() as view:
        items = view.catalog.items
        chosen = items.values() if of is None else [items[key] for key in of if key in items]
        return [_describe(view, item, moment) for item in chosen]


def _describe(view: View, item: LicenseItem, moment: Moment) -> ItemStatus:
    terms, use, now = item.terms, item_use(view, item, moment), moment.now
    using = view.catalog.codes_of_items.get(item.key, ())
    return ItemStatus(
        id=item.key, item_id=terms.item_id, license_id=item.license_id, organization_id=item.organization_id,
        description=terms.description, product=terms.product, product_versions=terms.product_versions,
        editions=terms.editions, deployment_types=terms.deployment_types, modules=terms.modules, domains=terms.domains,
        charge_way=terms.charge_way, quota=terms.quota, grace=grace_units(terms), grace_days=terms.grace_days,
        active_period=terms.active_period, max_offline_days=terms.max_offline_days, trial=terms.trial, used=use.used,
        overdraft=use.overdraft, overdraft_spent=use.overdraft_spent, starts_at=terms.starts_at,
        expires_at=terms.expires_at, days_left=None if terms.expires_at is None else days_left(terms.expires_at, now),
        state=_state(item, moment.item_now), reason=item.reason, handshake_codes=tuple([code.name for code in using]),
        codes=tuple([code.key for code in using]), used_up_on=None,
    )  # fmt: skip


def _state(item: LicenseItem, item_now: int) -> str:
    """active, grace (past its end, still allowed), pending, expired, revoked or invalid."""
    if item.state != ACTIVE:
        return item.state
    states: dict[int, str] = {RefusalCode.NOT_STARTED: "pending", RefusalCode.EXPIRED: "expired"}
    state = states.get(item_fault(item, item_now), ACTIVE)
    return "grace" if state == ACTIVE and in_expiry_grace(item.terms, item_now) else state


def item_use(view: View, item: LicenseItem, moment: Moment) -> QuotaUse:
    """How much of the quota is used: units, live seats, or instances active now with the overdraft spent; by the times
    by which a request is judged (lts.store.tables.itemuse)."""
    terms, key = item.terms, item.key
    if terms.charge_way in SEAT_WAYS:
        return QuotaUse(live_seats(view, item, moment))
    if terms.charge_way in CONCURRENT_WAYS:
        spent = usage.overdraft_spent(view, item, moment.now, moment.item_now)
        return QuotaUse(live_seats(view, item, moment), terms.overdraft, spent)
    return QuotaUse(view.sums.get(("item", key, 0), 0))
