"""A dry run of an authorization: each item's verdict, who holds the seats, when one is free."""

from __future__ import annotations

from uuid import UUID

from msgspec import UNSET, UnsetType

from lts.errors import Refusal
from lts.protocol import iso
from lts.rules.clock import Moment
from lts.rules.licensing.catalog import Catalog, Code, LicenseItem
from lts.rules.metering import admission, verdicts
from lts.rules.metering import authorize as rules
from lts.rules.metering.authorize import has_seat
from lts.rules.metering.checks import Request
from lts.rules.metering.terms import CONCURRENT_WAYS, grace_units
from lts.rules.values.readmodel import ReadModel
from lts.service.core.context import Context
from lts.service.licensing import handshakes
from lts.service.licensing.itemlist import item_use
from lts.service.metering import authorize, clones
from lts.store.tables import devices, seats
from lts.store.tables.itemuse import use_of
from lts.store.writing.snapshot import Snapshot

HOLDERS_SHOWN = 20


class SeatHolder(ReadModel, frozen=True):
    """A device that holds a live seat, and until when."""

    device: str
    until: str


class CapStatus(ReadModel, frozen=True):
    """The cap of a handshake code on an item, and what the code uses of it."""

    cap: int
    used: int


class ExplainedItem(ReadModel, frozen=True, kw_only=True):
    """An item's verdict on a request; `code` 0 = it fits. `cap` is the code's if only that is in the way. An
    item with seats has `holders`, those that end first, and when the first of all ends; or None."""

    item_id: str
    license_id: str
    code: int
    detail: str
    quota: int
    grace: int
    cap: CapStatus | None
    used: int
    overdraft: int | None = None
    overdraft_spent: int | None = None
    holders: list[SeatHolder] | None = None
    next_free: str | None | UnsetType = UNSET


class Explanation(ReadModel, frozen=True, kw_only=True):
    """How an authorization would be answered; `granted` are ids of items. If it is refused before any item is checked,
    only why."""

    handshake_code: str | None = None
    code: int
    detail: str
    granted: list[str] | None = None
    items: list[ExplainedItem]


def explain(ctx: Context, request: Request, now: int) -> Explanation:
    """The verdict of every item of the code on a request. Changes nothing, raises nothing for a refusal; AdminError for
    an unknown number of a code.

    A request without a clone token counts as one of a device that lost its own, as in an authorization.
    """
    moment = ctx.clock.moment(now)
    with ctx.store.snapshot() as view:
        try:
            code = _code_of(view.catalog, request)
            admission.admit(code, request)
        except Refusal as refusal:
            return _refused(refusal)
        return _verdicts(ctx, view, code, request, moment)


def _code_of(catalog: Catalog, request: Request) -> Code:
    """The code that a request means, also by # and its number, which no name is. Raises Refusal, AdminError."""
    if request.handshake_code is not None and request.handshake_code.startswith("#"):
        return handshakes.find(catalog, request.handshake_code, request.organization_id)
    return admission.find_code(catalog, request)


def _verdicts(ctx: Context, view: Snapshot, code: Code, request: Request, moment: Moment) -> Explanation:
    device = devices.find(view.db, request.device)
    token = authorize.token_of(ctx, request.device, request.clone_token)
    if device is not None and authorize.token_step(device, token, moment.now).cloned:
        return _refused(clones.refusal())
    look_up = use_of(view, code, device.key if device else None, moment)
    decision = rules.decide(code, request, look_up, moment)
    too_large = authorize.too_large(decision.granted, request, code)
    if too_large is not None:
        return _refused(too_large)
    return Explanation(
        handshake_code=code.name,
        code=decision.fault,
        detail=decision.refusal().detail if decision.fault else "The request would be granted.",
        granted=[g.item.terms.item_id for g in decision.granted],
        items=[
            _explained(view, item, verdict, decision.caps.get(item.key), moment) for item, verdict in decision.tried
        ],
    )


def _refused(refusal: Refusal) -> Explanation:
    return Explanation(code=int(refusal.code), detail=refusal.detail, items=[])


def _explained(
    view: Snapshot, item: LicenseItem, verdict: int, cap: verdicts.CapUse | None, moment: Moment
) -> ExplainedItem:
    use, holders = item_use(view, item, moment), _holders(view, item, moment)
    return ExplainedItem(
        item_id=item.terms.item_id, license_id=item.license_id, code=verdict,
        detail=verdicts.of_item(verdict, cap), quota=item.terms.quota, grace=grace_units(item.terms),
        cap=None if cap is None else CapStatus(*cap), used=use.used, overdraft=use.overdraft,
        overdraft_spent=use.overdraft_spent, holders=holders,
        next_free=UNSET if holders is None else holders[0].until if holders else None,
    )  # fmt: skip


def _holders(view: Snapshot, item: LicenseItem, moment: Moment) -> list[SeatHolder] | None:
    """Who holds the live seats that end first; None of an item without seats."""
    if not has_seat(item.terms.charge_way):
        return None
    concurrent = item.terms.charge_way in CONCURRENT_WAYS
    first = seats.next_ends(view.db, item.key, concurrent, moment.of_seats(concurrent=concurrent), HOLDERS_SHOWN)
    return [SeatHolder(str(UUID(bytes=uuid)), iso(end)) for end, uuid in first]
