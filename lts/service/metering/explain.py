"""A dry run of an authorization: what each item says, who holds the seats, when one frees."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from lts.errors import Refusal
from lts.protocol import iso
from lts.rules import admission, verdicts
from lts.rules import authorize as rules
from lts.rules.authorize import Request, has_seat
from lts.rules.catalog import Catalog, Code, LicenseItem
from lts.rules.seats import CONCURRENT_WAYS, grace_units
from lts.service.core.context import Context
from lts.service.licensing import handshakes
from lts.service.licensing.licenses import item_use
from lts.service.metering import authorize, clones
from lts.service.metering.itemuse import use_of
from lts.store import devices, seats
from lts.store.snapshot import Snapshot

HOLDERS_SHOWN = 20


def explain(ctx: Context, request: Request, now: int) -> dict[str, Any]:
    """The verdict of every item of the code on a request, as JSON; `cap` tells of the code's cap on the item where it
    alone speaks against it. Changes nothing, raises nothing for a refusal; AdminError for an unknown number of a code.

    A request without a clone token is that of a device that lost its own, as an authorization takes it too.
    """
    item_now = ctx.clock.item_time(now)
    with ctx.store.snapshot() as view:
        try:
            code = _code_of(view.catalog, request)
            admission.admit(code, request)
        except Refusal as refusal:
            return {"code": refusal.code, "detail": refusal.detail, "items": []}
        return _verdicts(ctx, view, code, request, now, item_now)


def _code_of(catalog: Catalog, request: Request) -> Code:
    """The code that a request means, also by # and its number, which no name is. Raises Refusal, AdminError."""
    if request.handshake_code is not None and request.handshake_code.startswith("#"):
        return handshakes.find(catalog, request.handshake_code, request.organization_id)
    return admission.find_code(catalog, request)


def _verdicts(ctx: Context, view: Snapshot, code: Code, request: Request, now: int, item_now: int) -> dict[str, Any]:
    device = devices.find(view.db, request.device)
    token = authorize.token_of(ctx, request.device, request.clone_token)
    if device is not None and authorize.token_step(device, token, now).cloned:
        refusal = clones.refusal()
        return {"code": refusal.code, "detail": refusal.detail, "items": []}
    look_up = use_of(view, code, device.key if device else None, now, item_now, ctx.clock.seat_time(now))
    decision = rules.decide(code, request, look_up, now, item_now)
    return {
        "handshakeCode": code.name,
        "code": decision.code,
        "detail": decision.refusal().detail if decision.code else "The request would be granted.",
        "granted": [g.item.terms.item_id for g in decision.granted],
        "items": [
            {
                "itemId": entry.terms.item_id,
                "licenseId": entry.license_id,
                "code": verdict,
                "detail": verdicts.explain(verdict, None, decision.caps.get(entry.key)),
                "quota": entry.terms.quota,
                "grace": grace_units(entry.terms),
                "cap": _told(decision.caps.get(entry.key)),
                **item_use(view, entry, now, item_now),
                **_holders(view, entry, now),
            }
            for entry, verdict in decision.tried
        ],
    }


def _told(cap: verdicts.CapUse | None) -> dict[str, int] | None:
    return None if cap is None else cap._asdict()


def _holders(view: Snapshot, entry: LicenseItem, now: int) -> dict[str, Any]:
    """Who holds the live seats that end first, and when the first of all ends; nothing of items without."""
    if not has_seat(entry.terms.charge_way):
        return {}
    concurrent = entry.terms.charge_way in CONCURRENT_WAYS
    first = seats.next_ends(view.db, entry.key, concurrent, now, HOLDERS_SHOWN)
    shown = [{"device": str(UUID(bytes=uuid)), "until": iso(end)} for end, uuid in first]
    return {"holders": shown, "nextFree": shown[0]["until"] if shown else None}
